"""The commands of ``spinode`` around the notebooks: data, models, engines, the book, releases."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from spinode.errors import InputError
from spinode.workflow.profiles import suggest

#: The option of all commands that run under a profile, or read what one has left.
PROFILE = click.option("--profile", default="quick", show_default=True, help="A file of profiles/.")


@click.command()
@click.argument("what", required=False)
@click.option("--from", "source", type=click.Path(path_type=Path), help="A local copy to take.")
@click.option("--mirror", metavar="URL", help="A web folder to download from, not GitHub.")
@click.option("--list", "listing", is_flag=True, help="Say what is here, and stop.")
def fetch(what: str | None, source: Path | None, mirror: str | None, listing: bool) -> None:
    """Get published data and verify it.

    WHAT is paper, the authors' data, or fsdd, the Free Spoken Digit Dataset.
    """
    from tqdm import tqdm

    from spinode.paper import authors
    from spinode.speech import corpora

    known = {
        "paper": (authors.registry(), authors.folder()),
        "fsdd": (corpora.registry(), corpora.folder()),
    }
    if what not in known and not (listing and what is None):
        raise InputError(
            f"nothing called {what!r} can be fetched; {suggest(what, known)}"
            if what
            else "say what to fetch: 'spinode fetch paper' or 'spinode fetch fsdd'."
        )
    if listing:
        for name, (files, folder) in known.items():
            if what in (None, name):
                for file in files:
                    _report(file, file.state(folder))
        print("get the missing ones with 'spinode fetch paper' or 'fetch fsdd' [--from DIR].")
        return
    files, folder = known[what]
    print(f"{len(files)} files from {source or mirror or files[0].mirror}", flush=True)
    # fsdd has 500 small files: one bar for all of them
    with tqdm(total=len(files), unit="file", disable=None if what == "fsdd" else True) as bar:

        def report(file, state: str) -> None:
            bar.update()
            if what == "paper" or state not in ("here", "fetched"):
                _report(file, state)

        outcomes = authors.fetch(source, folder, report, files, mirror)
    counts = ", ".join(f"{len(found)} {outcome}" for outcome, found in sorted(outcomes.items()))
    print(f"{counts}; in {folder}")
    if outcomes.get("missing"):
        print(f"get the missing ones with 'spinode fetch {what}' where there is internet")
    if refused := outcomes.get("corrupt"):
        names = ", ".join(file.path for file in refused)
        raise InputError(f"refused, since the hash is not the published one: {names}.")


def _report(file, state: str) -> None:
    size = "      ?" if file.size is None else f"{file.size / 1e6:7.2f}"
    print(f"{state:8s} {size} MB  {file.path}", flush=True)


@click.command()
@PROFILE
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: build/book]")
@click.option("--open", "opening", is_flag=True, help="Open it in a browser.")
def book(profile: str, out: Path | None, opening: bool) -> None:
    """Make a static site of the executed notebooks and docs/."""
    from spinode.book import site
    from spinode.files import workbook_root

    root = workbook_root()
    made = site.build(root, profile, out or root / "build" / "book")
    for line in made.warnings:
        print(line, file=sys.stderr)
    if made.missing:
        print(f"text alone, not executed under {profile}: {', '.join(made.missing)}")
    print(f"done: {made.folder / 'index.html'}")
    if opening:
        click.launch(str(made.folder / "index.html"))


@click.command()
@click.argument("model")
@click.option("--lab/--no-lab", default=True, help="Open JupyterLab, or only write the notebook.")
def explore(model: str, lab: bool) -> None:
    """Open MODEL with sliders in JupyterLab.

    MODEL is a file, or the name of a model that comes with the package.
    """
    from spinode.book.explorer import write_notebook
    from spinode.files import workbook_root
    from spinode.workflow import lab as jupyterlab

    root = workbook_root()
    path = write_notebook(model, root / "build" / "explore")
    print(f"written: {path}")
    if lab:
        jupyterlab.start(root, path.relative_to(root))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(options: tuple[str, ...]) -> None:
    """Open the workbook in JupyterLab.

    OPTIONS are those of 'jupyter lab'.
    """
    from spinode.files import workbook_root
    from spinode.workflow import lab as jupyterlab

    jupyterlab.start(workbook_root(), options=options)


@click.command()
def engines() -> None:
    """Say which micromagnetic engines can run here."""
    from spinode.micromagnetics import available_engines

    for one in available_engines():
        print(f"{one.engine:9s} {'available' if one.available else 'not here ':9s}  {one.detail}")


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for script and sequences.")
def mx3(run_name: str, out: Path | None) -> None:
    """Print the MuMax3 script of RUN, such as one_skyrmion."""
    from spinode.micromagnetics import mumax3

    protocol = _protocol(run_name)
    simulation = protocol.device, protocol.drive, protocol.spacing
    if out is not None:
        print(mumax3.write(out, *simulation))
        return
    text, sequences = mumax3.script(*simulation)
    print(text, end="")
    if sequences:
        names = ", ".join(f"{name}.ovf" for name in sequences)
        print(f"the script reads {names}: --out DIR writes them as well", file=sys.stderr)


def _protocol(name: str):
    """Return the run of the paper that is called ``name``."""
    from spinode.devices.protocols import (
        FOUR_SKYRMIONS,
        ONE_SKYRMION,
        PROTOCOLS,
        mackey_glass_protocol,
    )

    if name in PROTOCOLS:
        return PROTOCOLS[name]
    reservoirs = {f"mackey_glass_{one.name}": one for one in (ONE_SKYRMION, FOUR_SKYRMIONS)}
    if name not in reservoirs:
        raise InputError(f"there is no run {name!r}; {suggest(name, [*PROTOCOLS, *reservoirs])}")
    import numpy as np

    from spinode.paper import authors
    from spinode.reservoir import readout, tasks

    file = authors.locate(authors.MACKEY_GLASS_SERIES)
    series = np.loadtxt(file) if file else tasks.mackey_glass_series(10_000)
    return mackey_glass_protocol(
        reservoirs[name], np.multiply.outer(series, readout.gaussian_mask())
    )


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--to", type=click.Path(path_type=Path), help="netCDF file; FOLDER.nc by default.")
@click.option("--series", default="m", show_default=True, help="Name of the pictures, as B_demag.")
def import_mumax3(folder: Path, to: Path | None, series: str) -> None:
    """Keep the output FOLDER of a MuMax3 run as a trajectory."""
    from spinode import trajectory
    from spinode.micromagnetics import mumax3

    table, pictures = mumax3.load(folder, series)
    default = folder.resolve().with_name(folder.resolve().name + ".nc")
    path = trajectory.save(table, to or default)
    print(f"{table.sizes['time']} samples of {', '.join(map(str, table.data_vars))}: {path}")
    if pictures is not None:
        images = path.with_name(f"{path.stem}_pictures.nc")
        saved = trajectory.save(pictures.to_dataset(name=series), images)
        print(f"{len(pictures)} pictures of {pictures.sizes.get('z', 1)} layer(s): {saved}")


@click.command()
def readme() -> None:
    """Put all results into README.md and list the notebooks.

    For maintainers, before a commit.
    """
    from spinode.book import listing
    from spinode.files import replacing, workbook_root
    from spinode.paper import comparison

    root = workbook_root()
    comparison.publish(root)
    text = comparison.readme(root)
    with replacing(root / "README.md") as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"results/summary.md and {root / 'README.md'} hold what results/ say.")
    print(f"listed: {listing.write(root)}")


@click.command()
def check() -> None:
    """Say what this machine offers, and what would stop a run."""
    from spinode.files import workbook_root
    from spinode.paper import authors

    root = workbook_root()
    if not (root / ".git").exists():
        raise InputError(
            f"{root} is not a git repository, which DVC needs: clone the repository instead of "
            "unpacking an archive, or run 'git init' in it."
        )
    import torch

    from spinode.paper.download import reachable

    published = [file for file in authors.registry() if authors.locate(file.path)]
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    print(f"workbook        {root}")
    print(f"torch           {torch.__version__} on {device}, {torch.get_num_threads()} thread(s)")
    print(f"authors' data   {len(published)} of {len(authors.registry())} files")
    left = [file for file in authors.registry() if file not in published]
    if left and reachable(left[0].url):
        size = sum(file.size or 0 for file in left) / 1e6
        print(
            f"                'spinode fetch paper' ({size:.0f} MB or more) adds the paper's own "
            "runs, weights and recordings, to learn from and to compare with"
        )


@click.command()
def models() -> None:
    """List the trained models that come with the package."""
    from spinode.neural_ode import shipped

    for name in shipped.names():
        about = shipped.card(name)
        print(f"{name:20}  {about['title']}")
        for channel, (low, high) in about["trained_range"].items():
            print(f"{'':20}    {channel} from {low:.4g} to {high:.4g} {about['units'][channel]}")


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default="demo.png", show_default=True)
def demo(out: Path) -> None:
    """Forecast a skyrmion, simulate it beside, draw both."""
    from spinode.workflow import demo

    print("relaxing the skyrmion; the first time, what is needed is compiled", flush=True)
    found = demo.demo(out)
    print(
        f"{found.points} points of a Mackey-Glass reservoir forecast; its first "
        f"{found.simulated * 1e9:g} ns simulated by micromagnetics beside it:\n"
        f"  one nanosecond of the device takes {found.forecast_seconds * 1e3:.2g} ms by the neural "
        f"ODE and {found.micromagnetics_seconds:.2g} s by micromagnetics,\n"
        f"  {found.ratio:,.0f} times as long; the forecast is {found.error:.1%} off (NRMSE)\n"
        f"  {found.figure}"
    )


@click.command()
@PROFILE
@click.option("--out", type=click.Path(path_type=Path), help="The .zip to write.")
@click.option("--check", type=click.Path(path_type=Path), metavar="ZIP", help="Verify an archive.")
def archive(profile: str, out: Path | None, check: Path | None) -> None:
    """Pack a finished profile as an RO-Crate, or check one."""
    from spinode.workflow import archive

    if check:
        print(f"{check}: {archive.verify(check)} files, each as it was packed")
    else:
        packed = archive.archive(profile, out or Path(f"spinode-{profile}.zip"))
        print(f"{archive.verify(packed)} files: {packed}")


@click.command(hidden=True)
@PROFILE
def ship(profile: str) -> None:
    """Take a profile's models into the package (for maintainers)."""
    from spinode.workflow import shipping

    for card in shipping.ship(profile):
        print(card)


#: All of them, in the order of ``spinode --help``.
COMMANDS = (
    fetch,
    book,
    explore,
    lab,
    engines,
    mx3,
    import_mumax3,
    readme,
    check,
    models,
    demo,
    archive,
    ship,
)
