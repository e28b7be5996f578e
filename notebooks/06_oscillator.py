# %% [markdown]
# # Do five milliseconds of a noisy oscillator tell how it will answer anybody?
#
# *Figure 5a to c of the paper.*
#
# A spin-torque nano-oscillator sings at a few hundred megahertz; the amplitude of its song follows
# a drive voltage, late by some 300 ns and with thermal noise. The paper plays spoken digits to a
# real one, takes **the first 5 ms** of one speaker's digits as training data, and claims that a
# neural ODE then forecasts the answer to other digits and speakers, **noise included**.
#
# The real recordings must be downloaded. Without them, an embedded oscillator (Slavin and
# Tiberkevich's amplitude equation with Langevin noise, calibrated to the authors' trained network)
# takes the place of the device. That has an advantage: we can look behind the noise.

# %% tags=["parameters"]
profile = "quick"
delays = [1, 2]
width = 100
iterations = 6000
train_samples = 50000
noise_levels = [1.5, 3.0, 6.0]
noise_iterations = 1000
seed = 0

# %%
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Audio, Markdown, display
from matplotlib import pyplot as plt
from scipy.signal import welch
from scipy.stats import norm

from spinode.analysis import plots
from spinode.neural_ode import sde
from spinode.paper.claims import claimed
from spinode.speech import corpora, multiplexing
from spinode.speech.cochlea import cochleagram
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.analysis.metrics import nrmse
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import (
    NoisyDrive,
    input_noise_spread,
    input_noise_strength,
    langevin_strength,
    one_step_residuals,
)
from spinode.devices.oscillator import NanoOscillator, simulate
from spinode.neural_ode.training import fit
from spinode.trajectory import Channel
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
mv, us = 1e3, 1e6

# %% [markdown]
# ## From a word to a voltage
#
# Lyon's model of the cochlea turns the sound into 78 channels, one value every 10 ms. A fixed
# random mask of +-1 mixes each such frame into 400 voltages, held in time order: 100 ns each.

# %%
corpus = corpora.corpus()
print(f"speech: {corpus.name} ({corpus.credit}); speakers {', '.join(corpus.speakers)}")
word = corpus.sounds[0, 0, 7]
display(Audio(word, rate=corpora.RATE))

# %%
channels = multiplexing.features(corpus, cochleagram)
played = multiplexing.drives(channels, multiplexing.mask(len(channels[0, 0, 0])))
session = multiplexing.recorded_session("cochlear")
device = NanoOscillator()
if session:
    source = "recordings of the real oscillator, published by the authors"
    played = session.drives
else:
    source = "embedded stochastic oscillator"
print(f"device: {source}")

# %%
figure, axes = plt.subplots(3, 1, figsize=(9, 6))
axes[0].plot(np.arange(word.size) / corpora.RATE * 1e3, word, linewidth=0.5)
axes[0].set(title="a  'seven'", xlabel="time (ms)", ylabel="sound")
axes[1].imshow(channels[0, 0, 7], aspect="auto", cmap="magma")
axes[1].set(title="b  cochleagram", xlabel="frame", ylabel="channel")
first = multiplexing.as_drive(played[0, 0, 7])
answer = (
    multiplexing.as_trajectory(session.states[0, 0, 7], first)
    if session
    else simulate(device, first, seed=seed)
)
part = slice(4000, 4200)
axes[2].plot(first.time[part] * us, first.drive[part] * mv, color=plots.COLORS["drive"])
axes[2].plot(first.time[part] * us, answer.voltage[part] * mv, color="black")
axes[2].set(title="c  drive (grey) and response (black)", xlabel="time (us)", ylabel="mV")
plt.show()

# %% [markdown]
# ## Training on 5 ms
#
# The digits 0 to 8 of the first speaker's first utterance, one after the other, until 50,000
# samples are full. How many delays does it take? The embedded oscillator has one variable, its
# amplitude, so k = 1 should do for it; a real one comes with cables and a detector, and the paper
# uses k = 2. We train both.

# %%
digits = list(played[0, 0, :9])
drive = multiplexing.as_drive(digits).isel(time=slice(0, train_samples + max(delays)))
if session:
    recorded = multiplexing.as_trajectory(list(session.states[0, 0, :9]), drive)
else:
    recorded = simulate(device, drive, seed=seed)

output, input_ = Channel("voltage", "V", scale=0.1), Channel("drive", "V", scale=0.1)
models, histories = {}, {}
for k in delays:
    model = SpinODE(
        output,
        (input_,),
        sample_spacing=multiplexing.NODE_TIME,
        time_scale=multiplexing.NODE_TIME / 0.0125,
        k=k,
        width=width,
        seed=seed,
    )
    histories[f"k = {k}"] = fit(
        model,
        recorded,
        interpolation="linear",
        train=(0, train_samples),
        iterations=iterations,
        check_every=300,
        seed=seed,
        checkpoint=out.checkpoints / f"oscillator_k{k}.checkpoint",
    )
    model.save(out.data / "oscillator" / f"cochlear_k{k}.pt")
    models[f"k = {k}"] = model

# %%
claim = claimed("oscillator_k2_train_mse")
figure, ax = plt.subplots(figsize=(7, 3.2))
plots.loss_curves(ax, histories, claim)
ax.legend()
plt.show()

# %% [markdown]
# ## Digits and speakers it never heard
#
# Every model starts at rest and gets nothing but the drive. For the embedded device the same drive
# without noise shows what a perfect model would say; the real one has only its noisy answer.

# %%
heard = [(1, 1, 9), (2, 3, 4), (3, 5, 7), (4, 8, 2), (0, 6, 6)]
unheard = np.empty(len(heard), dtype=object)
unheard[:] = [played[index] for index in heard]
if session:
    measured = np.empty(len(heard), dtype=object)
    measured[:] = [session.states[index] for index in heard]
    references = {"measured": measured}
else:
    references = {
        "measured": multiplexing.measure(device, unheard, seed=seed + 1),
        "noise-free": multiplexing.measure(replace(device, noise=0.0), unheard),
    }
forecasts = {name: multiplexing.forecast_states(model, unheard) for name, model in models.items()}


def joined(states):
    """Return the states of several recordings as one signal (V)."""
    return np.concatenate([matrix.ravel(order="F") for matrix in states])


errors = {
    name: {against: nrmse(joined(run), joined(truth)) for against, truth in references.items()}
    for name, run in forecasts.items()
}
display(pd.DataFrame(errors).T.rename_axis("NRMSE").style.format("{:.2%}"))

# %% [markdown]
# ## How noisy is it?
#
# The noise level need not be tuned by eye. Forecast each sample from the measured ones just before
# it: what is left is the noise that came in within 100 ns. Its likelihood gives the strength of the
# Langevin noise (V per root second), with a standard error.
#
# The paper lets the deterministic model fluctuate by Gaussian noise on the samples of the drive.
# How much of it explains the recording is found in the same way. But the drive is linear between
# its samples, and noise joined by lines lacks the fast part of thermal noise. So we also **hold**
# each noise value for its 100 ns.

# %%
best = f"k = {max(delays)}"
model = models[best]
strength = langevin_strength(model, recorded)
joined_noise = input_noise_strength(model, recorded, "joined")
input_noise = input_noise_strength(model, recorded, "held")
print(f"Langevin noise {strength} V/sqrt(s)")
print(f"at the input: held {input_noise} V, joined by lines {joined_noise} V")

# %%
levels = {}
if not session:
    for level in noise_levels:
        recording = simulate(replace(device, noise=level), drive, seed=seed + 2)
        levels[level] = langevin_strength(model, recording)
    display(
        pd.DataFrame(
            {"estimate": [str(e) for e in levels.values()]},
            index=pd.Index(levels, name="true noise (V/sqrt(s))"),
        )
    )

# %% [markdown]
# ## Noise from within: a neural SDE
#
# *Beyond the paper.* Noise of the device is not noise of its drive. A second, small network
# $s_\phi$ may say how strong it is in which state, $\xi$ being standard normal:
#
# $$ m(t+kd) = F_\theta(y, e) + s_\phi(y, e)\,\xi, $$
#
# where $F_\theta$ is one step of the neural ODE, trained on, together with $s_\phi$, by maximum
# likelihood of the single steps of the same 5 ms. Only the newest sample of
# $y = (m(t), \dots, m(t+(k-1)d))$ gets noise: the others were measured already.

# %%
noisy_model = sde.NeuralSDE(model, seed=seed)
sde.fit(noisy_model, recorded, iterations=noise_iterations, seed=seed)
noisy_model.save(out.data / "oscillator" / "cochlear_sde")
found = sde.one_step_densities(noisy_model, recorded)
print(
    f"strength of the noise {float(found.strength.mean()):.3f} V/sqrt(s), varying over states by "
    f"{float(found.strength.std()):.3f}"
)

# %% [markdown]
# Which noise explains digits that were never heard? The mean logarithm of the probability density
# of each measured sample, given those before it (nats a sample), by Gaussians: around the neural
# ODE's forecast with the spread that noise at the input gives to first order, and the neural SDE's
# own. In favour of the neural ODE, what it has wrong is taken off its residuals first, so that only
# the noise is compared. A difference of 0.01 over the 50,000 samples of 5 ms is a factor of e^500
# in probability.

# %%
unheard_drive = multiplexing.as_drive(list(unheard))
unheard_run = multiplexing.as_trajectory(list(references["measured"]), unheard_drive)
# The recordings follow one another, but each began at rest: no step across their joints.
joints = np.cumsum([matrix.size for matrix in unheard])[:-1]
inside = np.ones(unheard_drive.sizes["time"], bool)
for joint in joints:
    inside[joint : joint + model.k] = False
inside = inside[model.k :]
residual = one_step_residuals(model, unheard_run).residual.values[inside]
density = sde.one_step_densities(noisy_model, unheard_run)
likelihood = {
    f"input noise, {shape}": float(
        norm.logpdf(
            residual,
            scale=level.value * input_noise_spread(model, unheard_run, shape)[inside],
        ).mean()
    )
    for shape, level in (("joined", joined_noise), ("held", input_noise))
}
likelihood["neural SDE"] = float(density.log_likelihood.values[inside].mean())
quiet_sde = [
    sde.simulate(
        noisy_model, multiplexing.as_drive(matrix), initial=np.zeros(model.k), seed=None
    ).voltage.values
    for matrix in unheard
]
errors["neural SDE, noise off"] = {
    against: nrmse(np.concatenate(quiet_sde), joined(truth))
    for against, truth in references.items()
}
display(pd.Series(likelihood, name="nats a sample").to_frame().style.format("{:.4f}"))

# %% [markdown]
# And played the training drive once more, each should differ from its own noise-free forecast as
# the measurement does: in how much (distribution), how fast (spectrum), and, as the noise acts on
# an oscillator that is stiffer or softer, at which drive. (Noise takes the drive a little beyond
# its range in the training, of which `forecast` warns; here we know.)

# %%
warnings.simplefilter("ignore", ForecastWarning)
start = recorded.voltage.values[: model.k]
quiet = forecast(model, drive, initial=recorded, interpolation="linear")
quietest = sde.simulate(noisy_model, drive, initial=start, seed=None)
joined_drive = drive.copy()
generator = np.random.default_rng(seed)
joined_drive["drive"] = drive.drive + generator.normal(0, joined_noise.value, drive.sizes["time"])
noisy = {
    "input noise, held": forecast(
        model, NoisyDrive(drive, input_noise.value, seed=seed), initial=start
    ),
    "input noise, joined": forecast(model, joined_drive, initial=start, interpolation="linear"),
    "neural SDE": sde.simulate(noisy_model, drive, initial=start, seed=seed),
}
# Nobody knows what the real device would do without noise; the SDE's mean is the best guess.
truth = quietest if session else simulate(replace(device, noise=0.0), drive)
deviations = {
    "measured": (recorded.voltage - truth.voltage).values * mv,
    **{
        name: (run.voltage - (quietest if name == "neural SDE" else quiet).voltage).values * mv
        for name, run in noisy.items()
    },
}
spectra = {
    name: welch(values, 1 / multiplexing.NODE_TIME, nperseg=512)
    for name, values in deviations.items()
}
# The oscillator remembers some 300 ns: sorted by the noise-free response, a tenth of it each.
order = np.array_split(np.argsort(truth.voltage.values), 10)
by_level = pd.DataFrame(
    {name: [values[part].std() for part in order] for name, values in deviations.items()},
    index=pd.Index([truth.voltage.values[part].mean() * mv for part in order], name="level (mV)"),
)

# %%
figure = plt.figure(figsize=(10, 6.4))
layout = figure.add_gridspec(2, 3)
panel = figure.add_subplot(layout[0, :])
speaker, utterance, digit = heard[2]
window = slice(6000, 6120)
clock = np.arange(window.start, window.stop) * multiplexing.NODE_TIME * us
traces = {"measured": references["measured"], **forecasts}
shown = pd.DataFrame(
    {name: run[2].ravel(order="F")[window] * mv for name, run in traces.items()},
    index=pd.Index(clock, name="time (us)"),
)
for name, values in shown.items():
    style = {"linewidth": 3.5, "alpha": 0.35} if name == "measured" else {"linewidth": 1.2}
    dashes = "--" if name == best else "-"
    panel.plot(values, dashes, color=plots.COLORS[name], label=name, **style)
panel.margins(x=0)
panel.set(
    title=f"a  digit {digit} by {corpus.speakers[speaker]}, never heard; device: {source}",
    xlabel="time (us)",
    ylabel="voltage (mV)",
)
panel.legend(ncols=3, loc="upper right")
edge = 4 * deviations["measured"].std()
bins = np.linspace(-edge, edge, 50)
panel = figure.add_subplot(layout[1, 0])
for name, values in deviations.items():
    panel.hist(values, bins, density=True, histtype="step", color=plots.COLORS[name], label=name)
panel.set(title="b  noise: distribution", xlabel="deviation (mV)", ylabel="density (1/mV)")
panel = figure.add_subplot(layout[1, 1])
for name, (frequency, power) in spectra.items():
    # The window of the estimate spoils the first and the last bin.
    panel.loglog(frequency[1:-1] / 1e6, power[1:-1] * 1e6, color=plots.COLORS[name])
panel.set(title="c  spectrum", xlabel="frequency (MHz)", ylabel="density (mV$^2$/MHz)")
panel = figure.add_subplot(layout[1, 2])
for name, values in by_level.items():
    panel.plot(values, "o-", markersize=4, color=plots.COLORS[name], label=name)
panel.set(title="d  spread at each level", xlabel="noise-free response (mV)", ylabel="mV rms")
panel.set_ylim(0)
panel.legend(fontsize=8, loc="lower center")
plots.save_figure(figure, out.figures / "fig5_oscillator.png")
plt.show()

# %% [markdown]
# The same to zoom and to read values off:

# %%
size = {"height": 260, "color": [plots.COLORS[name] for name in deviations]}
spectrum = pd.DataFrame(
    {name: power[1:-1] * 1e6 for name, (_, power) in spectra.items()},
    index=pd.Index(spectra["measured"][0][1:-1] / 1e6, name="frequency (MHz)"),
)
histogram = pd.DataFrame(
    {name: np.histogram(values, bins, density=True)[0] for name, values in deviations.items()},
    index=pd.Index((bins[1:] + bins[:-1]) / 2, name="deviation (mV)"),
)
(
    shown.hvplot.line(
        ylabel="voltage (mV)", width=850, height=260, color=[plots.COLORS[n] for n in shown]
    )
    + histogram.hvplot.line(ylabel="density (1/mV)", width=420, **size)
    + spectrum.hvplot.line(ylabel="density (mV^2/MHz)", logx=True, logy=True, width=420, **size)
    + by_level.hvplot.line(ylabel="spread (mV)", width=420, **size)
).opts(shared_axes=False).cols(1)

# %% [markdown]
# ## What was found

# %%
metrics = {
    "device": source,
    "speech": "the authors' recordings" if session else corpus.name,
    "iterations": iterations,
    "train_mse": {name: float(history.train_mse.min()) for name, history in histories.items()},
    "train_seconds": {name: float(history.seconds[-1]) for name, history in histories.items()},
    "nrmse": errors,
    "noise": {"estimate": strength.value, "standard_error": strength.error},
    "input_noise": {
        shape: {"estimate": level.value, "standard_error": level.error}
        for shape, level in (("held", input_noise), ("joined", joined_noise))
    },
    "neural_sde": {
        "strength": float(found.strength.mean()),
        "strength_spread": float(found.strength.std()),
    },
    "log_likelihood": likelihood,
    "noise_levels": [
        {"true": level, "estimate": estimate.value, "standard_error": estimate.error}
        for level, estimate in levels.items()
    ],
    "deviation": {name: float(values.std()) / mv for name, values in deviations.items()},
    "deviation_by_level": {
        "level": (by_level.index.values / mv).tolist(),
        **{name: (values / mv).tolist() for name, values in by_level.items()},
    },
    "paper_mse": claim,
}
out.write_metrics("oscillator", metrics)
lines = [
    f"- **{name}**: MSE {mse:.1e} on the training data ({'below' if mse < claim else 'above'} the "
    f"paper's {claim:.1e}); NRMSE on unheard digits "
    + ", ".join(f"{error:.1%} against the {against}" for against, error in errors[name].items())
    + "."
    for name, mse in metrics["train_mse"].items()
]
lines += [
    f"- **noise**: {strength} V/sqrt(s), or {input_noise.value * mv:.1f} mV at the input.",
    f"- **neural SDE**: {float(found.strength.mean()):.2f} V/sqrt(s), varying by "
    f"{float(found.strength.std()):.2f} over states; with its noise off, NRMSE on unheard digits "
    + ", ".join(
        f"{error:.1%} against the {against}"
        for against, error in errors["neural SDE, noise off"].items()
    )
    + ". It gives a sample of unheard digits "
    + ", ".join(
        f"{likelihood['neural SDE'] - value:+.4f} nats over {name}"
        for name, value in likelihood.items()
        if name != "neural SDE"
    )
    + ".",
]
display(Markdown("\n".join(lines)))
