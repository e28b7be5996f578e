"""The files of spinode that every stage of ``dvc.yaml`` depends on, from the notebooks' imports.

``make pipeline`` (or ``python -m spinode.workflow.pipeline``) writes them after an import has
changed; a test compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from spinode import provenance
from spinode.files import replacing, workbook_root

#: Modules that stand between a notebook and its results without changing them: how errors are
#: said, where files lie, how notebooks are run, and which names are loaded late. All that
#: computes or draws is a dependency.
NEUTRAL = frozenset(
    {
        "__init__.py",
        "errors.py",
        "files.py",
        "provenance.py",
        "workflow/profiles.py",
        "workflow/workbook.py",
    }
)

# The name of a stage and its list of dependencies, one a line.
_STAGE = re.compile(r"^  (\w+):\n(?:    .*\n)*?    deps:\n((?:      - .*\n)+)", re.MULTILINE)


def dependencies(notebooks: Iterable[Path]) -> list[str]:
    """Return the files of spinode that notebooks depend on, as ``dvc.yaml`` names them.

    An ``__init__`` that holds nothing but a sentence is left out, as `NEUTRAL` modules are.

    Parameters
    ----------
    notebooks : iterable of Path
        Their texts: a stage's own, and those that it sweeps.
    """
    package = Path(provenance.__file__).parent
    found = set()
    for notebook in notebooks:
        for path in provenance.package_files(notebook.read_text("utf-8")):
            name = path.relative_to(package).as_posix()
            bare = path.name == "__init__.py" and len(path.read_text("utf-8").splitlines()) == 1
            if name not in NEUTRAL and not bare:
                found.add(f"{package.name}/{name}")
    return sorted(found)


def stages(text: str) -> dict[str, list[str]]:
    """Return what each stage of a pipeline's ``text`` depends on."""
    return {
        name: [line.strip().removeprefix("- ") for line in listed.splitlines()]
        for name, listed in _STAGE.findall(text)
    }


def renewed(text: str, root: Path) -> str:
    """Return a pipeline's ``text`` with the modules that its notebooks import now.

    Notebooks, data and everything else stay as they are.

    Parameters
    ----------
    text : str
        The contents of ``dvc.yaml``.
    root : Path
        The workbook.
    """

    def renew(stage: re.Match) -> str:
        lines = [line.strip().removeprefix("- ") for line in stage[2].splitlines()]
        notebooks = [name for name in lines if name.startswith("notebooks/")]
        others = [name for name in lines if not name.startswith(("notebooks/", "spinode/"))]
        modules = dependencies(root / name for name in notebooks)
        listed = "".join(f"      - {name}\n" for name in [*notebooks, *modules, *others])
        return stage[0].removesuffix(stage[2]) + listed

    return _STAGE.sub(renew, text)


def main() -> None:
    """Bring the workbook's ``dvc.yaml`` up to date."""
    root = workbook_root()
    path = root / "dvc.yaml"
    text = path.read_text("utf-8")
    with replacing(path) as partial:
        partial.write_text(renewed(text, root), encoding="utf-8")
    print(f"{path}: {'up to date' if renewed(text, root) == text else 'renewed'}")


if __name__ == "__main__":
    main()
