"""Disks that hold skyrmions: geometry, starting state, topological charge."""

import numpy as np
from numba import njit

from spinode.devices.disks import SkyrmionDisk
from spinode.micromagnetics.field import Film

_WALL = 8  # cells: the width of MuMax3's NeelSkyrmion, whatever the cell


def cell_centres(device: SkyrmionDisk) -> np.ndarray:
    """Return the coordinates in m of cell centres along one axis, zero at the disk's centre."""
    return (np.arange(device.cells) - (device.cells - 1) / 2) * device.cell


def film_of(device: SkyrmionDisk) -> Film:
    """Return the disk on its lattice: cells whose centre lies inside."""
    x = cell_centres(device)
    inside = np.hypot(x, x[:, None]) <= device.diameter / 2
    return Film(inside, device.cell, device.thickness, device.Msat, device.Aex)


def seeded_state(device: SkyrmionDisk) -> np.ndarray:
    """Return m = +z with a Neel skyrmion of charge 1, polarization -1 around every centre.

    Shape (3, ny, nx), zero outside the disk: MuMax3's ``NeelSkyrmion(1, -1)``,
    mz = 1 - 2 exp(-r^2 / w^2) with w = 8 cells and in-plane part outwards, made unit length.
    """
    x = cell_centres(device)
    inside = film_of(device).inside
    m = np.zeros((3, *inside.shape))
    m[2] = 1.0
    for centre_x, centre_y in device.skyrmions:
        dx, dy = np.broadcast_arrays(x - centre_x, (x - centre_y)[:, None])
        r = np.hypot(dx, dy)
        mz = 1 - 2 * np.exp(-((r / (_WALL * device.cell)) ** 2))
        radial = (1 - np.abs(mz)) / np.where(r == 0, 1.0, r)
        skyrmion = np.stack([radial * dx, radial * dy, mz])
        skyrmion /= np.linalg.norm(skyrmion, axis=0)
        m = np.where(r <= device.skyrmion_diameter / 2, skyrmion, m)
    return m * inside


@njit(cache=True, error_model="numpy")
def _solid_angle(a, b, c):
    """Signed solid angle that three unit vectors span."""
    triple = (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        + a[1] * (b[2] * c[0] - b[0] * c[2])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )
    ab = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    bc = b[0] * c[0] + b[1] * c[1] + b[2] * c[2]
    ca = c[0] * a[0] + c[1] * a[1] + c[2] * a[2]
    return 2 * np.arctan2(triple, 1 + ab + bc + ca)


@njit(cache=True, error_model="numpy")
def topological_charge(m: np.ndarray, inside: np.ndarray) -> float:
    """Return the topological charge of ``m``, shape (3, ny, nx), on the lattice.

    Sum of the signed solid angles of the triangles between cell centres over 4 pi (Berg and
    Luescher, Nucl. Phys. B 190, 412 (1981)). A skyrmion of core -z in a +z film has charge -1;
    the open edge of a disk, where the DMI tilts m, adds a fraction of its own.
    """
    total = 0.0
    ny, nx = inside.shape
    for j in range(ny - 1):
        for i in range(nx - 1):
            if inside[j, i] and inside[j, i + 1] and inside[j + 1, i] and inside[j + 1, i + 1]:
                here, right = m[:, j, i], m[:, j, i + 1]
                above, across = m[:, j + 1, i], m[:, j + 1, i + 1]
                total += _solid_angle(here, right, across) + _solid_angle(here, across, above)
    return total / (4 * np.pi)
