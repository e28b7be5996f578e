"""Masks by gradient: through the twin's compiled forecast into a readout in closed form.

A search that only asks how good a design is learns one number a trial. The derivative of that
number by all values of the masks costs about three forecasts, however many values there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch

from spinode.design.judges import beyond, read, samples_of
from spinode.design.knobs import Design, delayed
from spinode.design.problem import Problem
from spinode.design.search import PENALTY
from spinode.errors import InputError
from spinode.neural_ode.held import LeftRange, held_forecast
from spinode.neural_ode.model import SpinODE


@dataclass(frozen=True)
class Descent:
    """How a design became better.

    Parameters
    ----------
    design : Design
        The best one that was met.
    losses : array, shape (steps,)
        Loss of each design that was tried, with its penalty; infinite where the twin was lost.
    seconds : array, shape (steps,)
        Since the beginning.
    """

    design: Design
    losses: np.ndarray
    seconds: np.ndarray


def descend(
    model: SpinODE,
    design: Design,
    problem: Problem,
    *,
    steps: int = 100,
    rate: float = 0.06,
) -> Descent:
    """Change all values of a design's masks so that the loss on the judging points falls (Adam).

    Parameters
    ----------
    model : SpinODE
        The twin.
    design : Design
        Where to begin; delay, hold and moment stay.
    problem : Problem
        A task whose targets are to be hit; not memory capacity.
    steps : int
        Designs to try.
    rate : float
        Change of a value in a step, at first, as a part of the root mean square of all values; it
        falls to a tenth of that along a cosine.

    Raises
    ------
    InputError
        If a target is unknown at a point that is trained on or judged, except at the end.
    LeftRange
        If the twin is lost already where it begins.
    """
    sizes = samples_of(design, model.sample_spacing)
    names = ("static", "present") + (("delayed",) if design.delay else ())
    values = {name: torch.tensor(getattr(design, name), requires_grad=True) for name in names}
    rate *= float(np.sqrt(np.mean([getattr(design, name) ** 2 for name in names])))
    optimizer = torch.optim.Adam(values.values(), lr=rate, betas=(0.8, 0.95))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, rate / 10)
    best, least = design, np.inf
    losses, times, began = [], [], perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        here = {name: one.detach().numpy().copy() for name, one in values.items()}
        try:
            loss = loss_of(model, values, design.delay, sizes, problem)
            loss.backward()
        except LeftRange:
            if not losses:
                raise
            # Back to the best design met, with smaller steps from now on.
            with torch.no_grad():
                for name, one in values.items():
                    one.copy_(torch.from_numpy(getattr(best, name)))
            schedule.base_lrs = [0.5 * one for one in schedule.base_lrs]
            value = np.inf
        else:
            value = loss.item()
            if value < least:
                least, best = value, replace(design, **here)
            optimizer.step()
        schedule.step()
        losses.append(value)
        times.append(perf_counter() - began)
    return Descent(best, np.array(losses), np.array(times))


def loss_of(
    model: SpinODE,
    values: dict[str, torch.Tensor],
    delay: int,
    sizes: tuple[int, int],
    problem: Problem,
) -> torch.Tensor:
    """Return `Problem.loss` with the penalty of `search`, differentiable by the masks.

    Parameters
    ----------
    model : SpinODE
    values : dict of Tensor, shape (masks, nodes)
        ``static``, ``present`` and, if there is one, ``delayed``.
    delay : int
        In points.
    sizes : (int, int)
        Hold and moment in samples of the model.
    problem : Problem
    """
    z = torch.from_numpy(problem.standardized)[:, None]
    past = torch.from_numpy(delayed(problem.standardized, delay))[:, None]
    answers, over = [], 0.0
    for mask in range(len(values["static"])):
        held = values["static"][mask] + z * values["present"][mask]
        if "delayed" in values:
            held = held + past * values["delayed"][mask]
        output = held_forecast(model, held.ravel(), sizes[0])
        answers.append(read(output, tuple(held.shape), *sizes))
        over = max(over, beyond(model, held, output))
    return readout_loss(torch.cat(answers, dim=1), problem) + PENALTY * over


def readout_loss(states: torch.Tensor, problem: Problem) -> torch.Tensor:
    """Return the mean log10 NRMSE of a ridge readout, differentiable by the states.

    The same as `Problem.loss` of them: the readout's weights follow the states in closed form.
    """
    task = problem.task
    if task.name == "memory":
        raise InputError("memory capacity is searched for by trials: give another task.")
    first, split = problem.discard, problem.discard + problem.train
    known = np.isfinite(task.targets).all(axis=1)
    if not known[first:split].all():
        raise InputError(f"the task {task.name} has unknown targets among its training points.")
    last = int(np.flatnonzero(known)[-1]) + 1
    targets = torch.from_numpy(task.targets)
    features = torch.cat((states, torch.ones(len(states), 1, dtype=states.dtype)), dim=1)
    penalty = problem.ridge * torch.eye(features.shape[1], dtype=states.dtype)
    penalty[-1, -1] = 0.0
    train = features[first:split]
    weights = torch.linalg.solve(train.T @ train + penalty, train.T @ targets[first:split])
    wanted = targets[split:last]
    error = features[split:last] @ weights - wanted
    nrmse = error.pow(2).mean(dim=0).sqrt() / wanted.std(dim=0, correction=0)
    return nrmse.log10().mean()
