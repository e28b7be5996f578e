"""A table of text as instruments and spreadsheets write it: where its names, units and rows are."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path

import numpy as np

from spinode.errors import InputError
from spinode.recordings.units import is_unit

# Lines that are looked at to find separator, names and first row.
_LOOKED_AT = 400
_MISSING = {"", "nan", "na", "n/a", "-nan", "inf", "-inf", "+inf", "null", "none", "nil", "-"}
_CLOCK = re.compile(r"\d+:\d\d(:\d\d([.,]\d+)?)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")


def read_table(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of numbers in a table of text, and those of times and dates in seconds.

    Separators may be commas, semicolons, tabs or blanks, decimals points or commas, the text
    UTF-8, UTF-16 or Windows'. Lines before the names are passed over. A line of units below the
    names is joined to them. Columns without names are called by their number, from 1 on.

    Raises
    ------
    InputError
        If there are no rows of numbers, or a word stands among the numbers of a column.
    """
    import pandas as pd

    text = _decoded(path.read_bytes())
    lines = list(itertools.islice(io.StringIO(text), _LOOKED_AT))
    separator, decimal, width, first = _layout(path, lines)
    names = _names(lines[:first], separator, width)
    table = pd.read_csv(
        io.StringIO(text),
        sep=r"\s+" if separator == " " else separator,
        decimal=decimal,
        header=None,
        names=range(width),
        skiprows=range(first),
        skipinitialspace=True,
        skip_blank_lines=False,
        index_col=False,
        low_memory=False,
        on_bad_lines="error",
    )
    table = table[table.notna().any(axis=1)]
    columns = {}
    for number, name in enumerate(names):
        values, own = _numbers(path, table[number], name, first)
        if values is not None:
            columns[own] = values
    return columns


def _decoded(content: bytes) -> str:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _fields(line: str, separator: str) -> list[str]:
    """Return the fields of a line, without empty ones at its end."""
    line = line.strip("\r\n")
    if separator == " ":
        fields = line.split()
    else:
        fields = [one.strip() for one in next(csv.reader([line], delimiter=separator), [])]
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _is_number(field: str, decimal: str) -> bool:
    try:
        float(field.replace(decimal, ".") if decimal == "," and "." not in field else field)
    except ValueError:
        return field.lower() in _MISSING
    return "_" not in field


def _layout(path: Path, lines: list[str]) -> tuple[str, str, int, int]:
    """Return separator, decimal mark, number of columns and the first row of numbers."""
    best = (0, None)
    later = [one for one in lines[len(lines) // 2 :] if one.strip()]
    for separator, decimal in ((",", "."), (";", "."), (";", ","), ("\t", "."), ("\t", ","),
                               (" ", "."), (" ", ",")):  # fmt: skip
        scores = []
        for line in later:
            fields = _fields(line, separator)
            good = sum(_is_number(one, decimal) for one in fields)
            scores.append(good - 0.9 * (len(fields) - good) if good else -1.0)
        score = float(np.median(scores)) if scores else 0.0
        if score > best[0]:
            best = (score, (separator, decimal))
    if best[1] is None:
        raise InputError(f"{path} holds no rows of numbers.")
    separator, decimal = best[1]
    rows = [_fields(line, separator) for line in lines]
    counts = [sum(_is_number(one, decimal) for one in row) for row in rows]
    tail = [(len(row), n) for row, n in zip(rows, counts, strict=True) if row][-len(later) :]
    width = max(size for size, _ in tail)
    usual = float(np.median([n for _, n in tail]))
    for first, (row, n) in enumerate(zip(rows, counts, strict=True)):
        # The first row may lack some. A line of words, or one of another width, is not a row.
        if n >= max(usual - 1, 1) and len(row) >= width - 1 and n >= 0.5 * len(row):
            return separator, decimal, width, first
        if n >= usual and len(row) == width:
            return separator, decimal, width, first
    raise InputError(f"{path} holds no rows of numbers.")


def _names(head: list[str], separator: str, width: int) -> list[str]:
    """Return the names of the columns, with their units where a line of its own tells them."""
    block: list[list[str]] = []
    for line in reversed(head):
        if not line.strip():
            continue
        fields = _fields(line.strip().lstrip("#%").strip(), separator)
        if separator == " " and len(fields) != width:  # a name with a blank in it
            fields = [one.strip() for one in re.split(r"\s{2,}|\t|,|;", line.strip().lstrip("#%"))]
        if not width - 1 <= len(fields) <= width:
            break
        block.append(fields + [""] * (width - len(fields)))
    numbered = [str(number) for number in range(1, width + 1)]
    if not block:
        return numbered
    units = [one.strip("()[] ") for one in block[0]]
    if len(block) > 1 and any(units) and all(is_unit(one) for one in units if one):
        joined = [
            f"{name} [{unit}]" if unit else name for name, unit in zip(block[1], units, strict=True)
        ]
    else:
        joined = block[0]
    return [name or number for name, number in zip(joined, numbered, strict=True)]


def _numbers(path: Path, column, name: str, first: int) -> tuple[np.ndarray | None, str]:
    """Return a column as numbers, times and dates as seconds, and its name; None for words."""
    import pandas as pd

    if column.dtype.kind in "fiub":
        return column.to_numpy(float), name
    words = column.astype(str).str.strip()
    values = pd.to_numeric(words.where(column.notna()), errors="coerce")
    worded = column.notna() & values.isna() & ~words.str.lower().isin(_MISSING)
    if not worded.any():
        return values.to_numpy(float), name
    sample = words[worded].iloc[0]
    if worded.mean() > 0.5:
        if _CLOCK.fullmatch(sample):
            seconds = pd.to_timedelta(words.str.replace(",", "."), errors="coerce")
        elif _DATE.fullmatch(sample):
            seconds = pd.to_datetime(words, errors="coerce", dayfirst="." in sample.split(" ")[0])
            seconds = seconds - seconds.min()
        else:
            return None, name
        return seconds.dt.total_seconds().to_numpy(float), name
    # A word among numbers is a damaged line.
    raise InputError(
        f"{path}, line {worded.idxmax() + first + 1}: {sample[:40]!r} in column {name} is not "
        "a number."
    )
