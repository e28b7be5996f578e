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
iterations = 2000
train_samples = 50000
noise_levels = [1.5, 3.0, 6.0]
seed = 0

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Audio, Markdown, display
from matplotlib import pyplot as plt
from scipy.signal import welch

from spinode import multiplexing, paper, plots, speech
from spinode.cochlea import cochleagram
from spinode.forecast import forecast
from spinode.metrics import nrmse
from spinode.model import SpinODE
from spinode.noise import equivalent_input_noise, langevin_strength
from spinode.oscillator import NanoOscillator, simulate
from spinode.training import fit
from spinode.trajectory import Channel
from spinode.workbook import outputs

plots.use_style()
out = outputs(profile)
mv, us = 1e3, 1e6

# %% [markdown]
# ## From a word to a voltage
#
# Lyon's model of the cochlea turns the sound into 78 channels, one value every 10 ms. A fixed
# random mask of +-1 mixes each such frame into 400 voltages, held in time order: 100 ns each.

# %%
corpus = speech.corpus()
print(f"speech: {corpus.name} ({corpus.credit}); speakers {', '.join(corpus.speakers)}")
word = corpus.sounds[0, 0, 7]
display(Audio(word, rate=speech.RATE))

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
axes[0].plot(np.arange(word.size) / speech.RATE * 1e3, word, linewidth=0.5)
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
        seed=seed,
        checkpoint=out.checkpoints / f"oscillator_k{k}.checkpoint",
    )
    model.save(out.data / "oscillator" / f"cochlear_k{k}.pt")
    models[f"k = {k}"] = model

# %%
claim = paper.CLAIMS["fig5"]["training_mse"]
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
# Langevin noise (V per root second), with a standard error; and the model itself tells which
# Gaussian noise on the input, the paper's way, makes it fluctuate as much.

# %%
best = f"k = {max(delays)}"
model = models[best]
strength = langevin_strength(model, recorded)
input_noise = equivalent_input_noise(model, recorded, seed=seed)
print(f"Langevin noise {strength} V/sqrt(s); equivalent input noise {input_noise * mv:.1f} mV")

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
# Played the training drive once more, the model with noise at its input should differ from the
# noise-free forecast as the measurement does: in how much (histogram) and in how fast (spectrum).

# %%
quiet = forecast(model, drive, initial=recorded, interpolation="linear")
noisy_drive = drive.copy()
generator = np.random.default_rng(seed)
noisy_drive["drive"] = drive.drive + generator.normal(0, input_noise, drive.sizes["time"])
noisy = forecast(model, noisy_drive, initial=recorded, interpolation="linear")
deviations = {
    "measured": (recorded.voltage - quiet.voltage).values * mv,
    "Neural ODE with noise": (noisy.voltage - quiet.voltage).values * mv,
}

figure = plt.figure(figsize=(10, 6))
layout = figure.add_gridspec(2, 2)
panel = figure.add_subplot(layout[0, :])
speaker, utterance, digit = heard[2]
window = slice(6000, 6120)
clock = np.arange(window.start, window.stop) * multiplexing.NODE_TIME * us
for name, states, style in [
    ("measured", references["measured"], {"color": "black", "linewidth": 2.6, "alpha": 0.45}),
    *((name, run, {"color": plots.COLORS[name]}) for name, run in forecasts.items()),
]:
    panel.plot(clock, states[2].ravel(order="F")[window] * mv, label=name, **style)
panel.set(
    title=f"a  digit {digit} by {corpus.speakers[speaker]}, never heard; device: {source}",
    xlabel="time (us)",
    ylabel="voltage (mV)",
)
panel.legend(ncols=3)
panel = figure.add_subplot(layout[1, 0])
edge = 4 * deviations["measured"].std()
for (name, values), color in zip(deviations.items(), ("black", plots.COLORS[best]), strict=True):
    panel.hist(
        values, np.linspace(-edge, edge, 60), density=True, histtype="step", color=color, label=name
    )
panel.set(title="b  noise: distribution", xlabel="deviation (mV)", ylabel="density (1/mV)")
panel.legend(loc="upper left", fontsize=8)
panel = figure.add_subplot(layout[1, 1])
for (name, values), color in zip(deviations.items(), ("black", plots.COLORS[best]), strict=True):
    frequency, density = welch(values, 1 / multiplexing.NODE_TIME, nperseg=512)
    panel.loglog(frequency[1:] / 1e6, density[1:] * 1e6, color=color, label=name)
panel.set(title="c  noise: spectrum", xlabel="frequency (MHz)", ylabel="density (mV$^2$/MHz)")
plots.save_figure(figure, out.figures / "fig5_oscillator.png")
plt.show()

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
    "input_noise": input_noise,
    "noise_levels": [
        {"true": level, "estimate": estimate.value, "standard_error": estimate.error}
        for level, estimate in levels.items()
    ],
    "deviation": {name: float(values.std()) / mv for name, values in deviations.items()},
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
lines.append(f"- **noise**: {strength} V/sqrt(s), or {input_noise * mv:.1f} mV at the input.")
display(Markdown("\n".join(lines)))
