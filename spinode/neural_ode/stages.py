"""The inputs of a Spin-Neural ODE at the stages of its solver.

The 3/8 rule evaluates the model at 0, 1/3, 2/3 and 1 of each sample. Sampled at every third of a
sample, an input serves all four stages, and its delays by whole samples are shifts of one array.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from spinode.devices.drives import Drive
from spinode.errors import InputError
from spinode.neural_ode.measured import in_units_of
from spinode.neural_ode.model import SpinODE
from spinode.trajectory import spacing_of

INTERPOLATIONS = ("held", "linear", "cubic")


def one_drive_each(inputs: Drive | Sequence[Drive] | None, count: int) -> list[Drive | None]:
    """Return the drive of each of ``count`` trajectories, None for its own columns.

    Raises
    ------
    InputError
        If there are more or fewer drives than trajectories.
    """
    if inputs is None:
        return [None] * count
    drives = list(inputs) if isinstance(inputs, Sequence) else [inputs]
    if len(drives) != count:
        raise InputError(f"{count} trajectories need as many drives, not {len(drives)}.")
    return drives


class StageInputs:
    """Inputs at every third of a sample, cut out a stretch at a time.

    Parameters
    ----------
    model : SpinODE
        Names the inputs and their sample spacing.
    inputs : Drive, Dataset or DataArray
        A drive, or samples of the model's inputs over an evenly spaced ``time``. Other units than
        the model's are converted.
    start : float
        Time of sample 0 (s).
    interpolation : {"held", "linear", "cubic"}, optional
        What a Dataset does between its samples: held at the last one, connected by straight lines,
        or by a cubic spline. Must be given for a Dataset, and only for a Dataset.

    Attributes
    ----------
    samples : int
        The last whole sample that the inputs reach, counted from ``start``.

    Raises
    ------
    InputError
        If the inputs lack one of the model's, have units that measure something else, hold NaN,
        begin after ``start``, are not evenly spaced, or are to be held but not on the model's grid.
    """

    def __init__(
        self,
        model: SpinODE,
        inputs: Drive | xr.Dataset | xr.DataArray,
        *,
        start: float = 0.0,
        interpolation: str | None = None,
    ):
        self._names = [channel.name for channel in model.inputs]
        self._start = start
        self._spacing = model.sample_spacing
        is_samples = isinstance(inputs, xr.Dataset | xr.DataArray)
        if is_samples:
            inputs = in_units_of(model, inputs, unnamed=self._names[0])
        elif not hasattr(inputs, "sample"):
            raise InputError(
                "inputs must be a drive, or a Dataset with the model's inputs over time, "
                f"not {type(inputs).__name__}."
            )
        known = list(inputs.data_vars) if is_samples else list(inputs.inputs)
        missing = [name for name in self._names if name not in known]
        if missing:
            raise InputError(
                f"the model is driven by {', '.join(self._names)} but the inputs hold "
                f"{', '.join(map(str, known))}; add {', '.join(missing)}."
            )
        if not is_samples:
            if interpolation is not None:
                raise InputError("a drive is a function of time: leave out interpolation.")
            self._sample = inputs.sample
            end = inputs.duration
        else:
            if interpolation not in INTERPOLATIONS:
                raise InputError(
                    "say how the sampled inputs go on between their samples: interpolation must "
                    f"be one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}."
                )
            self._sample = self._interpolator(inputs, interpolation)
            end = float(inputs.time[-1])
        # A millionth of a sample absorbs the rounding of times.
        self.samples = int(np.floor((end - start) / self._spacing + 1e-6))

    def between(self, first: int, last: int) -> np.ndarray:
        """Return the inputs from sample ``first`` to sample ``last``, both included.

        Returns
        -------
        array, shape (3 (last - first) + 1, inputs), in SI units
        """
        thirds = np.arange(3 * first, 3 * last + 1)
        values = self._sample(self._start + thirds * (self._spacing / 3))
        columns = np.column_stack([np.asarray(values[name], float) for name in self._names])
        bad = np.argwhere(~np.isfinite(columns))
        if bad.size:
            time = self._start + thirds[bad[0, 0]] * self._spacing / 3
            raise InputError(
                f"the input {self._names[bad[0, 1]]} is not a number at {time:.6g} s; "
                "cut or repair it there."
            )
        return columns

    def _interpolator(self, inputs: xr.Dataset, interpolation: str):
        """Return a function of time (s) that goes through the samples of ``inputs``."""
        time = inputs.time.values
        grid = spacing_of(inputs)
        if time[0] > self._start + 1e-6 * self._spacing:
            raise InputError(
                f"the inputs begin at {time[0]:.6g} s, after the start at {self._start:.6g} s."
            )
        columns = {name: inputs[name].values.astype(float) for name in self._names}
        for name, values in columns.items():
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                raise InputError(
                    f"the input {name} is not a number at {time[bad[0]]:.6g} s; "
                    "cut or repair it there."
                )
        if interpolation == "linear":
            return lambda t: {n: np.interp(t, time, values) for n, values in columns.items()}
        if interpolation == "cubic":
            from scipy.interpolate import CubicSpline  # 0.2 s of import that only this needs

            splines = {name: CubicSpline(time, values) for name, values in columns.items()}
            return lambda t: {name: spline(t) for name, spline in splines.items()}
        # Held values jump: which one counts is decided on whole thirds of a sample, for a time
        # computed in floating point may fall on either side of the jump.
        hold = 3 * grid / self._spacing
        offset = 3 * (self._start - time[0]) / self._spacing
        if abs(hold - round(hold)) > 1e-6 or abs(offset - round(offset)) > 1e-6 or hold < 0.5:
            raise InputError(
                f"held inputs every {grid:.6g} s do not fit the model's samples every "
                f"{self._spacing:.6g} s; hold each a whole number of thirds of a sample."
            )
        hold, offset = round(hold), round(offset)

        def held(t: np.ndarray) -> dict[str, np.ndarray]:
            thirds = np.rint((t - self._start) * (3 / self._spacing)).astype(np.int64)
            index = np.minimum((thirds + offset) // hold, len(time) - 1)
            return {name: values[index] for name, values in columns.items()}

        return held
