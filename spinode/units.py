"""Units of data against the units of who reads them: converted, or refused in one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

import numpy as np
import xarray as xr

from spinode.errors import InputError


def in_units(data: xr.Dataset, wanted: Mapping[str, str]) -> xr.Dataset:
    """Return ``data`` with its time in seconds and some variables in the units that are wanted.

    What carries no units of its own is taken as it is.

    Parameters
    ----------
    data : Dataset
    wanted : mapping of str to str
        Units by variable, such as ``{"voltage": "V"}``; "" leaves a variable alone, and so does
        one that ``data`` lack.

    Raises
    ------
    InputError
        If units are unknown or are those of something else, or ``time`` holds dates.
    """
    changed = {}
    for name, units in wanted.items():
        if name in data.data_vars:
            values = _converted(name, data[name].values, data[name].attrs.get("units"), units)
            if values is not None:
                changed[name] = data[name].copy(data=values).assign_attrs(units=units)
    if changed:
        data = data.assign(changed)
    if "time" not in data.coords:
        return data
    time = data.time
    if time.dtype.kind == "M":
        raise InputError(
            "time holds dates; give seconds since the start of the drive, such as "
            "(time - time[0]) / numpy.timedelta64(1, 's')."
        )
    if time.dtype.kind == "m":
        seconds = time.values / np.timedelta64(1, "s")
    else:
        seconds = _converted("time", time.values, time.attrs.get("units"), "s")
    if seconds is None:
        return data
    return data.assign_coords(time=("time", seconds, {**time.attrs, "units": "s"}))


def _converted(name: str, values: np.ndarray, theirs, ours: str) -> np.ndarray | None:
    """Return ``values`` in our units, or None if they are in them."""
    theirs, ours = str(theirs or "").strip(), ours.strip()
    if not theirs or not ours or theirs == ours:
        return None
    try:
        return _registry().Quantity(values.astype(float), theirs).to(ours).magnitude
    except Exception:  # pint's parser raises whatever its text leads it to
        raise InputError(
            f"{name} is in {theirs} but is needed in {ours}; "
            f"convert it, or correct {name}.attrs['units']."
        ) from None


@cache
def _registry():
    """Return a registry that knows J/m3 and J m-3 beside J/m^3."""
    import pint  # a third of a second that only data in other units need

    exponents = [lambda text: re.sub(r"(?<=[A-Za-z])(-?\d)", r"**\1", text)]
    return pint.UnitRegistry(preprocessors=exponents)
