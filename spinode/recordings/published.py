"""Three devices that others measured, with the field's own split and the errors they published.

Silverbox, an electronic oscillator with a hardening spring (Wigren and Schoukens 2013); cascaded
tanks with overflow (Schoukens and Noel 2017); a circuit of filter, diode and filter (Schoukens et
al. 2009), all of nonlinearbenchmark.org. The records come from local copies, or by the package
``nonlinear-benchmarks`` (``pip install "spinode[devices]"``), which downloads the archives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from spinode.errors import InputError

#: First samples of a test's output that a forecast may see; they are not scored.
START = 50
_TABLE = Path(__file__).with_name("published.csv")


@dataclass(frozen=True)
class Device:
    """A measured device.

    Attributes
    ----------
    train : Dataset
        Input ``u`` and output ``y`` (V) over time (s): all that a model may be learned from.
    tests : dict of str to Dataset
        Official tests. Nothing may be chosen on them.
    """

    train: xr.Dataset
    tests: dict[str, xr.Dataset]


def published() -> pd.DataFrame:
    """Return published errors, a row a method, a column a test (V), NaN where there is none."""
    return pd.read_csv(_TABLE, comment="#").set_index("method")


def load(name: str, folder: str | Path | None = None) -> Device:
    """Return the records of a device.

    Parameters
    ----------
    name : {"silverbox", "tanks", "wiener_hammerstein"}
    folder : path, optional
        Local copies: ``silverbox/SNLS80mV.csv``, ``cascaded-tanks/dataBenchmark.csv`` and the three
        files of ``wiener-hammerstein``. Left out, ``nonlinear-benchmarks`` gets them.

    Raises
    ------
    InputError
        If there is no such device, or its files are not there.
    """
    if name not in _DEVICES:
        raise InputError(f"there is no device {name!r}; choose from {', '.join(_DEVICES)}.")
    spacing, local, remote = _DEVICES[name]
    if folder is None:
        train, tests = _downloaded(remote)
    else:
        try:
            train, tests = local(Path(folder))
        except OSError as error:
            problem = str(error).rstrip(".")
            raise InputError(f"cannot read {name} in {folder}: {problem}.") from None
    return Device(
        _record(*train, spacing), {test: _record(*one, spacing) for test, one in tests.items()}
    )


def simulate(model, test: xr.Dataset) -> xr.Dataset:
    """Return a model's free simulation of a test, started from its first samples alone."""
    return model.forecast(test[["u"]], test.isel(time=slice(0, START)), band=0.9)


def error(run: xr.Dataset, test: xr.Dataset) -> float:
    """Return the root mean square error (V) behind the first samples."""
    return float(np.sqrt(((run.y - test.y)[START:] ** 2).mean()))


def _record(drive: np.ndarray, output: np.ndarray, spacing: float) -> xr.Dataset:
    time = spacing * np.arange(len(drive))
    record = xr.Dataset({"u": ("time", drive), "y": ("time", output)}, {"time": time})
    for one in record.values():
        one.attrs["units"] = "V"
    return record


def _cut(u: np.ndarray, y: np.ndarray, stretches: dict[str, tuple[int, int]]) -> tuple:
    parts = {name: (u[a:b], y[a:b]) for name, (a, b) in stretches.items()}
    return parts.pop("train"), parts


def _silverbox(folder: Path) -> tuple:
    table = np.genfromtxt(folder / "silverbox/SNLS80mV.csv", delimiter=",", skip_header=1)
    stretches = {
        "train": (40650, 105712),
        "silverbox_multisine": (105712, 127400),
        "silverbox_arrow": (100, 40575),
        "silverbox_no_extrapolation": (100, 32100),
    }
    return _cut(table[:, 0], table[:, 1], stretches)


def _tanks(folder: Path) -> tuple:
    path = folder / "cascaded-tanks/dataBenchmark.csv"
    columns = np.genfromtxt(path, delimiter=",", skip_header=1).T
    return (columns[0], columns[2]), {"tanks": (columns[1], columns[3])}


def _wiener_hammerstein(folder: Path) -> tuple:
    import h5py

    columns = {"u": [], "y": []}
    for part in ("train", "valid", "test"):
        path = folder / f"wiener-hammerstein/WienerHammerstein_{part}.hdf5"
        with h5py.File(path) as file:
            for name, parts in columns.items():
                parts.append(np.ravel(file[name]))
    u, y = (np.concatenate(columns[name]) for name in ("u", "y"))
    return _cut(u, y, {"train": (5200, 105_200), "wiener_hammerstein": (105_200, 184_000)})


def _downloaded(remote: tuple[str, Callable]) -> tuple:
    """Return a device by the field's own loader, with its own split."""
    try:
        import nonlinear_benchmarks
    except ImportError:
        raise InputError(
            'the package nonlinear-benchmarks gets these data: pip install "spinode[devices]", or '
            "give the folder of local copies."
        ) from None
    function, names = remote
    try:
        train, tests = getattr(nonlinear_benchmarks, function)()
    except Exception as problem:  # whatever a download and an archive may raise
        raise InputError(
            f"nonlinear-benchmarks could not get {function}: {str(problem).rstrip('.')}. "
            "Give the folder of local copies."
        ) from None
    tests = tests if isinstance(tests, tuple | list) else (tests,)
    pairs = {name: (one.u, one.y) for name, one in zip(names, tests, strict=True)}
    return (train.u, train.y), pairs


_SILVERBOX = ("silverbox_multisine", "silverbox_arrow", "silverbox_no_extrapolation")
_DEVICES = {
    "silverbox": (1 / 610.35, _silverbox, ("Silverbox", _SILVERBOX)),
    "wiener_hammerstein": (
        1 / 51_200,
        _wiener_hammerstein,
        ("WienerHammerBenchMark", ("wiener_hammerstein",)),
    ),
    "tanks": (4.0, _tanks, ("Cascaded_Tanks", ("tanks",))),
}
#: Their names.
DEVICES = tuple(_DEVICES)
