"""OVF, the file format of pictures of a magnetization."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from spinode.errors import InputError
from spinode.files import first_line


def read_ovf(path: str | Path) -> xr.DataArray:
    """Read one segment of an OVF 2.0 file (text, or binary of 4 or 8 bytes).

    Parameters
    ----------
    path : path
        File written by MuMax3, OOMMF or `spinode.micromagnetics`.

    Returns
    -------
    DataArray
        Shape (znodes, ynodes, xnodes, valuedim), float64; dimensions ``z``, ``y``, ``x`` (cell
        centres, m) and ``component``; attributes ``title``, ``units``.

    Raises
    ------
    InputError
        If the file is missing, not OVF 2.0, cut short, or its binary control number is wrong.
    """
    path = Path(path)
    first_line(path)
    raw = path.read_bytes()
    begin = raw.find(b"# Begin: Data")
    if not raw.startswith(b"# OOMMF OVF 2.0") or begin < 0:
        raise InputError(f"{path} is no OVF 2.0 file with a data section; export it as OVF2.")
    header = {}
    for line in raw[:begin].decode("latin-1").splitlines():
        key, colon, value = line.lstrip("# ").partition(":")
        if colon:
            header[key.strip().lower()] = value.strip()
    try:
        shape = tuple(int(header[key]) for key in ("znodes", "ynodes", "xnodes", "valuedim"))
        step = [float(header[f"{axis}stepsize"]) for axis in "zyx"]
        base = [float(header[f"{axis}base"]) for axis in "zyx"]
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: the OVF header lacks a readable {error}.") from None
    data_line, _, body = raw[begin:].partition(b"\n")
    kind = data_line.decode("latin-1").removeprefix("# Begin: Data").strip().lower()
    values = _ovf_values(path, kind, body, int(np.prod(shape)))
    coordinates = {
        axis: (axis, origin + width * np.arange(count), {"units": "m"})
        for axis, origin, width, count in zip("zyx", base, step, shape, strict=False)
    }
    return xr.DataArray(
        values.reshape(shape),
        dims=("z", "y", "x", "component"),
        coords=coordinates,
        attrs={"title": header.get("title", ""), "units": header.get("valueunits", "")},
    )


def _ovf_values(path: Path, kind: str, body: bytes, count: int) -> np.ndarray:
    """Read ``count`` numbers of an OVF data section of ``kind`` as float64."""
    if kind == "text":
        words = body.split(b"# End:")[0].split()
        if len(words) != count:
            raise InputError(
                f"{path} holds {len(words)} numbers where its header announces {count}; "
                "the file is cut short or damaged, copy it again."
            )
        try:
            return np.array(words, dtype=np.float64)
        except ValueError as error:
            raise InputError(f"{path} is damaged ({error}); copy it again.") from None
    layouts = {"binary 4": ("<f4", 1234567.0), "binary 8": ("<f8", 123456789012345.0)}
    if kind not in layouts:
        raise InputError(f"{path}: unknown OVF data format {kind!r}; use text or binary 4 or 8.")
    dtype, control = layouts[kind]
    size = np.dtype(dtype).itemsize
    if len(body) < size * (count + 1):
        raise InputError(
            f"{path} is cut short: {len(body) // size - 1} of {count} numbers; copy it again."
        )
    values = np.frombuffer(body, dtype, count + 1)
    if values[0] != control:
        raise InputError(
            f"{path}: the control number is {values[0]:g}, not {control:g}; "
            "the file is damaged or not little-endian OVF 2.0."
        )
    return values[1:].astype(np.float64)
