"""Designs of a reservoir: knobs, search, gradients, and who judges."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from spinode import forecast, load_model
from spinode.design import gradient, judges, search
from spinode.design.active import Recorded, learn_on
from spinode.design.judges import ask_micromagnetics, ask_twin, beyond
from spinode.design.knobs import Design, Knobs, authors_design
from spinode.design.problem import Problem
from spinode.devices.drives import HeldSequence
from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import InputError, SpinodeError
from spinode.reservoir.readout import gaussian_mask, multiplex
from spinode.reservoir.tasks import Task, mackey_glass, mackey_glass_series, memory, narma10
from spinode.reservoir.twin import twin_states


@pytest.fixture(scope="module")
def twin():
    return load_model("one_skyrmion")


@pytest.fixture(scope="module")
def problem():
    return Problem(mackey_glass(mackey_glass_series(260, seed=1), np.array([2, 10])), 20, 140)


SMALL = Knobs(nodes=8, strength=0.15, delay=10, gain=1.0)


def test_the_authors_reservoir_is_one_of_the_designs(twin, problem):
    series = problem.task.inputs
    design = authors_design(series, problem.centre, problem.deviation, -0.4)
    masked = multiplex(series, gaussian_mask(), -0.4)
    np.testing.assert_allclose(design.drive(problem.standardized)[0], masked, atol=1e-14)
    answer = ask_twin(twin, design, problem.standardized[:20])
    np.testing.assert_allclose(answer.states, twin_states(twin, masked[:20]), atol=1e-12)
    assert (design.nodes, design.time_per_point) == (50, pytest.approx(0.5e-9))


def test_a_drive_is_the_formula():
    design = Design([[0.1, 0.2]], [[1.0, -1.0]], [[0.5, 0.0]], delay=2)
    np.testing.assert_allclose(
        design.drive(np.array([1.0, 2.0, 3.0]))[0],
        [[1.1, -0.8], [2.1, -1.8], [3.1 + 0.5, -2.8]],
    )


@pytest.mark.parametrize("distribution", ["normal", "uniform", "binary"])
def test_strength_is_the_standard_deviation(distribution):
    knobs = Knobs(
        nodes=4000, strength=0.3, offset=0.1, delay=5, gain=2.0, distribution=distribution
    )
    z = np.random.default_rng(0).standard_normal(400)
    values = knobs.design().drive(z)[0, 5:]
    assert values.std() == pytest.approx(0.3, rel=0.1)
    assert values.mean() == pytest.approx(0.1, abs=0.02)


def test_a_node_is_read_when_it_is_said(twin, problem):
    """The end of a hold is the start of the next one."""
    start, end = (
        ask_twin(twin, replace(SMALL, moment=moment).design(), problem.standardized[:20]).states
        for moment in (0.0, 1.0)
    )
    np.testing.assert_array_equal(end.ravel()[:-1], start.ravel()[1:])


def test_two_masks_are_two_runs(twin, problem):
    both = replace(SMALL, masks=2).design()
    halves = [
        Design(both.static[i : i + 1], both.present[i : i + 1], both.delayed[i : i + 1], both.delay)
        for i in range(2)
    ]
    z = problem.standardized[:20]
    parts = [ask_twin(twin, half, z).states for half in halves]
    np.testing.assert_array_equal(ask_twin(twin, both, z).states, np.hstack(parts))
    assert both.time_per_point == SMALL.design().time_per_point


def test_excess_is_measured_in_trained_widths(twin):
    low, high = map(twin.inputs[0].normalize, twin.trained_range["Ku"])
    inside = np.zeros(3)
    assert beyond(twin, inside, inside) == 0
    assert beyond(twin, np.array([0, high + 0.1 * (high - low)]), inside) == pytest.approx(0.1)
    assert beyond(twin, np.array([low - 0.2 * (high - low), 0]), inside) == pytest.approx(0.2)


def test_the_loss_is_the_readouts_error(problem):
    rng = np.random.default_rng(2)
    states = np.tanh(rng.standard_normal((260, 6)) + problem.standardized[:, None])
    expected = np.log10(problem.nrmse(states)).mean()
    assert problem.loss(states) == pytest.approx(expected)
    # the last points' targets lie beyond the series; both leave them out
    known = Problem(problem.task, 20, 140)
    last = np.flatnonzero(np.isfinite(known.task.targets).all(1))[-1] + 1
    short = replace(known.task, inputs=known.task.inputs[:last], targets=known.task.targets[:last])
    cut = Problem(short, 20, 140)
    found = gradient.readout_loss(torch.from_numpy(states[:last]), cut)
    assert found.item() == pytest.approx(cut.loss(states[:last]), rel=1e-9)


def test_a_delay_line_has_its_memory_as_loss():
    task = memory(3000, np.arange(12), seed=3)
    states = np.stack([np.r_[np.zeros(d), task.inputs[: 3000 - d]] for d in range(5)], axis=1)
    assert Problem(task, 50, 2000).loss(states) == pytest.approx(-5, abs=0.05)


def test_the_gradient_of_the_loss_is_that_of_finite_differences(twin, problem):
    design = replace(SMALL, nodes=4).design()
    values = {
        name: torch.tensor(getattr(design, name), requires_grad=True)
        for name in ("static", "present", "delayed")
    }

    def loss(by):
        return gradient.loss_of(twin, by, design.delay, (2, 0), problem)

    loss(values).backward()
    for name, one in values.items():
        for node in (0, 3):
            ends = []
            for shift in (1e-5, -1e-5):
                moved = {key: item.detach().clone() for key, item in values.items()}
                moved[name][0, node] += shift
                ends.append(loss(moved).item())
            slope = (ends[0] - ends[1]) / 2e-5
            assert one.grad[0, node].item() == pytest.approx(slope, rel=1e-4, abs=1e-6)


def test_descent_finds_a_better_design_on_another_series(twin, problem):
    begin = SMALL.design()
    found = gradient.descend(twin, begin, problem, steps=15)
    other = Problem(mackey_glass(mackey_glass_series(400, seed=5), np.array([2, 10])), 20, 200)
    before, after = (
        other.loss(ask_twin(twin, one, other.standardized).states) for one in (begin, found.design)
    )
    assert after < before - 0.03
    assert found.losses.min() < found.losses[0] - 0.05


SPACE = search.Space(
    {
        "strength": search.Range(0.02, 0.5, log=True),
        "delay": search.Range(1, 20),
        "gain": search.Range(-2.0, 2.0),
        "seed": search.Range(0, 99),
    },
    Knobs(nodes=8),
)


@pytest.fixture(scope="module")
def study(twin, problem, tmp_path_factory):
    path = tmp_path_factory.mktemp("study") / "study.journal"
    return path, search.search(SPACE, problem, twin, path, trials=30)


def test_a_search_beats_a_random_design(twin, problem, study):
    trials = search.table(study[1], SPACE, problem)
    best = search.knobs_of(trials.iloc[0])
    states = ask_twin(twin, best.design(), problem.standardized)
    assert trials.iloc[0].loss == pytest.approx(
        problem.loss(states.states) + search.PENALTY * states.excess
    )
    assert trials.iloc[0].loss < trials.loss.median() - 0.05
    assert len(trials) < len(study[1].trials)  # some were stopped early


def test_a_search_goes_on_where_it_was_cut_off(twin, problem, study):
    path, first = study
    tried = [trial.params for trial in first.trials[:30]]
    again = search.search(SPACE, problem, twin, path, trials=30)
    assert [trial.params for trial in again.trials] == tried
    more = search.search(SPACE, problem, twin, path, trials=33)
    assert [trial.params for trial in more.trials[:30]] == tried
    assert len(more.trials) == 33
    assert all(trial.params not in tried for trial in more.trials[30:])


def test_a_study_of_something_else_is_refused(twin, problem, study):
    path, _ = study
    other = search.Space({"strength": search.Range(0.02, 0.4, log=True)}, Knobs(nodes=8))
    with pytest.raises(InputError, match="design space or question"):
        search.search(other, problem, twin, path, trials=30)
    with pytest.raises(InputError, match="its points differ"):
        search.search(SPACE, replace(problem, ridge=1e-3), twin, path, trials=30)
    path = path.with_name("no_journal")
    path.write_text("something else\n")
    with pytest.raises(InputError, match="not a journal of a study"):
        search.search(SPACE, problem, twin, path, trials=30)


def test_designs_that_cannot_be_judged_are_told(twin, problem, tmp_path):
    wild = search.Space({"seed": search.Range(0, 9)}, Knobs(nodes=8, strength=3.0, hold=50e-12))
    with pytest.raises(SpinodeError, match="not one of 3 designs could be judged: the forecast"):
        search.search(wild, problem, twin, tmp_path / "wild", trials=3)
    # a readout of a series that nobody can predict blows up to infinity: no number to search
    targets = problem.task.targets.copy()
    targets[:] = 1e200 * np.arange(len(targets))[:, None] ** 2
    task = Task("broken", problem.task.inputs, targets, problem.task.labels)
    broken = replace(problem, task=task)
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(SpinodeError, match="not a number to search"),
    ):
        search.search(SPACE, broken, twin, tmp_path / "broken", trials=2)


def test_the_front_is_what_nothing_beats():
    trials = pd.DataFrame(
        {"time_per_point": [1, 1, 2, 3, 3], "loss": [-0.1, -0.3, -0.2, -0.5, -0.4]}
    )
    best = search.front(trials)
    assert best.index.tolist() == [1, 3]


def test_a_search_against_time_spreads_over_times(twin, problem, tmp_path):
    space = search.Space(
        {"nodes": (2, 8), "hold": (10e-12, 20e-12), "strength": search.Range(0.05, 0.3)},
    )
    study = search.search(space, problem, twin, tmp_path / "s", trials=12, against_time=True)
    trials = search.table(study, space, problem)
    assert trials.time_per_point.nunique() > 1
    assert search.front(trials).loss.is_monotonic_decreasing


def test_micromagnetics_answers_as_the_twin_does(twin, tmp_path):
    """On cells of 2 nm, which breathe a little differently, the first nanoseconds agree."""
    problem = Problem(narma10(60, seed=2), 5, 30)
    device = replace(ONE_SKYRMION.device, cell=2e-9)
    design = replace(SMALL, nodes=10).design()
    z = problem.standardized[:8]
    path = tmp_path / "run.nc"
    physics = ask_micromagnetics(twin, device, design, z, path)
    forecast = ask_twin(twin, design, z)
    error = np.sqrt(np.mean((physics.states - forecast.states) ** 2)) / physics.states.std()
    assert error < 0.25
    # kept: read, not computed again
    before = path.stat().st_mtime_ns
    again = ask_micromagnetics(twin, device, design, z, path)
    np.testing.assert_array_equal(again.states, physics.states)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("growth", "expected"), [(1.0, (True, False)), (30.0, (False, False)), (1e3, (False, True))]
)
def test_a_skyrmion_that_leaves_the_centre_is_noticed(
    twin, problem, tmp_path, monkeypatch, growth, expected
):
    """An in-plane moment that gyrates and grows ``growth``-fold over the run."""

    def simulated(path, device, drive, *, spacing, progress):
        time = spacing * np.arange(round(drive.duration / spacing) + 1)
        turning = 1e-7 * growth ** (time / time[-1]) * np.exp(2j * np.pi * 1e9 * time)
        columns = {"mx": turning.real, "my": turning.imag, "mz": np.full(time.size, 0.77)}
        return xr.Dataset({name: ("time", one) for name, one in columns.items()}, {"time": time})

    monkeypatch.setattr(judges, "simulate_once", simulated)
    z, device = problem.standardized[:8], ONE_SKYRMION.device
    answer = ask_micromagnetics(twin, device, SMALL.design(), z, tmp_path / "run.nc")
    assert answer.wandering == pytest.approx(growth ** (3 / 4), rel=0.03)
    assert (answer.stays, answer.left) == expected


def test_a_twin_learns_where_the_search_has_ended(twin):
    """A student that knows gentle drives learns what its teacher does under strong ones."""
    student = copy.deepcopy(twin)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(0.01 * torch.randn(parameter.shape, generator=generator).double())
    rest = np.full(twin.k, twin.output.offset)

    def recorded(seed, strength):
        values = np.random.default_rng(seed).uniform(-strength, strength, 40)
        drive = HeldSequence(values, hold=10e-12)
        return Recorded(forecast(twin, drive, initial=rest), drive)

    def error(model, one):
        found = forecast(model, one.drive, initial=rest).mz
        return float(np.sqrt(np.mean((found - one.trajectory.mz) ** 2)))

    old, new = recorded(1, 0.1), recorded(2, 0.4)
    before = [parameter.clone() for parameter in student.parameters()]
    better, history = learn_on(student, [old, new], steps=4)
    assert history.train_mse.values.min() < 0.1 * history.train_mse.values[0]
    for one in (old, new, recorded(3, 0.3)):
        assert error(better, one) < 0.4 * error(student, one)
    assert all(map(torch.equal, before, student.parameters()))
    strongest = new.drive.levels
    assert better.trained_range["Ku"] == (strongest.min(), strongest.max())
    with pytest.raises(InputError, match="nothing to learn on"):
        learn_on(student, [])


def test_bad_knobs():
    for options, message in (
        ({"strength": -0.1}, "strength must lie between 0 and 3"),
        ({"strength": np.nan}, "strength must lie between"),
        ({"moment": 1.5}, "moment must lie between 0 and 1"),
        ({"nodes": 0}, "nodes must be a whole number"),
        ({"nodes": 50, "masks": 3}, "cannot be shared by 3 masks"),
        ({"distribution": "cauchy"}, "there are normal, uniform, binary"),
        ({"delay": 2.5}, "delay must be a whole number"),
    ):
        with pytest.raises(InputError, match=message):
            Knobs(**options)
    for vary, message in (
        ({"strenght": search.Range(0.0, 1.0)}, "no knob 'strenght'"),
        ({"strength": search.Range(0.0, 9.0)}, "strength must lie between"),
        ({"gain": search.Range(1.0, 1.0)}, "must go up"),
        ({"nodes": ()}, "no values to choose from"),
    ):
        with pytest.raises(InputError, match=message):
            search.Space(vary)


def test_bad_designs_and_problems(twin, problem, tmp_path):
    ones = np.ones((1, 3))
    with pytest.raises(InputError, match="all three need the same"):
        Design(ones, ones, np.ones((1, 2)))
    with pytest.raises(InputError, match="NaN or infinity"):
        Design(ones * np.nan, ones, ones)
    with pytest.raises(InputError, match="is read between 0 and 1e-11"):
        Design(ones, ones, ones, moment=20e-12)
    with pytest.raises(InputError, match="hold must be a positive number"):
        Design(ones, ones, ones, hold=0.0)
    with pytest.raises(InputError, match="hold of 7e-12 s is not a multiple"):
        ask_twin(twin, Design(ones, ones, ones, hold=7e-12), problem.standardized)
    with pytest.raises(InputError, match="leave none to judge by"):
        Problem(problem.task, 100, 200)
    with pytest.raises(InputError, match="does not change"):
        Problem(Task("flat", np.ones(50), np.ones((50, 1)), np.array([1])), 5, 20)
    with pytest.raises(InputError, match="searched for by trials"):
        recall = memory(60, np.array([1]))
        gradient.readout_loss(torch.ones(60, 2), Problem(recall, 5, 30))
