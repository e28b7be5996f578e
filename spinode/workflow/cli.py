"""The ``spinode`` command. Exit codes: 0 done, 1 a run failed, 2 bad input."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import click

from spinode import __version__
from spinode.errors import InputError, SpinodeError
from spinode.workflow.commands import COMMANDS, PROFILE
from spinode.workflow.learn import forecast, learn


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="spinode")
def app() -> None:
    """Run the spinode workbook."""


for command in (learn, forecast, *COMMANDS):
    app.add_command(command)


@app.command("list")
@click.argument("notebook", required=False)
@PROFILE
def list_(notebook: str | None, profile: str) -> None:
    """List the notebooks, or the parameters of NOTEBOOK.

    Beside each stands how long it took here, where it has run under the profile.
    """
    from spinode.book.contents import duration_of, title_of
    from spinode.files import workbook_root
    from spinode.workflow import notebooks

    if notebook:
        path = notebooks.find_notebook(notebook)
        print(f"{path.stem}: {title_of(path)}\n")
        for name, value in notebooks.under_profile(path, profile).items():
            print(f"  {name} = {value!r}")
        return
    root = workbook_root()
    for path in notebooks.all_notebooks():
        took = duration_of(
            root / "build" / profile / f"{path.stem}.ipynb",
            root / "results" / profile / f"{notebooks.section(path)}.json",
        )
        print(f"{path.stem:26} {took:>8}  {title_of(path)}")
    print("\n'spinode list NOTEBOOK' says what its parameters are; 'spinode run NOTEBOOK' runs it.")


@app.command()
@click.argument("notebook")
@PROFILE
@click.option(
    "-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter."
)
def run(notebook: str, profile: str, parameters: tuple[tuple[str, str], ...]) -> None:
    """Execute NOTEBOOK, such as 02_training.

    The executed notebook is left under build/<profile>/.
    """
    from spinode.workflow import execution, notebooks
    from spinode.workflow.profiles import parse_value

    known = notebooks.defaults(notebooks.find_notebook(notebook))
    overrides = {name: parse_value(text, known.get(name)) for name, text in parameters}
    print(f"done: {execution.run(notebook, profile, overrides)}")


@app.command()
@click.argument("notebook")
@click.option(
    "-p",
    "parameters",
    nargs=2,
    multiple=True,
    metavar="NAME VALUES",
    help="Values of a parameter: 1,2,3, or 0:5 for 0 to 4.",
)
@click.option("--zip", "side_by_side", is_flag=True, help="Take the -p side by side, not crossed.")
@click.option("--grid", "file", type=click.Path(path_type=Path), help="A file of points.")
@PROFILE
@click.option("--workers", type=click.IntRange(min=1), help="Local processes.  [default: cores]")
@click.option("--scheduler", metavar="ADDRESS", help="A running Dask scheduler to use instead.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the sweep.")
@click.option("--yes", is_flag=True, help="Run more than 1000 points.")
@click.option(
    "--adaptive", type=click.IntRange(min=1), metavar="N", help="Run only N points, well chosen."
)
@click.option("--minimize", metavar="METRIC", help="What an adaptive sweep looks for.")
def sweep(
    notebook: str,
    parameters: tuple[tuple[str, str], ...],
    side_by_side: bool,
    file: Path | None,
    **options,
) -> None:
    """Execute NOTEBOOK over a grid of parameters, on Dask.

    The same command continues where an earlier one ended.
    """
    from spinode.workflow import grid, notebooks
    from spinode.workflow.sweep import sweep as run_sweep
    from spinode.workflow.table import as_text

    known = notebooks.defaults(notebooks.find_notebook(notebook))
    values = {name: grid.parse_values(text, known.get(name)) for name, text in parameters}
    axes = grid.Block(**{"zip" if side_by_side else "product": values})
    if not values and not file:
        raise InputError("the grid is empty; give -p NAME VALUES or --grid FILE.")
    points = grid.read_grid(file, axes) if file else grid.Grid(axes)
    found = run_sweep(notebook, points, **options)
    best = options["minimize"]
    print(as_text(found, sort=best if best in found else None))
    failed = int((found.point_error != "").sum())
    if failed:
        raise SpinodeError(f"{failed} of {found.sizes['point']} points failed; see above.")


@app.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--columns", metavar="NAMES", help="Only these, such as k,width,nrmse.")
@click.option("--sort", metavar="NAME", help="Sort by this column; -NAME, from the largest down.")
@click.option("--over", metavar="NAME", help="Mean and standard deviation over this, as seed.")
@click.option("--csv", is_flag=True, help="Print comma-separated values.")
def table(folder: Path, columns: str | None, sort: str | None, over: str | None, csv: bool) -> None:
    """Print what came out of the sweep in FOLDER.

    One line for each point: the parameters that differ, and the metrics.
    """
    from spinode.workflow import table as tables

    found = tables.table(folder)
    chosen = columns.split(",") if columns else None
    print(tables.as_text(found, columns=chosen, sort=sort, over=over, csv=csv))


def main() -> None:
    """Run the command; every expected failure is one sentence on standard error."""
    # What Python says of coroutines that a notebook's client was still to await at Ctrl-C.
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    try:
        app(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InputError as error:
        sys.exit(_complain(error, 2))
    except SpinodeError as error:
        sys.exit(_complain(error, 1))
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("spinode"):
            raise
        sys.exit(_complain(f"the package {error.name} is missing; install with 'make install'.", 2))
    except click.Abort:  # Ctrl-C
        sys.exit(_complain("interrupted; start the same command again to go on.", 130))


def _complain(message: object, code: int) -> int:
    print(f"spinode: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
