"""A forecast step by JAX and by diffrax, side by side with ours; one thread each, float64.

The skyrmion reservoir of Fig. 3: k = 2, width 50, masked values held for two samples. All take the
same 3/8 rule at the same steps. Times include what a user waits for, from the masked values to the
states in numpy; the first calls, which compile, come before. Needs ``pip install spinode[bench]``.

Prints one JSON object on its last line:

us_per_step           median time of a solver step by ours, by jax (`lax.scan`) and by diffrax
us_per_step_range     lowest and highest of the rounds
over_ours             median of the ratios to ours, round by round
first_call_s          the call that compiles
largest_difference    of the normalized output, to ours
"""

import json
import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
from authors_way import skyrmion_model

from spinode.devices.drives import HeldSequence
from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.stages import StageInputs

jax.config.update("jax_enable_x64", True)
ROUNDS, POINTS = 7, 300


def network(model):
    """Return the network as a JAX function of weights, state and inputs, and its weights."""
    weights = [jnp.asarray(p.detach().numpy()) for p in model.f.parameters()]

    def slope(weights, state, inputs):
        w1, b1, w2, b2, w3, b3 = weights
        hidden = jnp.tanh(w1 @ jnp.concatenate((state, inputs)) + b1)
        return w3 @ jnp.tanh(w2 @ hidden + b2) + b3

    return slope, weights


def thirds(model, drive):
    """Return the normalized input at every third of a sample, shape (3 samples + 1,)."""
    source = StageInputs(model, drive)
    return jnp.asarray(model.normalize_inputs(source.between(0, source.samples))[:, 0])


def by_scan(model):
    """Return a function from a drive to the outputs, by a compiled `jax.lax.scan`."""
    slope, weights = network(model)
    h = model.step

    @jax.jit
    def run(weights, stages, first):
        def step(state, inputs):
            k1 = slope(weights, state, inputs[0])
            k2 = slope(weights, state + h * k1 / 3, inputs[1])
            k3 = slope(weights, state + h * (k2 - k1 / 3), inputs[2])
            k4 = slope(weights, state + h * (k1 - k2 + k3), inputs[3])
            state = state + h * (k1 + 3 * (k2 + k3) + k4) / 8
            return state, state[0]

        return jax.lax.scan(step, first, stages)[1]

    def outputs(drive):
        e = thirds(model, drive)
        steps = (len(e) - 1) // 3 - 1
        at = 3 * np.arange(steps)[:, None] + np.arange(4)
        stages = jnp.stack((e[at], e[at + 3]), axis=-1)
        return np.asarray(run(weights, stages, jnp.zeros(2)))

    return outputs


class ThreeEighths(diffrax.AbstractERK):
    """The 3/8 rule as diffrax takes a tableau."""

    tableau = diffrax.ButcherTableau(
        c=np.array([1 / 3, 2 / 3, 1.0]),
        a_lower=(np.array([1 / 3]), np.array([-1 / 3, 1.0]), np.array([1.0, -1.0, 1.0])),
        b_sol=np.array([1 / 8, 3 / 8, 3 / 8, 1 / 8]),
        b_error=np.zeros(4),
    )
    interpolation_cls = diffrax.ThirdOrderHermitePolynomialInterpolation.from_k

    def order(self, terms):
        """Return the order."""
        return 4


def by_diffrax(model):
    """Return a function from a drive to the outputs, by `diffrax.diffeqsolve`."""
    slope, weights = network(model)
    h = model.step

    def field(t, state, arguments):
        weights, e = arguments
        third = jnp.rint(3 * t / h).astype(int)
        return slope(weights, state, jnp.stack((e[third], e[third + 3])))

    @jax.jit
    def run(weights, e, times):
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            ThreeEighths(),
            t0=0.0,
            t1=times[-1],
            dt0=None,
            y0=jnp.zeros(2),
            args=(weights, e),
            stepsize_controller=diffrax.StepTo(times),
            saveat=diffrax.SaveAt(ts=times[1:]),
            max_steps=len(times),
        ).ys[:, 0]

    def outputs(drive):
        e = thirds(model, drive)
        times = h * jnp.arange((len(e) - 1) // 3)
        return np.asarray(run(weights, e, times))

    return outputs


def ours(model):
    """Return a function from a drive to the outputs, by `forecast`."""

    def outputs(drive):
        rest = np.full(model.k, model.output.offset)
        return model.output.normalize(forecast(model, drive, initial=rest).mz.values)

    return outputs


def main():
    model = skyrmion_model(seed=1)
    masked = np.random.default_rng(0).uniform(-0.4, 0.4, (POINTS, ONE_SKYRMION.reservoir.nodes))
    drive = HeldSequence(masked, hold=ONE_SKYRMION.reservoir.hold)
    steps = 2 * masked.size - 1
    ways = {"ours": ours(model), "jax": by_scan(model), "diffrax": by_diffrax(model)}
    first, answers = {}, {}
    for name, way in ways.items():
        begun = time.perf_counter()
        answers[name] = way(drive)
        first[name] = round(time.perf_counter() - begun, 2)
    times = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.perf_counter()
            way(drive)
            times[name].append(1e6 * (time.perf_counter() - begun) / steps)
        print({name: round(row[-1], 2) for name, row in times.items()})
    truth = answers["ours"][1:steps]
    result = {
        "us_per_step": {name: round(float(np.median(row)), 2) for name, row in times.items()},
        "us_per_step_range": {
            name: [round(min(row), 2), round(max(row), 2)] for name, row in times.items()
        },
        "over_ours": {
            name: round(float(np.median(np.divide(times[name], times["ours"]))), 2)
            for name in ("jax", "diffrax")
        },
        "first_call_s": first,
        "largest_difference": {
            name: float(np.abs(answers[name][: len(truth)] - truth).max())
            for name in ("jax", "diffrax")
        },
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
