"""The short-range effective field on the lattice, as MuMax3 discretizes it.

Vansteenkiste et al., AIP Advances 4, 107133 (2014): six-neighbour exchange, interfacial DMI,
harmonic means of the DMI between unlike cells, and at a free surface a ghost neighbour tilted by
the DMI (its Neumann condition, Rohart and Thiaville, Phys. Rev. B 88, 184422 (2013)), which both
the exchange and the DMI field see. `short_range` is the specification, one cell at a time and with
parameters of each cell its own; `torque_field_at` is the same without branches, up to a field
parallel to m, and `llg` fuses it with the torque for uniform films.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from spinode.errors import InputError


@dataclass(frozen=True, eq=False)
class Film:
    """A ferromagnetic layer, one cell thick, of any shape.

    Parameters
    ----------
    inside : ndarray of bool, shape (ny, nx)
        Cells that belong to the geometry.
    cell, thickness : float
        In-plane edge and thickness of a cell in m.
    Msat : float
        Saturation magnetization in A/m.
    Aex : float
        Exchange stiffness in J/m.
    """

    inside: np.ndarray
    cell: float
    thickness: float
    Msat: float
    Aex: float

    def __post_init__(self):
        if self.inside.ndim != 2 or self.inside.dtype != bool or not self.inside.any():
            raise InputError("Film: inside must be a 2-D mask with at least one cell.")

    @property
    def exchange(self) -> float:
        """Exchange field between two neighbours, 2 A / (Msat cell^2), in T."""
        return 2 * self.Aex / (self.Msat * self.cell**2)


# Neighbours: shift and axis of an array in (y, x).
_SIDES = ((1, 1), (1, 0), (-1, 1), (-1, 0))


@dataclass(frozen=True, eq=False)
class Texture:
    """Anisotropy and DMI of every cell.

    Parameters
    ----------
    Ku : ndarray, shape (ny, nx)
        Uniaxial anisotropy in J/m3.
    axis : ndarray, shape (3, ny, nx)
        Easy axis, unit length.
    Dind : ndarray, shape (ny, nx)
        Interfacial DMI in J/m2.
    """

    Ku: np.ndarray
    axis: np.ndarray
    Dind: np.ndarray

    @classmethod
    def uniform(cls, film: Film, Ku: float, Dind: float) -> "Texture":
        """Return the same parameters in every cell of ``film``, easy axis z."""
        ones = np.ones(film.inside.shape)
        return cls(Ku * ones, np.stack([0 * ones, 0 * ones, ones]), Dind * ones)

    def padded(self, film: Film) -> tuple:
        """Return what `short_range_at` takes."""
        rim = ((1, 1), (1, 1))
        inside, dind = np.pad(film.inside, 1), np.pad(self.Dind, rim)
        bonds = np.empty((4, *dind.shape))
        for side, (shift, axis) in enumerate(_SIDES):
            beyond, there = (np.roll(a, -shift, axis) for a in (dind, inside))
            with np.errstate(divide="ignore"):
                mean = 2.0 / (1.0 / dind + 1.0 / beyond)  # 0 where one of them is 0
            bonds[side] = np.where(there, mean, dind)
        return (
            inside,
            (film.Aex, film.cell, film.Msat),
            np.pad(self.Ku, rim),
            np.pad(self.axis, ((0, 0), *rim)),
            bonds,
        )

    def compiled(self, film: Film) -> tuple:
        """Return what `torque_field_at` takes."""
        inside, _, ku, axis, bonds = self.padded(film)
        scale = film.Msat * film.cell
        reach = [inside & np.roll(inside, -shift, axis) for shift, axis in _SIDES]
        # Exchange and DMI of the ghost cell add up to D^2 / 2A (mx, 0, mz) at a side in x, and to
        # D^2 / 2A (0, my, mz) at one in y.
        edge = [
            d**2 / (2 * film.Aex * film.Msat) * (inside & ~there)
            for d, there in zip(bonds, reach, strict=True)
        ]
        bond_x, bond_y = (bonds[side] * reach[side] / scale for side in (0, 1))
        flat = (bond_x, bond_y, edge[0] + edge[2], edge[1] + edge[3], 2 * ku / film.Msat * inside)
        return (
            film.exchange,
            tuple(np.ascontiguousarray(a, dtype=float).reshape(-1) for a in flat),
            axis.reshape(3, -1),
        )


ONE = np.uintp(1)  # unsigned, or numba guards against negative indices and cannot vectorize


def span_of(inside: np.ndarray) -> tuple:
    """Return first cell, last cell + 1 and row of the flat lattice, rim included, of a film."""
    padded = np.pad(inside, 1)
    cells = np.flatnonzero(padded)
    return np.uintp(cells[0]), np.uintp(cells[-1] + 1), np.uintp(padded.shape[1])


@njit(cache=True, nogil=True, error_model="numpy")
def torque_field_at(span, m, texture, out):
    """Add the short-range field in T to ``out``, but for a part parallel to m.

    ``m`` and ``out`` have shape (3, cells) of the padded lattice; ``span`` is that of `span_of`,
    ``texture`` that of `Texture.compiled`. Where a cell is empty m is zero and ``out`` has no
    meaning.
    """
    start, stop, width = span
    a, (bond_x, bond_y, edge_x, edge_y, ku), axis = texture
    mx, my, mz = m[0], m[1], m[2]
    ux, uy, uz = axis[0], axis[1], axis[2]
    ox, oy, oz = out[0], out[1], out[2]
    for i in range(start, stop):
        left, right, down, up = i - ONE, i + ONE, i - width, i + width
        x, y, z = mx[i], my[i], mz[i]
        dl, dr, dd, du = bond_x[left], bond_x[i], bond_y[down], bond_y[i]
        xl, xr, yd, yu = mx[left], mx[right], my[down], my[up]
        zl, zr, zd, zu = mz[left], mz[right], mz[down], mz[up]
        ex, ey = edge_x[i], edge_y[i]
        along = ku[i] * (ux[i] * x + uy[i] * y + uz[i] * z)
        ox[i] += a * (xl + xr + mx[down] + mx[up]) + dr * zr - dl * zl + ex * x + along * ux[i]
        oy[i] += a * (my[left] + my[right] + yd + yu) + du * zu - dd * zd + ey * y + along * uy[i]
        oz[i] += a * (zl + zr + zd + zu) + (ex + ey) * z + along * uz[i]
        oz[i] -= dr * xr - dl * xl + du * yu - dd * yd


@njit(cache=True, error_model="numpy")
def short_range_at(m, texture, out):
    """Add the short-range field in T to ``out``; flat or shaped arrays of the padded lattice.

    ``texture`` is (inside, (Aex, cell, Msat), Ku, axis, bonds) with an empty rim around the film;
    ``bonds`` is the DMI towards the neighbours, its harmonic mean with theirs.
    """
    inside, (aex, cell, msat), ku, axis, bonds = texture
    ny, nx = inside.shape
    m = m.reshape((3, ny, nx))
    out = out.reshape((3, ny, nx))
    a = 2.0 * aex / cell**2
    for j in range(ny):
        for i in range(nx):
            if not inside[j, i]:
                continue
            x, y, z = m[0, j, i], m[1, j, i], m[2, j, i]
            ux, uy, uz = axis[0, j, i], axis[1, j, i], axis[2, j, i]
            along = 2.0 * ku[j, i] * (ux * x + uy * y + uz * z)
            bx, by, bz = along * ux, along * uy, along * uz
            for side in range(4):
                step = 1 if side < 2 else -1  # the order of _SIDES
                in_x = side % 2 == 0
                d = bonds[side, j, i]
                jn, i_n = (j, i + step) if in_x else (j + step, i)
                xn, yn, zn = m[0, jn, i_n], m[1, jn, i_n], m[2, jn, i_n]
                if not inside[jn, i_n]:
                    tilt = step * cell * d / (2.0 * aex)
                    if in_x:
                        xn, yn, zn = x - tilt * z, y, z + tilt * x
                    else:
                        xn, yn, zn = x, y - tilt * z, z + tilt * y
                bx += a * (xn - x)
                by += a * (yn - y)
                bz += a * (zn - z)
                d *= step / cell
                if in_x:
                    bx += d * zn
                    bz -= d * xn
                else:
                    by += d * zn
                    bz -= d * yn
            out[0, j, i] += bx / msat
            out[1, j, i] += by / msat
            out[2, j, i] += bz / msat


def short_range(film: Film, texture: Texture, m: np.ndarray) -> np.ndarray:
    """Return the exchange, DMI and anisotropy field in T, shape (3, ny, nx), zero outside."""
    rim = ((0, 0), (1, 1), (1, 1))
    padded = np.pad(m, rim)
    out = np.zeros_like(padded)
    short_range_at(padded, texture.padded(film), out)
    return out[:, 1:-1, 1:-1]
