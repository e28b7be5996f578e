"""The comparison page: verdicts, and that nobody has typed a number into it."""

import json
import shutil
from pathlib import Path

import pytest

from spinode.errors import InputError
from spinode.paper import comparison
from spinode.paper.comparison import Claim

ROOT = Path(__file__).resolve().parent.parent


def claim(paper, rule="at most", **options):
    return Claim(
        "2", "error", paper, lambda r: r["training"]["mse"], "{:.1e}", str, rule, **options
    )


@pytest.mark.parametrize(
    ("rule", "ours", "verdict"),
    [
        ("at most", 0.9, "reproduced"),
        ("at most", 0.5, "better"),
        ("at most", 1.1, "differs: coarse cells"),
        ("at least", 1.0, "reproduced"),
        ("at least", 2.0, "better"),
        ("at least", 0.9, "differs: coarse cells"),
        ("near", 1.05, "reproduced"),
        ("near", 0.85, "differs: coarse cells"),
        ("above", 1.1, "reproduced"),
        ("above", 0.9, "differs: coarse cells"),
    ],
)
def test_verdicts(rule, ours, verdict):
    assert claim(1.0, rule, tolerance=0.1, why="coarse cells").verdict(ours) == verdict


def test_words_of_the_paper_are_not_beaten():
    one = claim(1.0, said="curves on each other")
    assert one.claimed() == "curves on each other"
    assert one.verdict(0.1) == "reproduced"
    assert one.verdict(1.1) == "differs"


def test_only_what_was_computed_is_compared(tmp_path):
    for profile, mse in (("quick", 1e-2), ("paper", 1e-5)):
        folder = tmp_path / "results" / profile
        folder.mkdir(parents=True)
        text = json.dumps({"data": "a table", "train_mse": {"k = 2": mse, "k = 1": None}})
        (folder / "training.json").write_text(text)
    table = comparison.compare(tmp_path)
    (row,) = table.to_dict("records")
    assert row["here, quick profile"] == "1.0e-02"
    assert row["here, paper profile"] == "1.0e-05"
    assert (row["verdict"], row["computed from"]) == ("better", "a table")
    assert comparison.markdown(table).count("\n") == 3

    readme = tmp_path / "README.md"
    marks = f"{comparison._START}\nold\n{comparison._END}"
    readme.write_text(f"# A\n\n{marks}\n\nThe end.\n")
    comparison.publish(tmp_path)
    summary = (tmp_path / "results" / "summary.md").read_text()
    assert "1.0e-05" in summary
    assert summary in readme.read_text()
    assert readme.read_text().startswith("# A\n") and readme.read_text().endswith("The end.\n")
    comparison.publish(tmp_path)
    assert readme.read_text().count("1.0e-05") == 1
    with pytest.raises(InputError, match="no place for the summary"):
        comparison.insert("# A README without markers", summary)


def test_summary_and_readme_are_what_the_results_say(tmp_path):
    """Fails when a number was typed, or the report was not run after the results changed."""
    shutil.copytree(ROOT / "results", tmp_path / "results")
    shutil.copy(ROOT / "README.md", tmp_path)
    comparison.publish(tmp_path)
    for name in ("results/summary.md", "README.md"):
        assert (tmp_path / name).read_text() == (ROOT / name).read_text(), (
            f"{name} disagrees with results/: run 'spinode run 08_paper_against_workbook'"
        )
