"""The whole effective field and the energy of a film, for relaxation and for checks."""

from collections.abc import Callable

import numpy as np

from spinode.micromagnetics.demag import Demag, newell
from spinode.micromagnetics.field import Film, Texture, short_range


def effective_field(
    film: Film, texture: Texture, m: np.ndarray, tensor: Callable = newell
) -> np.ndarray:
    """Return exchange, DMI, anisotropy and demagnetizing field in T, shape (3, ny, nx).

    Up to the in-plane self-field of the cells, which is parallel to m. ``tensor`` is the
    demagnetizing tensor, `demag.newell` or `demag.mumax3`.
    """
    ny, nx = film.inside.shape
    demag = Demag(nx, ny, film.cell, film.thickness, film.Msat, tensor)
    field = short_range(film, texture, m) + demag.remote(m) * film.inside
    field[2] -= demag.local * m[2]
    return field


def energy(film: Film, texture: Texture, m: np.ndarray) -> float:
    """Return the magnetic energy of a film in J, up to a constant.

    Parameters
    ----------
    film : Film
        Geometry and material.
    texture : Texture
        Anisotropy and DMI of every cell.
    m : ndarray, shape (3, ny, nx)
        Magnetization, zero outside the geometry.
    """
    moment = film.Msat * film.cell**2 * film.thickness
    # Half, since all terms are quadratic in m.
    return float(-moment / 2 * (effective_field(film, texture, m) * m).sum())
