"""The comparison page: verdicts, and that nobody has typed a number into it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from spinode.errors import InputError
from spinode.paper import comparison
from spinode.paper.claims import Claim, claimed, claims
from spinode.paper.comparison import ResultMissing, verdict

ROOT = Path(__file__).resolve().parent.parent

ONE = Claim(
    figure="2",
    quantity="one",
    label="error",
    paper=1.0,
    said="",
    format="{:.1e}",
    rule="at_most",
    tolerance=0.1,
    key="training.nrmse.k2",
    computed_from="{training.data}, cells of {training.cell} m",
    data="MuMax3",
    absent="",
    source="their table",
    why="",
)


@pytest.mark.parametrize(
    ("rule", "ours", "expected"),
    [
        ("at_most", 0.9, "reproduced"),
        ("at_most", 0.5, "better"),
        ("at_most", 1.1, "differs: coarse cells"),
        ("at_most", float("inf"), "differs: coarse cells"),
        ("at_least", 1.0, "reproduced"),
        ("at_least", 2.0, "better"),
        ("at_least", 0.9, "differs: coarse cells"),
        ("over", 20.0, "reproduced"),
        ("over", 0.9, "differs: coarse cells"),
        ("near", 1.05, "reproduced"),
        ("near", 0.85, "differs: coarse cells"),
        ("reaches", 0.1, "reached"),
        ("reaches", 1.1, "not reached: coarse cells"),
        ("fails", 1.1, "reproduced"),
        ("fails", float("inf"), "reproduced"),
        ("fails", 0.9, "differs: coarse cells"),
        ("shown", 0.1, ""),
    ],
)
def test_verdicts(rule, ours, expected):
    claim = replace(ONE, rule=rule, why="coarse cells")
    assert verdict(claim, 1.0, ours, "MuMax3, published") == expected


@pytest.mark.parametrize("rule", ["at_most", "at_least", "over", "near", "reaches", "fails"])
def test_other_data_have_no_verdict(rule):
    for ours in (0.01, 1.0, 100.0):
        said = verdict(replace(ONE, rule=rule), 1.0, ours, "embedded engine")
        assert said == "not compared: the paper has MuMax3"


def test_words_of_the_paper_are_not_beaten():
    one = replace(ONE, said="the same run")
    assert verdict(one, 1.0, 0.1, "MuMax3") == "reproduced"
    assert verdict(one, 1.0, 1.1, "MuMax3") == "differs"


def test_a_claim_of_an_unknown_rule_or_without_a_number_is_refused():
    with pytest.raises(InputError, match="no rule 'at most'"):
        replace(ONE, rule="at most")
    with pytest.raises(InputError, match="needs a number"):
        replace(ONE, paper=None)
    with pytest.raises(InputError, match="no number called 'speed'"):
        claimed("speed")


def test_the_table_of_claims_holds_together():
    quantities = [claim.quantity for claim in claims()]
    assert len(set(quantities)) == len(quantities)
    for claim in claims():
        assert re.fullmatch("[a-z][a-z0-9_]*", claim.quantity)
        assert claim.source
        claim.format.format(1.0)
    assert claimed("one_skyrmion_k2_train_mse") == 1e-3


# --- the table ------------------------------------------------------------------------------


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A workbook with one claim and two profiles; returns a function that compares."""
    known = [ONE]
    monkeypatch.setattr(comparison, "claims", lambda: known)

    def compare(*changed, **profiles):
        known[:] = changed or [ONE]
        for profile, training in profiles.items():
            folder = tmp_path / "results" / profile
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "training.json").write_text(json.dumps(training))
        return comparison.compare(tmp_path, profiles).set_index("profile")

    compare.root = tmp_path
    return compare


def result(nrmse, data="MuMax3", cell=1e-9, **more):
    return {"data": data, "cell": cell, "nrmse": nrmse, **more}


def test_every_profile_has_its_own_verdict_and_source(book):
    table = book(quick=result({"k2": 1e-5}, "embedded", 2e-9), paper=result({"k2": 2.0}))
    assert table.ours.to_dict() == {"quick": "1.0e-05", "paper": "2.0e+00"}
    assert table.verdict.to_dict() == {
        "quick": "not compared: the paper has MuMax3",
        "paper": "differs",
    }
    assert table.computed_from["quick"] == "embedded, cells of 2e-09 m"


def test_the_median_of_the_seeds_is_compared(book):
    table = book(paper=result({"k2": [0.4, None, 0.2, 0.9, 0.1]}))
    assert table.ours["paper"] == "4.0e-01 (5 seeds: 1.0e-01 to inf)"
    assert table.verdict["paper"] == "better"


def test_a_result_of_the_authors_weights_can_stand_for_the_paper(book):
    claim = replace(ONE, paper="training.nrmse.published")
    table = book(claim, paper=result({"k2": 0.4, "published": 0.5}))
    assert (table.paper["paper"], table.verdict["paper"]) == ("5.0e-01", "reproduced")


def test_a_missing_result_is_an_error_unless_the_claim_says_what_may_be_absent(book):
    renamed = result({"k = 2": 0.1})
    with pytest.raises(ResultMissing, match=r"results/quick lacks training\.nrmse\.k2"):
        book(quick=renamed)
    with pytest.raises(ResultMissing, match="spinode run training --profile quick"):
        book(quick={})
    assert book(replace(ONE, absent="the authors' weights"), quick=renamed).empty


def test_the_readme_holds_the_table_between_its_marks(book, monkeypatch):
    monkeypatch.setattr(comparison, "MAIN", (ONE.quantity,))
    book(quick=result({"k2": 1e-5}), paper=result({"k2": 2.0}))
    readme = book.root / "README.md"
    readme.write_text(f"# A\n\n{comparison._START}\nold\n{comparison._END}\n\nThe end.\n")
    comparison.publish(book.root)
    summary = (book.root / "results" / "summary.md").read_text()
    assert "cells of 1e-09 m" in summary
    assert "their table" in summary
    text = comparison.readme(book.root)
    assert text.startswith("# A\n") and text.endswith("The end.\n") and "old" not in text
    assert text.count("1.0e-05: **better**") == 1
    assert "cells of" not in text
    readme.write_text(text)
    assert comparison.readme(book.root) == text
    readme.write_text("# A README without marks")
    with pytest.raises(InputError, match="no place for the summary"):
        comparison.readme(book.root)


def test_the_main_claims_are_claims_of_every_figure():
    known = {claim.quantity: claim for claim in comparison.claims()}
    assert set(comparison.MAIN) <= set(known)
    shown = {known[name].figure for name in comparison.MAIN}
    assert shown == {claim.figure for claim in known.values()}


# --- what is committed ----------------------------------------------------------------------


def test_readme_holds_what_the_results_say():
    """Fails when a number was typed, or the results changed and nobody renewed the README."""
    assert (ROOT / "README.md").read_text() == comparison.readme(ROOT), (
        "README.md disagrees with results/: run 'spinode readme'"
    )
    assert (ROOT / "results" / "summary.md").read_text() == comparison.summary(ROOT), (
        "results/summary.md disagrees with results/: run 'spinode readme'"
    )


@pytest.mark.parametrize("path", sorted(ROOT.glob("results/*/*.json")), ids=str)
def test_results_are_named_by_identifiers(path):
    def names(value):
        if isinstance(value, dict):
            yield from value
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, dict | list):
                yield from names(one)

    stored = json.loads(path.read_text())
    stored.pop("provenance", None)  # packages bring their own names
    captions = [name for name in names(stored) if not re.fullmatch("[a-z][a-z0-9_]*", name)]
    assert not captions, "see 'Its results' in docs/extending.md"


@pytest.mark.parametrize("profile", comparison.PROFILES)
def test_profiles_of_ten_utterances_have_every_rate_with_nine_in_training(profile):
    """Only the smoke profile, of two utterances, may lack them."""
    shown = set(comparison.compare(ROOT, [profile])["quantity"])
    measured = {
        claim.quantity for claim in claims() if claim.absent == "a ninth training utterance"
    }
    assert measured
    assert measured <= shown
