"""What is simulated: a magnetic disk that holds skyrmions, in SI units, checked at construction."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from spinode.errors import InputError

# Bounds wide enough for any ferromagnetic film and narrow enough to catch a slip of units.
_PLAUSIBLE = {
    "diameter": (5e-9, 5e-6, "m"),
    "thickness": (1e-10, 1e-7, "m"),
    "cell": (1e-10, 1e-7, "m"),
    "Msat": (1e4, 3e6, "A/m"),
    "Aex": (1e-13, 1e-10, "J/m"),
    "Ku": (-1e8, 1e8, "J/m3"),
    "Dind": (-5e-2, 5e-2, "J/m2"),
    "alpha": (1e-6, 1.0, "1"),
    "relax_alpha": (1e-3, 1.0, "1"),
    "relax_time": (0.0, 1e-7, "s"),
    "skyrmion_diameter": (2e-9, 5e-6, "m"),
}


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
class SkyrmionDisk:
    """A one-layer disk with perpendicular anisotropy and interfacial DMI, holding Neel skyrmions.

    Parameters
    ----------
    diameter, thickness : float
        Geometry in m.
    cell : float
        Edge of the square cell in the plane, in m; it must divide the diameter. The layer is one
        cell thick whatever its thickness.
    Msat : float
        Saturation magnetization in A/m.
    Aex : float
        Exchange stiffness in J/m.
    Ku : float
        Uniaxial anisotropy along z in J/m3, before the drive starts.
    Dind : float
        Interfacial DMI in J/m2, before the drive starts.
    alpha : float
        Gilbert damping under the drive.
    relax_alpha, relax_time : float
        Gilbert damping and duration (s) of the run that settles the state before the drive.
    skyrmions : tuple of (x, y)
        Centres in m from the centre of the disk.
    skyrmion_diameter : float
        Diameter in m of the disk that is seeded with a skyrmion around every centre.
    grains : Grains or None
        Disorder during relaxation.

    Raises
    ------
    InputError
        When a value is out of range, the cell does not divide the disk, or a skyrmion would lie
        outside of it.

    Notes
    -----
    The defaults are the one-skyrmion device of Chen et al., Nat. Commun. 13, 1016 (2022).
    """

    diameter: float = 80e-9
    thickness: float = 1e-9
    cell: float = 1e-9
    Msat: float = 580e3
    Aex: float = 15e-12
    Ku: float = 8e5
    Dind: float = 3.5e-3
    alpha: float = 0.01
    relax_alpha: float = 0.1
    relax_time: float = 1e-9
    skyrmions: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    skyrmion_diameter: float = 40e-9
    grains: Grains | None = None

    def __post_init__(self):
        for name, (low, high, unit) in _PLAUSIBLE.items():
            value = getattr(self, name)
            if not isinstance(value, Real):
                raise InputError(
                    f"SkyrmionDisk: {name} = {value!r} is no number; give it in {unit}."
                )
            if not low <= value <= high:
                raise InputError(
                    f"SkyrmionDisk: {name} = {value:g} {unit} is not between {low:g} and "
                    f"{high:g} {unit}; check its unit."
                )
        if abs(self.diameter / self.cell - self.cells) > 1e-6:
            raise InputError(
                f"SkyrmionDisk: a cell of {self.cell:g} m does not divide the diameter of "
                f"{self.diameter:g} m; {self.diameter / self.cells:.6g} m would."
            )
        # Beyond a third of the domain-wall width the lattice pins the wall.
        wall = np.pi * np.sqrt(self.Aex / max(abs(self.Ku), 1.0))
        if self.cell > wall / 3:
            raise InputError(
                f"SkyrmionDisk: a cell of {self.cell:g} m is too coarse for a domain wall of "
                f"{wall:.3g} m; use at most {wall / 3:.2g} m."
            )
        if self.grains is not None and not isinstance(self.grains, Grains):
            raise InputError(f"SkyrmionDisk: grains = {self.grains!r}; give Grains(...) or None.")
        if not all(np.shape(centre) == (2,) for centre in self.skyrmions):
            raise InputError(
                f"SkyrmionDisk: skyrmions = {self.skyrmions!r} must hold pairs (x, y) in m, "
                "such as ((0.0, 0.0),)."
            )
        for x, y in self.skyrmions:
            if not np.hypot(x, y) + self.skyrmion_diameter / 2 <= self.diameter / 2 * (1 + 1e-9):
                raise InputError(
                    f"SkyrmionDisk: a skyrmion of {self.skyrmion_diameter:g} m at ({x:g}, {y:g}) m "
                    f"leaves the disk of {self.diameter:g} m; move it inwards or make it smaller."
                )

    @property
    def cells(self) -> int:
        """Number of cells along the diameter."""
        return round(self.diameter / self.cell)
