"""Grains on the lattice: the anisotropy and DMI of every cell, and maps that MuMax3 saved."""

from pathlib import Path

import numpy as np

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.grains import GrainMap, Grains
from spinode.errors import InputError
from spinode.micromagnetics.field import Film, Texture
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.skyrmion import cell_centres


def texture_of(device: SkyrmionDisk, film: Film) -> Texture:
    """Return the anisotropy and DMI of every cell while the device relaxes."""
    if device.grains is None:
        return Texture.uniform(film, device.Ku, device.Dind)
    grains = device.grains
    if isinstance(grains, Grains):
        grains = _tessellation(device, grains)
    region = regions_of(device, grains)
    axis = np.transpose(grains.axis)
    axis = axis / np.linalg.norm(axis, axis=0)
    return Texture(np.array(grains.Ku)[region], axis[:, region], np.array(grains.Dind)[region])


def regions_of(device: SkyrmionDisk, grains: GrainMap) -> np.ndarray:
    """Return the region in which the centre of every cell of a device lies, shape (ny, nx)."""
    # The nudge decides on a border.
    place = np.floor(cell_centres(device) / grains.cell + grains.cells / 2 + 1e-6).astype(int)
    return np.reshape(grains.region, (grains.cells, grains.cells))[np.ix_(place, place)]


def _tessellation(device: SkyrmionDisk, grains: Grains) -> GrainMap:
    """Return random grains: a Voronoi tessellation on the cells of a device."""
    generator = np.random.default_rng(grains.seed)
    # Centres beyond the edge as well, or the outermost grains would grow.
    half = device.diameter / 2 + 2 * grains.size
    count = generator.poisson((2 * half / grains.size) ** 2)
    centres = generator.uniform(-half, half, (max(count, 1), 2))
    region = generator.integers(grains.regions, size=len(centres))
    generator = np.random.default_rng(grains.parameter_seed)
    tilt = grains.tilt * generator.uniform(-0.5, 0.5, (2, grains.regions))
    ku = device.Ku * (1 + grains.spread * generator.standard_normal(grains.regions))
    dind = device.Dind * (1 + grains.spread * generator.standard_normal(grains.regions))

    x = cell_centres(device)
    points = np.stack(np.broadcast_arrays(x, x[:, None]), axis=-1)
    nearest = [((row[:, None] - centres) ** 2).sum(-1).argmin(-1) for row in points]
    axis = np.stack([*tilt, np.ones(grains.regions)], axis=-1)
    return GrainMap.of(device.cell, region[np.array(nearest)], ku, dind, axis)


def read_grains(regions: Path, Ku1: Path, Dind: Path, anisU: Path) -> GrainMap:
    """Read grains that MuMax3 saved: ``save(regions)``, ``save(Ku1)``, ``save(Dind)``, ...

    Parameters
    ----------
    regions, Ku1, Dind, anisU : path
        OVF files of one square grid: the region of every cell, and its parameters (J/m3, J/m2,
        easy axis).

    Returns
    -------
    GrainMap
        For `SkyrmionDisk`'s ``grains``.

    Raises
    ------
    InputError
        When a file cannot be read, the grids differ or are not square, or a parameter varies
        within a region.
    """
    read = {Path(path): read_ovf(path) for path in (regions, Ku1, Dind, anisU)}
    shape = next(iter(read.values())).shape[:3]
    for path, values in read.items():
        if values.shape[:3] != shape or shape[0] != 1 or shape[1] != shape[2]:
            raise InputError(
                f"{path} has {values.shape[2]} x {values.shape[1]} x {values.shape[0]} cells; "
                "grains need one layer, a square grid, and the same one in every file."
            )
    x = next(iter(read.values())).x.values
    flat = [values.values.reshape(shape[1] ** 2, -1) for values in read.values()]
    numbers, first, region = np.unique(flat[0][:, 0], return_index=True, return_inverse=True)
    for path, values in list(zip(read, flat, strict=True))[1:]:
        mixed = np.flatnonzero((values[first][region.ravel()] != values).any(axis=1))
        if mixed.size:
            raise InputError(
                f"{path}: the value changes within region {numbers[region.ravel()[mixed[0]]]:g}; "
                "save it before anything else than SetRegion sets it."
            )
    ku, dind, axis = (values[first] for values in flat[1:])
    cell = float(f"{np.ptp(x) / (len(x) - 1):.9g}") if len(x) > 1 else 2 * x[0]
    return GrainMap.of(cell, region.reshape(shape[1:]), ku[:, 0], dind[:, 0], axis)
