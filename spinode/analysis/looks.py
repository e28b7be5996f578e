"""One look for each thing, the same in every figure: its label, colour and dashes.

Results are keyed by stable identifiers (``k2``, ``bare_input``); what a reader sees is decided
here and nowhere else. The colours are those of Okabe and Ito (2008) and of Paul Tol (2021), which
people with any colour vision tell apart. Printed in grey, two things of one figure differ in
lightness by a step that can be seen, or in their dashes (tests/test_plots.py keeps it so).

- Black is the truth: micromagnetics, or what was measured.
- Blue is our neural ODE; sky blue are the authors' weights.
- Where several devices share a figure, each has a colour; width and dashes then tell who computed
  it: we or the authors, micromagnetics or the neural ODE.

>>> LOOKS["k1"].label, LOOKS["k1"].color
('k = 1', '#D55E00')
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a thing is drawn.

    Parameters
    ----------
    label : str
        What a legend calls it.
    color : str
        Hexadecimal.
    dashes : str
        Matplotlib's line style.
    """

    label: str
    color: str
    dashes: str = "-"

    @property
    def line(self) -> dict:
        """Options of matplotlib's ``plot``."""
        return {"label": self.label, "color": self.color, "linestyle": self.dashes}

    @property
    def lightness(self) -> float:
        """CIE L* of the colour: 0 is black, 100 white, and prints differ as it differs."""
        channels = (int(self.color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


LOOKS = {
    # the truth, and what drives it
    "micromagnetics": Look("micromagnetics", "#000000"),
    "measured": Look("measured", "#000000"),
    "noise_free": Look("noise-free", "#777777", ":"),
    "mumax3": Look("MuMax3", "#555555", "--"),
    "exact_demag": Look("exact demagnetizing tensor", "#999933", "-."),
    "drive": Look("drive", "#999999"),
    "target": Look("target", "#CCCCCC"),
    "residual": Look("error", "#882255"),
    # who forecasts
    "neural_ode": Look("neural ODE", "#0072B2"),
    "published": Look("authors' weights", "#56B4E9"),
    "published_second": Look("authors' second weights", "#CC79A7", "--"),
    "published_truncated": Look("authors' weights and look-up", "#56B4E9", "--"),
    "torchdiffeq": Look("torchdiffeq, the paper's way", "#56B4E9"),
    "jax": Look("JAX", "#AA4499", ":"),
    "diffrax": Look("diffrax", "#999933", "-."),
    # embedding dimensions; k = 2 is the neural ODE of the paper
    "k1": Look("k = 1", "#D55E00", "--"),
    "k2": Look("k = 2", "#0072B2"),
    "k2_radius": Look("k = 2, of the radius", "#117733", "-."),
    "latent": Look("a state of its own", "#CC6677", ":"),
    "k3": Look("k = 3", "#AA4499", "-."),
    "k4": Look("k = 4", "#CC79A7", ":"),
    # devices side by side
    "one_skyrmion": Look("one skyrmion", "#0072B2"),
    "four_skyrmions": Look("four skyrmions", "#E69F00", "--"),
    "pair": Look("pair drive", "#332288", "-."),
    # other reservoirs
    "echo_state_network": Look("echo-state network", "#009E73", "-."),
    "bare_input": Look("bare input", "#999999", ":"),
    # noise
    "noise_held": Look("input noise, held", "#661100", "--"),
    "noise_joined": Look("input noise, joined", "#DDCC77"),
    "neural_sde": Look("neural SDE", "#44AA99", "-."),
    # spoken digits; a device that is simulated is never called measured
    "oscillator": Look("oscillator", "#000000"),
    "acoustics": Look("acoustic channels alone", "#999999", ":"),
    "neural_ode_noise": Look("neural ODE, noise joined (the paper's)", "#DDCC77"),
    "neural_ode_noise_held": Look("neural ODE, noise held", "#661100", "--"),
    "twin": Look("authors' network", "#56B4E9"),
    "twin_noise": Look("authors' network, with noise", "#CC79A7", "--"),
    # what noise does to a readout
    "noise_everywhere": Look("noise in training and test", "#000000"),
    "noise_in_training": Look("noise in training only", "#DDCC77", "--"),
    "noise_in_test": Look("noise in test only", "#661100", ":"),
    "ridge": Look("no noise, a ridge in its stead", "#009E73", "-."),
}
