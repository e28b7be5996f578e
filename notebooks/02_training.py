# %% [markdown]
# # Can a network learn a skyrmion's law of motion from one short signal?
#
# *Figure 2 of the paper.*
#
# A skyrmion breathes in a magnetic disk while a voltage changes the anisotropy $K_u(t)$. Its
# micromagnetic state has tens of thousands of numbers. We look at one of them, the mean
# magnetization $m_z(t)$, and ask a neural network for the law it obeys.
#
# One number is not a state: two moments with the same $m_z$ can go on differently, the skyrmion
# growing in one and shrinking in the other. Takens' theorem gives a way out. Successive values of
# the one signal stand in for what we cannot see,
#
# $$ y(t) = \big(m_z(t),\; m_z(t+d),\; \dots,\; m_z(t+(k-1)d)\big), \qquad
#    \frac{dy}{dt} = f_\theta\big(y(t), e(t)\big), $$
#
# where $d = 5$ ps is the sample spacing, $e(t)$ holds the normalized $K_u$ at the same delays, and
# $f_\theta$ is a small network: two hidden layers of 50 neurons with tanh. The paper claims that
# **k = 2 learns what k = 1 cannot**. We train both and see.

# %% tags=["parameters"]
profile = "quick"
delays = [1, 2]
width = 50
seeds = [0, 1, 2, 3, 4]
iterations = 2400
lm_steps = 40
k1_lm_steps = 5
train_start = 1500
train_stop = 10500
validation_stop = 11500
heldout_stop = 21500
four_train_start = 1500
four_train_stop = 10500
four_validation_stop = 11500
four_lm_steps = 10
latent_states = 6
latent_width = 16
latent_ridge = 1e-10
latent_starts = 4
strong_periods = 100
baselines = False

# %%
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode import SpinODE, forecast, simulate
from spinode.analysis import plots
from spinode.analysis.baselines import gru, linear_arx, nvar
from spinode.analysis.looks import LOOKS
from spinode.analysis.metrics import nrmse, worst_stretch
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION
from spinode.devices.strong import before_loss, strong_drive
from spinode.neural_ode.identification import identify
from spinode.neural_ode.seeds import fit_seeds
from spinode.paper.claims import claimed
from spinode.paper.models import MODELS
from spinode.paper.recordings import recording
from spinode.trajectory import Channel, aligned
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)

# %% [markdown]
# ## The signal
#
# 150 ns of MuMax3, published by the authors, if they were fetched (`spinode fetch paper`); else
# the same run by the embedded engine, from notebook 01. A cubic spline puts either on the even
# 5 ps grid.

# %%
spacing = ONE_SKYRMION.learning.sample_spacing
one = recording(ONE_SKYRMION, out.input, samples=heldout_stop)
signal = one.signal
print(f"data: {one.source}; {signal.sizes['time']:,} samples of {spacing * 1e12:g} ps")

# %% [markdown]
# The voltage moves $K_u$ as a 4 GHz sine whose amplitude is drawn anew in each period. We know it
# as a formula, so the network is given the formula, not the samples. It is the one in the table:

# %%
difference = signal.Ku - one.drive.sample(signal.time.values)["Ku"]
print(f"largest difference between formula and table: {abs(difference).max().item():.0f} J/m3")

(
    plots.interactive({"drive": signal.sel(time=slice(0, 10e-9))}, "Ku", height=180)
    + plots.interactive({"micromagnetics": signal.sel(time=slice(0, 10e-9))}, "mz")
).cols(1)

# %% [markdown]
# ## Training
#
# Windows of 20 samples are drawn from the training stretch; the network forecasts each from its
# first state, and the mean squared error of the forecasts is brought down. Now and then the whole
# stretch is forecast in one go from its first sample: that error, in the normalized units
# $(m_z - m_z(0)) \cdot 10$, is what the paper plots. Like the paper, we use the 10,000 samples from
# 7.5 to 57.5 ns; the last 1,000 of them choose the best weights.
#
# The paper does this with Adam, and so do we, to begin with. The last steps are of another kind:
# Levenberg-Marquardt on long windows, from the exact derivative of every sample with respect to
# every weight. A few such steps are worth thousands of Adam's (`docs/training.md`).


# %%
def train(name, learning, data, k, samples, steps):
    """Return models trained from every seed, and their histories.

    Samples (start, stop, end): trained on start to stop, weights chosen on stop to end.
    """
    start, stop, end = samples
    model = SpinODE(**learning.units(data.signal), k=k, width=width)
    trained = fit_seeds(
        model,
        data.signal,
        seeds,
        inputs=data.drive,
        train=(start, stop),
        validation=(stop, end),
        iterations=iterations,
        lm_steps=steps,
        patience=12,
        checkpoint=out.checkpoints / f"{name}.checkpoint",  # an interrupted run goes on
    )
    trained[0][0].save(out.data / "training" / f"{name}.pt")
    return [one for one, _ in trained], [history for _, history in trained]


# %%
stretches = (train_start, train_stop, validation_stop)
steps = {k: k1_lm_steps if k == 1 else lm_steps for k in delays}
trainings = {
    f"k{k}": train(f"one_skyrmion_k{k}", ONE_SKYRMION.learning, one, k, stretches, steps[k])
    for k in delays
}

# %%
claim = claimed("one_skyrmion_k2_train_mse")
first_histories = {name: histories[0] for name, (_, histories) in trainings.items()}
figure, ax = plt.subplots(figsize=(7, 3.2))
plots.loss_curves(ax, first_histories, claim)
ax.legend()
plt.show()

# %%
loss = pd.concat({name: run.train_mse.to_series() for name, run in first_histories.items()}, axis=1)
loss.to_csv(out.results / "training_loss.csv")

# %% [markdown]
# ## Forecasting
#
# Each model now starts from its first $k$ samples at 7.5 ns and gets nothing but the drive. It runs
# through the training stretch and on into time it never saw, up to 107.5 ns. (At about 113 ns the
# skyrmion of the published run is annihilated; nothing after that is one skyrmion's motion.) Errors
# are given over as many samples as were trained on, as the median of the seeds, beside those of the
# worst 500 samples in a row. The authors' own weights, where they were fetched, go through the same
# code.


# %%
def in_mz(run):
    """Return a forecast with its mz, also of a model that forecasts the radius (see below)."""
    return run.assign(mz=1 - 2 * run.radius**2) if "radius" in run else run


# %%
def forecasts_of(models, data, samples):
    """Return each model's forecast from the first training sample to the end, and the truth."""
    truth = data.signal.isel(time=slice(samples[0], None))
    ahead = float(truth.time[-1] - truth.time[0])
    runs = [forecast(model, data.drive, initial=truth, duration=ahead) for model in models]
    return [in_mz(aligned(run, truth)) for run in runs], truth


def errors_of(run, truth, samples):
    """Return the NRMSE in training, held out, and of the worst 500 held-out samples."""
    seen, end = samples[2] - samples[0], min(samples[2] - samples[0] + 10_000, len(truth.time))
    ours, theirs = run.mz.values, truth.mz.values
    worst, first = worst_stretch(ours[seen:end], theirs[seen:end], min(500, end - seen))
    return {
        "training": nrmse(ours[:seen], theirs[:seen]),
        "held_out": nrmse(ours[seen:end], theirs[seen:end]),
        "worst_500": worst,
        "worst_500_start": samples[2] + first,
    }


def evaluate(trained, published, data, samples):
    """Return forecasts and tables of errors by model, the authors' weights among them."""
    models = {"published": [published.load()]} if published and published.here else {}
    models |= {name: found for name, (found, _) in trained.items()}
    runs, errors = {}, {}
    for name, found in models.items():
        runs[name], truth = forecasts_of(found, data, samples)
        errors[name] = pd.DataFrame([errors_of(run, truth, samples) for run in runs[name]])
    return runs, errors, truth


def first_of(runs):
    """Return the forecast of the first seed, by model."""
    return {name: found[0] for name, found in runs.items()}


# %%
all_forecasts, errors, truth = evaluate(trainings, MODELS["one_skyrmion"], one, stretches)
forecasts = first_of(all_forecasts)
medians = pd.DataFrame({plots.label(name): found.median() for name, found in errors.items()}).T
columns = ["training", "held_out", "worst_500"]
display(medians[columns].rename_axis("median NRMSE").style.format("{:.2%}"))
errors["k2"].set_index(pd.Index(seeds, name="seed"))

# %%
curves = {"micromagnetics": truth, **forecasts}
end = float(truth.time[-1])
plots.interactive({n: run.sel(time=slice(end - 10e-9, None)) for n, run in curves.items()}, "mz")

# %% [markdown]
# ## The figure


# %%
def panel_of_forecasts(ax, letter, stretch, start):
    plots.lines(ax, curves, "mz", (start, start + 3e-9))
    scores = {name: found.median()[stretch] for name, found in errors.items() if name != "k1"}
    shown = ", ".join(f"{score:.1%} ({plots.label(name)})" for name, score in scores.items())
    ax.set_title(f"{letter}  {stretch.replace('_', ' ')}: NRMSE {shown}")


def panel_of_residuals(ax, names):
    for name in names:
        error = forecasts[name].mz - truth.mz
        ax.plot(truth.time * 1e9, error, **LOOKS[name].line, linewidth=0.7)
    ax.axvspan(train_start * spacing * 1e9, validation_stop * spacing * 1e9, color="0.93")
    ax.set(xlabel="time (ns)", ylabel="error of $m_z$")
    ax.set_title("f  error of the forecast (grey: what it was trained on)")
    ax.margins(x=0)


# %%
figure, panels = plt.subplot_mosaic(
    [["a", "c"], ["b", "d"], ["b", "e"], ["f", "f"]],
    figsize=(10, 8.4),
    height_ratios=(1, 1.5, 1.5, 1.2),
)
begin = train_start * spacing, train_start * spacing + 5e-9
plots.lines(panels["a"], {"drive": signal}, "Ku", begin)
panels["a"].set_title("a  voltage-controlled anisotropy")
plots.loss_curves(panels["b"], first_histories, claim)
panels["b"].legend(loc="upper right")
panels["b"].set_title("b  training, seed 0")
plots.lines(panels["c"], {"micromagnetics": signal}, "mz", begin)
panels["c"].set_title(f"c  data: {one.source}")
panel_of_forecasts(panels["d"], "d", "training", validation_stop * spacing - 3e-9)
panel_of_forecasts(panels["e"], "e", "held_out", end - 3e-9)
panels["e"].legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.28))
panel_of_residuals(panels["f"], [name for name in forecasts if name != "k1"])
plots.save_figure(figure, out.figures / "fig2_training.png")
plt.show()

# %% [markdown]
# ## Where it fails
#
# Between bursts the error is a few thousandths. A burst follows when the skyrmion shrinks to a size
# it never had in training: $m_z$ rises with the area of the disk that points up, so a maximum of
# $m_z$ is a skyrmion at its smallest, a few cells across, where its motion is fastest. Each dot
# below is a maximum of $m_z$, with the largest error within the next 0.2 ns.


# %%
def after_maxima(error):
    """Return times of the maxima of mz, their heights, and the largest error just after each."""
    mz = truth.mz.values
    tops = 1 + np.flatnonzero((mz[1:-41] > mz[:-42]) & (mz[1:-41] >= mz[2:-40]))
    return truth.time.values[tops], mz[tops], [abs(error[i : i + 40]).max() for i in tops]


figure, ax = plt.subplots(figsize=(7, 3.2))
largest = float(truth.mz[: validation_stop - train_start].max())
for name in [name for name in ("published", "k2") if name in forecasts]:
    time, heights, bursts = after_maxima((forecasts[name].mz - truth.mz).values)
    unseen = time >= validation_stop * spacing
    for part, marker in ((~unseen, "."), (unseen, "x")):
        stretch = "held out" if marker == "x" else "training"
        shown = {"color": LOOKS[name].color, "label": f"{plots.label(name)}, {stretch}"}
        ax.semilogy(heights[part], np.array(bursts)[part], marker, ms=4, **shown)
ax.axvline(largest, color="0.5", linestyle="--", linewidth=1)
ax.annotate("largest in training ", (largest, ax.get_ylim()[0]), ha="right", va="bottom")
ax.set(xlabel="$m_z$ at a maximum (a smallest skyrmion)", ylabel="largest error after it")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plots.save_figure(figure, out.figures / "fig2_smallest_skyrmion.png")
plt.show()

# %% [markdown]
# ### The radius instead of $m_z$
#
# Near $m_z = 1$ the same change of $m_z$ is an ever larger change of the skyrmion. Its radius is
# the smoother coordinate: down inside it and up outside, the disk has $m_z = 1 - 2 r^2$, where
# $r$ is the radius in units of the disk's. So we train k = 2 once more, on $r = \sqrt{(1 -
# m_z)/2}$, and forecast $m_z$ through it. Nothing was added but this formula. (It was chosen on a
# drive of our own that makes the skyrmion small, not on the data below: `docs/training.md`.)

# %%
radius = np.sqrt((1 - signal.mz) / 2).assign_attrs(units="1")
by_radius = replace(one, signal=signal.assign(radius=radius))
radius_learning = replace(ONE_SKYRMION.learning, output=Channel("radius", "1", scale=0.07))
radius_trainings = {
    "k2_radius": train("one_skyrmion_radius", radius_learning, by_radius, 2, stretches, lm_steps)
}
radius_forecasts, radius_errors, _ = evaluate(radius_trainings, None, by_radius, stretches)
all_forecasts |= radius_forecasts
errors |= radius_errors
radius_medians = {n: found[columns].median() for n, found in radius_errors.items()}
pd.DataFrame(radius_medians).T.rename(plots.label).style.format("{:.2%}")

# %% [markdown]
# ### A state of its own
#
# Delays are one way to a state. Another is to let the training find it: some numbers $x$ of which
# $m_z$ shows one combination,
#
# $$ \frac{dx}{dt} = A x + B e + b + W_2\, s(W_1 [x; e] + b_1), \qquad m_z = C x + D e + c. $$
#
# Half of the neurons $s$ saturate, as tanh does. The other half grow, $s(v) = v\sqrt{1 + v^2} - v$:
# a network of tanh alone bends back to a line where its training ends, and a skyrmion does not
# (`docs/identification.md`). The same 10,000 samples are learned, with the same formula for the
# drive, and a forecast starts from a state fitted to its first samples.
#
# Many such networks fit these samples equally well, and part where the skyrmion is smaller than in
# any of them. So the law has to be tried on a small skyrmion, and not on the data that are to be
# forecast. We make one: the embedded engine drives the same disk so hard that every period has at
# least 0.6 of the largest amplitude, until the skyrmion is lost. No weight is fitted to this run.
# It says which step of a training is the best, as the validation samples did before, and which of
# a seed's four trainings, each from other first weights.

# %%
strong = strong_drive(one.drive, strong_periods)
cell = one.signal.attrs.get("cell_size", ONE_SKYRMION.device.cell)
small = before_loss(
    simulate(
        replace(ONE_SKYRMION.device, cell=cell),
        strong,
        "embedded",
        spacing=spacing,
        checkpoint=out.checkpoints / "strong.checkpoint",
    ),
    strong,
)
print(f"{small.sizes['time']:,} samples, m_z up to {float(small.mz.max()):.4f}")


# %%
def train_latent(seed):
    """Return a model with a state of its own, and the seconds that it took."""
    begun, stretch = perf_counter(), slice(train_start, validation_stop)
    model = identify(
        (signal[["mz"]].isel(time=stretch), one.drive),
        output="mz",
        inputs="Ku",
        validation=(small[["mz"]], strong),
        states=latent_states,
        width=latent_width,
        ridge=latent_ridge,
        starts=latent_starts,
        seed=seed,
        checkpoint=out.checkpoints / f"one_skyrmion_latent_{seed}.checkpoint",
    )
    model.save(out.data / "training" / f"one_skyrmion_latent_{seed}.pt")
    return model, perf_counter() - begun


def strong_error(model):
    """Return the NRMSE on the run that chose."""
    return float(model.noise * model.output.scale / small.mz.std())


latent_models, latent_seconds = zip(*map(train_latent, seeds), strict=True)
latent_trainings = {"latent": (latent_models, None)}
latent_forecasts, latent_errors = evaluate(latent_trainings, None, one, stretches)[:2]
all_forecasts |= latent_forecasts
errors |= latent_errors

# %% [markdown]
# Held out, stretch by stretch of 500 samples. A line is the median of the seeds, a shade their
# range.


# %%
def by_stretch(run):
    """Return the NRMSE of each 500 held-out samples in a row, in units of all held-out data."""
    seen = validation_stop - train_start
    error, held_out = (run.mz - truth.mz).values[seen:], truth.mz.values[seen:]
    count = max(error.size // 500, 1)
    means = [np.mean(part**2) for part in np.array_split(error, count)]
    return np.sqrt(means) / held_out.std()


stretch_errors = {
    name: np.array([by_stretch(run) for run in all_forecasts[name]])
    for name in ("published", "k2", "k2_radius", "latent")
    if name in all_forecasts
}
figure, ax = plt.subplots(figsize=(7, 3.2))
ends = np.linspace(validation_stop, heldout_stop, stretch_errors["k2"].shape[1] + 1)
for name, found in stretch_errors.items():
    levels = np.median(found, axis=0)
    ax.stairs(levels, ends * spacing * 1e9, baseline=None, **LOOKS[name].line)
    shade = {"alpha": 0.15, "color": LOOKS[name].color, "linewidth": 0}
    ax.fill_between(
        ends * spacing * 1e9,
        *(np.pad(edge, (0, 1), "edge") for edge in (found.min(axis=0), found.max(axis=0))),
        step="post",
        **shade,
    )
ax.set(xlabel="time (ns)", ylabel="NRMSE of 500 samples", yscale="log")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
plots.save_figure(figure, out.figures / "fig2_stretches.png")
plt.show()
latent_medians = {n: found[columns].median() for n, found in errors.items()}
pd.DataFrame(latent_medians).T.rename(plots.label).style.format("{:.2%}")

# %% [markdown]
# ## Four skyrmions
#
# Four skyrmions in a larger disk, pinned by grains, push one another about. Two delays of
# their mean $m_z$ are enough here, too; the paper stops at a mean squared error of 5e-3. But they
# are not the whole state: what the mean does not show, no network can learn from it. The samples
# after the training stretch choose the weights here, too.

# %%
four = recording(FOUR_SKYRMIONS, out.input)
four_stretches = (four_train_start, four_train_stop, four_validation_stop)
four_steps = {k: k1_lm_steps if k == 1 else four_lm_steps for k in delays}
four_trainings = {
    f"k{k}": train(
        f"four_skyrmions_k{k}", FOUR_SKYRMIONS.learning, four, k, four_stretches, four_steps[k]
    )
    for k in delays
}
four_runs, four_errors, four_truth = evaluate(
    four_trainings, MODELS["four_skyrmions"], four, four_stretches
)
four_forecasts = first_of(four_runs)
four_medians = pd.DataFrame({plots.label(n): found.median() for n, found in four_errors.items()}).T
four_medians[columns].rename_axis("median NRMSE").style.format("{:.2%}")

# %%
four_claim = claimed("four_skyrmions_k2_train_mse")
four_curves = {"micromagnetics": four_truth, **four_forecasts}
four_end = float(four_truth.time[-1])

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(1, 1.6))
four_histories = {name: histories[0] for name, (_, histories) in four_trainings.items()}
plots.loss_curves(left, four_histories, four_claim)
left.legend(loc="upper right")
left.set_title("a  training, seed 0")
plots.lines(right, four_curves, "mz", (four_end - 3e-9, four_end))
right.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2))
right.set_title(f"b  held out; {four.source}")
plots.save_figure(figure, out.figures / "fig2_four_skyrmions.png")
plt.show()

# %%
plots.interactive(
    {n: run.sel(time=slice(four_end - 10e-9, None)) for n, run in four_curves.items()}, "mz"
)

# %% [markdown]
# ## What else could have learned it?
#
# Other ways to forecast a driven signal, on the same data: linear autoregression (ARX), polynomials
# of delayed values (NVAR, by reservoirpy) and a gated recurrent network (GRU) of as many weights.
# All forecast freely from the start of the training stretch, given the drive alone. They take two
# minutes, so they are off by default (`baselines`).

# %%
others = {}
if baselines:
    ways = {
        "linear_arx": lambda *data: linear_arx(*data, order=40),
        "nvar": nvar,
        "gru": lambda *data: gru(*data, seed=seeds[0]),
    }
    held_out = slice(validation_stop - train_start, validation_stop - train_start + 10_000)
    k2 = trainings["k2"][0][0]
    for name, way in ways.items():
        run = way(k2, signal, (train_start, train_stop))
        others[name] = nrmse(run.mz.values[held_out], truth.mz.values[held_out])
    others["k2"] = float(errors["k2"].held_out.median())
    display(pd.Series(others, name="held_out").to_frame().style.format("{:.2%}"))

# %% [markdown]
# ## What was found


# %%
def summary(data, trained, found):
    """Return what is stored of one device: lists over seeds, by model."""
    histories = {name: runs for name, (_, runs) in trained.items()}
    return {
        "data": data.source,
        # in each model's own normalized units
        "train_mse": {n: [float(h.train_mse.min()) for h in runs] for n, runs in histories.items()},
        "training_s": {n: [float(h.seconds[-1]) for h in runs] for n, runs in histories.items()},
        "nrmse": {name: table.to_dict("list") for name, table in found.items()},
    }


metrics = {
    "iterations": iterations,
    "lm_steps": lm_steps,
    "seeds": seeds,
    **summary(one, {**trainings, **radius_trainings}, errors),
    "latent_training_s": list(latent_seconds),
    "latent_weights": latent_models[0].shape.weights,
    "latent_strong_nrmse": [
        float(m.noise * m.output.scale / small.mz.std()) for m in latent_models
    ],
    "largest_mz_strong": float(small.mz.max()),
    "stretch_errors": {name: found.tolist() for name, found in stretch_errors.items()},
    "largest_mz_in_training": largest,
    "largest_mz_held_out": float(truth.mz[validation_stop - train_start :].max()),
    "baselines_nrmse_held_out": others,
    "four_skyrmions": summary(four, four_trainings, four_errors),
}
out.write_metrics("training", metrics)


# %%
def sentences(device, found, stop):
    for name, table in found.items():
        middle, low, high = table.median(), table.min(), table.max()
        yield (
            f"- **{device}, {plots.label(name)}**, {len(table)} trained: NRMSE "
            f"{middle.training:.2%} in the training stretch, {middle.held_out:.2%} "
            f"({low.held_out:.2%} to {high.held_out:.2%}) after it, of which the worst 500 samples "
            f"have {middle.worst_500:.1%} (from sample {middle.worst_500_start:,.0f})."
        )
    for name in [name for name in ("k1", "k2") if name in found]:
        mse = stop[0][name]
        yield (
            f"- **{device}, {plots.label(name)}**: full-trajectory MSE {np.median(mse):.1e}; the "
            f"authors stop their training at {stop[1]:.0e}."
        )


lines = [
    *sentences("one skyrmion", errors, (metrics["train_mse"], claim)),
    *sentences("four skyrmions", four_errors, (metrics["four_skyrmions"]["train_mse"], four_claim)),
]
display(Markdown("\n".join(lines)))

# %% [markdown] tags=["navigation"]
# [Before: What is a skyrmion, and how does a voltage make it breathe?](01_skyrmion_data.py) |
# [All notebooks](README.md) | [Next: Can a neural ODE stand in for a reservoir computer made of a
# skyrmion?](03_mackey_glass.py)
