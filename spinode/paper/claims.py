"""What the paper says, as a table: ``claims.csv`` beside this module, one row a number.

Its columns:

- ``figure``, ``quantity`` (a stable identifier), ``label`` (for people)
- ``paper``: the paper's number; after ``=``, the key of a result that stands for it, such as the
  error of the authors' weights on the same data; empty where the paper has none
- ``said``: the paper's words, where ``paper`` is our bound for agreeing with them
- ``format``: of both numbers
- ``rule``, ``tolerance``: see `spinode.paper.comparison.verdict`
- ``key``: of our number in ``results/<profile>/``, ``notebook.name.name``
- ``computed_from``: from what, with keys in braces
- ``data``: what ``computed_from`` must contain to be comparable with the paper's; empty for any
- ``absent``: what may be missing, and our number with it; empty for nothing
- ``source``: where the paper's number comes from
- ``why``: the reason if ours differs or cannot be compared

>>> claimed("speedup_neural_ode")
200.0
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

from spinode.errors import InputError

RULES = ("at_most", "at_least", "near", "over", "reaches", "fails", "shown")


@dataclass(frozen=True)
class Claim:
    """One row of ``claims.csv``; the module says what its fields mean."""

    figure: str
    quantity: str
    label: str
    paper: float | str | None
    said: str
    format: str
    rule: str
    tolerance: float
    key: str
    computed_from: str
    data: str
    absent: str
    source: str
    why: str

    def __post_init__(self):
        if self.rule not in RULES:
            raise InputError(f"claim {self.quantity}: no rule {self.rule!r}; use one of {RULES}.")
        if self.paper is None and self.rule != "shown":
            raise InputError(f"claim {self.quantity}: the rule {self.rule!r} needs a number.")


@cache
def claims() -> tuple[Claim, ...]:
    """Return every number of the paper for which the workbook has one of its own, by figure."""
    file = resources.files("spinode.paper").joinpath("claims.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return tuple(
            Claim(
                **{
                    **row,
                    "paper": _number(row["paper"]),
                    "tolerance": float(row["tolerance"] or 0),
                }
            )
            for row in csv.DictReader(lines)
        )


def _number(text: str) -> float | str | None:
    if text.startswith("="):
        return text[1:]
    return float(text) if text else None


def claimed(quantity: str) -> float:
    """Return the paper's number for ``quantity``.

    Raises
    ------
    InputError
        If there is no such claim, or the paper has no number for it.
    """
    for claim in claims():
        if claim.quantity == quantity and isinstance(claim.paper, float):
            return claim.paper
    raise InputError(f"the paper has no number called {quantity!r}; see spinode/paper/claims.csv.")
