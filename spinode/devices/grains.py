"""Grains of a polycrystalline disk: drawn at random, or a map of them."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from numbers import Integral

import numpy as np

from spinode.errors import InputError

_PUBLISHED = "four_skyrmion_grains.npz"
_MOST_REGIONS = 100  # MuMax3 drives region 100


@dataclass(frozen=True)
class Grains:
    """Polycrystalline disorder: Voronoi grains, each with its own anisotropy and DMI.

    Parameters
    ----------
    size : float
        Mean grain diameter in m; grain centres are uniform with one per ``size**2``.
    regions : int
        Number of distinct parameter sets; grains draw theirs among them.
    tilt : float
        The easy axis of a region is ``(tilt * u, tilt * v, 1)`` made unit length, with u and v
        uniform in [-1/2, 1/2].
    spread : float
        Relative standard deviation of Ku and of Dind from region to region.
    seed, parameter_seed : int
        Seeds of the tessellation and of the regions' parameters.

    Notes
    -----
    The statistics are those of MuMax3's ``ext_makegrains`` and of the published scripts, which
    MuMax3 runs as they are. The embedded engine draws from another generator: same statistics,
    other grains. A `GrainMap` is the same in both.

    Grains shape the relaxed state only. The published MuMax3 scripts define the driven region as
    the whole disk once it has relaxed, and the drive's region has uniform parameters: from then on
    the grains are gone. Ours does the same.
    """

    size: float = 10e-9
    regions: int = 98
    tilt: float = 0.2
    spread: float = 0.2
    seed: int = 1234567
    parameter_seed: int = 6

    def __post_init__(self):
        if not 1e-9 <= self.size <= 1e-6:
            raise InputError(f"Grains: size {self.size:g} m must lie between 1e-9 and 1e-6 m.")
        if not (isinstance(self.regions, Integral) and 1 <= self.regions <= 98):
            raise InputError(
                f"Grains: regions is {self.regions}; MuMax3 leaves 1 to 98 of them for grains."
            )
        if not 0 <= self.tilt <= 2:
            raise InputError(f"Grains: tilt {self.tilt:g} must lie between 0 and 2.")
        if not 0 <= self.spread <= 0.3:
            raise InputError(
                f"Grains: spread {self.spread:g} must lie between 0 and 0.3, "
                "beyond which a region's Ku may change sign."
            )


@dataclass(frozen=True)
class GrainMap:
    """Grains as they are: which region a place belongs to, and the parameters of every region.

    Parameters
    ----------
    cell : float
        Edge of the map's cells in m. The disk may have others: each takes the region that its
        centre lies in.
    region : tuple of int, length n * n
        Region of every cell of a square map centred on the disk, row by row, y and x growing.
    Ku, Dind : tuple of float
        Anisotropy (J/m3) and DMI (J/m2) of regions 0, 1, ...
    axis : tuple of (x, y, z)
        Easy axes of the regions, of any length.
    recipe : Grains, optional
        What makes MuMax3 draw these very grains; without it MuMax3 is given the map.

    Raises
    ------
    InputError
        When the map is not square, a region has no parameters, or there are too many.
    """

    cell: float
    region: tuple[int, ...]
    Ku: tuple[float, ...]
    Dind: tuple[float, ...]
    axis: tuple[tuple[float, float, float], ...]
    recipe: Grains | None = None

    def __post_init__(self):
        count = len(self.Ku)
        if not 1 <= count <= _MOST_REGIONS:
            raise InputError(
                f"GrainMap: {count} regions where there may be 1 to {_MOST_REGIONS}; join some."
            )
        if not (len(self.Dind) == len(self.axis) == count):
            raise InputError(
                f"GrainMap: {count} values of Ku, {len(self.Dind)} of Dind and {len(self.axis)} "
                "of axis; give every region one of each."
            )
        if not 1e-10 <= self.cell <= 1e-7:
            raise InputError(f"GrainMap: cell {self.cell!r} must lie between 1e-10 and 1e-7 m.")
        if not self.region or self.cells**2 != len(self.region):
            raise InputError(f"GrainMap: {len(self.region)} cells do not make a square map.")
        if not 0 <= min(self.region) <= max(self.region) < count:
            raise InputError(
                f"GrainMap: a cell is of region {max(self.region)}, but there are parameters for "
                f"0 to {count - 1}; give every region its own."
            )
        if np.shape(self.axis) != (count, 3) or not np.all(np.linalg.norm(self.axis, axis=1) > 0):
            raise InputError("GrainMap: every axis must be (x, y, z), and not all zero.")
        if not np.isfinite([*self.Ku, *self.Dind]).all():
            raise InputError("GrainMap: Ku or Dind holds a NaN or infinity; remove it.")

    @property
    def cells(self) -> int:
        """Cells along an edge of the map."""
        return round(len(self.region) ** 0.5)

    @classmethod
    def of(cls, cell, region, Ku, Dind, axis, recipe: Grains | None = None) -> "GrainMap":
        """Return the map of arrays: ``region`` (n, n) and per region Ku, Dind, axis (regions, 3).

        Regions that no cell belongs to are dropped, the others keep their order.
        """
        used, region = np.unique(np.asarray(region, dtype=int), return_inverse=True)
        return cls(
            float(cell),
            tuple(region.ravel().tolist()),
            tuple(np.asarray(Ku, dtype=float)[used].tolist()),
            tuple(np.asarray(Dind, dtype=float)[used].tolist()),
            tuple(map(tuple, np.asarray(axis, dtype=float)[used].tolist())),
            recipe,
        )


@lru_cache(maxsize=1)
def published_grains() -> GrainMap:
    """Return the grains of the published four skyrmions.

    They come from MuMax3's tessellation and Go's random numbers, which no seed reproduces
    elsewhere; this is what MuMax3 3.10 makes of the published script's ``ext_makegrains(10e-9, 98,
    1234567)``, ``randSeed(6)`` and loop over regions, on its 120 x 120 cells of 1 nm.
    """
    with files("spinode.devices").joinpath(_PUBLISHED).open("rb") as file:
        stored = np.load(file)
        return GrainMap.of(1e-9, *(stored[n] for n in ("region", "Ku", "Dind", "axis")), Grains())
