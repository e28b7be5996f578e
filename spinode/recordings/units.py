"""Units of a column, from its name or from what the user says, and their value in SI units."""

from __future__ import annotations

import re

import numpy as np

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
# Units that recordings come in, as they are, with any prefix, and as factors of others.
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
    "rad",
    "Wb",
    "mol",
    "S",
    "Nm",
    "VA",
    "ohm",
    "\u03a9",
    "\u2126",
)
_ALSO = {"ohm": "Ohm", "\u03a9": "Ohm", "\u2126": "Ohm", "Nm": "N*m", "VA": "W"}
# What has no prefixes: the factor that brings it to SI, and the SI unit.
_PLAIN = {
    "": (1.0, "1"),
    "1": (1.0, "1"),
    "%": (0.01, "1"),
    "sec": (1.0, "s"),
    "min": (60.0, "s"),
    "h": (3600.0, "s"),
    "hr": (3600.0, "s"),
    "deg": (np.pi / 180, "rad"),
    "°": (np.pi / 180, "rad"),
    "rpm": (np.pi / 30, "rad/s"),
    "bar": (1e5, "Pa"),
    "mbar": (1e2, "Pa"),
    "psi": (6894.757293168, "Pa"),
    "cm": (0.01, "m"),
    "kg": (1.0, "kg"),
    "g": (1e-3, "kg"),
    "mg": (1e-6, "kg"),
    "l": (1e-3, "m3"),
    "L": (1e-3, "m3"),
    "ml": (1e-6, "m3"),
    "mL": (1e-6, "m3"),
    "Oe": (1e3 / (4 * np.pi), "A/m"),
    # A temperature of one's own scale stays on it, and so does a level.
    "degC": (1.0, "degC"),
    "°C": (1.0, "degC"),
    "degF": (1.0, "degF"),
    "dB": (1.0, "dB"),
    "dBm": (1.0, "dBm"),
}


def to_si(unit: str) -> tuple[float, str]:
    """Return the factor that brings ``unit`` to SI, and the SI unit.

    >>> to_si("mV"), to_si("us"), to_si("%")
    ((0.001, 'V'), (1e-06, 's'), (0.01, '1'))
    >>> to_si("kJ/m3"), to_si("mm/s")
    ((1000.0, 'J/m3'), (0.001, 'm/s'))

    Raises
    ------
    InputError
        If the unit is not known.
    """
    unit = unit.strip()
    factor, names = 1.0, []
    for number, part in enumerate(unit.split("/")):
        one, name = _product(part, unit)
        factor, names = (factor / one if number else factor * one), [*names, name]
    if len(names) > 1:
        names = [names[0], *(name for name in names[1:] if name != "1")]
    return factor, "/".join(names)


def is_unit(text: str) -> bool:
    """Return whether ``text`` is a unit that is known."""
    try:
        to_si(text)
    except InputError:
        return False
    return True


def _product(part: str, unit: str) -> tuple[float, str]:
    """Return factor and SI unit of a product such as ``N*m`` or ``mm2``."""
    if part.strip() in _PLAIN:
        return _PLAIN[part.strip()]
    factor, names = 1.0, []
    for one in re.split(r"[*\u00b7 ]", part.strip().replace("²", "2").replace("³", "3")):
        found = re.fullmatch(r"(.*?)\^?(\d?)", one)
        scale, name = _simple(found[1], unit)
        power = int(found[2] or 1)
        factor *= scale**power
        names.append(name + (found[2] if power > 1 else ""))
    return factor, "*".join(names)


def _simple(unit: str, whole: str) -> tuple[float, str]:
    if unit in _PLAIN and unit:
        return _PLAIN[unit]
    for base in _BASES:
        prefix = unit.removesuffix(base)
        if unit.endswith(base) and prefix in _PREFIXES:
            return _PREFIXES[prefix], _ALSO.get(base, base)
    raise InputError(
        f"the unit {whole!r} is not known; use one such as us, mV, uA, mT or kHz, or 1 for a "
        "number."
    )


def of_column(column: str) -> tuple[str, str | None]:
    """Return a column's name without its unit, and the unit if the name tells it.

    >>> of_column("drive_mV"), of_column("time (us)"), of_column("v [V]"), of_column("i_bias")
    (('drive', 'mV'), ('time', 'us'), ('v', 'V'), ('i_bias', None))
    """
    column = column.strip()
    if found := re.fullmatch(r"(.+?)\s*[\[(]([^\])]*)[\])]", column):
        return found[1].strip(), found[2].strip()
    for mark in ("/", ",", "_"):
        name, found, unit = (one.strip() for one in column.rpartition(mark))
        # One letter is as often an index as a unit, except those of time and voltage.
        letters = len(unit) > 1 or unit in "sVA" or (mark == "/" and unit.isupper())
        if found and name and unit and letters and not unit.isdigit() and is_unit(unit):
            return name, unit
    return column, None
