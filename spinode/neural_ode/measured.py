"""Measured data as a model reads them: in its units, and at its sample spacing."""

from __future__ import annotations

import xarray as xr

from spinode.errors import InputError
from spinode.trajectory import spacing_of
from spinode.units import in_units


def in_units_of(model, data: xr.Dataset | xr.DataArray, unnamed: str) -> xr.Dataset:
    """Return data with time in seconds, and output and inputs in the units of the model.

    Parameters
    ----------
    model : SpinODE or LatentODE
        Its ``output`` and ``inputs`` are channels.
    data : Dataset or DataArray
        A DataArray is the variable of its name.
    unnamed : str
        What a DataArray without a name is.

    Raises
    ------
    InputError
        If units measure something else, ``time`` holds dates, or a variable has dimensions other
        than ``time``.
    """
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=data.name or unnamed)
    units = {one.name: one.units for one in (model.output, *model.inputs)}
    for name in units:
        if name in data and data[name].dims != ("time",):
            raise InputError(
                f"{name} has the dimensions {', '.join(map(str, data[name].dims)) or 'of a number'}"
                " where one value a time is needed; choose one run, or give a list of them."
            )
    return in_units(data, units)


def measured(model, data: xr.Dataset | xr.DataArray, which: str = "the trajectory") -> xr.Dataset:
    """Return a recording of the model's output `in_units_of` the model, at its spacing.

    Raises
    ------
    InputError
        Also if the output is not there or its spacing is not that of the model.
    """
    data = in_units_of(model, data, unnamed=model.output.name)
    if model.output.name not in data:
        raise InputError(f"{which} lacks the model's output {model.output.name}.")
    if data.sizes.get("time", 0) > 1:
        spacing = spacing_of(data)
        if abs(spacing - model.sample_spacing) > 1e-6 * model.sample_spacing:
            raise InputError(
                f"the model takes samples every {model.sample_spacing:.6g} s but {which} "
                f"has them every {spacing:.6g} s; use trajectory.resample."
            )
    return data
