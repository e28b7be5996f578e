"""The embedded engine: relax a device, drive it, record; go on after a kill.

The order is that of the published MuMax3 scripts: follow the energy of the seeded state downhill,
settle at higher damping, then switch the drive on.
"""

import time as clock
from pathlib import Path

import numpy as np
import xarray as xr
from tqdm import tqdm

import spinode
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive
from spinode.errors import InputError, SpinodeError
from spinode.files import check_writable, read_arrays, write_arrays
from spinode.micromagnetics import recording
from spinode.micromagnetics.demag import mumax3, newell
from spinode.micromagnetics.llg import Integrator, stable_step
from spinode.micromagnetics.relaxation import relax
from spinode.micromagnetics.skyrmion import film_of, topological_charge

_TENSORS = {"mumax3": mumax3, "newell": newell}
_PRECISIONS = {"single": np.float32, "double": np.float64}
#: Precision of the integration unless another is asked for.
PRECISION = "single"
_CHECKPOINT_EVERY = 30.0  # s of wall time


def run(
    device: SkyrmionDisk,
    drive: Drive,
    *,
    spacing: float = 2.5e-12,
    duration: float | None = None,
    snapshots: float | None = None,
    progress: bool = True,
    checkpoint: Path | None = None,
    step: float | None = None,
    demag: str = "mumax3",
    precision: str = PRECISION,
) -> xr.Dataset | tuple[xr.Dataset, xr.Dataset]:
    """Relax a device, drive it and record its mean magnetization and topological charge.

    Parameters
    ----------
    device, drive
        What is driven, and how.
    spacing : float
        Time between samples in s.
    duration : float, optional
        In s; the whole drive by default.
    snapshots : float, optional
        Time between pictures of m in s, a multiple of ``spacing``.
    progress : bool
        Whether to show a bar in simulated ns.
    checkpoint : Path, optional
        File that takes the state every 30 s. A run that finds one goes on from it with the very
        same result, and removes it at the end.
    step : float, optional
        Longest time step in s; by default the longest stable one.
    demag : {"mumax3", "newell"}
        Demagnetizing tensor: with MuMax3's error of integration, so that results agree with its
        results, or exact.
    precision : {"single", "double"}
        Of the integration under the drive. "single" is MuMax3's, and takes some 0.6 of the time.

    Returns
    -------
    Dataset or (Dataset, Dataset)
        The trajectory, and the snapshots if asked for.

    Raises
    ------
    InputError
        When a time does not fit another, the step is unstable, or the checkpoint belongs to
        another simulation.
    SpinodeError
        When skyrmions die in relaxation, or the integration breaks down.
    """
    started = clock.monotonic()
    if demag not in _TENSORS:
        raise InputError(f"simulate: demag {demag!r} is unknown; choose one of {list(_TENSORS)}.")
    if precision not in _PRECISIONS:
        raise InputError(
            f"simulate: precision {precision!r} is unknown; choose one of {list(_PRECISIONS)}."
        )
    tensor, dtype = _TENSORS[demag], _PRECISIONS[precision]
    plan = recording.Plan.of(drive, spacing, duration, snapshots)
    inputs = drive.sample(plan.time)
    film = film_of(device)
    parameters = {"Ku": device.Ku, "Dind": device.Dind}
    strongest = {name: np.abs(inputs.get(name, value)).max() for name, value in parameters.items()}
    limit = stable_step(film, **strongest)
    if step is not None and not 0 < step <= limit:
        raise InputError(
            f"simulate: a time step of {step:g} s is not between 0 and the stability limit of "
            f"{limit:.3g} s for cells of {device.cell:g} m; shorten it, or leave it out."
        )
    integrator = Integrator(film, device.alpha, spacing, step or limit, tensor=tensor, dtype=dtype)

    rows = np.empty((len(plan.time), 4))
    picture_rows = plan.picture_rows
    pictures = np.empty((len(picture_rows), 3, *film.inside.shape))
    done, spent = 0, 0.0  # samples recorded, wall time of earlier attempts
    relaxed = 0.0  # wall time at which the drive began
    numerics = demag, precision, integrator.dt, spinode.__version__
    identity = recording.describe(device, drive, plan, *numerics)
    saved = None
    if checkpoint is not None:
        check_writable(Path(checkpoint).parent)
        saved = _read(Path(checkpoint), identity)
    if saved is None:
        integrator.start(relax(device, tensor))
        relaxed = clock.monotonic() - started
    else:
        integrator.restore(saved)
        done, spent, relaxed = len(saved["rows"]), float(saved["spent"]), float(saved["relaxed"])
        rows[:done] = saved["rows"]
        pictures[: len(saved["pictures"])] = saved["pictures"]

    def save(now):
        write_arrays(
            checkpoint,
            identity=identity,
            spent=spent + now - started,
            relaxed=relaxed,
            rows=rows[:done],
            pictures=pictures[: np.searchsorted(picture_rows, done)],
            **integrator.state(),
        )

    cells = np.count_nonzero(film.inside)
    saved_at = started  # relaxing counts, too
    with tqdm(
        total=plan.time[-1] * 1e9,
        initial=plan.time[done] * 1e9,
        desc=f"embedded engine, {device.diameter * 1e9:g} nm disk",
        disable=not progress,
        position=0,  # simulations side by side share a line: notebooks cannot go back to another
        bar_format=recording.BAR,
    ) as bar:
        while True:
            m = integrator.m.astype(float)
            rows[done, :3] = m.sum(axis=(1, 2)) / cells
            rows[done, 3] = topological_charge(m, film.inside)
            if not np.isfinite(rows[done]).all():
                raise SpinodeError(
                    f"The magnetization broke down {plan.time[done]:g} s into the drive; "
                    "choose a shorter step."
                )
            if done in picture_rows:
                pictures[np.searchsorted(picture_rows, done)] = m
            done += 1
            if done == len(rows):
                break
            driven = drive.sample(plan.time[done - 1] + integrator.times)
            integrator.advance(**(parameters | driven))
            bar.n = plan.time[done] * 1e9  # set, not added up: rounding would overshoot the total
            bar.update(0)
            now = clock.monotonic()
            if checkpoint is not None and now - saved_at > _CHECKPOINT_EVERY:
                save(now)
                saved_at = clock.monotonic()
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)

    engine = {"engine": "embedded", "engine_version": spinode.__version__}
    columns = dict(zip(("mx", "my", "mz", "topological_charge"), rows.T, strict=True)) | inputs
    wall_times = {"wall_time": spent + clock.monotonic() - started, "relaxation_wall_time": relaxed}
    trajectory = recording.dataset(device, drive, plan.time, columns, **wall_times, **engine)
    trajectory.attrs |= {"demag": demag, "precision": precision}
    if snapshots is None:
        return trajectory
    taken = recording.pictures(device, drive, plan.time[picture_rows], pictures, **engine)
    return trajectory, taken


def _read(path: Path, identity: str) -> dict[str, np.ndarray] | None:
    """Return the checkpoint at ``path``, or None if there is none."""
    if not path.exists():
        return None
    try:
        saved = read_arrays(path)
    except InputError as error:
        raise InputError(f"{error} It should be a checkpoint; delete it.") from None
    if str(saved.get("identity")) != identity:
        raise InputError(
            f"The checkpoint {path} belongs to another simulation: its device, drive, times or "
            "version differ; delete it or name another file."
        )
    return saved
