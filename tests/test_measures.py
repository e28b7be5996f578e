"""Measures of a reservoir, on reservoirs whose capacities and exponents are known."""

import numpy as np
import pytest

from spinode.errors import InputError
from spinode.reservoir.lyapunov import lyapunov_exponent
from spinode.reservoir.measures import kernel_rank, memory_capacity, processing_capacity

POINTS = 4000


@pytest.fixture(scope="module")
def u():
    return np.random.default_rng(1).uniform(-1, 1, POINTS)


def delayed(u, count):
    """A delay line: node i holds the input of i points ago."""
    return np.stack([np.r_[np.zeros(i), u[: len(u) - i]] for i in range(count)], axis=1)


def test_a_delay_line_of_n_has_capacity_n(u):
    capacity = memory_capacity(delayed(u, 7), u, longest=20)
    np.testing.assert_allclose(capacity[:7], 1.0, atol=1e-12)
    assert (capacity[7:] == 0).all()  # chance does not count
    # so it has however its nodes are mixed
    mixing = np.random.default_rng(0).normal(size=(7, 7))
    assert memory_capacity(delayed(u, 7) @ mixing, u).sum() == pytest.approx(7, abs=1e-9)


def test_all_capacity_of_a_delay_line_is_linear(u):
    found = processing_capacity(delayed(u, 5), u, windows={1: 8, 2: 6, 3: 4})
    by_degree = found.groupby("degree").capacity.sum()
    assert by_degree[1] == pytest.approx(5, abs=1e-9)
    assert by_degree[2] == by_degree[3] == 0


def test_every_node_serves_the_function_it_computes(u):
    past = delayed(u, 4)
    nodes = np.stack(
        [
            past[:, 0],
            past[:, 0] * past[:, 2],
            past[:, 1] ** 2,  # a constant and the second Legendre polynomial
            past[:, 0] * (5 * past[:, 3] ** 3 - 3 * past[:, 3]),
        ],
        axis=1,
    )
    found = processing_capacity(nodes, u, windows={1: 5, 2: 5, 3: 5, 4: 5})
    terms = {(d, p): c for d, p, c in zip(found.delays, found.powers, found.capacity, strict=True)}
    expected = [((0,), (1,)), ((0, 2), (1, 1)), ((1,), (2,)), ((0, 3), (1, 3))]
    for term in expected:
        assert terms.pop(term) == pytest.approx(1.0, abs=1e-9)
    # A function of the sample, orthogonal to these, is so up to chance; no other is claimed.
    assert max(terms.values()) == 0
    assert len(found) == 6 + 21 + 56 + 126  # binomial(5 + degree, degree)


def test_a_linear_network_has_capacity_as_large_as_it_is(u):
    """Dambre et al.: with fading memory and independent nodes, the total is their number."""
    nodes = 12
    rng = np.random.default_rng(2)
    coupling = rng.normal(size=(nodes, nodes))
    coupling *= 0.5 / abs(np.linalg.eigvals(coupling)).max()
    entry = rng.uniform(-1, 1, nodes)
    linear, bent = np.zeros((POINTS, nodes)), np.zeros((POINTS, nodes))
    for n in range(1, POINTS):
        linear[n] = coupling @ linear[n - 1] + entry * u[n]
        bent[n] = np.tanh(coupling @ bent[n - 1] + 2 * entry * u[n])
    assert memory_capacity(linear, u).sum() == pytest.approx(nodes, abs=0.3)
    memory = memory_capacity(bent, u).sum()
    found = processing_capacity(bent, u, windows={1: 40, 2: 12, 3: 9, 4: 4, 5: 4})
    total = found.capacity.sum()
    assert memory < 0.8 * nodes  # what bending costs in memory ...
    assert 0.75 * nodes < total <= nodes + 1e-6  # ... it gives in nonlinearity
    assert found[found.degree == 1].capacity.sum() == pytest.approx(memory, abs=0.2)


def test_memory_is_that_of_reservoirpys_network(u):
    """An independent network, and recall as the squared correlation of trained readouts."""
    from reservoirpy.nodes import Reservoir, Ridge

    states = Reservoir(20, sr=0.9, input_scaling=0.1, seed=3).run(u[:, None])
    capacity = memory_capacity(states, u, longest=15, discard=500)
    delays = (0, 3, 8)
    for delay in delays:
        target = np.roll(u, delay)[:, None]
        readout = Ridge(ridge=1e-12).fit(states[500:], target[500:])
        recalled = readout.run(states[500:])
        known = np.corrcoef(recalled[:, 0], target[500:, 0])[0, 1] ** 2
        assert capacity[delay] == pytest.approx(known, abs=2e-3)


def test_rank_counts_independent_directions():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 30))
    assert kernel_rank(states) == 6
    states = rng.normal(size=(5000, 4)) * [1.0, 0.1, 0.01, 1e-4]
    assert kernel_rank(states, resolution=1e-3) == 3
    assert kernel_rank(states, resolution=0.5) == 1
    assert kernel_rank(np.ones((400, 3))) == 0


def maps(step, start, points=60, count=5):
    """Inputs, and a run of the map ``state -> step(state, input)``."""
    inputs = np.random.default_rng(0).uniform(-0.01, 0.01, (count, points))

    def run(values):
        state, states = np.array(start), []
        for value in values:
            state = step(state, value)
            states.append(state)
        return np.array(states)

    return run, inputs


def test_a_contraction_has_its_own_exponent():
    angle = 0.3
    turn = 0.8 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    run, inputs = maps(lambda s, u: turn @ s + u, [0.0, 0.0])
    found = lyapunov_exponent(run, inputs)
    assert found.exponent == pytest.approx(np.log(0.8), abs=1e-6)
    assert found.forgets is True
    assert found.slopes.shape == (5, 3)


def test_the_logistic_map_has_exponent_log_two():
    """Its invariant density gives log 2 exactly (Ulam and von Neumann, 1947)."""

    def step(state, u):  # the input moves the start alone
        x = np.clip(state + u, 0, 1)
        return 4 * x * (1 - x)

    inputs = np.zeros((20, 40))
    inputs[:, 0] = np.random.default_rng(3).uniform(0.1, 0.9, 20)
    run, _ = maps(step, [0.0])
    found = lyapunov_exponent(run, inputs, sizes=(1e-12, 1e-11, 1e-10), floor=1e-14)
    assert found.error < 0.06
    assert found.exponent == pytest.approx(np.log(2), abs=3 * found.error)
    assert found.forgets is False


def test_what_saturates_at_once_has_no_exponent():
    run, _ = maps(lambda s, u: np.array([np.sign(u), s[0]]), [0.0, 0.0])
    found = lyapunov_exponent(run, np.full((2, 30), -1e-5), sizes=(1.0,))
    assert np.isnan(found.exponent)
    assert found.forgets is None


def test_bad_input(u):
    states = delayed(u, 3)
    with pytest.raises(InputError, match="as many inputs"):
        memory_capacity(states, u[:-1])
    with pytest.raises(InputError, match="too few for 3 nodes; simulate at least 107"):
        memory_capacity(states[:50], u[:50])
    with pytest.raises(InputError, match="NaN"):
        kernel_rank(np.full((300, 3), np.nan))
    with pytest.raises(InputError, match="longest must be a whole number"):
        memory_capacity(states, u, longest=1.5)
    with pytest.raises(InputError, match=r"uniform in \[-1, 1\]"):
        processing_capacity(states, 3 * u)
    with pytest.raises(InputError, match="shorten them"):
        processing_capacity(states, u, windows={8: 30})
    with pytest.raises(InputError, match="between 0 and 1"):
        kernel_rank(states, resolution=2)
    run, inputs = maps(lambda s, u: 0.5 * s + u, [0.0])
    with pytest.raises(InputError, match="better five"):
        lyapunov_exponent(run, inputs[:1])
    with pytest.raises(InputError, match="not zero"):
        lyapunov_exponent(run, inputs, sizes=(0.0,))
    with pytest.raises(InputError, match="point 60 does not lie"):
        lyapunov_exponent(run, inputs, at=60)
    with pytest.raises(InputError, match="returned an array of shape"):
        lyapunov_exponent(lambda values: values, inputs)
