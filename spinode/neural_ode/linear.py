"""The best linear model of n states, without a search: where a latent model's training starts.

1. An autoregressive model with inputs (ARX), of an order well above n, by least squares.
2. Its impulse response, and from the Hankel matrix of that the n states that matter most
   (balanced truncation over a finite horizon; Kung 1978).
3. States scaled to unit standard deviation, and continuous time by the matrix logarithm.
4. Levenberg-Marquardt on the error of its simulation (`variable_projection`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.linalg import expm, lstsq
from scipy.signal import lfilter

from spinode.neural_ode.state_space import Shape, simulate
from spinode.neural_ode.variable_projection import Window

# Poles are moved to where the solver is stable and a logarithm exists.
_SLOWEST, _FASTEST = 1 - 1e-5, 2.0
_HORIZON = 400
# Rates, a sample, of the slowest of a few integrators: a start where no ARX model helps.
_LEAKS = (0.2, 0.05, 0.01, 0.002)
# Two modes are one where the matrix of all modes is as ill-conditioned as this.
_ONE = 1e8
# Rows of a least-squares problem held at a time.
_BLOCK = 20_000


def arx(
    records: Sequence[Window], orders: Sequence[int]
) -> list[tuple[np.ndarray, np.ndarray, float]]:
    """Fit y[k] = sum_i a[i] y[k-1-i] + sum_i b[i] u[k-i] + c by least squares, for each order.

    All orders are fitted to the same samples, those that the largest of them leaves.

    Returns
    -------
    list of (a, b, c)
        Of shapes (order,) and (order + 1, inputs), and a number.
    """
    inputs = records[0].stages.shape[1]
    most = max(orders)
    size = most + (most + 1) * inputs + 1
    gram, right = np.zeros((size, size)), np.zeros(size)
    for record in records:
        drive = record.stages[::3]
        truth = np.where(record.counts > 0, record.truth, np.nan)
        for first in range(most, len(record), _BLOCK):
            stop = min(first + _BLOCK, len(record))
            past = sliding_window_view(truth[first - most : stop - 1], most)[:, ::-1]
            driven = sliding_window_view(drive[first - most : stop], most + 1, axis=0)
            driven = driven[:, :, ::-1].transpose(0, 2, 1).reshape(stop - first, -1)
            rows = np.concatenate([past, driven, np.ones((stop - first, 1))], axis=1)
            target = truth[first:stop]
            good = np.isfinite(rows).all(axis=1) & np.isfinite(target)
            rows, target = rows[good], target[good]
            gram += rows.T @ rows
            right += rows.T @ target
    gram[np.diag_indices(size)] += 1e-10 * np.trace(gram) / size
    models = []
    for order in orders:
        driven = most + np.arange((order + 1) * inputs)
        kept = np.concatenate([np.arange(order), driven, [size - 1]])
        theta = lstsq(gram[np.ix_(kept, kept)], right[kept])[0]
        models.append((theta[:order], theta[order:-1].reshape(order + 1, inputs), theta[-1]))
    return models


def simulation_errors(records: Sequence[Window], orders: Sequence[int]) -> np.ndarray:
    """Return the root mean square error of ARX models that simulate the last fifth of the records.

    They are fitted to the first four fifths. Infinite where a model is unstable.
    """
    errors = []
    for a, b, offset in arx([one.cut(0, int(0.8 * len(one))) for one in records], orders):
        error, count = 0.0, 0.0
        for one in records:
            driven = one.stages[::3]
            feed = sum(lfilter(b[:, i], [1.0], driven[:, i]) for i in range(b.shape[1]))
            with np.errstate(all="ignore"):
                run = lfilter([1.0], np.append(1.0, -a), feed + offset)
                last = slice(int(0.8 * len(one)), None)
                error += float(np.sum(one.counts[last] * (run - one.truth)[last] ** 2))
                count += float(one.counts[last].sum())
        errors.append(np.sqrt(error / max(count, 1.0)) if np.isfinite(error) else np.inf)
    return np.array(errors)


def prediction_error(records: Sequence[Window], order: int) -> float:
    """Return the root mean square error of an ARX model that predicts one sample ahead."""
    [(a, b, offset)] = arx(records, [order])
    total, count = 0.0, 0
    for one in records:
        truth, driven = np.where(one.counts > 0, one.truth, np.nan), one.stages[::3]
        past = sliding_window_view(truth, order + 1)[:, ::-1]
        reach = sliding_window_view(driven, order + 1, axis=0)[:, :, ::-1]
        left = past[:, 0] - past[:, 1:] @ a - np.einsum("kio,oi->k", reach, b) - offset
        total += float(np.nansum(left**2))
        count += int(np.isfinite(left).sum())
    return float(np.sqrt(total / max(count, 1)))


def impulse_response(a: np.ndarray, b: np.ndarray, length: int) -> np.ndarray:
    """Return the response to a unit impulse of each input, shape (length, inputs)."""
    response = np.zeros((length, b.shape[1]))
    for k in range(length):
        if k < len(b):
            response[k] = b[k]
        reach = min(k, len(a))
        response[k] += a[:reach] @ response[k - reach : k][::-1]
    return response


def realize(response: np.ndarray, states: int) -> tuple[np.ndarray, ...]:
    """Return A, B, C, D of discrete time, balanced, from an impulse response (Kung 1978)."""
    half = (len(response) - 1) // 2
    inputs = response.shape[1]
    index = 1 + np.arange(half)[:, None] + np.arange(half)[None, :]
    hankel = response[index].reshape(half, half * inputs)
    left, values, right = np.linalg.svd(hankel, full_matrices=False)
    root = np.sqrt(values[:states])
    observe, reach = left[:, :states] * root, root[:, None] * right[:states]
    a = lstsq(observe[:-1], observe[1:])[0]
    return a, reach[:, :inputs], observe[0], response[0]


def continuous(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return A and B of continuous time, in units of a sample, of inputs held between samples."""
    poles, vectors = np.linalg.eig(a)
    # A pole that no real system of this order shows in continuous time is one that dies at once.
    poles = np.where((np.abs(poles.imag) < 1e-12) & (poles.real < 0.1), 0.1, poles)
    rates = np.log(poles.astype(complex))
    rates = np.minimum(rates.real, np.log(_SLOWEST)) + 1j * rates.imag
    rates = rates * np.minimum(1, _FASTEST / np.maximum(np.abs(rates), 1e-12))
    slope = np.real(vectors @ np.diag(rates) @ np.linalg.inv(vectors))
    n = len(a)
    block = expm(np.block([[slope, np.eye(n)], [np.zeros((n, 2 * n))]]))
    return slope, np.linalg.solve(block[:n, n:], b)


def initial(
    records: Sequence[Window],
    states: int,
    models: Sequence[tuple[np.ndarray, np.ndarray, float]],
    feedthrough: bool,
) -> tuple[Shape, list[np.ndarray]]:
    """Return shape and weights of linear models to start from, the best first.

    Their time counts samples.

    Parameters
    ----------
    records : sequence of Window
        Normalized to unit standard deviation.
    states : int
    models : list of (a, b, c)
        From `arx`; each is truncated.
    feedthrough : bool
        Whether the input reaches the output at once.
    """
    shape = Shape(states, records[0].stages.shape[1])
    candidates = [_leaky(shape, slowest) for slowest in _LEAKS]
    for a, b, _ in models:
        response = impulse_response(a, b, 2 * _HORIZON + 1)
        size = np.abs(response)
        if not np.isfinite(size).all() or size.max() > 1e6:
            continue
        # As far as it lasts, and no shorter than the states need.
        energy = np.cumsum(size.max(axis=1) ** 2)
        lasting = int(np.searchsorted(energy, (1 - 1e-8) * energy[-1])) + 1
        response = response[: max(min(2 * lasting, len(response)), 4 * states + 3)]
        with suppress(np.linalg.LinAlgError):
            candidates.append(continuous(*realize(response, states)[:2]))
    found = [_read_out(shape, slope, drive, records, feedthrough) for slope, drive in candidates]
    found.sort(key=lambda one: one[1])
    return shape, [weights for weights, _ in found]


def _leaky(shape: Shape, slowest: float) -> tuple[np.ndarray, np.ndarray]:
    """Return A and B of integrators that leak, each three times as fast as the one before."""
    n = shape.states
    rates = np.minimum(slowest * 3.0 ** np.arange(n), 1.0)
    return -np.diag(rates), np.outer(rates, np.ones(shape.inputs))


def _read_out(
    shape: Shape,
    slope: np.ndarray,
    drive: np.ndarray,
    records: Sequence[Window],
    feedthrough: bool,
) -> tuple[np.ndarray, float]:
    """Return the weights of the best output of given dynamics, and its mean squared error.

    The output, its offset and what each record starts from are linear and found by least squares.
    States are scaled to unit standard deviation.
    """
    n, m = shape.states, shape.inputs
    driven, free = [], []
    wf = np.concatenate([slope, drive, np.zeros((n, 1))], axis=1)
    still = wf.copy()
    still[:, n:] = 0.0
    for record in records:
        driven.append(simulate(shape, shape.pack(wf=wf), 1.0, np.zeros(n), record.stages)[1])
        free.append(
            [simulate(shape, shape.pack(wf=still), 1.0, one, record.stages)[1] for one in np.eye(n)]
        )
    states = np.concatenate(driven)
    deviation = states.std(axis=0)
    if not (np.isfinite(states).all() and (deviation > 0).all()):
        return shape.pack(wf=wf), np.inf
    total = n + m + 1 + len(records)  # each record's start, along the best direction of it
    gram, right, power, count = np.zeros((total, total)), np.zeros(total), 0.0, 0.0
    for number, (record, own) in enumerate(zip(records, driven, strict=True)):
        good = record.counts > 0
        rows = np.zeros((len(record), total))
        rows[:, :n] = own / deviation
        rows[:, n : n + m] = record.stages[::3] if feedthrough else 0.0
        rows[:, n + m] = 1.0
        # The slowest free response stands for all: the others die soon.
        slow = max(free[number], key=lambda one: float(np.sum(one**2)))
        slow = slow @ np.ones(n)
        rows[:, n + m + 1 + number] = slow / max(np.abs(slow).max(), 1e-12)
        rows, truth = rows[good], record.truth[good]
        gram += rows.T @ rows
        right += rows.T @ truth
        power, count = power + float(truth @ truth), count + len(truth)
    gram[np.diag_indices(total)] += 1e-9 * count
    theta = np.linalg.solve(gram, right)
    error = (power - theta @ right) / count
    wf[:, :n] = wf[:, :n] * deviation[None, :] / deviation[:, None]
    wf[:, n : n + m] /= deviation[:, None]
    return shape.pack(wf=wf, co=theta[: n + m + 1]), float(error)


def integrating(shape: Shape, weights: np.ndarray) -> tuple[Shape, np.ndarray]:
    """Return a linear model whose first state is an integral, to train from.

    It is the slowest mode of the model given, made infinitely slow. If all modes swing, or two are
    one, it is a state that integrates nothing yet, in place of the last.
    """
    n = shape.states
    _, wf, _, co = (part.copy() for part in shape.unpack(weights))
    rates, modes = np.linalg.eig(wf[:, :n])
    real = np.flatnonzero(np.abs(rates.imag) < 1e-9 * np.abs(rates).max())
    shape = replace(shape, integrating=True)
    if not len(real) or np.linalg.cond(modes) > _ONE:
        kept = np.arange(-1, n - 1)  # the last comes first, and is emptied
        wf = np.concatenate([wf[:, :n][np.ix_(kept, kept)], wf[kept, n:]], axis=1)
        co[:n] = co[kept]
        wf[0] = wf[:, 0] = 0.0
        co[0] = 1.0
        return shape, shape.pack(wf=wf, co=co)
    slowest = real[np.abs(rates[real]).argmin()]
    # Coordinates of the mode, and of the rest, which does not act on it nor is acted on.
    mode, onto = modes[:, slowest].real, np.linalg.inv(modes)[slowest].real
    back = np.column_stack([mode, np.linalg.svd(onto[None])[2][1:].T])
    there = np.linalg.inv(back)
    wf = there @ np.concatenate([wf[:, :n] @ back, wf[:, n:]], axis=1)
    co[:n] = co[:n] @ back
    wf[:, 0] = 0.0
    unit = co[0] if co[0] else 1.0  # counted as it shows
    wf[0] *= unit
    co[0] /= unit
    return shape, shape.pack(wf=wf, co=co)


def retimed(shape: Shape, weights: np.ndarray) -> tuple[Shape, np.ndarray, float]:
    """Return a linear model whose unit of time is that of its own rates, and its step.

    The unit is one over the geometric mean of the rates, so that all weights are of order one.
    """
    w1, wf, wo, co = shape.unpack(weights)
    rates = np.abs(np.linalg.eigvals(wf[:, shape.width : shape.width + shape.states]))
    step = float(np.exp(np.mean(np.log(np.clip(rates, 1e-4, 3.0)))))
    return shape, shape.pack(w1, wf / step, wo, co), step
