"""The points of a sweep: products, side-by-side lists and listings of parameter values."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinode.errors import InputError
from spinode.workflow.profiles import ANY, parse_value, read_yaml

_RANGE = re.compile(r"\s*(-?\d+):(-?\d+)(?::([1-9]\d*))?\s*")


@dataclass(frozen=True)
class Block:
    """Every combination of the parameters in ``product``, ``zip`` and ``points``.

    Parameters
    ----------
    product : mapping
        Values by parameter; all combinations are taken.
    zip : mapping
        As many values for every parameter; the first are taken together, then the second, ...
    points : sequence of mappings
        Values by parameter, one mapping a point.
    """

    product: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    zip: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    points: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self):
        for name, values in {**self.product, **self.zip}.items():
            if not len(values):
                raise InputError(f"the grid is empty: parameter {name} is given no value.")
        lengths = {name: len(values) for name, values in self.zip.items()}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{count} of {name}" for name, count in lengths.items())
            raise InputError(f"values that go side by side must be equally many, not {counts}.")
        names = [set(self.product), set(self.zip), set().union(*self.points)]
        for one, other in itertools.combinations(names, 2):
            if twice := one & other:
                raise InputError(f"the grid gives parameter {min(twice)} twice.")

    @property
    def count(self) -> int:
        """How many points these are."""
        rows = len(next(iter(self.zip.values()), " "))
        return math.prod(map(len, self.product.values())) * rows * (len(self.points) or 1)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        columns = zip(*self.zip.values(), strict=True)
        rows = [dict(zip(self.zip, row, strict=True)) for row in columns]
        for listed in self.points or [{}]:
            for row in rows or [{}]:
                for values in itertools.product(*self.product.values()):
                    yield {**listed, **row, **dict(zip(self.product, values, strict=True))}


@dataclass(frozen=True)
class Grid:
    """The points of all ``blocks``, each combined with all those of ``axes``.

    Parameters
    ----------
    axes : Block
        What the command line gives; it replaces the blocks' values of the same parameters.
    blocks : sequence of Block
        What a file gives.

    Examples
    --------
    >>> list(Grid(Block(product={"k": [1, 2]}, zip={"width": [10, 20], "seed": [0, 1]})))[:2]
    [{'width': 10, 'seed': 0, 'k': 1}, {'width': 10, 'seed': 0, 'k': 2}]
    """

    axes: Block = field(default_factory=Block)
    blocks: Sequence[Block] = (Block(),)

    @property
    def count(self) -> int:
        """How many points these are, counting those twice that two blocks share."""
        return sum(block.count for block in self.blocks) * self.axes.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        seen = set()
        names = {*self.axes.product, *self.axes.zip, *set().union(*self.axes.points)}
        for listed in itertools.chain.from_iterable(self.blocks):
            kept = {name: value for name, value in listed.items() if name not in names}
            for given in self.axes:
                point = {**kept, **given}
                key = json.dumps(point, sort_keys=True, default=str)
                if key not in seen:
                    seen.add(key)
                    yield point


def parse_values(text: str, like: Any = None) -> Sequence[Any]:
    """Read the values of one parameter: ``1,2,3``, ``[1],[1, 2]``, or ``0:5`` for 0 to 4.

    Parameters
    ----------
    text : str
        A comma inside of brackets or quotes belongs to a value: ``'a, b',c`` are two.
    like : optional
        The parameter's default, see `spinode.workflow.profiles.parse_value`; where it is a
        string there are no ranges.

    Raises
    ------
    InputError
        If a range is mixed with other values.
    """
    parts = _split(text) if text.strip() else []
    if isinstance(like, str) and like not in ANY:
        return [parse_value(part.strip(), like) for part in parts]
    if found := _RANGE.fullmatch(text):
        start, stop, step = found.groups(default="1")
        return range(int(start), int(stop), int(step))
    if mixed := [part for part in parts if _RANGE.fullmatch(part)]:
        raise InputError(f"the range {mixed[0].strip()} cannot stand in the list {text!r}.")
    return [parse_value(part.strip(), like) for part in parts]


def _split(text: str) -> list[str]:
    """Split at commas outside of brackets and quotes; at all, where one of these is left open."""
    parts, depth, quote = [""], 0, ""
    for one in text:
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"" and not parts[-1].strip(" [{,"):  # not an apostrophe within a word
            quote = one
        else:
            depth += (one in "[{") - (one in "]}")
        if one == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += one
    return text.split(",") if depth or quote else parts


def read_grid(path: Path, axes: Block | None = None) -> Grid:
    """Read a grid file: YAML with one block, or a list of them.

    A block has any of ``product`` and ``zip`` (values by parameter: a list, or a string as
    `parse_values` takes it) and ``points`` (a list of mappings).

    Parameters
    ----------
    path : Path
    axes : Block, optional
        Combined with every point of the file.

    Raises
    ------
    InputError
        If the file is missing or is not such YAML.
    """
    contents = read_yaml(path)
    blocks = contents if isinstance(contents, list) else [contents]
    if not blocks or not all(blocks):
        raise InputError(f"the grid {path} is empty.")
    return Grid(axes or Block(), [_block(block, path) for block in blocks])


def _block(block: Any, path: Path) -> Block:
    allowed = {"product": dict, "zip": dict, "points": list}
    for key, value in block.items() if isinstance(block, dict) else [("block", block)]:
        if not value or not isinstance(value, allowed.get(key, ())):
            raise InputError(
                f"the grid {path} holds {key}: {value!r}; a block has 'product' and 'zip' "
                "(values by parameter) and 'points' (a list of mappings)."
            )
    for point in block.get("points", ()):
        if not isinstance(point, dict):
            raise InputError(f"the grid {path} lists the point {point!r}, which is not a mapping.")
    axes = {
        kind: {name: _values(name, values, path) for name, values in block.get(kind, {}).items()}
        for kind in ("product", "zip")
    }
    return Block(**axes, points=block.get("points", ()))


def _values(name: str, values: Any, path: Path) -> Sequence[Any]:
    if isinstance(values, str):
        return parse_values(values)
    if isinstance(values, list):
        return values
    raise InputError(
        f"the grid {path} gives {name} the value {values!r}; write a list such as [1, 2] or a "
        "quoted range such as '0:5'."
    )
