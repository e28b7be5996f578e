"""The demagnetizing field of a film one cell thick.

A cell-averaged tensor is convolved with the magnetization by zero-padded FFT; in a single layer it
has four components that are not zero: xx, yy, zz and xy. There are two versions of it. `newell` is
exact (Newell, Williams and Dunlop, J. Geophys. Res. 98, 9551 (1993)). `mumax3` integrates over near
cells by the midpoint rule that MuMax3 uses (Vansteenkiste et al., AIP Advances 4, 107133 (2014)).
The error of that rule acts like 0.1 % of the shape anisotropy of a film: little, but most of what
separates an exact engine from MuMax3 when a skyrmion is driven near its resonance.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import scipy.fft
from numba import njit

from spinode.micromagnetics.transforms import KEPT, c2c, c2r, r2c

MU0 = 4e-7 * np.pi


def _arcsinh_ratio(a, b, c):
    """arcsinh(a / sqrt(b^2 + c^2)), zero where its prefactor vanishes."""
    norm = np.hypot(b, c)
    return np.arcsinh(a / np.where(norm == 0, np.inf, norm))


def _arctan_ratio(a, b):
    return np.arctan(a / np.where(b == 0, np.inf, b))


def _newell_f(x, y, z):
    """Newell's f, whose second differences give the diagonal of the tensor."""
    x, y, z = np.abs(x), np.abs(y), np.abs(z)
    r = np.sqrt(x**2 + y**2 + z**2)
    return (
        y / 2 * (z**2 - x**2) * _arcsinh_ratio(y, x, z)
        + z / 2 * (y**2 - x**2) * _arcsinh_ratio(z, x, y)
        - x * y * z * _arctan_ratio(y * z, x * r)
        + (2 * x**2 - y**2 - z**2) * r / 6
    )


def _newell_g(x, y, z):
    """Newell's g, whose second differences give the off-diagonal of the tensor."""
    z = np.abs(z)
    r = np.sqrt(x**2 + y**2 + z**2)
    return (
        x * y * z * _arcsinh_ratio(z, x, y)
        + y / 6 * (3 * z**2 - y**2) * _arcsinh_ratio(x, y, z)
        + x / 6 * (3 * z**2 - x**2) * _arcsinh_ratio(y, x, z)
        - z**3 / 6 * _arctan_ratio(x * y, z * r)
        - z * y**2 / 2 * _arctan_ratio(x * z, y * r)
        - z * x**2 / 2 * _arctan_ratio(y * z, x * r)
        - x * y * r / 3
    )


def newell(nx: int, ny: int, dx: float, dy: float, dz: float) -> dict[str, np.ndarray]:
    """Return the exact cell-averaged demagnetizing tensor between cells of one layer.

    Parameters
    ----------
    nx, ny : int
        Largest offsets wanted, in cells.
    dx, dy, dz : float
        Cell edges in any one unit.

    Returns
    -------
    dict of ndarray, shape (ny + 1, nx + 1)
        Components ``xx``, ``yy``, ``zz``, ``xy`` at offsets 0..ny, 0..nx; ``H = -N M``. The sum
        of the diagonal is 1 at offset zero and 0 elsewhere.
    """
    # The sixfold differences cancel as the cube of the distance: extended precision, where the
    # platform has it, keeps far offsets exact.
    x = np.arange(-1, nx + 2, dtype=np.longdouble) * np.longdouble(dx)
    y = np.arange(-1, ny + 2, dtype=np.longdouble)[:, None] * np.longdouble(dy)

    def second_difference(function, order):
        def at(z):
            point = (x, y, np.longdouble(z))
            return function(*(point[axis] for axis in order)) + np.zeros((ny + 3, nx + 3))

        values = 2 * (at(0) - at(dz))
        values = 2 * values[:, 1:-1] - values[:, 2:] - values[:, :-2]
        values = 2 * values[1:-1] - values[2:] - values[:-2]
        return (values / (4 * np.pi * dx * dy * dz)).astype(float)

    return {
        "xx": second_difference(_newell_f, (0, 1, 2)),
        "yy": second_difference(_newell_f, (1, 0, 2)),
        "zz": second_difference(_newell_f, (2, 1, 0)),
        "xy": second_difference(_newell_g, (0, 1, 2)),
    }


_ACCURACY = 6  # integration points per distance, MuMax3's DemagAccuracy
_AT_ONCE = 2**16  # pairs of points in memory


def mumax3(nx: int, ny: int, dx: float, dy: float, dz: float) -> dict[str, np.ndarray]:
    """Return the tensor as MuMax3 integrates it; arguments and result are those of `newell`.

    The field of the charges on two opposite faces, averaged over the receiving cell, by the
    midpoint rule: points in the cell are about a sixth of the gap between the cells apart, those
    on the faces half of that. The number of points is rounded, not rounded up, and is one from a
    gap of four cells on: that decides the fifth digit of a relaxed mz.
    """
    cell = np.array([dx, dy, dz])
    j, i = (part.ravel() for part in np.mgrid[: ny + 1, : nx + 1])
    offset = np.stack([i, j, 0 * i], axis=-1)
    gap = np.linalg.norm(np.maximum(offset - 1, 0) * cell, axis=-1)
    gap[gap == 0] = cell.min()
    points = (np.maximum(_ACCURACY * cell / gap[:, None], 1) + 0.5).astype(int)
    tensor = np.empty((len(offset), 3, 3))
    for count in np.unique(points, axis=0):
        alike = (points == count).all(axis=-1)
        tensor[alike] = _midpoint(offset[alike] * cell, cell, count)
    tensor = tensor.reshape(ny + 1, nx + 1, 3, 3)
    components = {"xx": (0, 0), "yy": (1, 1), "zz": (2, 2), "xy": (0, 1)}
    return {name: tensor[:, :, to, source] for name, (to, source) in components.items()}


def _midpoint(distance, cell, points):
    """Return the tensors at ``distance``, shape (n, 3), as (n, 3, 3): [:, :, s] is of m along s."""

    def midpoints(axis, count):
        return (np.arange(count) + 0.5) / count * cell[axis] - cell[axis] / 2

    receiver = np.stack(np.meshgrid(*map(midpoints, range(3), points)), -1).reshape(-1, 1, 3)
    result = np.zeros((len(distance), 3, 3))
    for normal in range(3):
        across = [(normal + 1) % 3, (normal + 2) % 3]
        grid = np.meshgrid(*(midpoints(axis, 2 * points[axis]) for axis in across))
        face = np.zeros((grid[0].size, 3))
        face[:, across] = np.stack(grid, -1).reshape(-1, 2)
        charge = np.prod(cell[across]) / (4 * np.pi)
        for side in (1, -1):
            face[:, normal] = side * cell[normal] / 2
            between = (receiver - face).reshape(-1, 3)
            for some in np.array_split(between, 1 + len(between) * len(distance) // _AT_ONCE):
                away = distance[:, None] + some
                field = away / np.sum(away**2, axis=-1, keepdims=True) ** 1.5
                result[:, :, normal] -= side * charge / len(between) * field.sum(axis=1)
    return result


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _multiply(spectra, field):
    """Apply the tensor to a transformed magnetization, in place."""
    xx, yy, zz, xy = spectra
    for j in range(xx.shape[0]):
        for i in range(xx.shape[1]):
            x, y, z = field[0, j, i], field[1, j, i], field[2, j, i]
            field[0, j, i] = xx[j, i] * x + xy[j, i] * y
            field[1, j, i] = xy[j, i] * x + yy[j, i] * y
            field[2, j, i] = zz[j, i] * z


@njit(cache=KEPT, nogil=True, error_model="numpy")
def remote_at(m, kernel, out):
    """Write the remote field in T to ``out``, shape (3, ny, nx) as ``m``; for `Demag.kernel`."""
    spectra, scale, rows, spectrum, padded = kernel
    ny, nx = m.shape[1:]
    height, width = padded.shape[1], rows.shape[2]
    along_x, along_y = np.array([2]), np.array([1])
    # Loops, here and where else copying is compiled: numba compiles a slice's assignment, with
    # all that its error message takes, for seconds.
    for axis in range(3):
        for j in range(ny):
            for i in range(nx):
                rows[axis, j, i] = m[axis, j, i] * -scale
            for i in range(nx, width):
                rows[axis, j, i] = 0.0
    r2c(rows, spectrum, along_x, True, 1.0, 1)
    # Rows beyond the layer are padding: the transforms along x skip them.
    c2c(spectrum, padded, along_y, True, 1.0, 1)
    _multiply(spectra, padded)
    c2c(padded, padded, along_y, False, 1.0 / height, 1)
    c2r(padded[:, :ny], rows, along_x, False, 1.0 / width, 1)
    for axis in range(3):
        for j in range(ny):
            for i in range(nx):
                out[axis, j, i] = rows[axis, j, i]


@lru_cache(maxsize=16)  # building a tensor takes longer than a thousand fields
def _spectra(ny, nx, aspect, tensor, local):
    """Return the padded shape, the transformed remote tensor, and the local N_zz - N_xx."""
    height, width = (scipy.fft.next_fast_len(2 * n - 1, real=True) for n in (ny, nx))
    quadrant = tensor(width // 2, height // 2, 1.0, 1.0, aspect)
    own = {name: values[0, 0] for name, values in quadrant.items()}
    if local is not None:
        own = {"xx": (1 - local) / 2, "yy": (1 - local) / 2, "zz": local, "xy": 0.0}
    j, i = np.arange(height)[:, None], np.arange(width)
    spectra = {}
    for name, values in quadrant.items():
        kernel = values[np.minimum(j, height - j), np.minimum(i, width - i)]
        if name == "xy":  # odd in x and in y, hence zero at the offset that mirrors itself
            kernel = kernel * np.sign(height - 2 * j) * np.sign(width - 2 * i)
        kernel[0, 0] -= own[name]
        spectra[name] = scipy.fft.rfft2(kernel).real
    ordered = tuple(spectra[name] for name in ("xx", "yy", "zz", "xy"))
    return (height, width), ordered, own["zz"] - own["xx"]


class Demag:
    """Demagnetizing field of a layer of nx by ny cells.

    Parameters
    ----------
    nx, ny : int
        Cells of the layer.
    cell, thickness : float
        In-plane edge and thickness of a cell in m.
    Msat : float
        Saturation magnetization in A/m.
    tensor : function
        `newell` or `mumax3`.
    wavenumber : float, optional
        In 1/m: makes the remote field as small as can be for magnetization that varies in space
        with it.
    dtype : type
        Of the fields, ``numpy.float64`` or ``numpy.float32``.

    Attributes
    ----------
    local : float
        Strength in T of the local field ``-local * mz`` along z. Its isotropic part is left out:
        it is parallel to m and exerts no torque.
    kernel : tuple
        What `remote_at`, the compiled inside of `remote`, takes: the transformed tensor, the scale
        in T, and working memory, so that no two threads may share it.

    Notes
    -----
    The field is split in a local part, which changes as fast as m does, and a remote one, for an
    integrator that takes the first exactly and the second at longer intervals. By default the
    local part is the field of a cell on itself. With a wavenumber k it is the response of a film of
    thickness d to a wave of that length, N_zz = (1 - exp(-kd)) / kd (Harte, J. Appl. Phys. 39, 1503
    (1968)): the remote field of such waves, which turn fast, then nearly vanishes.
    """

    def __init__(
        self,
        nx: int,
        ny: int,
        cell: float,
        thickness: float,
        Msat: float,
        tensor: Callable = newell,
        wavenumber: float | None = None,
        dtype: type = np.float64,
    ):
        local = None
        if wavenumber is not None:
            local = -np.expm1(-wavenumber * thickness) / (wavenumber * thickness)
        (height, width), spectra, anisotropy = _spectra(ny, nx, thickness / cell, tensor, local)
        scale = MU0 * Msat
        self.local = scale * anisotropy
        self.kernel = (
            tuple(component.astype(dtype) for component in spectra),
            dtype(scale),
            np.zeros((3, ny, width), dtype),
            np.zeros((3, ny, width // 2 + 1), np.result_type(dtype, np.complex64)),
            np.zeros((3, height, width // 2 + 1), np.result_type(dtype, np.complex64)),
        )

    def remote(self, m: np.ndarray) -> np.ndarray:
        """Return the field in T, shape (3, ny, nx), of the remote part at each cell.

        Parameters
        ----------
        m : ndarray, shape (3, ny, nx)
            Magnetization, zero outside the geometry.
        """
        field = np.empty(m.shape)
        remote_at(m, self.kernel, field)
        return field
