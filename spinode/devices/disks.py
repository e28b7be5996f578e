"""What is simulated: a magnetic disk that holds skyrmions, in SI units, checked at construction."""

from dataclasses import dataclass
from numbers import Real

import numpy as np

from spinode.devices.grains import GrainMap, Grains
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
    grains : Grains, GrainMap or None
        Disorder during relaxation: drawn at random, or as it is.

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
    grains: Grains | GrainMap | None = None

    def __post_init__(self):
        for name, (low, high, unit) in _PLAUSIBLE.items():
            value = getattr(self, name)
            if not isinstance(value, Real):
                raise InputError(
                    f"SkyrmionDisk: {name} = {value!r} is not a number; give it in {unit}."
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
        if not isinstance(self.grains, Grains | GrainMap | None):
            raise InputError(
                f"SkyrmionDisk: grains = {self.grains!r}; give Grains(...), a GrainMap or None."
            )
        if isinstance(self.grains, GrainMap):
            mapped = self.grains.cells * self.grains.cell
            if mapped < self.diameter * (1 - 1e-9):
                raise InputError(
                    f"SkyrmionDisk: a map of grains of {mapped:g} m does not cover the disk of "
                    f"{self.diameter:g} m; give a larger map, or Grains(...)."
                )
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
