"""The embedded engine against truths of physics that do not come from any engine."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_bvp

from spinode.analysis.metrics import nrmse
from spinode.devices.disks import SkyrmionDisk
from spinode.devices.protocols import D_TEST, FOUR_SKYRMIONS, ONE_SKYRMION, PAIR, surviving
from spinode.errors import InputError
from spinode.micromagnetics import simulate
from spinode.micromagnetics.demag import MU0, Demag, mumax3, newell
from spinode.micromagnetics.energy import effective_field, energy
from spinode.micromagnetics.field import Film, Texture, short_range, span_of, torque_field_at
from spinode.micromagnetics.llg import GAMMA, Integrator, stable_step
from spinode.micromagnetics.skyrmion import (
    cell_centres,
    film_of,
    seeded_state,
    topological_charge,
)

COARSE = replace(ONE_SKYRMION.device, cell=2e-9)


def film(ny, nx, cell=1e-9, thickness=1e-9, Msat=580e3, Aex=15e-12):
    return Film(np.ones((ny, nx), dtype=bool), cell, thickness, Msat, Aex)


def unit_vectors(shape, seed=0):
    m = np.random.default_rng(seed).normal(size=(3, *shape))
    return m / np.linalg.norm(m, axis=0)


# --- demagnetizing field ----------------------------------------------------------------------


def test_demag_trace_is_one_at_home_and_zero_elsewhere():
    n = newell(40, 30, 1.0, 1.0, 2.5)
    trace = n["xx"] + n["yy"] + n["zz"]
    assert trace[0, 0] == pytest.approx(1, abs=1e-12)
    trace[0, 0] = 0
    np.testing.assert_allclose(trace, 0, atol=1e-10)


def test_a_cube_demagnetizes_itself_by_a_third():
    n = newell(0, 0, 1.0, 1.0, 1.0)
    assert [n[c][0, 0] for c in ("xx", "yy", "zz")] == pytest.approx([1 / 3] * 3, abs=1e-13)
    assert n["xy"][0, 0] == pytest.approx(0, abs=1e-15)


def test_a_cube_of_many_cells_demagnetizes_itself_by_a_third_on_average():
    # 8 x 8 columns of height 8: the mean of N over all pairs of columns is that of the cube.
    n = newell(7, 7, 1.0, 1.0, 8.0)
    offset = np.abs(np.arange(8)[:, None] - np.arange(8))
    for component in ("xx", "yy", "zz"):
        pairs = n[component][offset[:, None, :, None], offset[None, :, None, :]]
        assert pairs.sum() / 64 == pytest.approx(1 / 3, abs=1e-12)


def test_far_cells_are_dipoles():
    n = newell(60, 40, 1.0, 1.0, 1.0)
    x, y = 60.0, 40.0
    r = np.hypot(x, y)
    dipole = {
        "xx": (r**2 - 3 * x**2) / (4 * np.pi * r**5),
        "zz": 1 / (4 * np.pi * r**3),
        "xy": -3 * x * y / (4 * np.pi * r**5),
    }
    for component, expected in dipole.items():
        assert n[component][40, 60] == pytest.approx(expected, rel=1e-3)


def test_midpoint_tensor_is_near_the_exact_one():
    exact, midpoint = newell(12, 12, 1.0, 1.0, 1.0), mumax3(12, 12, 1.0, 1.0, 1.0)
    for component, values in exact.items():
        np.testing.assert_allclose(midpoint[component], values, atol=3e-4)
        np.testing.assert_allclose(midpoint[component][7:], values[7:], atol=3e-6)
    assert np.abs(midpoint["zz"] - exact["zz"]).max() > 1e-4


def test_midpoint_tensor_of_two_far_cells_by_hand():
    # Five cells apart there is one point in the receiving cell and four on every face.
    corners = np.array([(a, b) for a in (-0.25, 0.25) for b in (-0.25, 0.25)])
    field = 0.0
    for charge, x in ((1, 0.5), (-1, -0.5)):
        away = np.stack([np.full(4, 6 - x), *corners.T])
        field += charge * np.mean(away[0] / np.linalg.norm(away, axis=0) ** 3) / (4 * np.pi)
    assert mumax3(8, 8, 1.0, 1.0, 1.0)["xx"][0, 6] == pytest.approx(-field, rel=1e-12)


@pytest.mark.parametrize("shape", [(4, 7), (5, 5), (1, 3)])
def test_fft_equals_the_sum_over_pairs(shape):
    ny, nx = shape
    m = unit_vectors(shape)
    n = newell(nx, ny, 2.0, 2.0, 3.0)
    expected = np.zeros_like(m)
    for j, i in np.ndindex(shape):
        for source_j, source_i in np.ndindex(shape):
            dj, di = j - source_j, i - source_i
            at = abs(dj), abs(di)
            if at == (0, 0):
                continue
            mx, my, mz = m[:, source_j, source_i]
            xy = n["xy"][at] * np.sign(dj) * np.sign(di)
            expected[0, j, i] -= n["xx"][at] * mx + xy * my
            expected[1, j, i] -= xy * mx + n["yy"][at] * my
            expected[2, j, i] -= n["zz"][at] * mz
    got = Demag(nx, ny, 2e-9, 3e-9, 580e3).remote(m)
    np.testing.assert_allclose(got, MU0 * 580e3 * expected, atol=1e-12)


# --- short-range field ------------------------------------------------------------------------


def test_the_fused_torque_is_that_of_the_textured_film():
    # An irregular film: free cells, notches and straight edges all occur.
    inside = np.random.default_rng(3).random((12, 17)) < 0.7
    layer = Film(inside, 1e-9, 1e-9, 580e3, 15e-12)
    m = unit_vectors(inside.shape) * inside
    uniform = Integrator(layer, 0.1, 1e-13, 1e-15)
    by_cell = Integrator(layer, 0.1, 1e-13, 1e-15, texture=Texture.uniform(layer, 8e5, 3.5e-3))
    uniform.start(m)
    by_cell.start(m)
    uniform.advance(8e5, 3.5e-3)
    by_cell.advance()
    assert np.abs(uniform.m - m).max() > 0.1
    np.testing.assert_allclose(uniform.m, by_cell.m, atol=1e-12)


def test_the_torque_of_a_textured_film_is_that_of_the_specification():
    inside = np.random.default_rng(8).random((9, 11)) < 0.7
    layer = Film(inside, 1e-9, 1e-9, 580e3, 15e-12)
    generator = np.random.default_rng(9)
    ku, dind = 8e5 * generator.random(inside.shape), 4e-3 * generator.random(inside.shape)
    texture = Texture(ku, unit_vectors(inside.shape, seed=10), dind)
    m = unit_vectors(inside.shape, seed=11) * inside
    rim = ((0, 0), (1, 1), (1, 1))
    flat = np.pad(m, rim).reshape(3, -1)
    field = np.zeros_like(flat)
    torque_field_at(span_of(inside), flat, texture.compiled(layer), field)
    field = field.reshape(3, 11, 13)[:, 1:-1, 1:-1]
    expected = np.cross(m, short_range(layer, texture, m), axis=0)
    assert np.abs(expected).max() > 100  # T
    np.testing.assert_allclose(np.cross(m, field, axis=0), expected, atol=1e-10)


def test_the_field_is_the_slope_of_the_energy():
    inside = np.random.default_rng(4).random((6, 7)) < 0.8
    layer = Film(inside, 1e-9, 2e-9, 580e3, 15e-12)
    generator = np.random.default_rng(5)
    shape = inside.shape
    axis = unit_vectors(shape, seed=6)
    texture = Texture(8e5 * generator.random(shape), axis, 3e-3 * (1 + generator.random(shape)))
    m = unit_vectors(shape, seed=7) * inside
    field = effective_field(layer, texture, m)
    nudge = 1e-6 * generator.normal(size=m.shape) * inside
    change = energy(layer, texture, m + nudge) - energy(layer, texture, m - nudge)
    moment = layer.Msat * layer.cell**2 * layer.thickness
    assert change == pytest.approx(-2 * moment * (field * nudge).sum(), rel=1e-6)


def test_unlike_grains_couple_through_the_harmonic_mean():
    layer = film(1, 2)
    texture = Texture.uniform(layer, 0.0, 0.0)
    texture.Dind[0] = 2e-3, 4e-3
    m = np.zeros((3, 1, 2))
    m[2] = 1.0
    # On the left cell: mz of its right neighbour through the mean 2 / (1/2 + 1/4) = 8/3 mJ/m2, and
    # the free side, where exchange and DMI of the ghost cancel for m along z.
    assert short_range(layer, texture, m)[0, 0, 0] == pytest.approx(8 / 3 * 1e-3 / (1e-9 * 580e3))


def test_the_edge_of_a_film_cants_by_its_dmi():
    # Rohart and Thiaville (2013): sin(theta) = Delta D / 2A, Delta = sqrt(A / K), without demag.
    layer = film(60, 60, Msat=1e4)
    step = stable_step(layer, 8e5, 2e-3)
    tilted = Integrator(layer, 1.0, 1e-12, step)
    m = np.zeros((3, 60, 60))
    m[2] = 1.0
    tilted.start(m)
    tilted.advance(8e5, 2e-3)
    canting = np.abs(tilted.m[0, 30, [0, -1]])
    # The outermost cell centre lies half a cell inside the edge.
    wall = np.sqrt(15e-12 / 8e5)
    expected = wall * 2e-3 / (2 * 15e-12) * np.exp(-0.5e-9 / wall)
    np.testing.assert_allclose(canting, expected, rtol=0.03)


# --- equation of motion -----------------------------------------------------------------------


def macrospin(alpha, step, duration, field=1.0):
    """Return m of one free cell in a field along z, and the analytic solution."""
    # Next to no Msat: of a cell's own field, part is extrapolated.
    spin = Integrator(film(1, 1, Msat=1e-3), alpha, duration, step, applied=(0, 0, field))
    spin.start(np.array([1.0, 0.0, 0.1]).reshape(3, 1, 1) / np.hypot(1.0, 0.1))
    spin.advance()
    rate = GAMMA * field / (1 + alpha**2)
    polar = 2 * np.arctan(np.tan(np.arctan2(1, 0.1) / 2) * np.exp(-alpha * rate * duration))
    turned = rate * duration
    exact = [np.sin(polar) * np.cos(turned), np.sin(polar) * np.sin(turned), np.cos(polar)]
    return spin.m.ravel(), np.array(exact)


@pytest.mark.parametrize("alpha", [1e-6, 0.01, 0.5])
def test_a_macrospin_precesses_and_is_damped(alpha):
    got, exact = macrospin(alpha, 20e-15, 200e-12)
    np.testing.assert_allclose(got, exact, atol=2e-5)


@pytest.mark.parametrize(("alpha", "order"), [(0.0, 4), (0.5, 2)])
def test_order_of_the_integrator(alpha, order):
    errors = []
    for step in (0.8e-12, 0.4e-12):
        got, exact = macrospin(alpha, step, 19.2e-12)
        errors.append(np.abs(got - exact).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.25)


def test_energy_never_rises_without_drive():
    layer = film_of(COARSE)
    texture = Texture.uniform(layer, COARSE.Ku, COARSE.Dind)
    settling = Integrator(layer, 0.1, 5e-12, stable_step(layer, COARSE.Ku, COARSE.Dind))
    settling.start(seeded_state(COARSE))
    energies = []
    for _ in range(60):
        energies.append(energy(layer, texture, settling.m))
        settling.advance(COARSE.Ku, COARSE.Dind)
    changes = np.diff(energies)
    assert changes.max() <= 1e-12 * abs(energies[0])
    assert energies[-1] < energies[0] - 1e-19


def test_standard_problem_4():
    # muMAG: permalloy film 500 x 125 x 3 nm; field 1 reverses it, mean mx crosses zero at 0.138 ns.
    layer = film(50, 200, cell=2.5e-9, thickness=3e-9, Msat=8e5, Aex=13e-12)
    s_state = Integrator(layer, 1.0, 2e-9, stable_step(layer))
    m = np.zeros((3, 50, 200))
    m[0], m[1] = np.cos(0.1), np.sin(0.1)
    s_state.start(m)
    s_state.advance()
    mean = s_state.m.mean(axis=(1, 2))
    np.testing.assert_allclose(mean[:2], [0.967, 0.125], atol=3e-3)

    field = (-24.6e-3, 4.3e-3, 0.0)
    switched = Integrator(layer, 0.02, 1e-12, stable_step(layer, applied=0.025), applied=field)
    switched.start(s_state.m)
    mx = [mean[0]]
    while mx[-1] > 0 and len(mx) < 300:
        switched.advance()
        mx.append(switched.m[0].mean())
    crossing = len(mx) - 2 + mx[-2] / (mx[-2] - mx[-1])
    assert crossing == pytest.approx(138, abs=1.5)


def test_length_is_kept_under_the_drive():
    for precision, rounding in (("double", 1e-12), ("single", 1e-6)):
        _, pictures = simulate(
            COARSE,
            ONE_SKYRMION.drive,
            engine="embedded",
            duration=0.1e-9,
            snapshots=0.1e-9,
            precision=precision,
            progress=False,
        )
        length = np.linalg.norm(pictures.m.values, axis=-1)[:, film_of(COARSE).inside]
        np.testing.assert_allclose(length, 1, atol=rounding)


def test_single_precision_is_enough():
    # The step and the extrapolated field cost 2e-4 of the motion.
    options = {"engine": "embedded", "duration": 0.4e-9, "progress": False}
    double, single = (
        simulate(COARSE, ONE_SKYRMION.drive, precision=precision, **options)
        for precision in ("double", "single")
    )
    assert nrmse(single.mz, double.mz) < 2e-5
    assert not np.array_equal(single.mz, double.mz)


# --- skyrmions --------------------------------------------------------------------------------


@pytest.mark.parametrize(("polarization", "turns"), [(-1, 1), (1, 1), (-1, -1)])
def test_topological_charge(polarization, turns):
    x = np.linspace(-1, 1, 64)
    polar = np.pi * np.clip(np.hypot(x, x[:, None]), 0, 1)  # 0 in the core, pi from r = 1 on
    angle = turns * np.arctan2(x[:, None], x)
    m = np.stack([np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle), np.cos(polar)])
    m[2] *= polarization
    inside = np.ones((64, 64), dtype=bool)
    assert topological_charge(m, inside) == pytest.approx(polarization * turns, abs=1e-9)


def test_every_seeded_skyrmion_counts():
    device = FOUR_SKYRMIONS.device
    assert topological_charge(seeded_state(device), film_of(device).inside) == pytest.approx(-4)


@pytest.mark.parametrize(("level", "lives"), [(2.85e-3, False), (2.9e-3, True)])
def test_on_coarse_cells_a_pulse_kills_the_skyrmion_of_a_weak_dmi(level, lives):
    """What `protocols.surviving` leaves out is what dies, and no more."""
    steps = replace(D_TEST.drive, levels=(level,))
    device = replace(D_TEST.device, cell=2e-9, Dind=level)
    run = simulate(device, steps, engine="embedded", spacing=5e-12, duration=1e-9, progress=False)
    assert ("annihilation" in run.attrs) is not lives
    assert (level in surviving(D_TEST, 2e-9, 2.6e-3, 3.4e-3)) is lives


def test_radius_of_a_relaxed_skyrmion():
    # The continuum skyrmion of a disk (Rohart and Thiaville 2013, eq. 6 and 8), solved as a
    # boundary value problem. A small Msat switches the demagnetization off.
    a, d, k, edge = 15e-12, 3e-3, 5.9e5, 40e-9

    def profile(r, theta):
        turn = np.sin(theta[0]) * np.cos(theta[0])
        bend = turn / r**2 - theta[1] / r - d / a * np.sin(theta[0]) ** 2 / r + k / a * turn
        return np.stack([theta[1], bend])

    def ends(core, rim):
        return np.array([core[0] - np.pi, rim[1] + d / (2 * a)])

    r = np.linspace(1e-12, edge, 400)
    guess = 2 * np.arctan(np.exp((6e-9 - r) / 5e-9))
    solved = solve_bvp(profile, ends, r, np.stack([guess, np.gradient(guess, r)]), max_nodes=10**5)
    expected = np.interp(np.pi / 2, solved.sol(r)[0][::-1], r[::-1])

    device = replace(PAIR.device, diameter=2 * edge, Msat=1e4, Ku=k, Dind=d)
    settled = Integrator(film_of(device), 1.0, 20e-12, stable_step(film_of(device), k, d))
    settled.start(seeded_state(device))
    settled.advance(k, d)
    x, mz = cell_centres(device)[40:], settled.m[2, 40, 40:]
    outside = np.argmax(mz > 0)
    radius = np.interp(0, mz[outside - 1 : outside + 1], x[outside - 1 : outside + 1])
    assert solved.success
    assert radius == pytest.approx(expected, rel=0.02)


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "oommf"}, "choose auto, mumax3 or embedded"),
        ({"engine": "embedded", "gpu": 1}, "no option 'gpu'"),
        ({"duration": 1e-6}, "does not fit the drive"),
        ({"duration": 1e-12}, "not a multiple of the spacing"),
        ({"snapshots": 3e-12}, "not a multiple of the spacing"),
        ({"duration": "1 ns"}, "give a number of seconds"),
        ({"device": ONE_SKYRMION}, "is not a SkyrmionDisk"),
        ({"drive": 4e9}, "is not a drive"),
        ({"spacing": 2.5}, "not between"),
        ({"engine": "embedded", "step": 1e-12}, "stability limit"),
        ({"engine": "embedded", "demag": "fmm"}, "choose one of"),
        ({"engine": "embedded", "precision": "half"}, "choose one of"),
    ],
)
def test_bad_options_are_refused_in_one_sentence(options, says):
    with pytest.raises(InputError, match=says) as caught:
        simulate(**{"device": SkyrmionDisk(), "drive": ONE_SKYRMION.drive} | options)
    assert "\n" not in str(caught.value)


WITHOUT_ROCKET_FFT = """
import sys
import types
import numpy as np
from numba import njit
FAULTS = {
    "absent": None,
    "broken": types.SimpleNamespace(c2c=len, c2r=len, r2c=len),
    "wrong": types.SimpleNamespace(c2c=len, c2r=len, r2c=njit(lambda *_: None)),
}
sys.modules["rocket_fft"] = FAULTS[sys.argv[3]]
from spinode.micromagnetics import demag, transforms
assert not transforms.KEPT
m = np.load(sys.argv[1])
np.save(sys.argv[2], demag.Demag(m.shape[2], m.shape[1], 2e-9, 1e-9, 580e3).remote(m))
"""


@pytest.mark.parametrize("fault", ["absent", "broken", "wrong"])
def test_without_rocket_fft_scipy_does_it(tmp_path, fault):
    """The demagnetizing field is the same to rounding; compiled code is then not kept.

    Absent is nothing to speak of; one that does not compile or is wrong is told in one line.
    """
    m = np.random.default_rng(0).normal(size=(3, 9, 12))
    np.save(tmp_path / "m.npy", m)
    files = tmp_path / "m.npy", tmp_path / "field.npy"
    command = [sys.executable, "-c", WITHOUT_ROCKET_FFT, *files, fault]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = Demag(12, 9, 2e-9, 1e-9, 580e3).remote(m)
    np.testing.assert_allclose(np.load(tmp_path / "field.npy"), expected, atol=1e-15)
    said = [line for line in done.stderr.splitlines() if "rocket-fft" in line]
    assert len(said) == (fault != "absent")
    assert all("; the engine uses scipy.fft, which is slower." in line for line in said)
