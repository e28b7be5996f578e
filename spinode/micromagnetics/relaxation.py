"""Relaxation: from seeded skyrmions to the state from which a device is driven.

First the magnetization follows the damping torque alone,

    dm/dt = -m x (m x B),

which is the steepest descent of the energy: with precession switched off, as in MuMax3's ``relax``,
m ends in the basin in which it was seeded, also among grains. Then it settles under the full
equation at higher damping, as in the published scripts.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numba import njit

from spinode.devices.disks import SkyrmionDisk
from spinode.errors import SpinodeError
from spinode.micromagnetics.demag import MU0, Demag, mumax3, remote_at
from spinode.micromagnetics.field import Film, Texture, span_of, torque_field_at
from spinode.micromagnetics.grains import texture_of
from spinode.micromagnetics.llg import Integrator, stable_step
from spinode.micromagnetics.skyrmion import film_of, seeded_state, topological_charge
from spinode.micromagnetics.transforms import KEPT

#: Largest torque |m x B| in T at which `descend` stops. MuMax3 goes on until its torque no longer
#: falls; with the rounding of single precision that is here, for cells of 1 nm.
SETTLED = 3.75e-4

# No fast math below: with it, compiled code that comes from numba's cache rounds differently from
# code compiled just now, and a result must not depend on that.

# Runge-Kutta-Chebyshev, first order (Verwer, Hundsdorfer and Sommeijer, Numer. Math. 57, 157
# (1990)): with s stages a step may be 2 s^2 / lambda long, where Euler's is 2 / lambda.
_STAGES = 8
_DAMPING = 0.05
_MOST_STEPS = 20_000
_NOISE = 1e-12  # relative change of the energy that rounding makes


def _chebyshev():
    """Return weights (mu, mu tilde) of every stage, and the stability limit in 1 / lambda."""
    w0 = 1 + _DAMPING / _STAGES**2
    t = [np.polynomial.chebyshev.Chebyshev.basis(j) for j in range(_STAGES + 1)]
    w1 = t[-1](w0) / t[-1].deriv()(w0)
    mu = [2 * w0 * t[j - 1](w0) / t[j](w0) for j in range(2, _STAGES + 1)]
    slope = [2 * w1 * t[j - 1](w0) / t[j](w0) for j in range(2, _STAGES + 1)]
    return np.array([1.0, *mu]), np.array([w1 / w0, *slope]), (w0 + 1) / w1


_MU, _SLOPE, _LIMIT = _chebyshev()


@njit(cache=KEPT, nogil=True, error_model="numpy")
def _damping(span, m, texture, kernel, local, shape, field, out):
    """Write -m x (m x B) to out; return the energy -m B / 2 and the largest torque squared."""
    start, stop, _ = span
    remote = field.reshape(shape)[:, 1:-1, 1:-1]
    remote_at(m.reshape(shape)[:, 1:-1, 1:-1], kernel, remote)
    torque_field_at(span, m, texture, field)
    energy, largest = 0.0, 0.0
    for i in range(start, stop):
        x, y, z = m[0, i], m[1, i], m[2, i]
        bx, by, bz = field[0, i], field[1, i], field[2, i] - local * z
        square, along = x * x + y * y + z * z, x * bx + y * by + z * bz
        tx, ty, tz = square * bx - along * x, square * by - along * y, square * bz - along * z
        if square == 0.0:
            tx, ty, tz = 0.0, 0.0, 0.0
        out[0, i], out[1, i], out[2, i] = tx, ty, tz
        energy -= along / 2
        largest = max(largest, tx * tx + ty * ty + tz * tz)
    return energy, largest


@njit(cache=KEPT, nogil=True, error_model="numpy")
def _step(span, m, first, h, mu, slope, texture, kernel, local, shape, buffers):
    """Write the state a step h (1/T) after m, whose slope is ``first``, to the third buffer."""
    before, now, after, field, out = buffers
    start, stop, _ = span
    forward = h * slope[0]
    for axis in range(3):
        for i in range(m.shape[1]):
            before[axis, i] = m[axis, i]
            now[axis, i] = m[axis, i] + forward * first[axis, i]
    for stage in range(1, mu.size):
        _damping(span, now, texture, kernel, local, shape, field, out)
        a, c = mu[stage], h * slope[stage]
        for axis in range(3):
            for i in range(start, stop):
                after[axis, i] = a * now[axis, i] + (1 - a) * before[axis, i] + c * out[axis, i]
        before, now, after = now, after, before
    result = buffers[2]
    for i in range(start, stop):
        x, y, z = now[0, i], now[1, i], now[2, i]
        norm = np.sqrt(x * x + y * y + z * z)
        scale = 1.0 / norm if norm > 0.0 else 0.0
        result[0, i], result[1, i], result[2, i] = x * scale, y * scale, z * scale


def descend(
    film: Film,
    texture: Texture,
    m: np.ndarray,
    tensor: Callable = mumax3,
    settled: float = SETTLED,
) -> np.ndarray:
    """Follow the damping torque from ``m`` downhill until it no longer turns.

    Parameters
    ----------
    film, texture : Film, Texture
        Geometry and material.
    m : ndarray, shape (3, ny, nx)
        Magnetization, zero outside the geometry.
    tensor : function
        Demagnetizing tensor, `demag.mumax3` or `demag.newell`.
    settled : float
        Largest torque |m x B| in T of the result.

    Returns
    -------
    ndarray, shape (3, ny, nx)

    Raises
    ------
    SpinodeError
        When the torque does not get as small as that.
    """
    ny, nx = film.inside.shape
    demag = Demag(nx, ny, film.cell, film.thickness, film.Msat, tensor)
    span, compiled = span_of(film.inside), texture.compiled(film)
    m = np.pad(m * film.inside, ((0, 0), (1, 1), (1, 1)))
    shape, m = m.shape, m.reshape(3, -1)
    stiffness = 8 * film.exchange + MU0 * film.Msat
    stiffness += (2 * np.abs(texture.Ku).max() + 4 * np.abs(texture.Dind).max() / film.cell) / (
        film.Msat
    )
    longest = 0.95 * _LIMIT / stiffness
    buffers = tuple(np.zeros_like(m) for _ in range(5))
    field, slope = np.zeros_like(m), np.zeros_like(m)
    fixed = (compiled, demag.kernel, demag.local, shape)
    energy, torque = _damping(span, m, *fixed, field, slope)
    h = longest
    for _ in range(_MOST_STEPS):
        if torque <= settled**2:
            return m.reshape(shape)[:, 1:-1, 1:-1].copy()
        _step(span, m, slope, h, _MU, _SLOPE, *fixed, buffers)
        trial = buffers[2].copy()
        reached, torque_there = _damping(span, trial, *fixed, field, buffers[4])
        if reached > energy + _NOISE * abs(energy) or not np.isfinite(reached):
            h /= 2  # downhill is the only way
            continue
        m, energy, torque = trial, reached, torque_there
        slope[:] = buffers[4]
        h = min(1.2 * h, longest)
    raise SpinodeError(
        f"The energy of the {nx * film.cell:g} m film does not settle: after {_MOST_STEPS} steps "
        f"its largest torque is {np.sqrt(torque):.2g} T; seed skyrmions nearer to equilibrium."
    )


def relax(device: SkyrmionDisk, tensor: Callable = mumax3) -> np.ndarray:
    """Return the state from which a device is driven, shape (3, ny, nx).

    ``tensor`` is the demagnetizing tensor, `demag.mumax3` or `demag.newell`. The last few devices
    are remembered, so that one device under many drives relaxes once.

    Raises
    ------
    SpinodeError
        When the energy does not settle, or when skyrmions die on the way.
    """
    return _relaxed(device, tensor).copy()


@lru_cache(maxsize=4)
def _relaxed(device: SkyrmionDisk, tensor: Callable) -> np.ndarray:
    film = film_of(device)
    texture = texture_of(device, film)
    m = descend(film, texture, seeded_state(device), tensor)
    if device.relax_time > 0:
        options, parameters = {}, (device.Ku, device.Dind)
        if device.grains is not None:
            options, parameters = {"texture": texture}, ()
        step = stable_step(film, np.abs(texture.Ku).max(), np.abs(texture.Dind).max())
        settle = Integrator(
            film, device.relax_alpha, device.relax_time, step, tensor=tensor, **options
        )
        settle.start(m)
        settle.advance(*parameters)
        m = settle.m
    charge = topological_charge(m, film.inside)
    if round(charge) != -len(device.skyrmions):
        raise SpinodeError(
            f"Relaxation at Ku = {device.Ku:g} J/m3 and Dind = {device.Dind:g} J/m2 left a "
            f"topological charge of {charge:.2f} where {len(device.skyrmions)} skyrmion(s) were "
            "seeded: some died; raise Dind or lower Ku."
        )
    return m
