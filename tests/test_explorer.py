"""The explorer of a trained model."""

import nbformat
import numpy as np
import pytest

from spinode import forecast, load_model
from spinode.book import explorer
from spinode.devices.drives import HeldSequence
from spinode.errors import InputError


def test_its_forecast_is_the_packages_own():
    model = load_model("one_skyrmion")
    inputs = explorer.drive(model, {"Ku": 8.4e5}, "hold", 1e5, 50)
    run, said = explorer.answer(model, inputs)
    held = HeldSequence((0.2,) * 2000)
    expected = forecast(
        model, held, initial=np.full(model.k, model.output.offset), duration=float(run.time[-1])
    )
    np.testing.assert_allclose(run.mz.values, expected.mz.values, atol=1e-9)
    assert said == ""


def test_it_says_when_the_drive_leaves_the_trained_range():
    model = load_model("one_skyrmion")
    _, said = explorer.answer(model, explorer.drive(model, {"Ku": 8e5}, "sine", 2.6e5, 50))
    assert "extrapolates" in said or "stopped" in said


def test_moving_a_slider_draws_another_forecast():
    panel = explorer.explorer("one_skyrmion")
    named = {widget.name: widget for widget in panel.select() if hasattr(widget, "value")}

    def curve():
        layouts = [p.object for p in panel.select() if type(p).__name__ == "HoloViews"]
        return layouts[0].traverse(lambda c: c.dimension_values(1), ["Curve"])[-1]

    before = curve()
    named["Ku, mean"].value = 9e5
    after = curve()
    assert before.shape != after.shape or np.abs(before - after).max() > 1e-3


def test_the_notebook_opens_the_model_it_was_made_for(tmp_path):
    path = explorer.write_notebook("one_skyrmion", tmp_path)
    assert "explorer('one_skyrmion')" in nbformat.read(path, 4).cells[1].source
    with pytest.raises(InputError):
        explorer.write_notebook(str(tmp_path / "none.pt"), tmp_path)
