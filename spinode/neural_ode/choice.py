"""The choice of order, width, ridge and interpolation, by free simulation of held-out pieces.

A larger model is taken for a smaller one only if it simulates the held-out pieces better by more
than the standard error of the difference. No sample outside of the records enters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spinode.neural_ode import linear, records
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.latent_training import HeldOut, train
from spinode.neural_ode.state_space import Shape
from spinode.neural_ode.variable_projection import Window
from spinode.provenance import code_version

# Records of no more samples than this are cross-validated; of longer ones a part is held out.
_SHORT = 4000
_FOLDS, _BLOCKS = 4, 4
_LONG_BLOCKS, _LONG_EVERY = 18, 6
# Of longer records, so many samples are enough to choose by.
_PILOT, _PILOT_HELD = 8000, 4000
_SHORT_WINDOW, _PILOT_STEPS = 225, 25
_MOST_STATES, _WIDTHS = 8, (8, 16, 24)
_RIDGES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
_FIRST_RIDGE, _FIRST_RIDGE_SHORT = 1e-6, 1e-4
_ORDERS = (6, 12, 24, 48, 96)
_WINDOW = 1000
_POLISH = 10
_STARTS = 4
# Of the code that is at work: a file may be edited while a notebook has it loaded.
_CODE = code_version(f"import {__name__}")


@dataclass(frozen=True)
class Candidate:
    """What is to be chosen; None where it is open."""

    states: int | None = None
    width: int | None = None
    ridge: float | None = None
    interpolation: str | None = None


@dataclass
class _Tried:
    """A candidate's held-out squared residuals at its best step, and the models."""

    squares: np.ndarray
    models: np.ndarray  # a row a split: its step, and its best weights

    @property
    def error(self) -> float:
        return float(np.sqrt(self.squares.mean()))


class Choice:
    """Find the best candidate, then train it.

    Parameters
    ----------
    windows : callable
        Gives the records, a list of Window, for an interpolation.
    wanted : Candidate
        What the user has settled.
    seed : int
    steps : int
        Most steps of the last training.
    checkpoint : path or None
    progress : bool
    """

    def __init__(
        self,
        windows: Callable[[str], list[Window]],
        wanted: Candidate,
        *,
        seed: int,
        steps: int,
        checkpoint: str | Path | None,
        progress: bool,
    ):
        self._windows, self._wanted, self._seed = windows, wanted, seed
        self._progress = progress
        self._cache: dict[str, list[Window]] = {}
        self._linear: dict[tuple, tuple] = {}
        self.chosen = wanted
        self.tried: dict[Candidate, _Tried] = {}
        self._final: dict | None = None
        self._burn_in = self._lasting = 50
        self._steps = steps
        self._checkpoint = Checkpoint(checkpoint)
        if checkpoint is not None:
            self._restore()

    # -- the data

    def _records(self, interpolation: str) -> list[Window]:
        if interpolation not in self._cache:
            self._cache[interpolation] = self._windows(interpolation)
        return self._cache[interpolation]

    @property
    def _short(self) -> bool:
        how = self._wanted.interpolation or "linear"
        return sum(len(record) for record in self._records(how)) <= _SHORT

    def _splits(self, interpolation: str) -> list[tuple[list[Window], list[Window]]]:
        """Return pairs of what pilots are fitted to and what they are scored on."""
        data = self._records(interpolation)
        if self._short:
            return [records.hold_out(data, _BLOCKS, _FOLDS, first) for first in range(_FOLDS)]
        fitted, held = records.hold_out(data, _LONG_BLOCKS, _LONG_EVERY, _LONG_EVERY // 2)
        pieces = max(_WINDOW, 4 * self._burn_in)
        return [
            (records.thinned(fitted, _WINDOW, _PILOT), records.thinned(held, pieces, _PILOT_HELD))
        ]

    # -- linear models

    def _linear_model(self, states: int, interpolation: str, split: int) -> tuple:
        """Return shape, weights and step of the best linear model of a split."""
        key = (states, interpolation, split)
        if key not in self._linear:
            fitted = self._splits(interpolation)[split][0]
            longest = max(len(record) for record in fitted)
            orders = [o for o in _ORDERS if o * (1 + fitted[0].stages.shape[1]) * 4 < longest]
            models = self._linear.get(("arx", interpolation, split))
            if models is None:
                models = linear.arx(fitted, orders or [2])
                self._linear["arx", interpolation, split] = models
            shape, starts = linear.initial(fitted, states, models, feedthrough=True)
            plan = ((_WINDOW, 25),)
            trials = [
                train(shape, w, 1.0, fitted, None, plan=plan, ridge=0.0) for w in starts[:_STARTS]
            ]
            done = min(trials, key=lambda one: one.error)
            self._linear[key] = linear.retimed(shape, done.weights)
        return self._linear[key]

    # -- pilots

    def pilot(self, candidate: Candidate) -> _Tried:
        """Train a candidate on each split and score it on what was held out."""
        if candidate in self.tried:
            return self.tried[candidate]
        traces, models = [], []
        # A window must be long enough that its first state does not explain it.
        short = max(4 * self._lasting, _SHORT_WINDOW)
        plan = [(_WINDOW, 2 * _PILOT_STEPS)]
        if short <= _WINDOW / 2:
            plan = [(int(short), _PILOT_STEPS), (_WINDOW, _PILOT_STEPS)]
        for number, (fitted, held) in enumerate(self._splits(candidate.interpolation)):
            shape, weights, step = self._linear_model(
                candidate.states, candidate.interpolation, number
            )
            scored = HeldOut(held, self._burn_in)
            traces.append([scored.squares(shape, weights, step)])
            if candidate.width > 0:
                shape, weights = shape.widened(weights, candidate.width, 0, self._seed)
                done = train(shape, weights, step, fitted, scored, plan=plan, ridge=candidate.ridge)
                traces[-1], weights = done.squares, done.weights
            models.append(np.append(step, weights))
        best = [min(trace, key=np.mean) for trace in traces]
        self.tried[candidate] = _Tried(np.concatenate(best), np.stack(models))
        self._bar.set_postfix(
            states=candidate.states,
            width=candidate.width,
            error=f"{self.tried[candidate].error:.2e}",
        )
        self._bar.update()
        self._save(force=True)
        return self.tried[candidate]

    def _better(self, new: Candidate, old: Candidate) -> bool:
        """Return whether ``new`` is better by more than the standard error of the difference."""
        gain = self.pilot(old).squares - self.pilot(new).squares
        if not np.isfinite(gain).all():
            return bool(self.pilot(new).error < self.pilot(old).error)
        blocks = [block.mean() for block in np.array_split(gain, max(len(gain) // 50, 4))]
        return bool(np.mean(blocks) > np.std(blocks) / np.sqrt(len(blocks)))

    def search(self) -> None:
        """Settle what is open, one thing after the other."""
        wanted = self._wanted
        with tqdm(desc="choose", unit="model", disable=not self._progress) as self._bar:
            how = wanted.interpolation or "cubic"
            chosen = replace(wanted, interpolation=how, width=0, ridge=0.0)
            if wanted.states is None:
                chosen = self._climb(
                    [replace(chosen, states=n) for n in range(1, _MOST_STATES + 1)], patience=2
                )
            self._burn_in = self._memory(chosen)
            if wanted.width != 0:
                width = wanted.width or _WIDTHS[0]
                first = _FIRST_RIDGE_SHORT if self._short else _FIRST_RIDGE
                ridge = first if wanted.ridge is None else wanted.ridge
                chosen = replace(chosen, width=width, ridge=ridge)
                if wanted.interpolation is None:
                    ways = [replace(chosen, interpolation=one) for one in ("linear", "held")]
                    chosen = min([chosen, *ways], key=lambda one: self.pilot(one).error)
                if wanted.states is None:
                    chosen = self._neighbours(chosen)
                if wanted.ridge is None:
                    chosen = self._best_ridge(chosen)
                if wanted.width is None:
                    chosen = self._climb([replace(chosen, width=w) for w in _WIDTHS], patience=1)
            self.chosen = chosen
            self.pilot(chosen)

    def _memory(self, candidate: Candidate) -> int:
        """Return how many samples a start is fitted to: what the slowest mode remembers."""
        shape, weights, step = self._linear_model(candidate.states, candidate.interpolation, 0)
        slope = shape.unpack(weights)[1][:, : shape.states]
        slowest = np.abs(np.linalg.eigvals(slope).real).min() * step
        shortest = min(len(h) for _, held in self._splits(candidate.interpolation) for h in held)
        self._lasting = 3 / max(slowest, 1e-4)
        return int(np.clip(self._lasting, 30, max(shortest // 4, 10)))

    def _climb(self, candidates: list[Candidate], patience: int) -> Candidate:
        """Return the first candidate that none of the next few betters."""
        best, stale = candidates[0], 0
        for candidate in candidates[1:]:
            if self._better(candidate, best):
                best, stale = candidate, 0
            else:
                stale += 1
                if stale == patience:
                    break
        return best

    def _neighbours(self, chosen: Candidate) -> Candidate:
        """Return the best number of states around the linear one."""
        best = chosen
        for n in range(chosen.states + 1, _MOST_STATES + 1):
            more = replace(chosen, states=n)
            if not self._better(more, best):
                break
            best = more
        if best == chosen:
            for n in range(chosen.states - 1, 0, -1):
                fewer = replace(chosen, states=n)
                if self._better(best, fewer):
                    break
                best = fewer
        return best

    def _best_ridge(self, chosen: Candidate) -> Candidate:
        """Return the best ridge, looked for on both sides of the first."""
        middle = _RIDGES.index(chosen.ridge)
        for side in (_RIDGES[:middle][::-1], _RIDGES[middle + 1 :]):
            best = chosen
            for ridge in side:
                other = replace(chosen, ridge=ridge)
                if self.pilot(other).error >= self.pilot(best).error:
                    break
                best = other
            if best != chosen:
                return best
        return chosen

    # -- the last training

    def _long_split(self, interpolation: str) -> tuple[list[Window], list[Window]]:
        data = self._records(interpolation)
        return records.hold_out(data, _LONG_BLOCKS, _LONG_EVERY, _LONG_EVERY // 2)

    def finish(self, model: LatentODE) -> LatentODE:
        """Train the chosen candidate on the whole records and return the model."""
        chosen = self.chosen
        everything = self._records(chosen.interpolation)
        tried = self.tried[chosen]
        inputs = everything[0].stages.shape[1]
        shape = Shape(chosen.states, inputs, chosen.width)
        error, options = tried.error, {"ridge": chosen.ridge}
        everywhere = HeldOut(everything, self._burn_in)
        step, *weights = min(
            tried.models,
            key=lambda row: everywhere.squares(shape, row[1:], row[0]).mean(),
        )
        weights = np.array(weights)
        with tqdm(desc="train", unit="step", disable=not self._progress) as options["bar"]:
            if not self._short and chosen.width > 0:
                fitted, held = self._long_split(chosen.interpolation)
                done = train(
                    shape,
                    weights,
                    step,
                    fitted,
                    HeldOut(held, self._burn_in),
                    plan=((_WINDOW, self._steps),),
                    patient=True,
                    save=self._save_final,
                    resume=self._final,
                    **options,
                )
                weights, error = done.weights, done.error
            plan = ((_WINDOW, _POLISH),)
            done = train(shape, weights, step, everything, None, plan=plan, **options)
            weights = done.weights
        self._checkpoint.end()
        return replace(
            model,
            time_scale=float(model.sample_spacing / step),
            shape=shape,
            weights=weights,
            interpolation=chosen.interpolation,
            start_samples=self._burn_in,
            noise=float(error),
            covariance=done.projection.covariance(weights, done.firsts, error),
            choices=self.table(),
        )

    def table(self) -> list[dict]:
        """Return what was tried, with its held-out error."""
        return [
            {**asdict(candidate), "error": tried.error, "chosen": candidate == self.chosen}
            for candidate, tried in self.tried.items()
        ]

    # -- interruption and resumption

    def _settings(self) -> dict:
        """Return what the state depends on: what is wanted, and a fingerprint of the records."""
        fingerprint = hashlib.sha256()
        for record in self._records(self._wanted.interpolation or "linear"):
            fingerprint.update(record.truth.tobytes() + record.counts.tobytes())
            fingerprint.update(record.stages.tobytes())
        options = {"seed": self._seed, "steps": self._steps}
        return {**asdict(self._wanted), **options, "data": fingerprint.hexdigest()}

    def _save_final(self, state: dict) -> None:
        self._final = state
        self._save()

    def _save(self, force: bool = False) -> None:
        if self._checkpoint.path is None or not (force or self._checkpoint.is_due):
            return
        state = {"tried": [astuple(candidate) for candidate in self.tried], "final": []}
        for number, tried in enumerate(self.tried.values()):
            state |= {f"squares{number}": tried.squares, f"models{number}": tried.models}
        for name, value in (self._final or {}).items():
            state["final"].append(name)
            state[f"final_{name}"] = value
        self._checkpoint.write(_CODE, self._settings(), state)

    def _restore(self) -> None:
        state = self._checkpoint.read(_CODE, self._settings())
        if state is None:
            return
        self.tried = {
            Candidate(*row): _Tried(state[f"squares{number}"], state[f"models{number}"])
            for number, row in enumerate(state["tried"])
        }
        if state["final"]:
            self._final = {name: state[f"final_{name}"] for name in state["final"]}
