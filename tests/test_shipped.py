"""Trained models that come with the package, and the first minute with one of them."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from ruamel.yaml import YAML

from spinode import SpinODE, fit, forecast, load_model
from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import InputError
from spinode.micromagnetics.tables import read_table
from spinode.neural_ode import shipped
from spinode.paper import authors
from spinode.trajectory import label, resample
from spinode.workflow import demo
from spinode.workflow.cli import app

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", shipped.names())
def test_every_model_is_the_one_its_card_tells_of(name):
    model, card = load_model(name), shipped.card(name)
    weights = (shipped.folder() / f"{name}.npz").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == card["sha256"]
    assert len(weights) < 120_000
    assert len(card["commit"]) == 40
    assert card["trained_range"].keys() == {model.output.name, *(i.name for i in model.inputs)}
    for channel, (low, high) in card["trained_range"].items():
        assert low < high
        assert model.trained_range[channel] == (low, high)
    assert card["results"]


def test_a_first_forecast_takes_three_lines_and_stays_in_range():
    model = load_model("one_skyrmion")
    rest = np.full(model.k, model.output.offset)
    ahead = forecast(model, ONE_SKYRMION.drive, initial=rest, duration=10e-9)
    low, high = model.trained_range["mz"]
    assert low - 0.1 < ahead.mz.min() < ahead.mz.max() < high + 0.1
    assert ahead.sizes["time"] == 2001


def test_the_shipped_skyrmion_forecasts_what_it_never_saw(published_numbers):
    """Against MuMax3's table, published by the authors: the authors' own weights are 3.3 % off."""
    model = load_model("one_skyrmion")
    first, last = ONE_SKYRMION.learning.held_out
    spacing = ONE_SKYRMION.learning.sample_spacing
    truth = published_numbers["held_out"]
    start = label(xr.Dataset({"mz": ("time", truth["start"])}))
    start = start.assign_coords(time=spacing * (first + np.arange(start.sizes["time"])))
    ahead = forecast(
        model, ONE_SKYRMION.drive, initial=start, duration=(last - first - 1) * spacing
    )
    found = ahead.mz.values[:: truth["every"]]
    assert nrmse(found, np.array(truth["values"])[: len(found)]) < 0.033


@pytest.mark.long
def test_the_shipped_skyrmion_comes_out_again(paper_data):
    """Trained anew by its profile's parameters, as notebook 02 does, from the same seed."""
    profile = YAML(typ="safe").load(ROOT / "profiles" / "quick.yaml")["training"]
    card, old = shipped.card("one_skyrmion"), load_model("one_skyrmion")
    spacing, seed = old.sample_spacing, card["results"]["seeds"][0]
    start, stop, end = (profile[name] for name in ("train_start", "train_stop", "validation_stop"))
    table = read_table(paper_data / authors.ONE_SKYRMION_TABLE)
    signal = resample(table, spacing, profile["heldout_stop"] * spacing)
    new = SpinODE(**ONE_SKYRMION.learning.units(signal), k=old.k, width=profile["width"], seed=seed)
    fit(
        new,
        signal,
        inputs=ONE_SKYRMION.drive,
        train=(start, stop),
        validation=(stop, end),
        iterations=profile["iterations"],
        lm_steps=profile["lm_steps"],
        patience=12,
        seed=seed,
        progress=False,
    )
    # Another processor rounds differently, which training makes 1e-6 of a weight and 1e-8 of mz
    for mine, its in zip(new.parameters(), old.parameters(), strict=True):
        np.testing.assert_allclose(mine.detach(), its.detach(), atol=1e-3)
    truth = signal.isel(time=slice(end, None))
    ahead = [forecast(one, ONE_SKYRMION.drive, initial=truth, duration=10e-9) for one in (old, new)]
    np.testing.assert_allclose(ahead[0].mz, ahead[1].mz, atol=1e-5)


@pytest.mark.parametrize("name", shipped.names())
def test_the_files_of_models_hold_numbers_and_text_alone(name):
    with np.load(shipped.folder() / f"{name}.npz", allow_pickle=False) as contents:
        kinds = {one: contents[one].dtype.kind for one in contents.files}
    assert kinds.pop("description") == "U"
    assert set(kinds.values()) == {"f"}


def test_a_name_that_does_not_exist_gets_a_hint():
    with pytest.raises(InputError, match="did you mean one_skyrmion"):
        load_model("one_skyrmoin")


def test_models_are_listed():
    said = CliRunner().invoke(app, ["models"]).output
    assert all(name in said for name in shipped.names())


def test_demo_compares_a_forecast_with_micromagnetics(tmp_path):
    """On a tenth of a nanosecond, from the rest that both share."""
    found = demo.demo(tmp_path / "demo.png", points=4, simulated=0.1e-9, progress=False)
    assert found.error < 0.05
    assert found.ratio > 1
    assert found.figure.read_bytes().startswith(b"\x89PNG")
