"""Exercises check themselves; their numbers come from theory where theory has them."""

import numpy as np
import pytest

from spinode.book.exercises import EXERCISES, check
from spinode.errors import InputError

GAMMA, FIELD = 1.7595e11, 0.5  # rad/(T s), T


@pytest.mark.parametrize(
    ("exercise", "theory"),
    [
        ("1.1", GAMMA * FIELD / (2 * np.pi) / 1e9),
        # Each simple step lengthens a spin by sqrt(1 + (h gamma B)^2).
        ("1.2", (1 + (1e-13 * GAMMA * FIELD) ** 2) ** (10_000 / 2)),
        ("2.3", 0.1 / 0.2),  # drive over damping, at resonance
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
