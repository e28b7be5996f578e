"""What a neural ODE learns from: units, stretches, and whose signal it is."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spinode.devices.drives import RandomSinePair
from spinode.devices.learning import OSCILLATOR
from spinode.devices.protocols import KU_TEST, ONE_SKYRMION, PAIR, PROTOCOLS
from spinode.errors import InputError
from spinode.micromagnetics.recording import describe
from spinode.neural_ode.model import SpinODE
from spinode.paper import authors
from spinode.paper.models import MODELS
from spinode.paper.recordings import TABLES, as_described, recording
from spinode.trajectory import label, save

LEARNED = [one for one in PROTOCOLS.values() if one.learning]


def test_units_are_the_papers():
    """Normalized: (mz - mz(0)) * 10, (Ku - 8e5) / 2e5, 0.025 a sample; volts * 10, 0.0125."""
    model = SpinODE(**ONE_SKYRMION.learning.units(0.768))
    assert model.output.normalize(0.868) == pytest.approx(1.0)
    assert model.normalize_inputs(np.array([[1e6]])) == pytest.approx(1.0)
    assert model.step == pytest.approx(0.025)
    pair = SpinODE(**PAIR.learning.units(0.9))
    assert pair.normalize_inputs(np.array([[8.5e5, 3.4e-3]])) == pytest.approx(1.0)
    oscillator = SpinODE(**OSCILLATOR.units())
    assert (oscillator.output.normalize(0.1), oscillator.step) == pytest.approx((1.0, 0.0125))


@pytest.mark.parametrize("protocol", LEARNED, ids=lambda one: one.name)
def test_stretches_follow_one_another_within_the_drive(protocol):
    learning = protocol.learning
    assert learning.train[1] == learning.validation[0]
    assert learning.validation[1] == learning.held_out[0]
    last = learning.held_out[1] * learning.sample_spacing
    assert last <= protocol.drive.duration * (1 + 1e-9)


def simulated_in(folder, drive, duration=20e-12):
    """Leave a short run under ``folder``, as notebook 01 does; return where to look for it."""
    time = 2.5e-12 * np.arange(round(duration / 2.5e-12) + 1)
    columns = {"mz": ("time", 0.77 + 1e-3 * np.arange(time.size))}
    columns |= {name: ("time", values) for name, values in drive.sample(time).items()}
    attributes = {"engine": "embedded", "drive": describe(drive)}
    save(label(xr.Dataset(columns, {"time": time}, attributes)), folder / "pair.nc")
    return folder.joinpath


def test_a_run_of_ones_own_comes_with_the_drive_it_had(tmp_path):
    driven = RandomSinePair(
        *(
            replace(one, amplitude=0.5 * one.amplitude)
            for one in (PAIR.drive.first, PAIR.drive.second)
        )
    )
    found = recording(PAIR, simulated_in(tmp_path, driven), published=False)
    assert found.drive == driven
    assert "notebook 01" in found.source
    np.testing.assert_allclose(np.diff(found.signal.time), PAIR.learning.sample_spacing)
    sampled = found.drive.sample(found.signal.time.values)
    np.testing.assert_allclose(found.signal.Dind, sampled["Dind"], rtol=1e-3)
    kept = recording(PAIR, tmp_path.joinpath, published=False, samples=2).signal
    assert kept.sizes["time"] == 3
    longer = recording(PAIR, tmp_path.joinpath, published=False, samples=10**6).signal
    assert longer.sizes["time"] == found.signal.sizes["time"]


def test_every_drive_survives_its_description():
    import json

    for protocol in LEARNED:
        assert as_described(protocol.drive, json.loads(describe(protocol.drive))) == protocol.drive


def test_the_published_run_goes_first(paper_data, monkeypatch):
    monkeypatch.setattr(authors, "folder", lambda: paper_data)
    for protocol in (ONE_SKYRMION, PAIR):
        found = recording(protocol, lambda name: pytest.fail("looked elsewhere"), samples=50)
        assert "published" in found.source
        assert found.drive == protocol.drive
        # The first row is the rest that the published weights refer to.
        assert float(found.signal.mz[0]) == pytest.approx(MODELS[protocol.name].rest, abs=1e-7)


def test_bad_input(tmp_path):
    with pytest.raises(InputError, match="does not train on 'ku_test'"):
        recording(KU_TEST, tmp_path.joinpath)
    with pytest.raises(InputError, match="there is no trajectory"):
        recording(ONE_SKYRMION, tmp_path.joinpath, published=False)
    with pytest.raises(InputError, match="lacks 'mz'; it has voltage"):
        ONE_SKYRMION.learning.units(xr.Dataset({"voltage": ("time", np.ones(3))}))
    assert set(TABLES) == {one.name for one in LEARNED}
