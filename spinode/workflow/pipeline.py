"""The files of spinode that every stage of ``dvc.yaml`` depends on, from the notebooks' imports.

``make pipeline`` (or ``python -m spinode.workflow.pipeline``) writes them after an import has
changed; a test compares.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

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
    yaml = YAML()  # keeps comments and layout
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width, yaml.preserve_quotes = 4096, True
    pipeline = yaml.load(text)
    for stage in pipeline["stages"].values():
        notebooks = [name for name in stage["deps"] if name.startswith("notebooks/")]
        others = [name for name in stage["deps"] if not name.startswith(("notebooks/", "spinode/"))]
        stage["deps"] = [*notebooks, *dependencies(root / name for name in notebooks), *others]
    file = io.StringIO()
    yaml.dump(pipeline, file)
    return file.getvalue()


def main() -> None:
    """Bring the workbook's ``dvc.yaml`` up to date."""
    root = workbook_root()
    path = root / "dvc.yaml"
    text = path.read_text("utf-8")
    after = renewed(text, root)
    with replacing(path) as partial:
        partial.write_text(after, encoding="utf-8")
    print(f"{path}: {'up to date' if after == text else 'renewed'}")


if __name__ == "__main__":
    main()
