"""The choice of order, width, ridge and interpolation, by free simulation of held-out pieces.

A larger model replaces a smaller one only if it simulates the held-out pieces better by more than
the standard error of the difference. No sample from outside the records is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, astuple, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from spinode.neural_ode import even
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.latent_training import PATIENT, VERY_PATIENT, HeldOut, Trained, train
from spinode.neural_ode.pilots import Candidate, Pilots, Tried
from spinode.neural_ode.variable_projection import Window
from spinode.provenance import code_version

# Of the code that is loaded: a file may be edited while a notebook runs.
_CODE = code_version(f"import {__name__}")
_MOST_STATES, _WIDTHS = 10, (8, 16, 32)
_RIDGES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
_FIRST_RIDGE, _FIRST_RIDGE_SHORT = 1e-6, 1e-4
_POLISH = 10


class Choice:
    """Find the best candidate, then train it.

    Parameters
    ----------
    windows : callable
        Gives the records, a list of Window, for an interpolation.
    wanted : Candidate
        What the user has fixed.
    validation : callable or None
        Gives the records to choose by; by default, pieces of the others are held out.
    seed : int
    steps : int
        Most steps of the last training.
    starts : int
        How many of them there are, from other first weights; the best on what chooses counts.
    checkpoint : path or None
    progress : bool

    Attributes
    ----------
    linear, chosen : Candidate
        The best linear model and the best of all, after `search`.
    saturating : Candidate or None
        The best network of tanh alone, where both kinds were looked at.
    """

    def __init__(
        self,
        windows: Callable[[str], list[Window]],
        wanted: Candidate,
        *,
        validation: Callable[[str], list[Window]] | None,
        seed: int,
        steps: int,
        starts: int,
        checkpoint: str | Path | None,
        progress: bool,
    ):
        self._pilots = Pilots(windows, seed, validation)
        self._wanted, self._seed = wanted, seed
        self._progress = progress
        self.chosen = self.linear = wanted
        self.saturating: Candidate | None = None
        self.tried: dict[Candidate, Tried] = {}
        # By candidate and start: the training under way; error, step and weights of those done.
        self._final: dict[tuple[Candidate, int], dict] = {}
        self._finished: dict[tuple[Candidate, int], np.ndarray] = {}
        self._steps, self._starts = steps, starts
        self._checkpoint = Checkpoint(checkpoint)
        if checkpoint is not None:
            self._restore()

    # -- pilots

    def pilot(self, candidate: Candidate, after: Candidate | None = None) -> Tried:
        """Train a candidate on each split and score it on what was held out.

        With ``after`` the training goes on from that candidate's models.
        """
        if candidate in self.tried:
            return self.tried[candidate]
        if candidate.width == candidate.output_width == 0:
            found = self._pilots.linear_pilot(candidate)
        else:
            before = None if after is None else (after, self.tried[after])
            found = self._pilots.pilot(candidate, before)
        self.tried[candidate] = found
        self._bar.set_postfix(
            states=candidate.states,
            width=candidate.width,
            ridge=candidate.ridge,
            error=f"{found.typical:.2e}",
        )
        self._bar.update()
        self._save()
        return found

    def _better(self, new: Candidate, old: Candidate) -> bool:
        """Return whether ``new`` is better by more than the standard error of the difference."""
        gain = self.tried[old].blocks - self.tried[new].blocks
        if not np.isfinite(gain).all():
            return bool(self.tried[new].error < self.tried[old].error)
        return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))

    def end(self) -> None:
        """Remove the checkpoint of a training that is over."""
        self._checkpoint.end()

    def search(self) -> None:
        """Choose what is open, one thing after the other."""
        wanted = self._wanted
        with tqdm(desc="choose", unit="model", disable=not self._progress) as self._bar:
            how = wanted.interpolation or "cubic"
            chosen = replace(wanted, interpolation=how, width=0, ridge=0.0)
            if wanted.states is None:
                chosen = self._climb(
                    replace(chosen, states=1), "states", range(2, _MOST_STATES + 1)
                )
            self._pilots.remember(chosen)
            kinds = [chosen]
            if self._pilots.drifts:  # an integral has less freedom: it comes first
                kinds.insert(0, replace(chosen, integrating=True))
            self.linear = chosen = min(kinds, key=lambda one: self.pilot(one).typical)
            if wanted.width != 0 and self._pilots.is_even:
                chosen = self._unsigned(chosen)
            elif wanted.width != 0:
                chosen = self._network(kinds[0])
                for kind in kinds[1:]:
                    other = self._network(kind)
                    chosen = other if self._better(other, chosen) else chosen
                if wanted.width is None:
                    tanh = replace(kinds[0], growing=False, integrating=chosen.integrating)
                    self.saturating = other = self._network(tanh)
                    chosen = other if self._better(other, chosen) else chosen
            for one in (self.linear, chosen):
                self.pilot(one)
            network, linear = self.tried[chosen].typical, self.tried[self.linear].typical
            worse = network > linear and not self._pilots.is_short(chosen.interpolation)
            if wanted.width is None and (worse or not np.isfinite(network)):
                chosen = self.linear
            self.chosen = chosen

    def _unsigned(self, chosen: Candidate) -> Candidate:
        """Return the best model of an output without a sign: linear dynamics, or a network's."""
        first = replace(chosen, ridge=self._first_ridge(chosen), output_width=even.NEURONS)
        if self._wanted.states is None:
            first = replace(first, states=1)
            first = self._climb(first, "states", range(2, _MOST_STATES + 1))
        self.pilot(first)
        network = self._network(first)
        if self._wanted.width is not None:
            return network
        return min((first, network), key=lambda one: self.tried[one].typical)

    def _first_ridge(self, chosen: Candidate) -> float:
        if self._wanted.ridge is not None:
            return self._wanted.ridge
        short = self._pilots.is_short(chosen.interpolation)
        return _FIRST_RIDGE_SHORT if short else _FIRST_RIDGE

    def _network(self, chosen: Candidate) -> Candidate:
        """Return the best network around the best linear model."""
        wanted = self._wanted
        chosen = replace(chosen, width=wanted.width or _WIDTHS[0], ridge=self._first_ridge(chosen))
        if wanted.states is None:
            # One state is all that a linear model may tell apart, where a network needs two.
            chosen = replace(chosen, states=max(chosen.states, 2))
        self.pilot(chosen)
        if wanted.interpolation is None:
            ways = [chosen, *(replace(chosen, interpolation=one) for one in ("linear", "held"))]
            chosen = min(ways, key=lambda one: self.pilot(one).typical)
        if wanted.states is None:
            chosen = self._neighbours(chosen)
        if wanted.ridge is None:
            chosen = self._best_ridge(chosen)
        if wanted.width is None:
            chosen = self._climb(chosen, "width", _WIDTHS[1:], patience=1, go_on=True)
        return chosen

    def _climb(
        self, first: Candidate, name: str, values, patience: int = 2, go_on: bool = False
    ) -> Candidate:
        """Return the first candidate that none of the next few improves on."""
        best, stale = first, 0
        self.pilot(first)
        for value in values:
            candidate = replace(first, **{name: value})
            self.pilot(candidate, best if go_on else None)
            if self._better(candidate, best):
                best, stale = candidate, 0
            else:
                stale += 1
                if stale == patience:
                    break
        return best

    def _neighbours(self, chosen: Candidate) -> Candidate:
        """Return the best number of states around the linear one."""
        best = self._climb(chosen, "states", range(chosen.states + 1, _MOST_STATES + 1))
        if best == chosen:
            for n in range(chosen.states - 1, 0, -1):
                fewer = replace(chosen, states=n)
                # Fewer must do no worse: blocks of a short record tell little apart.
                if self.pilot(fewer).typical > self.tried[best].typical:
                    break
                best = fewer
        return best

    def _best_ridge(self, chosen: Candidate) -> Candidate:
        """Return the best ridge, looked for on both sides of the first, each from the one before.

        A weaker ridge goes on from the models of a stronger, which is also the surer way down.
        """
        middle = _RIDGES.index(chosen.ridge)
        for side in (_RIDGES[middle + 1 :], _RIDGES[:middle][::-1]):
            best = chosen
            for ridge in side:
                other = replace(chosen, ridge=ridge)
                self.pilot(other, best)
                if self.tried[other].typical >= self.tried[best].typical:
                    break
                best = other
            if best != chosen:
                return best
        return chosen

    # -- the last training

    def finish(self, model: LatentODE, candidate: Candidate | None = None) -> LatentODE:
        """Train a candidate, by default the chosen one, on the whole records; return the model.

        Where growing neurons were chosen and the trained model is not bounded, tanh takes over.
        """
        candidate = candidate or self.chosen
        done, step, error = self._last_training(candidate)
        other = self.saturating
        grows = candidate.growing and candidate.width > 0
        if other and grows and not self._pilots.is_bounded(candidate, done, step):
            instead = self._last_training(other)
            if self._pilots.is_bounded(other, *instead[:2]):
                candidate, (done, step, error) = other, instead
        shape, middle = candidate.shape(len(model.inputs)), done.firsts.mean(axis=0)
        weights, firsts = shape.recentred(done.weights, middle), done.firsts - middle
        return replace(
            model,
            time_scale=float(model.sample_spacing / step),
            shape=shape,
            weights=weights,
            interpolation=candidate.interpolation,
            start_samples=self._pilots.burn_in,
            noise=float(error),
            covariance=done.projection.covariance(weights, firsts, error),
            choices=self.table(candidate),
        )

    def _last_training(self, candidate: Candidate) -> tuple[Trained, float, float]:
        """Return a training on the whole records, its step, and the error on what it left out."""
        pilots = self._pilots
        everything = pilots.records(candidate.interpolation)
        shape = candidate.shape(everything[0].stages.shape[1])
        with tqdm(desc="train", unit="step", disable=not self._progress) as bar:
            if pilots.is_short(candidate.interpolation):
                error, plan = self.tried[candidate].typical, pilots.plan(candidate)
                starts = pilots.starts(candidate)
            else:
                ways = [self._from_pilot(candidate, again, bar) for again in range(self._starts)]
                error, step, *weights = min(ways, key=lambda one: one[0])
                # What was held out has its say, too; records to choose by are not learned from.
                plan = ((pilots.windows(candidate)[-1], 0 if pilots.validated else _POLISH),)
                starts = [(np.array(weights), step)]
            options = {"plan": plan, "ridge": candidate.ridge, "bar": bar}
            trained = [
                (train(shape, weights, step, everything, None, **options), step)
                for weights, step in starts
            ]
        return *min(trained, key=lambda one: one[0].error), error

    def _from_pilot(self, candidate: Candidate, again: int, bar: tqdm) -> np.ndarray:
        """Train a candidate on what is not held out; return error on the rest, step and weights."""
        pilots, key = self._pilots, (candidate, again)
        if key in self._finished:
            return self._finished[key]
        tried = self.tried[candidate] if again == 0 else pilots.pilot(candidate, None, again)
        step, weights = tried.models[0][0], tried.models[0][1:]
        if candidate.width + candidate.output_width == 0:
            return np.array([tried.typical, step, *weights])
        if self._starts > 1:
            bar.set_description_str(f"train {again + 1} of {self._starts}")
        fitted, held = pilots.long_split(candidate.interpolation)
        shape = candidate.shape(fitted[0].stages.shape[1])
        done = train(
            shape,
            weights,
            step,
            fitted,
            HeldOut(held, pilots.burn_in),
            plan=[(length, self._steps) for length in pilots.windows(candidate)],
            ridge=candidate.ridge,
            patience=VERY_PATIENT if pilots.validated else PATIENT,
            bent=pilots.validated,
            bar=bar,
            save=lambda state: self._save_final(key, state),
            resume=self._final.get(key),
        )
        error = done.error
        if self._starts > 1:
            # As a forecast starts, and not from the states of the step before.
            moved = shape.recentred(done.weights, done.firsts.mean(axis=0))
            squares = HeldOut(held, pilots.burn_in).squares(shape, moved, step)
            error = float(np.sqrt(squares.mean()))
        self._finished[key] = np.array([error, step, *done.weights])
        self._final = {}
        self._save()
        return self._finished[key]

    def table(self, chosen: Candidate) -> list[dict]:
        """Return what was tried, with its held-out error."""
        return [
            {
                **asdict(candidate),
                "error": tried.error,
                "typical": tried.typical,
                "chosen": candidate == chosen,
            }
            for candidate, tried in self.tried.items()
        ]

    # -- interruption and resumption

    def _settings(self) -> dict:
        """Return what a checkpoint must agree in."""
        how = self._wanted.interpolation or "linear"
        data = hashlib.sha256()
        windows = list(self._pilots.records(how))
        if self._pilots.validated:
            windows += self._pilots.long_split(how)[1]
        for record in windows:
            data.update(record.truth.tobytes() + record.counts.tobytes())
            data.update(record.stages.tobytes())
        options = {"seed": self._seed, "steps": self._steps, "starts": self._starts}
        return {**asdict(self._wanted), **options, "data": data.hexdigest()}

    def _save_final(self, key: tuple[Candidate, int], state: dict) -> None:
        self._final = {key: state}
        if self._checkpoint.is_due:
            self._save()

    def _save(self) -> None:
        if self._checkpoint.path is None:
            return
        state = {"tried": [astuple(candidate) for candidate in self.tried]}
        for number, tried in enumerate(self.tried.values()):
            state |= {f"squares{number}": tried.squares, f"models{number}": tried.models}
        state["finished"] = [(*astuple(candidate), again) for candidate, again in self._finished]
        state |= {f"finished{number}": one for number, one in enumerate(self._finished.values())}
        for (candidate, again), final in self._final.items():
            state["final"] = (*astuple(candidate), again)
            state |= {f"final_{name}": value for name, value in final.items()}
        self._checkpoint.write(_CODE, self._settings(), state)

    def _restore(self) -> None:
        state = self._checkpoint.read(_CODE, self._settings())
        if state is None:
            return
        for number, row in enumerate(state["tried"]):
            found = Tried(state[f"squares{number}"], state[f"models{number}"])
            self.tried[Candidate(*row)] = found
        for number, (*row, again) in enumerate(state["finished"]):
            self._finished[Candidate(*row), again] = state[f"finished{number}"]
        if "final" in state:
            *row, again = state["final"]
            prefix = "final_"
            final = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            self._final = {(Candidate(*row), again): final}
