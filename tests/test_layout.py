"""The package is a house of rooms: what each may import, and how large a file may grow."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "spinode"
LAYOUT = (ROOT / "docs" / "layout.md").read_text()
# Rows of the table: | `room` | what it is | `may`, `import` |
ROWS = re.findall(r"^\| `([\w/.]+?)(?:\.py|/)?` \|[^|]*\|([^|]*)\|$", LAYOUT, re.MULTILINE)
MAY_IMPORT = {room: set(re.findall(r"`(\w+)`", allowed)) for room, allowed in ROWS}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path):
    """The room a module lies in, or its own name at the top."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported_rooms(path):
    """Rooms of spinode that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, *parts = name.split(".")
            if package == "spinode" and parts:
                yield parts[0]


def test_the_table_names_every_room():
    rooms = {room(path) for path in MODULES} - {"__init__"}
    assert set(MAY_IMPORT) == rooms


def test_the_table_has_no_arrow_upwards():
    """Rooms stand in the order in which data flow: each imports from those above it only."""
    order = list(MAY_IMPORT)
    for name, allowed in MAY_IMPORT.items():
        assert allowed <= set(order[: order.index(name)]), name


@pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix().removesuffix(".py")
)
def test_a_module_imports_only_what_its_room_may(path):
    here = room(path)
    if here == "__init__":
        return
    for other in imported_rooms(path):
        if (PACKAGE / other).is_dir() or (PACKAGE / f"{other}.py").is_file():
            assert other == here or other in MAY_IMPORT[here], f"{path.name} imports {other}"


def test_no_file_is_longer_than_400_lines():
    sizes = {
        path.relative_to(PACKAGE).as_posix(): len(path.read_text().splitlines()) for path in MODULES
    }
    assert not {name for name, lines in sizes.items() if lines > 400}


def test_importing_the_package_loads_nothing_heavy():
    code = (
        "import sys, spinode; "
        "heavy = {'torch', 'numba', 'xarray', 'numpy', 'scipy', 'pandas'} & set(sys.modules); "
        "assert not heavy, heavy; "
        "from spinode import SpinODE, fit, forecast, simulate; "
        "assert callable(fit) and callable(forecast) and callable(simulate)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
