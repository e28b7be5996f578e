"""One step of Levenberg-Marquardt with first states projected out: ours, and JAX written plainly.

The same model (2 states, 10 neurons, 72 weights), the same windows (16 of 1000 samples of a noisy
driven oscillator), the same weights; a step accumulates the normal equations, eliminates the
windows' first states, solves, and computes the error of the new weights. The JAX form takes
forward derivatives of a scan over the samples, by weights and first state, over all windows at
once, compiled. Steps alternate, so that both see the same machine. Needs ``pip install jax``.

Prints one JSON object on its last line:

ours_ms, jax_ms   median of a step
ratio             how many times as fast ours is
difference        largest difference between the two steps, relative to the largest change
"""

import argparse
import json
import time

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.variable_projection import VariableProjection, Window

WINDOWS, SAMPLES, STEP, DAMPING, RIDGE = 16, 1000, 0.2, 1e-2, 1e-6


def problem(seed):
    """Return a model and windows whose truth another model of the shape made, with noise."""
    shape, generator = Shape(2, 1, 10), np.random.default_rng(seed)
    wf = np.zeros((2, 14))
    wf[:, 10:] = [[-0.1, 1.0, 0.3, 0.0], [-1.0, -0.1, 0.5, 0.0]]
    linear = shape.pack(wf=wf, co=np.concatenate([[1.0, 0.0], np.zeros(2)]))
    truth = linear + 0.05 * generator.normal(size=shape.weights)
    windows = []
    for _ in range(WINDOWS):
        stages = np.repeat(generator.normal(size=(SAMPLES, 1)), 3, axis=0)[:-2]
        clean, _ = simulate(shape, truth, STEP, np.zeros(2), stages)
        noisy = clean + 0.05 * generator.normal(size=SAMPLES)
        windows.append(Window(stages, noisy, np.ones(SAMPLES)))
    start = truth + 0.01 * generator.normal(size=shape.weights)
    return shape, start, np.zeros((WINDOWS, 2)), windows


def jax_step(shape, windows):
    """Return a compiled step: weights and first states to better ones and their error."""
    jax.config.update("jax_enable_x64", True)
    stages = jnp.stack([w.stages for w in windows])
    thirds = jnp.stack([stages[:, i:-1:3] if i < 3 else stages[:, 3::3] for i in range(4)], axis=2)
    lasts, truths = stages[:, -1], jnp.stack([w.truth for w in windows])
    edges = np.cumsum(shape.sizes)[:2]
    n, width, count = shape.states, shape.width, truths.size
    penalty = RIDGE * jnp.concatenate(
        [
            0.1 * jnp.ones(shape.sizes[0]),
            jnp.tile(jnp.arange(width + shape.columns) < width, n).astype(float),
            jnp.zeros(sum(shape.sizes[2:])),
        ]
    )

    def residuals(weights, first, driven, last, truth):
        w1 = weights[: edges[0]].reshape(shape.columns, width)
        wf = weights[edges[0] : edges[1]].reshape(n, -1)
        co = weights[edges[1] :]

        def slope(x, e):
            z = jnp.concatenate([x, e, jnp.ones(1)])
            v = z @ w1
            growing = v * (jnp.sqrt(1 + v**2) - 1)
            t = jnp.where(jnp.arange(width) % 2, growing, jnp.tanh(v))
            return wf @ jnp.concatenate([t, z])

        def sample(x, e):
            k1 = slope(x, e[0])
            k2 = slope(x + STEP / 3 * k1, e[1])
            k3 = slope(x + STEP * (k2 - k1 / 3), e[2])
            k4 = slope(x + STEP * (k1 - k2 + k3), e[3])
            output = co @ jnp.concatenate([x, e[0], jnp.ones(1)])
            return x + STEP / 8 * (k1 + 3 * (k2 + k3) + k4), output

        end, outputs = jax.lax.scan(sample, first, driven)
        final = co @ jnp.concatenate([end, last, jnp.ones(1)])
        return jnp.append(outputs, final) - truth

    every = jax.vmap(residuals, (None, 0, 0, 0, 0))
    slopes = jax.vmap(jax.jacfwd(residuals, (0, 1)), (None, 0, 0, 0, 0))

    @jax.jit
    def step(weights, firsts):
        data = (thirds, lasts, truths)
        left = every(weights, firsts, *data)
        by_weights, by_first = slopes(weights, firsts, *data)
        h = jnp.einsum("wsp,wsq->pq", by_weights, by_weights) / count + jnp.diag(penalty)
        g = jnp.einsum("wsp,ws->p", by_weights, left) / count + penalty * weights
        c = jnp.einsum("wsi,wsp->wip", by_first, by_weights) / count
        hw = jnp.einsum("wsi,wsj->wij", by_first, by_first) / count
        gw = jnp.einsum("wsi,ws->wi", by_first, left) / count
        inverse = jnp.linalg.inv(hw + jnp.eye(n) * (1e-6 + DAMPING) / len(windows))
        kc, kg = inverse @ c, jnp.einsum("wij,wj->wi", inverse, gw)
        diagonal = jnp.diag(h)
        scales = jnp.maximum(diagonal, 1e-6 * diagonal.max())
        reduced = h - jnp.einsum("wip,wiq->pq", c, kc) + DAMPING * jnp.diag(scales)
        change = -jnp.linalg.solve(reduced, g - jnp.einsum("wip,wi->p", c, kg))
        new = weights + change
        moved = firsts - kg - jnp.einsum("wip,p->wi", kc, change)
        error = jnp.sum(every(new, moved, *data) ** 2) / count + penalty @ new**2
        return new, moved, error

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    shape, weights, firsts, windows = problem(0)
    groups = shape.groups()
    ridge = RIDGE * ((groups == 1) + 0.1 * (groups == 0))
    free = np.ones(shape.weights, bool)
    theirs = jax_step(shape, windows)
    theirs(weights, firsts)[2].block_until_ready()

    def ours():
        projection = VariableProjection(
            shape, STEP, windows, ridge=ridge, free=free, damping=DAMPING
        )
        return projection.step_once(weights, firsts)

    ours()
    times = {"ours": [], "jax": []}
    for _ in range(arguments.rounds):
        begin = time.perf_counter()
        with threadpool_limits(1, "blas"):
            mine = ours()
        times["ours"].append(time.perf_counter() - begin)
        begin = time.perf_counter()
        other = theirs(weights, firsts)
        other[2].block_until_ready()
        times["jax"].append(time.perf_counter() - begin)
    median = {name: float(np.median(values)) for name, values in times.items()}
    change = np.asarray(other[0]) - weights
    print(
        json.dumps(
            {
                "ours_ms": round(1e3 * median["ours"], 2),
                "jax_ms": round(1e3 * median["jax"], 2),
                "ratio": round(median["jax"] / median["ours"], 2),
                "difference": float(np.abs(mine[0] - other[0]).max() / np.abs(change).max()),
            }
        )
    )


if __name__ == "__main__":
    main()
