"""The paper's numbers beside the workbook's, read from what the notebooks left in ``results/``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from spinode.errors import InputError, SpinodeError
from spinode.files import replacing
from spinode.paper.claims import Claim, claims

#: Profiles of the summary, the most faithful last.
PROFILES = ("quick", "paper")
#: What README.md and the book's first page show: of each figure what the paper claims with it, what
#: we do not reproduce among it. All the others stand in results/summary.md.
MAIN = (
    "one_skyrmion_engine_nrmse",
    "one_skyrmion_k1_train_mse",
    "one_skyrmion_k2_train_mse",
    "one_skyrmion_k2_nrmse_held_out",
    "one_skyrmion_k2_nrmse_worst_500",
    "one_skyrmion_mackey_glass_agreement",
    "four_skyrmions_mackey_glass_agreement",
    "speedup_neural_ode",
    "speedup_torchdiffeq",
    "pair_k2_nrmse_held_out",
    "ku_test_k2_frequency_ghz",
    "d_test_k2_frequency_ghz",
    "cochlear_largest_gap",
    "spectrogram_largest_gap",
)
_KINDS = ("reproduced", "better", "reached", "differs", "not reached", "not compared")
_START, _END = "<!-- summary: made by 'spinode readme' -->", "<!-- end of summary -->"

Results = Mapping[str, Mapping[str, Any]]  # metrics by the name of their file


class ResultMissing(SpinodeError):
    """A result that the comparison needs is not there."""


def read_results(folder: Path) -> Results:
    """Return all metrics in a folder such as ``results/<profile>``, by their files' names."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def look_up(results: Results, key: str) -> Any:
    """Follow ``key``, ``notebook.name.name``, into nested results; a whole number is an index.

    Raises
    ------
    KeyError
        If there is no such result.
    """
    found: Any = results
    for name in key.split("."):
        if isinstance(found, list):
            if not (name.isdecimal() and int(name) < len(found)):
                raise KeyError(key)
            found = found[int(name)]
        elif isinstance(found, Mapping) and name in found:
            found = found[name]
        else:
            raise KeyError(key)
    return found


def verdict(claim: Claim, paper: float | None, ours: float, source: str) -> str:
    """Say whether ``ours`` bears out what the paper says.

    Parameters
    ----------
    claim : Claim
        Its rule says what ours must be: ``at_most`` or ``at_least`` the paper's number (then a
        factor of two counts as better), ``near`` it (within the tolerance), ``over`` it (the paper
        gives only a bound), ``shown`` beside it without a verdict. If the number is the error at
        which the authors stop their training, ours ``reaches`` it, or ``fails`` to where the paper
        says that it must.
    paper, ours : float
        A number that is not finite is NaN.
    source : str
        What ours was computed from.
    """
    if claim.rule == "shown" or paper is None:
        return ""
    if claim.data not in source:
        return f"not compared: {claim.why or f'the paper has {claim.data}'}"
    if claim.rule == "reaches":
        return "reached" if ours <= paper else _differs("not reached", claim)
    if claim.rule == "fails":
        return "reproduced" if not ours <= paper else _differs("differs", claim)
    if claim.rule == "near":
        good, better = abs(ours - paper) <= claim.tolerance, False
    elif claim.rule in ("at_least", "over"):
        good, better = ours >= paper, ours >= 2 * paper and claim.rule == "at_least"
    else:
        good, better = ours <= paper, ours <= paper / 2
    if better and not claim.said:
        return "better"
    return "reproduced" if good else _differs("differs", claim)


def _differs(word: str, claim: Claim) -> str:
    return f"{word}: {claim.why}" if claim.why else word


def compare(root: Path, profiles: Iterable[str] = PROFILES) -> pd.DataFrame:
    """Return the table of the paper's numbers and the workbook's.

    Parameters
    ----------
    root : path
        Folder of the workbook.
    profiles : iterable of str
        Which results to show; each has its own verdict and its own source.

    Returns
    -------
    DataFrame
        A row a claim and profile that has a number for it: ``figure``, ``quantity``, ``label``,
        ``paper``, ``paper_source``, ``profile``, ``ours``, ``verdict``, ``computed_from``; all
        columns are text. The median stands for several seeds, with their range.

    Raises
    ------
    ResultMissing
        If a profile lacks a number that the claim does not say may be absent.
    """
    measured = read_results(root / "results")  # by benchmarks, for all profiles
    results = {name: measured | read_results(root / "results" / name) for name in profiles}
    rows = [
        row
        for claim in claims()
        for profile, found in results.items()
        if (row := _row(claim, profile, found))
    ]
    columns = "figure quantity label paper paper_source profile ours verdict computed_from"
    return pd.DataFrame(rows, columns=columns.split())


def _row(claim: Claim, profile: str, results: Results) -> dict[str, str] | None:
    try:
        seeds = look_up(results, claim.key)
        paper = claim.paper
        if isinstance(paper, str):
            paper = _median(look_up(results, paper))
    except KeyError as missing:
        if claim.absent:
            return None
        raise ResultMissing(
            f"results/{profile} lacks {missing.args[0]}, which {claim.quantity} needs: run its "
            f"notebook ('spinode run {claim.key.partition('.')[0]} --profile {profile}')."
        ) from None
    ours, source = _median(seeds), _rendered(claim.computed_from, results)
    return {
        "figure": claim.figure,
        "quantity": claim.quantity,
        "label": claim.label,
        "paper": _claimed(claim, paper),
        "paper_source": claim.source,
        "profile": profile,
        "ours": _written(claim, seeds),
        "verdict": verdict(claim, paper, ours, source),
        "computed_from": source,
    }


def _finite(seeds: Any) -> list[float]:
    """Return the numbers of all seeds; what was not finite is null in results, here infinite."""
    seeds = seeds if isinstance(seeds, list) else [seeds]
    return [float("inf") if one is None else float(one) for one in seeds]


def _median(seeds: Any) -> float:
    return median(_finite(seeds))


def _written(claim: Claim, seeds: Any) -> str:
    numbers = _finite(seeds)
    written = claim.format.format(median(numbers))
    if len(numbers) > 1:
        low, high = (claim.format.format(one) for one in (min(numbers), max(numbers)))
        written += f" ({len(numbers)} seeds: {low} to {high})"
    return written


def _claimed(claim: Claim, paper: float | None) -> str:
    """Return the paper's number or words as the table shows them."""
    if claim.said or paper is None:
        return claim.said or "no number"
    number = claim.format.format(paper)
    bounds = {"fails": "above ", "reaches": "stops at ", "over": "over "}
    return bounds.get(claim.rule, "") + number


def _rendered(template: str, results: Results) -> str:
    """Return ``template`` with the results that its keys in braces name."""

    def value(match: re.Match) -> str:
        found = look_up(results, match[1])
        return f"{found:g}" if isinstance(found, float) else str(found)

    return re.sub(r"\{([\w.]+)\}", value, template)


# --- as text --------------------------------------------------------------------------------


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """Return `compare`'s table with a line a quantity, for reading.

    Every profile has a column of numbers with their verdicts, and one of what they come from.
    """
    rows = {}
    for one in table.to_dict("records"):
        row = rows.setdefault(
            one["quantity"],
            {"Fig.": one["figure"], "quantity": one["label"], "paper": one["paper"]},
        )
        said = f": **{one['verdict']}**" if one["verdict"] else ""
        row[f"here, {one['profile']} profile"] = one["ours"] + said
        row[f"{one['profile']} computed from"] = one["computed_from"]
        row["the paper's number is"] = one["paper_source"]
    profiles = table.profile.unique()
    columns = ["Fig.", "quantity", "paper", *(f"here, {name} profile" for name in profiles)]
    columns += [*(f"{name} computed from" for name in profiles), "the paper's number is"]
    return pd.DataFrame(list(rows.values()), columns=columns).fillna("")


def markdown(table: pd.DataFrame) -> str:
    """Return a table of text as Markdown."""
    lines = [" | ".join(table.columns), " | ".join("---" for _ in table.columns)]
    lines += [" | ".join(row) for row in table.itertuples(index=False)]
    return "".join(f"| {line} |\n" for line in lines)


def counts(table: pd.DataFrame) -> str:
    """Say how many of the paper's numbers were reproduced, by the most faithful profile of each."""
    found = table.drop_duplicates("quantity", keep="last")
    kinds = found.verdict.str.partition(":")[0].value_counts()
    words = [f"{kinds[kind]} {kind}" for kind in _KINDS if kind in kinds]
    if shown := (found.verdict == "").sum():
        words.append(f"{shown} shown without a verdict")
    return f"{len(found)} numbers of the paper: {', '.join(words)}"


def main_claims(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of `compare`'s table that are about a `MAIN` claim."""
    return table[table.quantity.isin(MAIN)]


def summary(root: Path) -> str:
    """Return the text of ``results/summary.md``: the table of all profiles that were run."""
    return markdown(wide(_all_profiles(root)))


def _all_profiles(root: Path) -> pd.DataFrame:
    return compare(root, [name for name in PROFILES if (root / "results" / name).is_dir()])


def publish(root: Path) -> None:
    """Write ``results/summary.md``."""
    text = summary(root)
    with replacing(root / "results" / "summary.md") as partial:
        partial.write_text(text, encoding="utf-8")


def readme(root: Path) -> str:
    """Return the text of README.md with the main claims between its markers, without sources.

    Raises
    ------
    InputError
        If it does not have the markers.
    """
    text = (root / "README.md").read_text("utf-8")
    before, start, rest = text.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end):
        raise InputError(f"README.md has no place for the summary: write {_START} ... {_END}.")
    every = _all_profiles(root)
    table = wide(main_claims(every))
    table = table[[name for name in table if not re.search("computed from|number is", name)]]
    said = f"{counts(every)}. The main ones:"
    return f"{before}{_START}\n\n{said}\n\n{markdown(table)}\n{_END}{after}"
