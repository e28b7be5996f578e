"""OVF, the file format of pictures of a magnetization.

Donahue and Porter, OOMMF User's Guide, NISTIR 6376: "OVF 2.0 format", "OVF 1.0 format".
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line

_METRES = {"m": 1.0, "mm": 1e-3, "um": 1e-6, "µm": 1e-6, "nm": 1e-9, "pm": 1e-12}
_VERSIONS = {"oommfovf2.0": 2, "oommf:rectangularmeshv1.0": 1, "oommfovf1.0": 1}
_BEGIN_DATA = re.compile(rb"^[ \t]*#[ \t]*begin[ \t]*:[ \t]*data\b[ \t]*(.*)$", re.I | re.M)
_TIME = re.compile(r"total simulation time:\s*([-+\d.e]+)\s*s", re.IGNORECASE)


def read_ovf(path: str | Path) -> xr.DataArray:
    """Read an OVF 2.0 or 1.0 file of one rectangular segment (text, or binary of 4 or 8 bytes).

    Parameters
    ----------
    path : path
        File written by MuMax3, OOMMF, Spirit or `spinode.micromagnetics`.

    Returns
    -------
    DataArray
        Shape (znodes, ynodes, xnodes, valuedim), float64; dimensions ``z``, ``y``, ``x`` (cell
        centres, m) and ``component``; attributes ``title``, ``units`` and, where the file tells,
        ``time`` (s).

    Raises
    ------
    InputError
        If the file is missing, no OVF, irregular, in an unknown unit of length, holds another
        number of values than it announces, or its binary control number is wrong.
    """
    path = Path(path)
    version = _VERSIONS.get(_squeezed(first_line(path).split("##")[0]))
    raw = path.read_bytes()
    begin = _BEGIN_DATA.search(raw)
    if version is None or begin is None:
        raise InputError(
            f"{path} is not an OVF 1.0 or 2.0 file with a data section; export it again."
        )
    header, description = _header(raw[: begin.start()])
    if header.get("meshtype", "rectangular").lower() != "rectangular":
        raise InputError(f"{path}: a mesh of type {header['meshtype']!r}; save a rectangular one.")
    if _whole(header.get("segmentcount", "1")) != 1:
        raise InputError(
            f"{path} holds {header['segmentcount']} segments; save each in a file of its own."
        )
    unit = header.get("meshunit", "m")
    if unit not in _METRES:
        raise InputError(
            f"{path}: lengths in {unit!r}; known are {', '.join(_METRES)}: correct its 'meshunit'."
        )
    if version == 1:
        header["valuedim"] = "3"
    shape = tuple(_count(path, header, key) for key in ("znodes", "ynodes", "xnodes", "valuedim"))
    step = [_length(path, header, f"{axis}stepsize") for axis in "zyx"]
    base = [_length(path, header, f"{axis}base") for axis in "zyx"]
    kind = begin.group(1).decode("latin-1").split("##")[0].strip().lower()
    body = raw[begin.end() :].removeprefix(b"\n")
    values = _values(path, kind, body, int(np.prod(shape)), "<" if version == 2 else ">")
    if version == 1:
        values = values * float(header.get("valuemultiplier", 1))
    coordinates = {
        axis: (axis, _METRES[unit] * (origin + width * np.arange(count)), {"units": "m"})
        for axis, origin, width, count in zip("zyx", base, step, shape, strict=False)
    }
    attributes = {
        "title": header.get("title", ""),
        "units": header.get("valueunits", header.get("valueunit", "")),
    }
    told = _TIME.search(description)
    if told:
        attributes["time"] = float(told.group(1))
    return xr.DataArray(
        values.reshape(shape),
        dims=("z", "y", "x", "component"),
        coords=coordinates,
        attrs=attributes,
    )


def _squeezed(text: str) -> str:
    """Return a label as the format compares it: without case, blanks and the leading mark."""
    return re.sub(r"[\s#]", "", text).lower()


def _header(raw: bytes) -> tuple[dict[str, str], str]:
    """Return the labels of a header and its description; ``##`` begins a comment."""
    header, description = {}, []
    for line in raw.decode("latin-1").splitlines():
        label, colon, value = line.split("##")[0].partition(":")
        if colon and _squeezed(label) == "desc":
            description.append(value)
        elif colon:
            header[_squeezed(label)] = value.strip()
    return header, "\n".join(description)


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _count(path, header, key):
    number = _whole(header.get(key, ""))
    if not number:
        raise InputError(
            f"{path}: the OVF header has {key} {header.get(key, 'nowhere')!r}, where there must be "
            "a whole number."
        )
    return number


def _length(path, header, key):
    try:
        return float(header[key])
    except (KeyError, ValueError):
        raise InputError(
            f"{path}: the OVF header has {key} {header.get(key, 'nowhere')!r}, where there must be "
            "a number."
        ) from None


def _values(path: Path, kind: str, body: bytes, count: int, order: str) -> np.ndarray:
    """Read ``count`` numbers of a data section of ``kind`` as float64."""
    if kind == "text":
        if b"##" in body:
            body = b"\n".join(line.partition(b"##")[0] for line in body.split(b"\n"))
        words = body.partition(b"#")[0].split()
        if len(words) != count:
            raise InputError(
                f"{path} holds {len(words)} numbers where its header announces {count}; "
                "the file is cut short or damaged, copy it again."
            )
        try:
            return np.array(words, dtype=np.float64)
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); copy it again.") from None
    layouts = {"binary 4": ("f4", 1234567.0), "binary 8": ("f8", 123456789012345.0)}
    if kind not in layouts:
        raise InputError(f"{path}: unknown OVF data format {kind!r}; use text or binary 4 or 8.")
    dtype, control = layouts[kind]
    size = np.dtype(dtype).itemsize
    if len(body) < size * (count + 1):
        raise InputError(
            f"{path} is cut short: {len(body) // size - 1} of {count} numbers; copy it again."
        )
    values = np.frombuffer(body, order + dtype, count + 1)
    if values[0] != control:
        raise InputError(
            f"{path}: the control number is {values[0]:g}, not {control:g}; "
            "the file is damaged or has its bytes in the wrong order."
        )
    if body[size * (count + 1) :].lstrip()[:1] not in (b"#", b""):
        raise InputError(
            f"{path} holds more than the {count} numbers that its header announces; "
            "the file or its header is damaged, copy it again."
        )
    return values[1:].astype(np.float64)
