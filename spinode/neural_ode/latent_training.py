"""Train a latent Spin-Neural ODE: windows that grow, and held-out pieces that say when to stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from spinode.neural_ode.initial_state import fit_state
from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.variable_projection import VariableProjection, Window, tile

_FLAT_STEPS = 4
# The part of the ridge that applies to what goes into the neurons.
_INNER = 0.1


@dataclass(frozen=True)
class Patience:
    """When a stage of training ends.

    Attributes
    ----------
    flat : float
        When four steps brought less than this part.
    stale : int
        When so many steps brought nothing on the held-out pieces.
    """

    flat: float
    stale: int


#: Of a pilot; of the last training, with long stretches of little progress; and of one that other
#: records end, where the error goes up and down before it settles.
BRIEF, PATIENT, VERY_PATIENT = Patience(2e-4, 15), Patience(1e-5, 45), Patience(1e-7, 75)

#: (samples in a window, steps)
Plan = Sequence[tuple[int, int]]


@dataclass
class Trained:
    """What a training left.

    Attributes
    ----------
    weights : array
        The best on the held-out pieces; the last if there are none.
    error : float
        Root mean square of the held-out residuals at the best step; of the training otherwise.
    squares : list of array
        Squared residuals of the held-out pieces, behind their burn-in, at each step.
    projection : VariableProjection
    firsts : array, shape (windows, n)
        Of the last step.
    """

    weights: np.ndarray
    error: float
    squares: list[np.ndarray]
    projection: VariableProjection
    firsts: np.ndarray


def ridge_of(shape: Shape, ridge: float) -> np.ndarray:
    """Return the ridge of each weight: of what leaves the neurons, and a tenth on what enters."""
    groups = shape.groups()
    leaving, entering = np.isin(groups, (1, 4)), np.isin(groups, (0, 3))
    return ridge * (leaving + _INNER * entering)


class HeldOut:
    """Free simulation of pieces that no weight was fitted to.

    Each starts from a state fitted to its first ``burn_in`` samples, which are not scored.
    """

    def __init__(self, pieces: Sequence[Window], burn_in: int):
        self._pieces, self._burn_in = pieces, burn_in
        self._states: list[np.ndarray] | None = None

    def squares(self, shape: Shape, weights: np.ndarray, step: float) -> np.ndarray:
        """Return all squared residuals behind the burn-in; infinite where the state was lost."""
        if self._states is None or self._states[0].size != shape.states:
            self._states = [np.zeros(shape.states) for _ in self._pieces]
        parts = []
        for number, piece in enumerate(self._pieces):
            head = piece.cut(0, self._burn_in)
            truth = np.where(head.counts > 0, head.truth, np.nan)
            first = fit_state(shape, weights, step, head.stages, truth, self._states[number])
            outputs, _ = simulate(shape, weights, step, first, piece.stages)
            self._states[number] = first
            counted = piece.counts[self._burn_in :] > 0
            residual = (outputs - piece.truth)[self._burn_in :][counted]
            parts.append(np.nan_to_num(residual, nan=np.inf) ** 2)
        return np.concatenate(parts)


def train(
    shape: Shape,
    weights: np.ndarray,
    step: float,
    records: Sequence[Window],
    held: HeldOut | None,
    *,
    plan: Plan,
    ridge: float,
    free: np.ndarray | None = None,
    patience: Patience = BRIEF,
    bent: bool = False,
    bar: tqdm | None = None,
    save: Callable[[dict], None] | None = None,
    resume: dict | None = None,
) -> Trained:
    """Minimize the error over windows, stage by stage.

    Parameters
    ----------
    shape, weights, step
        The model to start from.
    records : sequence of Window
    held : HeldOut, optional
        Scored before the first step and after each.
    plan : sequence of (int, int)
        Samples in a window and most steps, of each stage.
    ridge : float
        See `ridge_of`.
    free : array of bool, optional
        Weights to fit; by default all that the shape leaves free.
    patience : Patience
    bent : bool
        Whether steps follow the bend of the residuals (`variable_projection`).
    bar : tqdm, optional
        Moved on by each step.
    save : callable, optional
        Is given the state of the training, plain arrays and numbers, after each step.
    resume : dict, optional
        Such a state, from which to go on.
    """
    penalty = ridge_of(shape, ridge)
    free = shape.free() if free is None else free
    state = {"stage": 0, "taken": 0, "weights": weights, "best": weights, "least": np.inf}
    state |= {"firsts": None, "damping": 1e-2, "growth": 2.0, "scales": None, "stale": 0}
    state |= {"errors": [], "tiles": None}
    if resume is not None:
        state |= resume
    squares: list[np.ndarray] = []
    if held is not None and resume is None:
        squares.append(held.squares(shape, weights, step))
        state["least"] = float(np.sqrt(squares[-1].mean()))
    projection, before = None, []
    for number in range(state["stage"], len(plan)):
        length, steps = plan[number]
        tiles = tile(records, length)
        windows = [records[i].cut(a, b) for i, a, b in tiles]
        if number > state["stage"] or state["firsts"] is None:
            old = None if projection is None else (projection, before)
            state["firsts"] = _first_states(shape, state, step, records, tiles, old)
            state |= {"stage": number, "taken": 0, "stale": 0, "errors": [], "scales": None}
            state |= {"damping": 1e-2 if number == 0 else max(state["damping"], 1e-5)}
        projection = VariableProjection(shape, step, windows, ridge=penalty, free=free, bent=bent)
        before = tiles
        projection.damping, projection.growth = state["damping"], state["growth"]
        if state["scales"] is not None:
            projection.scales = state["scales"]
        while state["taken"] < steps:
            better = projection.step_once(state["weights"], state["firsts"])
            if better is None:
                break
            state["weights"], state["firsts"], error = better
            state["taken"] += 1
            state["errors"] = [*state["errors"], error]
            state |= {"damping": projection.damping, "growth": projection.growth}
            state["scales"] = projection.scales
            shown = np.sqrt(error)
            if held is not None:
                squares.append(held.squares(shape, state["weights"], step))
                shown = float(np.sqrt(squares[-1].mean()))
                state["stale"] += 1
                if shown < state["least"]:
                    state["stale"] = 0 if shown < 0.999 * state["least"] else state["stale"]
                    state["least"], state["best"] = shown, state["weights"]
            if bar is not None:
                bar.update()
                bar.set_postfix(error=f"{shown:.2e}")
            if save is not None:
                save(state)
            errors = state["errors"]
            flat = (
                len(errors) > _FLAT_STEPS
                and errors[-1] > (1 - patience.flat) * errors[-1 - _FLAT_STEPS]
            )
            if flat or state["stale"] >= patience.stale:
                break
    if held is None:
        state["best"], state["least"] = (
            state["weights"],
            np.sqrt(state["errors"][-1:] or [np.inf])[0],
        )
    return Trained(state["best"], float(state["least"]), squares, projection, state["firsts"])


def _first_states(shape, state, step, records, tiles, old) -> np.ndarray:
    """Return a first state for every window: from the windows before, or from simulations."""
    weights, paths = state["weights"], []
    if old is not None:
        projection, before = old
        trajectories = projection.trajectories(weights, state["firsts"])
        for number in range(len(records)):
            own = [t for (i, _, _), t in zip(before, trajectories, strict=True) if i == number]
            paths.append(np.concatenate(own))
    else:
        for record in records:
            head = record.cut(0, min(len(record), 200))
            truth = np.where(head.counts > 0, head.truth, np.nan)
            first = np.zeros(shape.states)
            if head.counts.any():
                first = fit_state(shape, weights, step, head.stages, truth, first)
            paths.append(simulate(shape, weights, step, first, record.stages)[1])
    return np.nan_to_num(np.stack([paths[i][a] for i, a, _ in tiles]))
