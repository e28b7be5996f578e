"""Search among designs: every trial is a forecast of the twin; a file keeps the search.

Optuna proposes (tree-structured Parzen estimators, Bergstra et al., NeurIPS 2011); the file is its
journal, which several processes may share, and from which a search that was cut off goes on.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from spinode.design.judges import ask_twin, samples_of
from spinode.design.knobs import Knobs
from spinode.design.problem import Problem
from spinode.errors import InputError, SpinodeError, extra
from spinode.files import check_writable
from spinode.neural_ode import _kernels
from spinode.neural_ode.held import LeftRange
from spinode.neural_ode.model import SpinODE

#: What leaving the trained range by its whole width costs, in log10 NRMSE.
PENALTY = 10.0
# A trial is first judged on this part of the points, and goes on if it is among the best ones.
_FIRST_LOOK = 0.4
_KEPT_PERCENT = 40.0
_NAME = "design"


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included; whole numbers if both are."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Space:
    """Which knobs are turned, and how far.

    Parameters
    ----------
    vary : mapping of str to Range or tuple
        By name of a knob: a range, or the values to choose from.
    fixed : Knobs
        What all other knobs are.

    Raises
    ------
    InputError
        If there is no such knob, or it is out of range at an end.
    """

    vary: Mapping[str, Range | tuple]
    fixed: Knobs = field(default_factory=Knobs)

    def __post_init__(self):
        known = [one.name for one in fields(Knobs)]
        for name, allowed in self.vary.items():
            if name not in known:
                raise InputError(f"there is no knob {name!r}; there are {', '.join(known)}.")
            ends = (allowed.low, allowed.high) if isinstance(allowed, Range) else tuple(allowed)
            if not ends:
                raise InputError(f"the knob {name} has no values to choose from.")
            if isinstance(allowed, Range) and not allowed.low < allowed.high:
                raise InputError(f"the range of {name} must go up, not {ends[0]} to {ends[1]}.")
            for value in ends:
                # Masks share nodes: whether they can is known once both are chosen.
                replace(self.fixed, **({"masks": 1} if name == "nodes" else {}), **{name: value})

    def suggest(self, trial) -> Knobs:
        """Return the knobs that an Optuna trial chooses."""
        chosen = {}
        for name, allowed in self.vary.items():
            if not isinstance(allowed, Range):
                chosen[name] = trial.suggest_categorical(name, list(allowed))
            elif isinstance(allowed.low, int) and isinstance(allowed.high, int):
                chosen[name] = trial.suggest_int(name, allowed.low, allowed.high, log=allowed.log)
            else:
                chosen[name] = trial.suggest_float(name, allowed.low, allowed.high, log=allowed.log)
        return replace(self.fixed, **chosen)


def search(
    space: Space,
    problem: Problem,
    model: SpinODE,
    path: str | Path,
    *,
    trials: int,
    workers: int = 1,
    seed: int = 0,
    against_time: bool = False,
):
    """Search for the design of least loss; continue where the file ends.

    Parameters
    ----------
    space : Space
    problem : Problem
        Its judging points choose the design, so its true error must be measured on other series.
    model : SpinODE
        The twin.
    path : path
        File of the study.
    trials : int
        How many the file shall hold in the end, pruned ones included.
    workers : int
        Trials side by side.
    seed : int
        Of the sampler. With one worker, an uninterrupted search is repeatable.
    against_time : bool
        Minimize loss and time per point together, for a front of trade-offs. Then only designs that
        leave the trained range are pruned.

    Returns
    -------
    optuna.Study
        `table` lists its trials.

    Raises
    ------
    InputError
        If the file holds a study of another space, problem or twin, or no study.
    SpinodeError
        If not one design could be judged.
    """
    optuna = _optuna()
    study = _open(optuna, Path(path), _identity(space, problem, model, against_time), seed)
    cuts = [problem] if against_time else [_shortened(problem), problem]

    def objective(trial):
        began = perf_counter()
        try:
            knobs = space.suggest(trial)
            design = knobs.design()
            samples_of(design, model.sample_spacing)
        except InputError as error:  # nodes that masks cannot share, a moment between samples
            trial.set_user_attr("reason", str(error))
            raise optuna.TrialPruned from None
        for number, cut in enumerate(cuts):
            try:
                answer = ask_twin(model, design, cut.standardized)
            except LeftRange as error:
                trial.set_user_attr("reason", str(error))
                raise optuna.TrialPruned from None
            loss = cut.loss(answer.states) + PENALTY * answer.excess
            if not np.isfinite(loss):
                trial.set_user_attr(
                    "reason", f"the loss is {loss}, which is not a number to search."
                )
                raise optuna.TrialPruned
            if number < len(cuts) - 1:
                trial.report(loss, number)
                if trial.should_prune():
                    raise optuna.TrialPruned
        trial.set_user_attr("excess", answer.excess)
        trial.set_user_attr("nrmse", problem.nrmse(answer.states).tolist())
        trial.set_user_attr("seconds", perf_counter() - began)
        return (loss, design.time_per_point) if against_time else loss

    if left := max(trials - _finished(study), 0):
        study.optimize(objective, n_trials=left, n_jobs=workers)
    if not any(trial.state.name == "COMPLETE" for trial in study.trials):
        reasons = {trial.user_attrs.get("reason") for trial in study.trials} - {None}
        raise SpinodeError(
            f"not one of {len(study.trials)} designs could be judged: "
            f"{min(reasons, default='all were stopped early')}"
        )
    return study


def table(study, space: Space, problem: Problem) -> pd.DataFrame:
    """Return the trials of a study that were judged on all points, best first.

    Returns
    -------
    DataFrame
        By ``trial``: ``loss`` (with its penalty), ``excess``, ``nrmse_<label>``,
        ``time_per_point`` (s), ``seconds`` and all knobs.
    """
    rows = []
    for trial in study.trials:
        if trial.state.name != "COMPLETE":
            continue
        knobs = replace(space.fixed, **trial.params)
        labels = (f"nrmse_{label}" for label in problem.task.labels)
        rows.append(
            {
                "trial": trial.number,
                "loss": trial.values[0],
                "excess": trial.user_attrs["excess"],
                **dict(zip(labels, trial.user_attrs["nrmse"], strict=True)),
                "time_per_point": knobs.nodes * knobs.hold,
                "seconds": trial.user_attrs["seconds"],
                **asdict(knobs),
            }
        )
    return pd.DataFrame(rows).set_index("trial").sort_values("loss")


def knobs_of(row: pd.Series) -> Knobs:
    """Return the knobs of a row of `table`."""
    values = {}
    for one in fields(Knobs):
        value = row[one.name]
        values[one.name] = value.item() if isinstance(value, np.generic) else value
    return Knobs(**values)


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that none beats in both loss and time per point, fastest first."""
    ordered = trials.sort_values(["time_per_point", "loss"])
    best = ordered["loss"].cummin()
    return ordered[ordered["loss"].eq(best) & best.ne(best.shift())]


def _optuna():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its progress bars, which nobody asks for
        optuna = extra("design", "optuna", "the search for a design")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna


def _open(optuna, path: Path, identity: str, seed: int):
    """Return the study that ``path`` holds, or a new one there."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    check_writable(path.parent)
    several = json.loads(identity)["against_time"]
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path))),
            study_name=_NAME,
            directions=["minimize"] * (2 if several else 1),
            load_if_exists=True,
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InputError(f"{path} is not a journal of a study; name another file.") from None
    known = study.user_attrs.get("asked")
    if known is None and not study.trials:
        study.set_user_attr("asked", identity)
    elif known != identity:
        old, new = json.loads(known or "{}"), json.loads(identity)
        differ = ", ".join(sorted(key for key in new if old.get(key) != new[key]))
        raise InputError(
            f"{path} holds a study of another design space or question (its {differ} differ): "
            "name another file, or delete it."
        )
    # A resumed search must not propose again what it began with.
    study.sampler = optuna.samplers.TPESampler(
        seed=seed + len(study.trials), multivariate=True, group=False, constant_liar=True
    )
    study.pruner = optuna.pruners.PercentilePruner(_KEPT_PERCENT, n_startup_trials=20)
    return study


def _finished(study) -> int:
    return sum(trial.state.is_finished() for trial in study.trials)


def _shortened(problem: Problem) -> Problem:
    """Return the problem over its first points."""
    task = problem.task
    points = round(_FIRST_LOOK * problem.points)
    train = round(_FIRST_LOOK * problem.train)
    cut = replace(task, inputs=task.inputs[:points], targets=task.targets[:points])
    return replace(problem, task=cut, train=train)


def _identity(space: Space, problem: Problem, model: SpinODE, against_time: bool) -> str:
    """Return what a study depends on, as text."""

    def digest(array) -> str:
        return hashlib.sha256(np.ascontiguousarray(array, float).tobytes()).hexdigest()[:16]

    def plain(value: Any) -> Any:
        return asdict(value) if isinstance(value, Range) else list(value)

    about = {
        "space": {name: plain(value) for name, value in space.vary.items()},
        "fixed": {k: v for k, v in asdict(space.fixed).items() if k not in space.vary},
        "task": [problem.task.name, np.asarray(problem.task.labels).tolist()],
        "series": digest(problem.task.inputs),
        "points": [problem.discard, problem.train, problem.ridge],
        "twin": digest(_kernels.pack(model.f.parameters())),
        "against_time": against_time,
    }
    return json.dumps(about, sort_keys=True)
