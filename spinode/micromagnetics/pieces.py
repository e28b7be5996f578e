"""A long drive cut into pieces that run side by side, for devices that forget.

Where the largest Lyapunov exponent is negative, a device that starts at rest comes to follow the
drive as one that followed it from the beginning (`spinode.reservoir.lyapunov`). So a piece that
begins a little earlier, and of which that beginning is dropped, is the same as that stretch of the
uncut run, up to what the device still remembers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.cores import cores
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import Drive, Stretch
from spinode.errors import InputError
from spinode.micromagnetics.kept import simulate_once


def simulate_in_pieces(
    folder: str | Path,
    device: SkyrmionDisk,
    drive: Drive,
    *,
    spacing: float,
    piece: float,
    warm_up: float,
    **options,
) -> xr.Dataset:
    """Return the response to a drive, simulated by the embedded engine in pieces, on all cores.

    Parameters
    ----------
    folder : path
        Takes a netCDF file for each piece. What is there is not run again; a piece that was cut off
        goes on from its checkpoint.
    device, drive, spacing
        As for `simulate_once`.
    piece : float
        Length of a piece in s, a multiple of ``spacing``.
    warm_up : float
        What each piece but the first runs ahead of itself, in s, a multiple of ``spacing``. An
        exponent of -0.9 every 0.5 ns, that of one skyrmion, makes 1e-8 of what differs at the start
        in 10 ns.
    **options
        Passed on to `embedded.run`.

    Returns
    -------
    Dataset
        As of `simulate`. Attribute ``wall_time`` (s) is the sum over the pieces, ``warm_up`` (s)
        says how they were joined, and ``annihilation`` (s) is the first of all.

    Raises
    ------
    InputError
        When piece or warm-up is not a multiple of the spacing.
    """
    lengths = {"piece": (piece, 1), "warm_up": (warm_up, 0), "drive": (drive.duration, 1)}
    samples = {}
    for name, (length, least) in lengths.items():
        samples[name] = round(length / spacing)
        if samples[name] < least or abs(samples[name] * spacing - length) > 1e-3 * spacing:
            raise InputError(
                f"simulate_in_pieces: {name} of {length:g} s is not a multiple of the spacing of "
                f"{spacing:g} s."
            )
    starts = range(0, samples["drive"], samples["piece"])

    def part(start):
        """Return the samples from ``start`` on, without the piece's last, which is the next's."""
        ahead = min(start, samples["warm_up"])
        stop = min(start + samples["piece"], samples["drive"])
        stretch = Stretch(drive, (start - ahead) * spacing, (stop - start + ahead) * spacing)
        path = Path(folder) / f"{start:08d}.nc"
        run = simulate_once(path, device, stretch, spacing=spacing, engine="embedded", **options)
        last = stop == samples["drive"]
        return run.isel(time=slice(ahead, None if last else -1)), stretch.start

    with ThreadPoolExecutor(cores()) as pool:
        parts = list(pool.map(part, starts))
    whole = xr.concat([run for run, _ in parts], "time", combine_attrs="override")
    whole["time"] = spacing * np.arange(whole.sizes["time"])
    for name in ("wall_time", "relaxation_wall_time"):
        whole.attrs[name] = sum(run.attrs[name] for run, _ in parts)
    lost = [run.attrs["annihilation"] + at for run, at in parts if "annihilation" in run.attrs]
    whole.attrs |= {"warm_up": warm_up} | ({"annihilation": min(lost)} if lost else {})
    return whole
