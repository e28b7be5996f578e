"""Numbers that the documentation says are those of stored results."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
USUAL = {"k": 2, "width": 50, "samples": 10_000, "noise": 0.0}


@pytest.fixture(scope="module")
def sweep():
    return pd.read_csv(ROOT / "results" / "paper" / "sweep.csv")


def text(page):
    return " ".join((ROOT / page).read_text("utf-8").split())


def held_out(sweep, **changes):
    """The held-out NRMSE of the seeds of one point of the sweep, in per cent."""
    chosen = USUAL | changes
    some = sweep[(sweep[list(chosen)] == pd.Series(chosen)).all(axis=1)]
    assert len(some) == 5
    return 100 * some.nrmse_heldout


def said(value):
    """A number as the page writes it: two digits."""
    return f"{value:#.2g}".rstrip(".")


# Sentences of docs/sweeps.md, with a place for each number, and which point of the sweep it is of.
SENTENCES = {
    "**k = 1 cannot**: {} %": [{"k": 1}],
    "**k = 2 is enough**: {} % at width 50": [{}],
    "({} % for k = 3, {} % for k = 4)": [{"k": 3}, {"k": 4}],
    "(width 100: {} % for k = 2, {} % for k = 3)": [{"width": 100}, {"width": 100, "k": 3}],
    "{}, {}, {} and {} % for 10, 20, 50 and 100 neurons": [
        {"width": width} for width in (10, 20, 50, 100)
    ],
    "{} % from 1000 samples (5 ns), {} % from 2000, {} % from 5000, {} % from 10,000": [
        {"samples": samples} for samples in (1000, 2000, 5000, 10_000)
    ],
    "of 3 % little ({} %), of 10 % a lot ({} % for k = 2)": [{"noise": 0.03}, {"noise": 0.1}],
    "takes off a third of the error ({} %)": [{"noise": 0.1, "k": 3}],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_the_page_on_sweeps_says_is_in_the_table(sentence, sweep):
    medians = [said(held_out(sweep, **changes).median()) for changes in SENTENCES[sentence]]
    assert sentence.format(*medians) in text("docs/sweeps.md")


def test_noise_of_a_percent_costs_nothing_and_seeds_agree(sweep):
    usual, noisy = held_out(sweep), held_out(sweep, noise=0.01)
    assert abs(usual.median() - noisy.median()) < usual.std()
    said_range = f"({said(usual.min())} to {said(usual.max())} %)"
    assert f"**Seeds** agree at k = 2 {said_range}" in text("docs/sweeps.md")


def test_the_page_on_sweeps_has_no_other_number(sweep):
    """Every percentage of that section is one that the tests above look up."""
    page = text("docs/sweeps.md")
    section = page[page.index("## What the sweep of one skyrmion says") :]
    found = re.findall(r"([\d.]+) %", section)
    known = [changes for points in SENTENCES.values() for changes in points]
    values = {said(held_out(sweep, **changes).median()) for changes in known}
    values |= {said(held_out(sweep).max())}
    assert set(found) <= values | {"1", "3", "10"}, "a number without a result"


def test_the_readme_knows_how_long_the_sweep_took(sweep):
    hours = sweep.point_seconds.sum() / 3600
    halves = {2: "two hours", 2.5: "two and a half hours", 3: "three hours"}
    assert f"170 trainings {halves[round(2 * hours) / 2]} of one core" in text("README.md")
    assert len(sweep) == 170


FAMILIES = {
    "the authors' reservoir": "authors",
    "delayed input, masks at random": "random",
    "designed, without delayed input": "undelayed",
    "designed": "designed",
}


@pytest.mark.parametrize("said_of", FAMILIES)
def test_the_page_on_design_says_what_micromagnetics_found(said_of):
    found = json.loads((ROOT / "results" / "paper" / "design.json").read_text())
    cells = [
        "{median:.3f} ({least:.3f} to {largest:.3f})".format(**one)
        for one in found["nrmse_micromagnetics"][FAMILIES[said_of]].values()
    ]
    assert f"| {said_of} | {' | '.join(cells)} |" in text("docs/design.md")
    assert found["left_the_centre"] == {"authors": 1, "random": 2, "undelayed": 0, "designed": 0}
