"""The Landau-Lifshitz-Gilbert equation of a film, integrated with an explicit Runge-Kutta method.

    dm/dt = -gamma / (1 + alpha^2) [m x B + alpha m x (m x B)]

The lattice is stored flat with a rim of empty cells. Where a cell is empty m is zero, so that it
neither acts on its neighbours nor turns, and one loop without branches serves any geometry; fields
parallel to m exert no torque and are left out. What a cell does to itself and to its neighbours is
exact in every stage of every step. The rest of the demagnetizing field is smooth and changes
slowly: it is refreshed by FFT once in about 0.6 ps and extrapolated in between.
"""

from collections.abc import Callable

import numpy as np
from numba import njit

from spinode.micromagnetics.demag import MU0, Demag, newell, remote_at
from spinode.micromagnetics.field import ONE, Film, Texture, span_of, torque_field_at
from spinode.micromagnetics.transforms import KEPT

GAMMA = 1.7595e11  # rad / (T s), MuMax3's value

# Low-storage Runge-Kutta: every stage starts from the same state, m + c dt f(previous stage).
# Fourth order for linear equations, second for others, stable up to |omega| dt = 2 sqrt(2).
_STAGES = np.array([1 / 4, 1 / 3, 1 / 2, 1.0])
_STAGE_TIMES = np.array([0.0, 1 / 4, 1 / 3, 1 / 2])
_STABLE = 2.75

# Time between remote fields, in units of 1 / (gamma mu0 Msat): 0.63 ps for the paper's material.
_REFRESH = 0.082
_ORDER = 2  # of the extrapolation
# Regrouping and fused multiply-add, but NaN and infinity keep their meaning.
_FAST = {"contract", "reassoc", "nsz", "arcp"}
_STEPS_PER_CALL = 6  # under one extrapolated field
_REFRESHES_PER_CALL = 50  # of compiled code, which no interrupt from the keyboard can stop


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _stage(start, stop, width, m, slow, edge, a, d, k, alpha, base, c, out):
    """Write base + c * torque(m) to out, for flat cells start to stop."""
    mx, my, mz = m[0], m[1], m[2]
    sx, sy, sz = slow[0], slow[1], slow[2]
    ex, ey = edge[0], edge[1]
    ox, oy, oz = base[0], base[1], base[2]
    qx, qy, qz = out[0], out[1], out[2]
    for i in range(start, stop):
        left, right, down, up = i - ONE, i + ONE, i - width, i + width
        x, y, z = mx[i], my[i], mz[i]
        xl, xr, yd, yu = mx[left], mx[right], my[down], my[up]
        zl, zr, zd, zu = mz[left], mz[right], mz[down], mz[up]
        bx = a * (xl + xr + mx[down] + mx[up]) + d * (zr - zl) - d * d * ex[i] * x + sx[i]
        by = a * (my[left] + my[right] + yd + yu) + d * (zu - zd) - d * d * ey[i] * y + sy[i]
        bz = a * (zl + zr + zd + zu) - d * (xr - xl + yu - yd) + k * z + sz[i]
        cx, cy, cz = y * bz - z * by, z * bx - x * bz, x * by - y * bx
        bx, by, bz = bx + alpha * cx, by + alpha * cy, bz + alpha * cz
        qx[i] = ox[i] - c * (y * bz - z * by)
        qy[i] = oy[i] - c * (z * bx - x * bz)
        qz[i] = oz[i] - c * (x * by - y * bx)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _normalize(m):
    for i in range(m.shape[1]):
        norm = np.sqrt(m[0, i] ** 2 + m[1, i] ** 2 + m[2, i] ** 2)
        scale = 1.0 / norm if norm > 0.5 else 0.0
        m[0, i] *= scale
        m[1, i] *= scale
        m[2, i] *= scale


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_FAST)
def _extrapolate(history, newest, weights, out):
    """Write the weighted sum of the fields to out; the weights go from the newest back in time."""
    a, b, c = history[0], history[1], history[2]
    wa, wb, wc = weights[-newest % 3], weights[(1 - newest) % 3], weights[(2 - newest) % 3]
    for i in range(out.size):
        out[i] = wa * a[i] + wb * b[i] + wc * c[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _steps(span, m, slow, edge, a, d, k, alpha, rates, texture, p, q):
    """Step through the rows of d and k; return the new m and the two arrays left over."""
    start, stop, width = span
    whole = slow if texture is None else np.empty_like(slow)
    for step in range(d.shape[0]):
        source = m
        for s in range(4):
            target = p if s % 2 == 0 else q
            if texture is not None:
                whole[:] = slow
                torque_field_at(span, source, texture, whole)
            args = (a, d[step, s], k[step, s], alpha)
            _stage(start, stop, width, source, whole, edge, *args, m, rates[s], target)
            source = target
        m, q = q, m
    _normalize(m)
    return m, p, q


@njit(cache=KEPT, nogil=True, error_model="numpy")
def _advance(
    m,
    history,
    newest,
    weights,
    kernel,
    applied,
    span,
    edge,
    a,
    d,
    k,
    alpha,
    rates,
    texture,
    buffers,
):
    """Move on by the interval of d and k, shape (refreshes, calls, steps, 4)."""
    slow, p, q = buffers
    nodes, shape = history.shape[0], history.shape[1:]
    fields = history.reshape((nodes, m.size))
    for refresh in range(d.shape[0]):
        newest = (newest - 1) % nodes
        inner = history[newest, :, 1:-1, 1:-1]
        remote_at(m.reshape(shape)[:, 1:-1, 1:-1], kernel, inner)
        for axis in range(3):
            for j in range(inner.shape[1]):
                for i in range(inner.shape[2]):
                    inner[axis, j, i] += applied[axis]
        for call in range(d.shape[1]):
            _extrapolate(fields, newest, weights[call], slow.reshape(-1))
            dk = d[refresh, call], k[refresh, call]
            m, p, q = _steps(span, m, slow, edge, a, *dk, alpha, rates, texture, p, q)
    return m, newest, (slow, p, q)


def stable_step(film: Film, Ku: float = 0.0, Dind: float = 0.0, applied: float = 0.0) -> float:
    """Return the longest stable time step in s.

    Parameters
    ----------
    film : Film
        Geometry and material; the exchange between cells sets the limit.
    Ku, Dind, applied : float
        Largest anisotropy (J/m3), DMI (J/m2) and applied field (T) there will be.
    """
    field = 8 * film.exchange + MU0 * film.Msat + abs(applied)
    field += (2 * abs(Ku) + 4 * abs(Dind) / film.cell) / film.Msat
    return _STABLE / (GAMMA * field)


class Integrator:
    """Advance the magnetization of a film in equal intervals of time.

    Parameters
    ----------
    film : Film
        Geometry and material.
    alpha : float
        Gilbert damping.
    interval : float
        Time in s that one call of `advance` covers.
    step : float
        Longest time step in s, see `stable_step`; it is shortened to divide the interval.
    applied : tuple of float
        Applied field (x, y, z) in T.
    texture : Texture or None
        Anisotropy and DMI cell by cell; None for a film with uniform parameters.
    tensor : function
        Demagnetizing tensor, `demag.newell` or `demag.mumax3`.
    dtype : type
        ``numpy.float64``, or ``numpy.float32`` as in MuMax3: nearly twice as fast.

    Attributes
    ----------
    times : ndarray, shape (steps, 4)
        Offsets in s from the start of the interval at which `advance` takes its parameters.
    dt : float
        Time step in s.
    """

    def __init__(
        self,
        film: Film,
        alpha: float,
        interval: float,
        step: float,
        applied: tuple[float, float, float] = (0.0, 0.0, 0.0),
        texture: Texture | None = None,
        tensor: Callable = newell,
        dtype: type = np.float64,
    ):
        self.film = film
        self._dtype = dtype
        self._alpha = dtype(alpha)
        ny, nx = film.inside.shape
        refresh = _REFRESH / (GAMMA * MU0 * film.Msat)
        # A wave that turns by half a turn between two remote fields is amplified by extrapolating
        # its own field: split the field so that this wave has next to none.
        resonance = np.sqrt(np.pi * film.Msat / (GAMMA * refresh * 2 * film.Aex))
        self._demag = Demag(nx, ny, film.cell, film.thickness, film.Msat, tensor, resonance, dtype)
        self._refreshes = int(np.ceil(interval / refresh - 1e-9))
        between = interval / self._refreshes
        self._calls = int(np.ceil(between / (_STEPS_PER_CALL * step) - 1e-9))
        steps_per_call = int(np.ceil(between / (self._calls * step) - 1e-9))
        steps = self._refreshes * self._calls * steps_per_call
        self.dt = interval / steps
        # A jump of a parameter at the edge of a step belongs to one side: stay inside the step.
        inner = np.clip(_STAGE_TIMES, 1e-6, None)
        self.times = (np.arange(steps)[:, None] + inner) * self.dt

        inside = np.pad(film.inside, 1)
        self._shape = inside.shape
        self._span = span_of(film.inside)
        # A missing neighbour acts through the DMI alone: exchange and DMI of MuMax3's ghost cell
        # add up to D^2 / 2A (mx, 0, mz) at a side in x and D^2 / 2A (0, my, mz) at one in y, of
        # which the torque sees -D^2 / 2A my and -D^2 / 2A mx.
        missing = [inside * (2.0 - np.roll(inside, 1, a) - np.roll(inside, -1, a)) for a in (0, 1)]
        edge = np.stack(missing).reshape(2, -1) * film.Msat * film.cell**2 / (2 * film.Aex)
        self._edge = edge.astype(dtype)
        self._exchange = dtype(film.exchange)
        self._texture = None
        if texture is not None:  # it brings the whole short-range field
            self._exchange = dtype(0.0)
            self._texture = texture.compiled(film)
        self._applied = np.array(applied, dtype)
        self._rates = (GAMMA / (1 + alpha**2) * self.dt * _STAGES).astype(dtype)
        self._buffers = tuple(np.zeros((3, inside.size), dtype) for _ in range(3))
        # Lagrange weights of the last fields at the middle of every call.
        at = (np.arange(self._calls)[:, None, None] + 0.5) / self._calls
        node = -np.arange(_ORDER + 1.0)
        other = node[:, None] != node
        gaps = np.where(other, node[:, None] - node, 1.0)
        self._weights = np.prod(np.where(other, at - node, 1.0) / gaps, axis=2).astype(dtype)

    @property
    def m(self) -> np.ndarray:
        """Magnetization, a view of shape (3, ny, nx), zero outside the geometry."""
        return self._m.reshape(3, *self._shape)[:, 1:-1, 1:-1]

    def start(self, m: np.ndarray) -> None:
        """Begin at ``m``, shape (3, ny, nx), unit length inside the geometry."""
        padded = np.pad(m * self.film.inside, ((0, 0), (1, 1), (1, 1)))
        self._m = padded.reshape(3, -1).astype(self._dtype)
        self._history = np.zeros((_ORDER + 1, 3, *self._shape), self._dtype)
        field = self._history[0, :, 1:-1, 1:-1]
        remote_at(self.m, self._demag.kernel, field)  # compiled for these strides in any case
        field += self._applied[:, None, None]
        self._history[1:] = self._history[0]
        self._newest = 0

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the future depends on, for `restore`."""
        return {"m": self._m, "history": self._history, "newest": np.array(self._newest)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned, bit for bit."""
        self._m = np.array(state["m"])
        self._history = np.array(state["history"])
        self._newest = int(state["newest"])

    def advance(self, Ku: float | np.ndarray = 0.0, Dind: float | np.ndarray = 0.0) -> None:
        """Move on by one interval.

        Parameters
        ----------
        Ku, Dind : float or ndarray, shape (steps, 4)
            Uniform anisotropy (J/m3) and DMI (J/m2) at `times`; zero when there is a texture.
        """
        film = self.film
        per_call = (self._refreshes, self._calls, -1, 4)
        # Copies: what broadcasting returns is read-only, and compiled code tells that apart.
        fields = 2 * Ku / film.Msat - self._demag.local, Dind / (film.Msat * film.cell)
        k, d = (
            np.array(np.broadcast_to(field, self.times.shape), self._dtype).reshape(per_call)
            for field in fields
        )
        for first in range(0, self._refreshes, _REFRESHES_PER_CALL):
            part = slice(first, first + _REFRESHES_PER_CALL)
            self._m, self._newest, self._buffers = _advance(
                self._m,
                self._history,
                self._newest,
                self._weights,
                self._demag.kernel,
                self._applied,
                self._span,
                self._edge,
                self._exchange,
                d[part],
                k[part],
                self._alpha,
                self._rates,
                self._texture,
                self._buffers,
            )
