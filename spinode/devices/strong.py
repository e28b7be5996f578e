"""A drive that takes a skyrmion to its limits: what to choose models by that must extrapolate.

A random sine is mostly gentle, so that a short record hardly shows how small a skyrmion can get.
Here every period is strong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from spinode.devices.drives import RandomSine

# Amplitudes in parts of the largest, and the seed that draws them.
_LEAST, _SEED = 0.6, 2026


def strong_drive(drive: RandomSine, periods: int = 100) -> RandomSine:
    """Return a sine of amplitudes between 0.6 and 1 of the drive's largest, of either sign.

    >>> strong_drive(RandomSine()).amplitudes[:3].round(2)
    array([ 0.67,  0.86, -0.79])
    """
    draw = np.random.default_rng(_SEED)
    amplitudes = draw.uniform(_LEAST, 1, periods) * draw.choice([-1, 1], periods)
    return replace(drive, sequence=tuple(amplitudes), periods=periods)


def before_loss(run: xr.Dataset, drive: RandomSine) -> xr.Dataset:
    """Return a run up to one period of its drive before the skyrmion is lost; all if it never is.

    Parameters
    ----------
    run : Dataset
        Its attribute ``annihilation`` (s), if there is one, says when the skyrmion was lost.
    drive : RandomSine
        What it was driven by.
    """
    lost = run.attrs.get("annihilation", np.inf)
    return run.sel(time=slice(None, lost - 1 / drive.frequency))
