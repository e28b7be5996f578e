"""The live device: its solver, its data, and that a browser computes what `forecast` does."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from spinode import SpinODE, forecast
from spinode.book import live, recordings
from spinode.devices.drives import HeldSequence, PulseSequence, RandomSine
from spinode.devices.protocols import ONE_SKYRMION, PAIR
from spinode.neural_ode.stages import StageInputs

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = 1000


def test_the_exported_rule_is_kuttas_three_eighths_rule():
    """Kutta (1901): the tableau as in Hairer, Norsett and Wanner, table 1.2."""
    rule = live.solver_rule()
    third = 1 / 3
    expected = [[0, 0, 0, 0], [third, 0, 0, 0], [-third, 1, 0, 0], [1, -1, 1, 0]]
    np.testing.assert_allclose(rule["a"], expected, atol=1e-15)
    np.testing.assert_allclose(rule["b"], [1 / 8, 3 / 8, 3 / 8, 1 / 8], atol=1e-15)
    assert rule["thirds"] == [0, 1, 2, 3]


def _models():
    """A model of each kind, with weights large enough to be far from linear."""
    sine = SpinODE(**ONE_SKYRMION.learning.units(0.768), k=2, width=50, seed=1)
    pair = SpinODE(**PAIR.learning.units(0.93), k=3, width=21, seed=2)
    for model in (sine, pair):
        for parameter in model.f.parameters():
            parameter.data *= 2.0
        # A pull to rest, without which random weights run away.
        model.f[4].weight.data *= -0.5
    return {
        "one input, sine": (sine, RandomSine(), np.full(2, 0.768)),
        "one input, held": (sine, HeldSequence((0.4, -0.7, 0.1, -0.2) * 200), np.full(2, 0.75)),
        "two inputs": (
            pair,
            PulseSequence("Ku", (7.8e5, 8.2e5), "Dind", pulse=3.1e-3, rest=3.0e-3),
            np.array([0.93, 0.931, 0.932]),
        ),
    }


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("name", _models())
def test_a_browser_forecasts_as_the_package_does(name, compiled, browser, tmp_path):
    model, drive, initial = _models()[name]
    duration = SAMPLES * model.sample_spacing
    expected = forecast(model, drive, initial=initial, duration=duration).mz.values
    assert np.std(expected) > 1e-4  # it does move
    inputs = StageInputs(model, drive).between(0, SAMPLES)
    (tmp_path / "data.js").write_text(live.script({"models": {"it": live.export_model(model)}}))
    (tmp_path / "forecast.js").write_text((ROOT / "book/static/forecast.js").read_text())
    (tmp_path / "index.html").write_text(
        '<!doctype html><script src="data.js"></script><script src="forecast.js"></script>'
    )
    page = browser.new_page()
    if not compiled:  # as in a browser without the instructions
        page.add_init_script("WebAssembly.Module = undefined")
    page.goto((tmp_path / "index.html").as_uri())
    used = page.evaluate("new SpinForecast(SPINODE.models.it).compiled !== null")
    assert used is compiled
    found = page.evaluate(
        "([inputs, initial]) => new SpinForecast(SPINODE.models.it).forecast(inputs, initial)",
        [inputs.T.tolist(), initial.tolist()],
    )
    page.close()
    assert len(found) == len(expected) == SAMPLES + 1
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)


def test_the_bytes_of_the_layer_are_those_of_its_text():
    wasmtime = pytest.importorskip("wasmtime", reason="no wasmtime: .[browser]")
    script = (ROOT / "book" / "static" / "forecast.js").read_text()
    held = base64.b64decode(re.search(r'const LAYER = "(.+?)"', script).group(1))
    text = (ROOT / "book" / "static" / "layer.wat").read_text()
    assert bytes(wasmtime.wat2wasm(text)) == held


def test_a_browser_stops_where_the_package_does(browser, tmp_path):
    model, drive, initial = _models()["one input, sine"]
    model.trained_range = {"mz": (0.767, 0.769), "Ku": (6e5, 1e6)}
    with pytest.warns(UserWarning, match="stopped at"):
        expected = forecast(model, drive, initial=initial, duration=5e-9).mz.values
    inputs = StageInputs(model, drive).between(0, SAMPLES)
    script = live.script({"models": {"it": live.export_model(model)}})
    page = browser.new_page()
    page.goto("about:blank")
    page.add_script_tag(content=script)
    page.add_script_tag(path=ROOT / "book/static/forecast.js")
    found = page.evaluate(
        "([inputs, initial]) => new SpinForecast(SPINODE.models.it).forecast(inputs, initial)",
        [inputs.T.tolist(), initial.tolist()],
    )
    page.close()
    np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)


def test_pictures_are_in_the_order_of_the_mean():
    generator = np.random.default_rng(0)
    time = 25e-12 * np.arange(9)
    m = generator.uniform(-1, 1, (9, 8, 8, 3))
    m /= np.linalg.norm(m, axis=-1, keepdims=True)
    m[:, 0, 0] = 0.0  # outside of the disk
    field = xr.DataArray(
        m,
        {"time": time, "component": ["x", "y", "z"]},
        ("time", "y", "x", "component"),
    )
    mean = m[..., 2].mean(axis=(1, 2))
    run = xr.Dataset({"mz": ("time", mean)}, {"time": time})
    found = recordings.pictures_of(field, run)
    assert found["mz"] == sorted(found["mz"])
    cells = np.array(found["cells"])
    assert (cells[:, 0] == 255).all() and (cells[:, 1:] < 255).all()
    first = m[mean.argmin(), ..., 2].ravel()[1:]
    np.testing.assert_allclose(cells[0, 1:] / 127 - 1, first, atol=1 / 127)


def test_a_model_of_the_profile_comes_before_the_one_that_is_shipped(tmp_path):
    models, missing = live.models_of(tmp_path, "quick")
    assert "skyrmion" in models
    assert set(models) | set(missing) == set(live.MODELS) and not set(models) & set(missing)
    own = SpinODE(**ONE_SKYRMION.learning.units(0.5), k=2, width=7, seed=1)
    path = tmp_path / "data" / "quick" / live.MODELS["skyrmion"][0]
    path.parent.mkdir(parents=True)
    own.save(path)
    models, _ = live.models_of(tmp_path, "quick")
    exported = live.export_model(models["skyrmion"])
    assert exported["width"] == 7 and exported["output"]["offset"] == 0.5
    json.dumps(exported, allow_nan=False)


def test_the_noise_of_the_oscillator_is_where_its_notebook_leaves_it():
    """Fails when notebook 06 names its results otherwise: the switch would do nothing."""
    found = json.loads((ROOT / "results" / "quick" / "oscillator.json").read_text())
    assert 1e-4 < live.input_noise(found)["estimate"] < 0.1  # V
    assert live.input_noise(None) is None
