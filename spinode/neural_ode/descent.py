"""The course of a training: Adam, then Levenberg-Marquardt, with free forecasts in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import xarray as xr
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from spinode.errors import SpinodeError
from spinode.neural_ode import _kernels
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.levenberg_marquardt import LevenbergMarquardt
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.stretch import Stretch

# A loss this many times the first one is divergence, not noise.
_DIVERGED = 100.0
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam's own defaults (Kingma and Ba, 2015)


class TrainingDiverged(SpinodeError):
    """The loss became infinite or grew beyond reason; the model holds its best weights.

    Attributes
    ----------
    history : Dataset
        What `fit` would have returned, up to the divergence.
    """

    def __init__(self, message: str, history: xr.Dataset):
        super().__init__(message)
        self.history = history


@dataclass
class _State:
    """Everything that changes during a training: what a checkpoint holds."""

    weights: np.ndarray
    best: np.ndarray
    moment1: np.ndarray
    moment2: np.ndarray
    generator: dict
    phase: str = "adam"
    iteration: int = 0
    adam_steps: int = 0
    first_loss: float | None = None
    losses: list[float] = field(default_factory=list)
    checks: list[dict[str, float]] = field(default_factory=list)
    best_iteration: int = 0
    best_error: float = np.inf
    stale: int = 0
    damping: float = 1e-3
    growth: float = 2.0
    seconds: float = 0.0


class Training:
    """A training that can be stopped and taken up again between any two of its steps."""

    def __init__(
        self,
        model: SpinODE,
        stretches: dict[str, Stretch],
        settings: dict,
        code: str,
        checkpoint: Checkpoint,
    ):
        self._model = model
        self._stretches = stretches
        self._settings = settings
        self._code = code
        self._checkpoint = checkpoint
        self._generator = np.random.default_rng(settings["seed"])
        first = _kernels.pack(model.f.parameters())
        zeros = np.zeros_like(first)
        self.state = _State(first, first, zeros, zeros, self._generator.bit_generator.state)
        saved = checkpoint.read(code, settings)
        if saved is not None:
            self.state = _State(**saved)
            self._generator.bit_generator.state = self.state.generator
        self._counted = time.monotonic()

    def adam(self, loss_and_gradient: Callable, bar: tqdm) -> None:
        """Minimize the error over short windows by Adam (Kingma and Ba, 2015)."""
        state, settings = self.state, self._settings
        stretch = self._stretches["train_mse"]
        bar.update(state.adam_steps)
        while state.phase == "adam":
            n, last = state.iteration, settings["iterations"]
            if (n % settings["check_every"] == 0 or n == last) and (
                self._check(float(np.mean(state.losses or np.nan)), bar) or n == last
            ):
                if state.phase == "adam":  # the target is not reached yet
                    state.phase, state.stale = "levenberg-marquardt", 0
                    state.weights = state.best
                return
            starts = stretch.draw(self._generator, settings["batch"], settings["window"])
            loss, slope = loss_and_gradient(state.weights, starts, settings["window"])
            if state.first_loss is None:
                state.first_loss = loss
            if not loss <= _DIVERGED * state.first_loss:
                raise TrainingDiverged(
                    f"training diverged at iteration {n}: the loss went from "
                    f"{state.first_loss:.3g} to {loss:.3g}; the best weights, of iteration "
                    f"{state.best_iteration}, are kept; try a lower learning rate.",
                    self.history(),
                )
            high, low = settings["learning_rate"], settings["final_learning_rate"]
            rate = low + (high - low) * 0.5 * (1 + np.cos(np.pi * n / last))
            state.iteration = state.adam_steps = n + 1
            state.losses.append(loss)
            state.moment1 = state.moment1 + (1 - _BETA1) * (slope - state.moment1)
            state.moment2 = state.moment2 + (1 - _BETA2) * (slope**2 - state.moment2)
            mean = state.moment1 / (1 - _BETA1 ** (n + 1))
            deviation = np.sqrt(state.moment2 / (1 - _BETA2 ** (n + 1)))
            state.weights = state.weights - rate * mean / (deviation + _EPSILON)
            state.generator = self._generator.bit_generator.state
            bar.update()
            self._save_now_and_then()

    def levenberg_marquardt(self, bar: tqdm) -> None:
        """Minimize the error over long windows by Levenberg-Marquardt."""
        state, stretch = self.state, self._stretches["train_mse"]
        bar.update(state.iteration - state.adam_steps)
        solver = LevenbergMarquardt(
            self._model,
            stretch,
            window=self._settings["lm_window"],
            stride=self._settings["lm_stride"],
            weight_decay=self._settings["weight_decay"],
            damping=state.damping,
            growth=state.growth,
        )
        while state.phase == "levenberg-marquardt":
            if state.iteration - state.adam_steps == self._settings["lm_steps"]:
                break
            # One thread: a second gains little here, loses tenfold on a machine that is busy, and
            # would make the result depend on the number of cores.
            with threadpool_limits(1, "blas"):
                better = solver.step(state.weights)
            if better is None:
                break  # a minimum, as far as rounding lets it be seen
            state.weights, loss = better
            state.damping, state.growth = solver.damping, solver.growth
            state.iteration += 1
            bar.update()
            if self._check(loss, bar):
                break
            self._save_now_and_then()
        state.phase = "done"
        if self._checkpoint.kept:
            self.save()

    def _check(self, loss: float, bar: tqdm) -> bool:
        """Record the free forecasts' errors; return whether this phase of training is over."""
        state, settings = self.state, self._settings
        self._count_time()
        errors = {
            name: one.free_mse(self._model, state.weights) for name, one in self._stretches.items()
        }
        row = {"iteration": state.iteration, "loss": loss, **errors, "seconds": state.seconds}
        state.checks.append(row)
        state.losses = []
        score = list(errors)[-1]
        bar.set_postfix(loss=f"{loss:.2e}", **{score: f"{errors[score]:.2e}"})
        state.stale += 1
        if errors[score] < state.best_error:
            state.best, state.best_error = state.weights, errors[score]
            state.best_iteration, state.stale = state.iteration, 0
        if settings["target_mse"] is not None and errors["train_mse"] <= settings["target_mse"]:
            state.phase = "done"
            return True
        return settings["patience"] is not None and state.stale >= settings["patience"]

    def history(self) -> xr.Dataset:
        """Return the recorded checks as a Dataset over ``iteration``."""
        checks = self.state.checks
        history = xr.Dataset(
            {
                name: ("iteration", [row[name] for row in checks])
                for name in ("loss", *self._stretches, "seconds")
            },
            {"iteration": [row["iteration"] for row in checks]},
            {"best_iteration": self.state.best_iteration, "adam_steps": self.state.adam_steps},
        )
        history.seconds.attrs["units"] = "s"
        return history

    # -- interruption

    def _count_time(self) -> None:
        now = time.monotonic()
        self.state.seconds += now - self._counted
        self._counted = now

    def _save_now_and_then(self) -> None:
        if self._checkpoint.is_due:
            self.save()

    def save(self) -> None:
        """Write the state to the checkpoint."""
        self._count_time()
        self._checkpoint.write(self._code, self._settings, vars(self.state))
