"""``spinode learn`` and ``spinode forecast``: a recording, a model and forecasts, without code."""

from __future__ import annotations

import math
from pathlib import Path

import click

from spinode.errors import InputError

_TIMES = [
    click.option("--time", metavar="COLUMN", help="Column of times, such as time_us."),
    click.option("--sample-time", type=float, metavar="SECONDS", help="Where no column has times."),
    click.option(
        "--units", "units", multiple=True, metavar="COLUMN=UNIT", help="Where names do not tell it."
    ),
]


def _times(command):
    for option in reversed(_TIMES):
        command = option(command)
    return command


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--output", required=True, metavar="COLUMN", help="What was measured.")
@click.option("--input", "inputs", multiple=True, metavar="COLUMN", help="What drove the device.")
@_times
@click.option("--hold", is_flag=True, help="Inputs keep their value until the next sample.")
@click.option("--train", metavar="FROM:TO", help="Fractions or samples.  [default: 0:0.7]")
@click.option(
    "--choose-by",
    "others",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Another recording, to choose between models by.",
)
@click.option(
    "--states", metavar="N", default="auto", show_default=True, help="Length of the state."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Folder.  [default: FILE_learned]")
def learn(
    files: tuple[Path, ...],
    output: str,
    inputs: tuple[str, ...],
    time: str | None,
    sample_time: float | None,
    units: tuple[str, ...],
    hold: bool,
    train: str | None,
    others: tuple[Path, ...],
    states: str,
    seed: int,
    out: Path | None,
) -> None:
    """Learn a driven device from recordings in FILES.

    The report is on data that were held out.
    """
    from spinode.files import check_writable
    from spinode.recordings import report, study
    from spinode.recordings.readers import read_recording

    stretch = study.TRAIN if train is None else _stretch(train)
    how = {"time": time, "sample_time": sample_time, "units": _units(units)}
    records, validation = (
        [read_recording(one, output=output, inputs=inputs, **how) for one in paths]
        for paths in (files, others)
    )
    names = list(records[0])
    folder = out or files[0].with_name(f"{files[0].stem}_learned")
    check_writable(folder)
    found = study.learn(
        records,
        output=names[0],
        inputs=names[1:],
        validation=validation,
        train=stretch,
        interpolation="held" if hold else "auto",
        states=_states(states),
        seed=seed,
        checkpoint=folder / "training.checkpoint",
    )
    path = report.write(found, folder)
    for doubt in found.warnings:
        print(f"note: {doubt}")
    held_out = found.numbers()["samples_held_out"]
    for name, score in found.scores.items():
        print(
            f"{name:8} RMSE {score.rmse:.4g} {found.units}, NRMSE {score.nrmse:.2%}, "
            f"fit {score.fit:.2%} on {held_out} held-out samples"
        )
    print(f"model     {folder / 'model.npz'}\nreport    {path}")


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("drive", type=click.Path(path_type=Path))
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Table to write (.csv)."
)
@click.option(
    "--input", "inputs", multiple=True, metavar="COLUMN", help="Columns, if of other names."
)
@click.option("--output", metavar="COLUMN", help="Measured first samples to start from.")
@click.option("--start-samples", type=click.IntRange(min=1), help="How many of them to use.")
@_times
@click.option("--band", type=float, metavar="PART", help="Also a band that holds PART of samples.")
def forecast(
    model: Path,
    drive: Path,
    out: Path,
    inputs: tuple[str, ...],
    output: str | None,
    start_samples: int | None,
    time: str | None,
    sample_time: float | None,
    units: tuple[str, ...],
    band: float | None,
) -> None:
    """Forecast what MODEL does under the DRIVE in a file.

    All is in SI units.

    The forecast starts at rest, or from a state fitted to the first samples of --output.
    """
    import pandas as pd

    from spinode.files import replacing
    from spinode.neural_ode.forecast import forecast as run_forecast
    from spinode.neural_ode.initial_state import START_SAMPLES
    from spinode.neural_ode.shipped import load_model
    from spinode.recordings.readers import read_recording

    learned = load_model(model)
    columns = list(inputs) or [channel.name for channel in learned.inputs]
    if len(columns) != len(learned.inputs):
        raise InputError(f"the model has {len(learned.inputs)} inputs, not {len(columns)}.")
    if time is None and sample_time is None:
        sample_time = learned.sample_spacing
        print(f"Without --time the rows are taken as {sample_time:.4g} s apart, as in training.")
    given = read_recording(
        drive, output=output, inputs=columns, time=time, sample_time=sample_time,
        units=_units(units),
    )  # fmt: skip
    names = [channel.name for channel in learned.inputs]
    if output:
        names.insert(0, learned.output.name)
    given = given.rename({old: new for old, new in zip(given, names, strict=True) if old != new})
    for channel in (*learned.inputs, *([learned.output] if output else [])):
        theirs = given[channel.name].attrs["units"]
        if theirs != channel.units:
            raise InputError(
                f"{channel.name} is in {theirs} in {drive} but in {channel.units} in the model; "
                "say its unit with --units."
            )
    first = None
    if output:
        usual = getattr(learned, "start_samples", START_SAMPLES)
        usual += max(getattr(learned, "dead_times", ()), default=0)
        first = given[learned.output.name].values[: start_samples or usual]
    run = run_forecast(learned, given, initial=first, band=band)
    units_of = {one.name: one.units for one in (learned.output, *learned.inputs)}
    table = {"time_s": run.time.values}
    for name in run:
        unit = units_of.get(name, learned.output.units)
        table[name if unit == "1" else f"{name}_{unit.replace('/', '_per_')}"] = run[name].values
    with replacing(out) as partial:
        pd.DataFrame(table).to_csv(partial, index=False)
    print(f"{run.sizes['time']} samples of {learned.output.name}: {out}")


def _stretch(train: str) -> tuple[float, float]:
    first, colon, stop = train.partition(":")
    try:
        found = float(first), float(stop)
    except ValueError:
        found = (math.nan, math.nan)
    if not colon or not all(map(math.isfinite, found)):
        raise InputError(f"--train is FROM:TO, such as 0:0.7 or 0:5000, not {train!r}.")
    return found


def _states(states: str) -> int | str:
    if states == "auto":
        return states
    if not states.isdigit():
        raise InputError(f"--states is a whole number or auto, not {states!r}.")
    return int(states)


def _units(given: tuple[str, ...]) -> dict[str, str]:
    units = {}
    for one in given:
        column, equals, unit = one.rpartition("=")
        if not equals:
            raise InputError(f"--units is COLUMN=UNIT, such as drive=mV, not {one!r}.")
        units[column] = unit
    return units
