"""Relaxation: downhill without precession, and MuMax3's own relaxed states."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinode.devices.grains import Grains, published_grains
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION, PROTOCOLS
from spinode.errors import InputError, SpinodeError
from spinode.micromagnetics import relaxation
from spinode.micromagnetics.energy import effective_field, energy
from spinode.micromagnetics.field import Film, Texture
from spinode.micromagnetics.grains import read_grains, texture_of
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.relaxation import descend, relax
from spinode.micromagnetics.skyrmion import film_of, seeded_state

COARSE = replace(ONE_SKYRMION.device, cell=2e-9)
MUMAX3 = Path(__file__).resolve().parent.parent.parent / "shared" / "mumax3-runs"


def mean_mz(device, m):
    return m[2].sum() / np.count_nonzero(film_of(device).inside)


def test_a_macrospin_falls_straight_to_its_easy_axis():
    # Precession would turn the azimuth several times on the way.
    film = Film(np.ones((1, 1), dtype=bool), 1e-9, 1e-9, 1e4, 15e-12)
    start = np.array([0.6, 0.3, np.sqrt(1 - 0.45)]).reshape(3, 1, 1)
    m = descend(film, Texture.uniform(film, 8e5, 0.0), start, settled=0.1).ravel()
    assert 0 < np.hypot(m[0], m[1]) < 1e-3
    assert m[1] / m[0] == pytest.approx(0.5, rel=1e-9)


def test_the_result_is_at_rest_and_lower():
    film = film_of(COARSE)
    texture = Texture.uniform(film, COARSE.Ku, COARSE.Dind)
    seeded = seeded_state(COARSE)
    m = descend(film, texture, seeded)
    torque = np.cross(m, effective_field(film, texture, m), axis=0)
    assert np.linalg.norm(torque, axis=0).max() < 0.05  # with the exact tensor instead
    assert energy(film, texture, m) < energy(film, texture, seeded)
    np.testing.assert_allclose(np.linalg.norm(m, axis=0)[film.inside], 1, atol=1e-12)


def test_a_descent_that_does_not_end_is_reported(monkeypatch):
    # By descend(): relax() remembers devices that other tests of the same process relaxed.
    monkeypatch.setattr(relaxation, "_MOST_STEPS", 5)
    film = film_of(COARSE)
    texture = Texture.uniform(film, COARSE.Ku, COARSE.Dind)
    with pytest.raises(SpinodeError, match="does not settle: after 5 steps"):
        descend(film, texture, seeded_state(COARSE))


# What MuMax3 has at t = 1 ns: first rows of the published tables (the four skyrmions' table was
# not published; MuMax3 3.10 gives this for its script).
@pytest.mark.parametrize(
    ("name", "mz"),
    [
        ("one_skyrmion", 0.7680944),
        ("four_skyrmions", 0.7707946),
        pytest.param("pair", 0.9325028, marks=pytest.mark.long),
        pytest.param("ku_test", 0.90614504, marks=pytest.mark.long),
        pytest.param("d_test", 0.9671613, marks=pytest.mark.long),
    ],
)
def test_relaxed_mz_is_that_of_mumax3(name, mz):
    device = PROTOCOLS[name].device
    assert mean_mz(device, relax(device)) == pytest.approx(mz, abs=2e-6)


def test_the_four_skyrmions_relax_to_the_state_of_mumax3_in_every_cell():
    if not MUMAX3.is_dir():
        pytest.skip("the pictures of a MuMax3 run are not beside this clone")
    device = FOUR_SKYRMIONS.device
    film = film_of(device)
    m = descend(film, texture_of(device, film), seeded_state(device))
    expected = read_ovf(MUMAX3 / "four_skyrmions" / "m_relax.ovf").values[0]
    np.testing.assert_allclose(np.moveaxis(m, 0, -1), expected, atol=1e-3)


def test_a_dead_skyrmion_is_reported():
    weak = replace(COARSE, Dind=1e-3, relax_time=0.0)
    with pytest.raises(SpinodeError, match=r"some died; raise Dind or lower Ku\."):
        relax(weak)


# --- grains -----------------------------------------------------------------------------------


def texture(device):
    return texture_of(device, film_of(device))


def test_random_grains_have_the_announced_statistics():
    device = replace(FOUR_SKYRMIONS.device, cell=2e-9, grains=Grains())
    drawn = texture(device)
    np.testing.assert_allclose(np.linalg.norm(drawn.axis, axis=0), 1)
    assert np.abs(drawn.axis[:2] / drawn.axis[2]).max() <= 0.1
    values = np.unique(drawn.Ku)
    assert 60 < len(values) <= 98
    assert values.std() / 8e5 == pytest.approx(0.2, rel=0.25)
    assert np.array_equal(texture(device).Dind, drawn.Dind)
    other = texture(replace(device, grains=Grains(seed=7)))
    assert not np.array_equal(other.Ku, drawn.Ku)


def test_a_map_of_grains_serves_any_cell():
    fine = texture(FOUR_SKYRMIONS.device)
    coarse = texture(replace(FOUR_SKYRMIONS.device, cell=2e-9))
    np.testing.assert_array_equal(coarse.Ku, fine.Ku[1::2, 1::2])
    np.testing.assert_array_equal(coarse.axis, fine.axis[:, 1::2, 1::2])


def write_ovf(path, values):
    ny, nx, count = values.shape
    header = "".join(
        f"# {key}: {value}\n"
        for axis, n in (("x", nx), ("y", ny), ("z", 1))
        for key, value in (
            (f"{axis}nodes", n),
            (f"{axis}stepsize", 1e-9),
            (f"{axis}base", 5e-10),
        )
    )
    numbers = "\n".join(" ".join(map(repr, row)) for row in values.reshape(-1, count).tolist())
    path.write_text(
        f"# OOMMF OVF 2.0\n# Begin: Header\n# valuedim: {count}\n# meshunit: m\n{header}"
        f"# End: Header\n# Begin: Data Text\n{numbers}\n# End: Data Text\n"
    )
    return path


def saved_by_mumax3(folder, grains):
    region = np.reshape(grains.region, (grains.cells, grains.cells))
    names = {
        "regions": 3 * region[..., None],  # numbers need not be in order
        "Ku1": np.array(grains.Ku)[region][..., None],
        "Dind": np.array(grains.Dind)[region][..., None],
        "anisU": np.array(grains.axis)[region],
    }
    return [write_ovf(folder / f"{name}.ovf", values) for name, values in names.items()]


def test_grains_that_mumax3_saved_are_read(tmp_path):
    paths = saved_by_mumax3(tmp_path, published_grains())
    assert read_grains(*paths) == replace(published_grains(), recipe=None)


def test_grains_that_do_not_fit_are_refused(tmp_path):
    paths = saved_by_mumax3(tmp_path, published_grains())
    write_ovf(paths[2], np.zeros((120, 60, 1)))
    with pytest.raises(InputError, match=r"Dind.ovf has 60 x 120 x 1 cells"):
        read_grains(*paths)
    write_ovf(paths[2], np.random.default_rng(0).random((120, 120, 1)))
    with pytest.raises(InputError, match=r"Dind.ovf: the value changes within region 0"):
        read_grains(*paths)
