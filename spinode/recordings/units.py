"""Units of a column, from its name or from what the user says, and their value in SI units."""

from __future__ import annotations

import re

from spinode.errors import InputError

_PREFIXES = {
    "": 1.0,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "μ": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
}
# Units that recordings come in.
_BASES = (
    "s",
    "V",
    "A",
    "T",
    "Hz",
    "W",
    "J",
    "N",
    "Pa",
    "K",
    "m",
    "Ohm",
    "F",
    "H",
    "C",
    "J/m2",
    "J/m3",
    "A/m",
)
_PLAIN = {"1": 1.0, "": 1.0, "%": 0.01, "min": 60.0, "h": 3600.0, "deg": 3.141592653589793 / 180}
_PLAIN_SI = {"1": "1", "": "1", "%": "1", "min": "s", "h": "s", "deg": "rad"}


def to_si(unit: str) -> tuple[float, str]:
    """Return the factor that brings ``unit`` to SI, and the SI unit.

    >>> to_si("mV"), to_si("us"), to_si("%")
    ((0.001, 'V'), (1e-06, 's'), (0.01, '1'))

    Raises
    ------
    InputError
        If the unit is not known.
    """
    unit = unit.strip()
    if unit in _PLAIN:
        return _PLAIN[unit], _PLAIN_SI[unit]
    for base in _BASES:
        prefix = unit.removesuffix(base)
        if unit.endswith(base) and prefix in _PREFIXES:
            return _PREFIXES[prefix], base
    raise InputError(
        f"the unit {unit!r} is not known; use one such as us, mV, uA, mT or kHz, or 1 for a number."
    )


def of_column(column: str) -> tuple[str, str | None]:
    """Return a column's name without its unit, and the unit if the name tells it.

    >>> of_column("drive_mV"), of_column("time (us)"), of_column("v [V]"), of_column("i_bias")
    (('drive', 'mV'), ('time', 'us'), ('v', 'V'), ('i_bias', None))
    """
    column = column.strip()
    if found := re.fullmatch(r"(.+?)\s*[\[(]([^\])]*)[\])]", column):
        return found[1].strip(), found[2].strip()
    name, underscore, unit = column.rpartition("_")
    if underscore and name and len(unit) > 0:
        try:
            to_si(unit)
        except InputError:
            return column, None
        # One letter is as often an index as a unit, except those of time and voltage.
        if len(unit) > 1 or unit in "sVA":
            return name, unit
    return column, None
