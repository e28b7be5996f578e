"""One look a thing: told apart in colour, in grey, and the same everywhere."""

from itertools import combinations

import pytest
from matplotlib import colors
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.analysis.looks import LOOKS, Look

# Things that are drawn over one another in some figure.
TOGETHER = [
    ("micromagnetics", "neural_ode", "published"),
    ("micromagnetics", "k1", "k2", "published"),
    ("k1", "k2", "k3", "k4"),
    ("micromagnetics", "mumax3", "exact_demag"),
    ("one_skyrmion", "four_skyrmions", "pair"),
    ("neural_ode", "published", "four_skyrmions", "echo_state_network", "bare_input"),
    ("target", "neural_ode", "residual"),
    ("target", "published", "residual"),
    ("measured", "noise_free", "k1", "k2"),
    ("measured", "noise_held", "noise_joined", "neural_sde"),
    ("oscillator", "acoustics", "neural_ode", "neural_ode_noise"),
    ("oscillator", "neural_ode", "neural_ode_noise", "neural_ode_noise_held", "neural_sde"),
    ("oscillator", "twin", "twin_noise"),
    ("noise_everywhere", "noise_in_training", "noise_in_test", "ridge"),
    ("neural_ode", "torchdiffeq", "jax", "diffrax", "micromagnetics", "mumax3"),
]


def test_lightness_is_cie_s():
    assert Look("", "#000000").lightness == pytest.approx(0, abs=1e-9)
    assert Look("", "#FFFFFF").lightness == pytest.approx(100, abs=1e-3)
    assert Look("", "#777777").lightness == pytest.approx(50.03, abs=0.1)


@pytest.mark.parametrize("names", TOGETHER, ids=", ".join)
def test_things_of_one_figure_differ_in_grey(names):
    for one, other in combinations((LOOKS[name] for name in names), 2):
        apart = abs(one.lightness - other.lightness)
        assert apart > 12 or one.dashes != other.dashes, f"{one.label} and {other.label}: {apart}"
        assert one.color != other.color


def test_a_figure_has_the_style_sheet_and_the_looks():
    plots.use_style()
    assert plt.rcParams["legend.frameon"] is False
    assert all(colors.is_color_like(color) for color in plots.COLORS.values())
    assert plots.label("k2") == "k = 2"
    assert plots.label("anything else") == "anything else"
