"""Simulations that are kept, and trained models that stand in for a device."""

from dataclasses import replace

import numpy as np
import pytest

from spinode.devices.disks import SkyrmionDisk
from spinode.devices.drives import HeldSequence
from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import InputError
from spinode.micromagnetics import kept, simulate
from spinode.micromagnetics.kept import simulate_once
from spinode.micromagnetics.pieces import simulate_in_pieces
from spinode.neural_ode.forecast import forecast
from spinode.neural_ode.model import SpinODE
from spinode.reservoir.twin import twin_states

SMALL = SkyrmionDisk(diameter=32e-9, cell=2e-9, skyrmions=(), relax_time=0.0, Ku=6e5, Dind=1e-3)
VALUES = (0.1, -0.2, 0.3, -0.1)


@pytest.fixture
def counted(monkeypatch):
    """Count the simulations that are really run."""
    runs = []

    def simulate(device, drive, **options):
        runs.append(drive)
        return original(device, drive, **options)

    original = kept.simulate
    monkeypatch.setattr(kept, "simulate", simulate)
    return runs


def test_a_kept_run_serves_itself_and_shorter_ones(tmp_path, counted):
    path = tmp_path / "runs" / "small.nc"
    options = {"spacing": 5e-12, "progress": False, "engine": "embedded"}
    first = simulate_once(path, SMALL, HeldSequence(VALUES), **options)
    again = simulate_once(path, SMALL, HeldSequence(VALUES), **options)
    shorter = simulate_once(path, SMALL, HeldSequence(VALUES[:2]), **options)
    assert len(counted) == 1
    np.testing.assert_array_equal(again.mz, first.mz)
    np.testing.assert_array_equal(shorter.mz, first.mz[:5])
    assert not path.with_suffix(".checkpoint").exists()
    # It is not taken for a longer one, another drive, spacing or device.
    simulate_once(path, SMALL, HeldSequence((*VALUES, 0.2)), **options)
    simulate_once(path, SMALL, HeldSequence((0.1, 0.2)), **options)
    simulate_once(path, SMALL, HeldSequence((0.1, 0.2)), **options | {"spacing": 2.5e-12})
    other = SkyrmionDisk(**vars(SMALL) | {"alpha": 0.02})
    simulate_once(path, other, HeldSequence((0.1, 0.2)), **options | {"spacing": 2.5e-12})
    assert len(counted) == 5
    finer = options | {"spacing": 2.5e-12, "precision": "double"}
    run = simulate_once(path, other, HeldSequence((0.1, 0.2)), **finer)
    assert len(counted) == 6 and run.attrs["precision"] == "double"


def test_a_twin_gives_the_states_of_its_forecast():
    model = SpinODE(**ONE_SKYRMION.learning.units(0.77), width=6, seed=2)
    masked = np.random.default_rng(0).uniform(-0.4, 0.4, (3, 5))
    states = twin_states(model, masked)
    run = forecast(model, HeldSequence(masked), initial=np.full(2, 0.77))
    expected = (run.mz.values[:-1:2].reshape(3, 5) - 0.77) / 0.1
    np.testing.assert_allclose(states, expected, atol=1e-12)
    model.trained_range = {"mz": (0.7699, 0.7701), "Ku": (4e5, 1.2e6)}
    assert twin_states(model, 20 * masked) is None
    with pytest.raises(InputError, match="one row a point"):
        twin_states(model, masked.ravel())
    with pytest.raises(InputError, match="not a multiple"):
        twin_states(model, masked, hold=7e-12)


def test_pieces_of_a_device_that_forgets_are_the_uncut_run(tmp_path, counted):
    """A strongly damped disk: what its pieces do not remember decays with the warm-up."""
    device = replace(SMALL, alpha=0.3)
    values = np.random.default_rng(5).uniform(-0.4, 0.4, 24)
    drive = HeldSequence(values)
    options = {"spacing": 5e-12, "progress": False}
    uncut = simulate(device, drive, engine="embedded", **options)
    farthest = []
    for warm_up in (0.0, 20e-12, 60e-12):
        folder = tmp_path / f"{warm_up:g}"
        cut = simulate_in_pieces(folder, device, drive, piece=80e-12, warm_up=warm_up, **options)
        assert cut.sizes == uncut.sizes
        np.testing.assert_allclose(cut.time, uncut.time, rtol=1e-12)
        np.testing.assert_allclose(cut.Ku, uncut.Ku)
        farthest.append(float(abs(cut.mx - uncut.mx).max() + abs(cut.mz - uncut.mz).max()))
    assert len(counted) == 9
    assert farthest[0] > 10 * farthest[1] > 100 * farthest[2]
    # What is kept is read again.
    again = simulate_in_pieces(folder, device, drive, piece=80e-12, warm_up=60e-12, **options)
    assert len(counted) == 9
    np.testing.assert_array_equal(again.mz, cut.mz)
    with pytest.raises(InputError, match="not a multiple of the spacing"):
        simulate_in_pieces(folder, device, drive, piece=81e-12, warm_up=0.0, **options)
