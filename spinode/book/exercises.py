"""Exercises of the tutorials that check themselves: right, or not yet and a hint."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

from spinode.errors import InputError


@dataclass(frozen=True)
class Exercise:
    """What is asked for, and what is said of an answer.

    Parameters
    ----------
    answer : float
    tolerance : float
        Absolute; an answer this near is right.
    unit : str
        Unit of the answer.
    hint : str
        What helps after a wrong answer, without giving it away.
    grade : int
        1, read off or change a number; 2, change a cell and explain; 3, an experiment of one's own.
    """

    answer: float
    tolerance: float
    unit: str
    hint: str
    grade: int


#: By tutorial and number.
EXERCISES = {
    "1.1": Exercise(14.0, 0.5, "GHz", "Count the maxima of m_x from 0 to 1 ns at alpha = 0.01.", 1),
    "1.2": Exercise(
        1.473, 0.02, "", "Take the norm of the last row of follow(0.0, h=1e-13), not its m_z.", 2
    ),
    "1.3": Exercise(
        10.2, 0.15, "GHz", "Change K_u in both places: the kick's level and the device's own Ku.", 2
    ),
    "2.1": Exercise(16.0, 6.0, "%", "Set start, then run the cell again: it prints the NRMSE.", 1),
    "2.2": Exercise(
        37.0,
        20.0,
        "%",
        "Make the recording noisy first, then set window = 1, then run from the network on.",
        2,
    ),
    "2.3": Exercise(
        0.49, 0.04, "m", "Take the largest |x| of the last 200 samples, when it has settled.", 3
    ),
    "3.1": Exercise(0.70, 0.05, "", "Call false_neighbours with k = 2 on 1500 normal numbers.", 1),
    "3.2": Exercise(5.0, 0.4, "samples", "Divide the period by four, then by the spacing.", 1),
    "3.3": Exercise(
        6.0, 4.0, "%", "Add k = 3 to the tuple that the loop runs over, and read its NRMSE.", 2
    ),
    "4.1": Exercise(
        10.8, 0.5, "inputs", "Sum what capacity(echo(task.inputs, reach), ...) gives.", 1
    ),
    "4.2": Exercise(
        3.1, 0.25, "inputs", "Set hold after the training, then ask for the capacity again.", 2
    ),
    "4.3": Exercise(
        0.47,
        0.09,
        "",
        "Set nodes and run from the masked series on; the NRMSE at H stands in curves.",
        3,
    ),
    "5.1": Exercise(1.0, 0.02, "", "Keep s / sqrt(2 Gamma) as it is.", 1),
    "5.2": Exercise(
        12.0,
        0.9,
        "V/sqrt(s)",
        "Only the recording changes: langevin_strength(model, another recording).",
        2,
    ),
    "5.3": Exercise(
        1.93,
        0.25,
        "",
        "Compare two forecasts, with and without noise, and two simulations, likewise; leave the "
        "first 200 samples out.",
        3,
    ),
}


def check(exercise: str, answer: float | None) -> None:
    """Print whether ``answer`` solves an exercise; never the solution.

    Parameters
    ----------
    exercise : str
        Such as ``"1.2"``: the second exercise of the first tutorial.
    answer : float or None
        None, as long as nobody has answered, prints what is asked for.

    Raises
    ------
    InputError
        If there is no such exercise, or the answer is not a number.
    """
    if exercise not in EXERCISES:
        raise InputError(f"there is no exercise {exercise!r}; there is {', '.join(EXERCISES)}.")
    asked = EXERCISES[exercise]
    unit = f" in {asked.unit}" if asked.unit else ""
    stars = "★" * asked.grade
    if answer is None:
        print(f"Exercise {exercise} {stars}: put your number{unit} in the place of None.")
    elif not isinstance(answer, Real) or isinstance(answer, bool):
        raise InputError(f"the answer to exercise {exercise} is a number{unit}, not {answer!r}.")
    elif abs(answer - asked.answer) <= asked.tolerance:
        print(f"Exercise {exercise} {stars}: right.")
    else:
        print(f"Exercise {exercise} {stars}: not yet. {asked.hint}")
