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
train_start = 1500
train_stop = 10500
validation_stop = 11500
heldout_stop = 21500
four_train_start = 1500
four_train_stop = 10500
four_validation_stop = 11500
four_lm_steps = 10
baselines = False

# %%
import json
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.paper import authors
from spinode.paper.claims import claimed
from spinode.paper.models import MODELS
from spinode.analysis.baselines import gru, linear_arx, nvar
from spinode.neural_ode.forecast import forecast
from spinode.analysis.metrics import nrmse
from spinode.neural_ode.model import SpinODE
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION
from spinode.neural_ode.seeds import fit_seeds
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import Channel, load, resample
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
spacing = 5e-12


def recording(run, path):
    """Return where a training run was simulated, its trajectory, and its drive."""
    table = authors.locate(path)
    if table:
        return "MuMax3, published by the authors", read_table(table), run.drive
    recorded = load(out.input(f"{run.name}.nc"))
    amplitude = json.loads(recorded.attrs["drive"])["amplitude"]
    return "embedded engine, notebook 01", recorded, replace(run.drive, amplitude=amplitude)


source, recorded, drive = recording(ONE_SKYRMION, authors.ONE_SKYRMION_TABLE)
duration = min(spacing * heldout_stop, float(recorded.time[-1]))
signal = resample(recorded, spacing, duration)
print(f"data: {source}; {signal.sizes['time']} samples of 5 ps")

# %% [markdown]
# The voltage moves $K_u$ as a 4 GHz sine whose amplitude is drawn anew in each period. We know it
# as a formula, so the network is given the formula, not the samples. It is the one in the table:

# %%
difference = signal.Ku - drive.sample(signal.time.values)["Ku"]
print(f"largest difference between formula and table: {abs(difference).max().item():.0f} J/m3")
train_time = spacing * train_start, spacing * validation_stop

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
# The paper does this by Adam, and so do we, to begin with. The last steps are of another kind:
# Levenberg-Marquardt on long windows, from the exact derivative of every sample with respect to
# every weight. A few such steps are worth thousands of Adam's (`docs/training.md`).


# %%
def train(name, signal, drive, k, start, stop, end, lm_steps, seeds):
    """Return models trained on samples start to stop, chosen on stop to end, and histories."""
    model = SpinODE(
        Channel("mz", "1", offset=float(signal.mz[0]), scale=0.1),
        (Channel("Ku", "J/m3", offset=8e5, scale=2e5),),
        sample_spacing=spacing,
        time_scale=2e-10,
        k=k,
        width=width,
    )
    trained = fit_seeds(
        model,
        signal,
        seeds,
        inputs=drive,
        train=(start, stop),
        validation=(stop, end),
        iterations=iterations,
        lm_steps=lm_steps,
        patience=12,
        checkpoint=out.checkpoints / f"{name}_k{k}.checkpoint",  # an interrupted run goes on
    )
    trained[0][0].save(out.data / "training" / f"{name}_k{k}.pt")
    return [one for one, _ in trained], [history for _, history in trained]


# %%
models, all_histories = {}, {}
if MODELS["one_skyrmion"].here:
    models["published"] = [MODELS["one_skyrmion"].load()]
for k in delays:
    models[f"k{k}"], all_histories[f"k{k}"] = train(
        "one_skyrmion", signal, drive, k, train_start, train_stop, validation_stop, lm_steps, seeds
    )
histories = {name: found[0] for name, found in all_histories.items()}

# %%
claim = claimed("one_skyrmion_k2_train_mse")
figure, ax = plt.subplots(figsize=(7, 3.2))
plots.loss_curves(ax, histories, claim)
ax.legend()
plt.show()

# %%
loss = pd.concat(
    {name: history.train_mse.to_series() for name, history in histories.items()}, axis=1
)
loss.to_csv(out.results / "training_loss.csv")
loss.hvplot.line(
    logy=True, color=[plots.COLORS[name] for name in loss], ylabel="full-trajectory MSE", width=850
)

# %% [markdown]
# ## Forecasting
#
# Each model now starts from its first $k$ samples at 7.5 ns and gets nothing more but the drive. It
# runs through the training stretch and on into time it never saw, up to 107.5 ns. (At about 113 ns
# the skyrmion of the published run is annihilated; nothing after that is one skyrmion's motion.)
# Errors are told over as many samples as were trained on, as the median of five seeds, beside those
# of the worst 500 samples in a row. The authors' own weights, where they were fetched, go through
# the same code.

# %%
truth = signal.isel(time=slice(train_start, None))
seen = validation_stop - train_start
worst = range(seen, truth.sizes["time"] - 499, 500)


def errors_of(run):
    """Return the NRMSE of a forecast in training, held out, and in its worst 500 samples."""
    # A forecast that blew up is shorter than the truth; its missing samples count as NaN.
    aligned = run.reindex(time=truth.time, method="nearest", tolerance=spacing / 2)

    def error(first, stop):
        return nrmse(aligned.mz.values[first:stop], truth.mz.values[first:stop])

    parts = {first: error(first, first + 500) for first in worst}
    first = max(parts, key=parts.get)
    return {
        "training": error(0, seen),
        "held_out": error(seen, seen + 10_000),
        "worst_500": parts[first],
        "worst_500_start": train_start + first,
    }


# %%
forecasts, errors = {}, {}
for name, trained in models.items():
    runs = [
        forecast(model, drive, initial=truth, duration=duration - train_time[0])
        for model in trained
    ]
    forecasts[name] = runs[0]
    errors[name] = pd.DataFrame([errors_of(run) for run in runs])
medians = {name: found.median() for name, found in errors.items()}
columns = ["training", "held_out", "worst_500"]
display(pd.DataFrame(medians).T[columns].rename_axis("median NRMSE").style.format("{:.2%}"))
errors["k2"].set_index(pd.Index(seeds, name="seed"))

# %%
curves = {"micromagnetics": truth, **forecasts}
plots.interactive(
    {name: run.sel(time=slice(duration - 10e-9, None)) for name, run in curves.items()}, "mz"
)

# %% [markdown]
# ## The figure

# %%
figure = plt.figure(figsize=(10, 6.4))
layout = figure.add_gridspec(3, 2, height_ratios=(1, 1.6, 1.6))
panel = figure.add_subplot(layout[0, 0])
plots.lines(panel, {"drive": signal}, "Ku", (7.5e-9, 12.5e-9))
panel.set_title("a  voltage-controlled anisotropy")
panel = figure.add_subplot(layout[1:, 0])
plots.loss_curves(panel, histories, claim)
panel.legend(loc="upper right")
panel.set_title("b  training")
panel = figure.add_subplot(layout[0, 1])
plots.lines(panel, {"micromagnetics": signal}, "mz", (7.5e-9, 12.5e-9))
panel.set_title(f"c  data: {source}")
for row, (letter, stretch, start) in enumerate(
    [("d", "training", train_time[1] - 3e-9), ("e", "held_out", min(95e-9, duration) - 3e-9)],
    start=1,
):
    panel = figure.add_subplot(layout[row, 1])
    plots.lines(panel, curves, "mz", (start, start + 3e-9))
    scores = ", ".join(f"{name}: {error[stretch]:.1%}" for name, error in medians.items())
    panel.set_title(f"{letter}  {stretch}, NRMSE {scores}")
panel.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.28))
plots.save_figure(figure, out.figures / "fig2_training.png")
plt.show()

# %% [markdown]
# ## Four skyrmions
#
# Four skyrmions in a larger disk, pinned by grains, push one another about. Two delays of
# their mean $m_z$ are enough here, too; the paper reports a mean squared error of 5e-3. But they
# are not the whole state: trained for too long, the network fits what it cannot see, forecasts
# unseen time worse and, driven otherwise, may blow up. A few steps are best.

# %%
four_source, recorded, four_drive = recording(FOUR_SKYRMIONS, authors.FOUR_SKYRMIONS_TABLE)
four = resample(recorded, spacing)
(four_model,), (four_history,) = train(
    "four_skyrmions",
    four,
    four_drive,
    2,
    four_train_start,
    four_train_stop,
    four_validation_stop,
    four_lm_steps,
    seeds[:1],
)
four_truth = four.isel(time=slice(four_train_start, None))
four_run = forecast(four_model, four_drive, initial=four_truth)
aligned = four_run.reindex(time=four_truth.time, method="nearest", tolerance=spacing / 2)
four_seen = four_validation_stop - four_train_start
four_errors = {
    "training": nrmse(aligned.mz.values[:four_seen], four_truth.mz.values[:four_seen]),
    "held_out": nrmse(aligned.mz.values[four_seen:], four_truth.mz.values[four_seen:]),
}
four_claim = claimed("four_skyrmions_k2_train_mse")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8), width_ratios=(1, 1.6))
plots.loss_curves(left, {"four_skyrmions": four_history}, four_claim)
left.set_title("a  training, k = 2")
end = four.time.values[-1]
plots.lines(right, {"micromagnetics": four, "four_skyrmions": four_run}, "mz", (end - 3e-9, end))
right.legend(ncols=2, loc="lower right", fontsize=8)
right.margins(y=0.15)
right.set_title(f"b  held out, NRMSE {four_errors['held_out']:.1%}; {four_source}")
plots.save_figure(figure, out.figures / "fig2_four_skyrmions.png")
plt.show()

# %%
plots.interactive(
    {
        "micromagnetics": four.sel(time=slice(end - 10e-9, None)),
        "neural ODE": four_run.sel(time=slice(end - 10e-9, None)),
    },
    "mz",
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
    held_out = slice(seen, seen + 10_000)
    for name, way in ways.items():
        run = way(models["k2"][0], signal, (train_start, train_stop))
        others[name] = nrmse(run.mz.values[held_out], truth.mz.values[held_out])
    others["k2"] = medians["k2"]["held_out"]
    display(pd.Series(others, name="held_out").to_frame().style.format("{:.2%}"))

# %% [markdown]
# ## What was found

# %%
metrics = {
    "data": source,
    "iterations": iterations,
    "lm_steps": lm_steps,
    "seeds": seeds,
    "train_mse": {
        name: [float(history.train_mse.min()) for history in found]
        for name, found in all_histories.items()
    },
    "training_s": {
        name: [float(history.seconds[-1]) for history in found]
        for name, found in all_histories.items()
    },
    "nrmse": {name: found.to_dict("list") for name, found in errors.items()},
    "baselines_nrmse_held_out": others,
    "four_skyrmions": {
        "data": four_source,
        "train_mse": {"k2": float(four_history.train_mse.min())},
        "nrmse": {"k2": four_errors},
    },
}
out.write_metrics("training", metrics)

lines = []
for name, found in errors.items():
    middle, low, high = found.median(), found.min(), found.max()
    lines.append(
        f"- **{plots.label(name)}**, {len(found)} trained: NRMSE {middle.training:.2%} in the "
        f"training window, {middle.held_out:.2%} ({low.held_out:.2%} to {high.held_out:.2%}) on "
        f"the {min(10_000, truth.sizes['time'] - seen):,} samples after it, of which the worst "
        f"500 have {middle.worst_500:.1%} (from sample {middle.worst_500_start:,.0f})."
    )
lines += [
    f"- **{plots.label(name)}**: full-trajectory MSE {np.median(mse):.1e}; the authors stop their "
    f"training at {claim:.0e}."
    for name, mse in metrics["train_mse"].items()
]
mse = metrics["four_skyrmions"]["train_mse"]["k2"]
lines.append(
    f"- **four skyrmions**, k = 2: full-trajectory MSE {mse:.1e} "
    f"({'below' if mse < four_claim else 'above'} the paper's {four_claim:.0e}); NRMSE "
    f"{four_errors['training']:.1%} in the training window, {four_errors['held_out']:.1%} held out."
)
display(Markdown("\n".join(lines)))
