"""Compiled loops of the Spin-Neural ODE: its network.

Numba compiles these functions on their first call and keeps the result on disk. Everything is
dimensionless and on plain arrays; the public functions are in `forecast` and `training` beside it.
A network is a tuple of arrays, see `unpack`.
"""

from __future__ import annotations

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

#: The compiler's vector loops take this many neurons at a time.
LANES = 8

# Fused multiply-add and nothing else: results stay independent of how loops are vectorized, and
# NaN stays NaN. Without the interpreter's lock, threads run these loops side by side.
COMPILE = {"cache": True, "nogil": True, "fastmath": {"contract"}, "error_model": "numpy"}
# Sums over neurons may be reordered, without which they would not be vectorized.
SUM = {**COMPILE, "fastmath": {"contract", "reassoc", "nsz"}}
# Functions of a few operations are inlined by force: passing their arrays would cost as much.


# --- tanh -----------------------------------------------------------------------------------


@intrinsic
def _float64_of_bits(context, bits):
    """Reinterpret 64 bits as a float64."""

    def emit(_, builder, __, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), emit


@intrinsic
def _bits_of_float64(context, value):
    """Reinterpret a float64 as 64 bits."""

    def emit(_, builder, __, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), emit


@intrinsic
def _float32_of_bits(context, bits):
    """Reinterpret 32 bits as a float32."""

    def emit(_, builder, __, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), emit


@intrinsic
def _bits_of_float32(context, value):
    """Reinterpret a float32 as 32 bits."""

    def emit(_, builder, __, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.int32(types.float32), emit


def _tanh(x):
    """Hyperbolic tangent of a float64 or float32 scalar, without branches."""


@overload(_tanh, inline="never", jit_options={"fastmath": {"contract"}, "error_model": "numpy"})
def _tanh_overload(x):
    # 2 x = n log 2 + r; exp(r) = (even + odd) / (even - odd), a diagonal Pade approximant; then
    # tanh x = (2^n exp(r) - 1) / (2^n exp(r) + 1) costs a single division. Adding 1.5 x 2^52
    # rounds to the integer n and leaves it in the lowest bits.
    if x == types.float64:

        def tanh64(x):
            x = 2.0 * min(max(x, -20.0), 20.0)
            shifted = x * 1.4426950408889634 + 6755399441055744.0
            n = shifted - 6755399441055744.0
            r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10
            power = _float64_of_bits((_bits_of_float64(shifted) << 52) + (1023 << 52))
            q = r * r
            even = 665280.0 + q * (75600.0 + q * (840.0 + q))
            odd = r * (332640.0 + q * (10080.0 + q * 42.0))
            less, more = power - 1.0, power + 1.0
            return (less * even + more * odd) / (more * even + less * odd)

        return tanh64
    if x == types.float32:
        bias, shift = np.int32(127 << 23), np.int32(23)
        limit, two, unit = np.float32(10.0), np.float32(2.0), np.float32(1.0)
        log2e, magic = np.float32(1.4426950408889634), np.float32(12582912.0)
        high, low = np.float32(0.693359375), np.float32(-2.12194440e-4)
        c0, c1, c2 = np.float32(120.0), np.float32(60.0), np.float32(12.0)

        def tanh32(x):
            x = two * min(max(x, -limit), limit)
            shifted = x * log2e + magic
            n = shifted - magic
            r = (x - n * high) - n * low
            power = _float32_of_bits(np.int32((_bits_of_float32(shifted) << shift) + bias))
            q = r * r
            even = c0 + q * c2
            odd = r * (c1 + q)
            less, more = power - unit, power + unit
            return (less * even + more * odd) / (more * even + less * odd)

        return tanh32
    return None


@njit(**COMPILE)
def tanh_inplace(values):
    """Replace every element of the one-dimensional ``values`` by its hyperbolic tangent."""
    for i in range(values.size):
        values[i] = _tanh(values[i])


# --- the network ----------------------------------------------------------------------------


def pack(parameters) -> np.ndarray:
    """Return the parameters of a network as one float64 array, in the order of `unpack`.

    Parameters
    ----------
    parameters : iterable of six torch.Tensor
        Weight and bias of each layer, such as ``model.f.parameters()``, or their gradients.
    """
    arrays = [p.detach().cpu().double().numpy() for p in parameters]
    return np.concatenate([a.T.ravel() for a in arrays[:4]] + [a.ravel() for a in arrays[4:]])


def store(model, weights: np.ndarray) -> None:
    """Copy ``weights``, ordered as by `pack`, into a SpinODE."""
    w1, b1, w2, b2, w3, b3 = unpack(weights, model)
    values = (w1.T, b1, w2.T, b2, w3, b3)
    for parameter, value in zip(model.f.parameters(), values, strict=True):
        parameter.data.copy_(torch.from_numpy(np.array(value)))


def unpack(weights: np.ndarray, model) -> tuple[np.ndarray, ...]:
    """Return views of ``weights`` as the compiled loops read them.

    Returns
    -------
    tuple of arrays
        ``w1`` (columns, neurons), ``b1`` (neurons), ``w2`` (neurons, neurons; row j holds what
        neuron j sends on), ``b2`` (neurons), ``w3`` (k, neurons), ``b3`` (k).
    """
    n, k = model.width, model.k
    columns = k * (1 + len(model.inputs))
    shapes = ((columns, n), (n,), (n, n), (n,), (k, n), (k,))
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return tuple(
        part.reshape(shape)
        for part, shape in zip(np.split(weights, ends[:-1]), shapes, strict=True)
    )


def padded(network: tuple[np.ndarray, ...], dtype) -> tuple[np.ndarray, ...]:
    """Return ``network`` in ``dtype`` with neurons padded by zeros to a multiple of `LANES`.

    A padded neuron computes tanh(0) = 0 and sends nothing on; whole vector registers that lie in
    one cache line each are faster.
    """
    w1, b1, w2, b2, w3, b3 = (array.astype(dtype) for array in network)
    none, pad = (0, 0), (0, -b1.size % LANES)
    layers = (
        np.pad(w1, (none, pad)),
        np.pad(b1, pad),
        np.pad(w2, (pad, pad)),
        np.pad(b2, pad),
        np.pad(w3, (none, pad)),
        b3,
    )
    return tuple(_aligned(array) for array in layers)


def _aligned(array: np.ndarray) -> np.ndarray:
    """Return a copy of ``array`` that begins at a cache line."""
    memory = np.empty(array.nbytes + 64, np.uint8)
    first = -memory.ctypes.data % 64
    copy = memory[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


@njit(**COMPILE)
def _matvec(rows, bias, x, z):
    """``z = bias + sum_j rows[j] x[j]``, eight rows at a time; ``rows`` has shape (n, m)."""
    n, m = rows.shape
    for i in range(m):
        z[i] = bias[i]
    eights = n - n % 8
    for j in range(0, eights, 8):
        x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
        x4, x5, x6, x7 = x[j + 4], x[j + 5], x[j + 6], x[j + 7]
        for i in range(m):
            z[i] += (
                rows[j, i] * x0 + rows[j + 1, i] * x1 + rows[j + 2, i] * x2 + rows[j + 3, i] * x3
            ) + (
                rows[j + 4, i] * x4
                + rows[j + 5, i] * x5
                + rows[j + 6, i] * x6
                + rows[j + 7, i] * x7
            )
    fours = n - n % 4
    for j in range(eights, fours, 4):
        x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
        for i in range(m):
            z[i] += (
                rows[j, i] * x0 + rows[j + 1, i] * x1 + rows[j + 2, i] * x2 + rows[j + 3, i] * x3
            )
    for j in range(fours, n):
        x0 = x[j]
        for i in range(m):
            z[i] += rows[j, i] * x0


@njit(**SUM, forceinline=True)
def dot(a, b):
    """Sum of ``a * b``."""
    total = a[0] * b[0]
    for i in range(1, a.size):
        total += a[i] * b[i]
    return total


@njit(**COMPILE, forceinline=True)
def evaluate(network, x, h1, h2, slope):
    """Evaluate f at ``x`` (delayed outputs, then inputs) into ``slope``; keep the hidden layers."""
    w1, b1, w2, b2, w3, b3 = network
    _matvec(w1, b1, x, h1)
    tanh_inplace(h1)
    _matvec(w2, b2, h1, h2)
    tanh_inplace(h2)
    for i in range(slope.size):
        slope[i] = b3[i] + dot(w3[i], h2)


@njit(**COMPILE)
def multiply(a, b, out):
    """``out = a @ b`` for contiguous matrices."""
    np.dot(a, b, out)


@njit(**COMPILE)
def _add_and_tanh(bias, z):
    for b in range(z.shape[0]):
        for i in range(z.shape[1]):
            z[b, i] = _tanh(z[b, i] + bias[i])


@njit(**COMPILE)
def evaluate_batch(network, x, h1, h2, slope):
    """Evaluate f for every row of ``x``; all arrays have a leading dimension of rows."""
    w1, b1, w2, b2, w3, b3 = network
    multiply(x, w1, h1)
    _add_and_tanh(b1, h1)
    multiply(h1, w2, h2)
    _add_and_tanh(b2, h2)
    for b in range(slope.shape[0]):
        for i in range(b3.size):
            slope[b, i] = b3[i] + dot(w3[i], h2[b])
