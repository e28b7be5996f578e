"""Exercises check themselves; their numbers come from theory where theory has them."""

import re
import warnings
from pathlib import Path

import jupytext
import numpy as np
import pytest

from spinode.book.exercises import EXERCISES, check
from spinode.errors import InputError

TUTORIALS = Path(__file__).resolve().parent.parent / "notebooks" / "tutorials"
GAMMA, FIELD = 1.7595e11, 0.5  # rad/(T s), T


@pytest.mark.parametrize(
    ("exercise", "theory"),
    [
        ("1.1", GAMMA * FIELD / (2 * np.pi) / 1e9),
        # Each simple step lengthens a spin by sqrt(1 + (h gamma B)^2).
        ("1.2", (1 + (1e-13 * GAMMA * FIELD) ** 2) ** (10_000 / 2)),
        ("2.3", 0.1 / 0.2),  # drive over damping, at resonance
        ("3.2", 100 / 4 / 5),  # ps
        ("5.1", 0.5 * np.sqrt(4)),  # s / sqrt(2 Gamma) stays
    ],
)
def test_theory_solves_the_exercise(exercise, theory, capsys):
    check(exercise, theory)
    assert "right" in capsys.readouterr().out


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_wrong_answer_gets_a_hint_and_not_the_solution(exercise, capsys):
    asked = EXERCISES[exercise]
    check(exercise, asked.answer + 2 * asked.tolerance)
    said = capsys.readouterr().out
    assert "not yet" in said and asked.hint in said
    assert f"{asked.answer:g}" not in said.replace(exercise, "")
    check(exercise, None)
    assert "None" in capsys.readouterr().out


def test_an_unknown_exercise_and_words_are_refused():
    with pytest.raises(InputError, match=r"there is 1\.1"):
        check("9.9", 1.0)
    with pytest.raises(InputError, match="is a number"):
        check("1.1", "fourteen")


def test_every_exercise_of_the_tutorials_checks_itself():
    asked, checked = [], []
    for text in sorted(TUTORIALS.glob("*.py")):
        source = text.read_text("utf-8")
        for number, stars in re.findall(r"\*\*Exercise (\d) (★*)\.\*\*", source):
            asked.append((f"{text.name[0]}.{number}", len(stars)))
        checked += re.findall(r'check\("([\d.]+)"', source)
    assert asked == [(name, one.grade) for name, one in EXERCISES.items()]
    assert checked == list(EXERCISES)
    assert {one.grade for one in EXERCISES.values()} == {1, 2, 3}


# By exercise that only computing solves: what its reader changes in the tutorial, and the number
# that the changed tutorial then holds.
SOLUTIONS = {
    "1.3": (
        [('"Ku", (8e5,)', '"Ku", (7.8e5,)'), ("cell=2e-9)", "cell=2e-9, Ku=7.8e5)")],
        "breathing / 1e9",
    ),
    "2.1": ([("start = [0.5, 1.2]", "start = [2.8, 0.0]")], "100 * unseen_error"),
    "2.2": (
        [
            (
                "table = pd.DataFrame(recording.numpy()",
                "recording += 0.05 * torch.tensor(np.random.default_rng(1)"
                ".normal(size=recording.shape))\ntable = pd.DataFrame(recording.numpy()",
            ),
            ("window, losses = 10, []", "window, losses = 1, []"),
        ],
        "100 * unseen_error",
    ),
    "2.3": ([], "amplitudes[2 * np.pi]"),
    "3.1": ([], "false_neighbours(np.random.default_rng(0).normal(size=1500), 2)"),
    "3.3": ([("for k in (1, 2):", "for k in (3,):")], '100 * errors["k = 3"]'),
    "4.1": ([], "capacity(echo(task.inputs, 0.5), task, ridge=1e-8).sum()"),
    "4.2": (
        [("progress=False,\n)\n", "progress=False,\n)\nhold = 5e-12\n")],
        'recall["skyrmion"].sum()',
    ),
    "4.3": ([("nodes = 50", "nodes = 25")], 'curves["skyrmion"][10]'),
    "5.2": (
        [],
        "langevin_strength(model, simulate(replace(device, noise=12.0), drive, seed=3)).value",
    ),
    "5.3": ([], "ratio"),
}


@pytest.mark.long
@pytest.mark.parametrize("exercise", SOLUTIONS)
def test_computing_solves_the_exercise(exercise, capsys):
    (text,) = TUTORIALS.glob(f"{exercise[0]}_*.py")
    changes, number = SOLUTIONS[exercise]
    source = text.read_text("utf-8")
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    space = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in jupytext.reads(source, fmt="py:percent").cells:
            if cell.cell_type == "code":
                exec(cell.source, space)
            if f'check("{exercise}"' in cell.source:
                break
        below = source[source.index(f'check("{exercise}"') :].partition("</details>")[0]
        for printed in re.findall(r"# ```python\n(.*?)# ```", below, re.DOTALL):
            exec(re.sub(r"^# ", "", printed, flags=re.MULTILINE), space)
        capsys.readouterr()
        check(exercise, float(eval(number, space)))
    assert "right" in capsys.readouterr().out
