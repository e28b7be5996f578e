# %% [markdown]
# # Does it hold on real devices?
#
# *Beyond the paper: three devices that others measured, and the errors they published.*
#
# A method that is only ever tried on its own simulations proves little. The field of system
# identification has benchmarks for that: recordings of real devices, an official split, and years
# of published errors. Here the method of the notebook before is given three of them.
#
# - **Silverbox**: an electronic circuit that behaves as a Duffing oscillator. One of its tests, the
#   *arrow*, drives it harder than the training does.
# - **Cascaded tanks**: water flows from one tank to another and overflows. 1024 samples.
# - **Wiener-Hammerstein**: a filter, a diode and a filter. 100,000 samples.
#
# The protocol: every choice is made on held-out pieces of the official training samples. Then each
# test is simulated once, from its drive and the first 50 samples of its output.

# %% tags=["parameters"]
profile = "quick"
folder = ""
devices = ["silverbox", "tanks"]
seeds = [0]
options = {}

# %%
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from spinode.analysis import plots
from spinode.errors import InputError
from spinode.neural_ode.forecast import ForecastWarning
from spinode.neural_ode.identification import identify
from spinode.recordings import published
from spinode.workflow.workbook import outputs

plots.use_style()
warnings.simplefilter("ignore", ForecastWarning)
out = outputs(profile)

# %% [markdown]
# ## The recordings
#
# `folder` names local copies. Without one, the field's own package `nonlinear-benchmarks` downloads
# them (`pip install "spinode[devices]"`).

# %%
try:
    measured = {name: published.load(name, Path(folder) if folder else None) for name in devices}
except InputError as missing:
    measured = {}
    print(f"These recordings are not here, so nothing is learned below: {missing}")
pd.DataFrame(
    {
        name: {
            "training samples": device.train.sizes["time"],
            "test samples": sum(test.sizes["time"] for test in device.tests.values()),
            "spacing (s)": float(device.train.time[1]),
        }
        for name, device in measured.items()
    }
).T

# %% [markdown]
# ## Learned, and simulated
#
# One call a device, with its defaults. Only the training record is handed over.

# %%
models, minutes, errors, runs = {}, {}, {}, {}
for name, device in measured.items():
    for seed in seeds:
        begin = time.perf_counter()
        model = identify(device.train, output="y", inputs="u", seed=seed, progress=False, **options)
        minutes.setdefault(name, []).append((time.perf_counter() - begin) / 60)
        models.setdefault(name, model)
        for which, test in device.tests.items():
            run = published.simulate(model, test)
            errors.setdefault(which, []).append(published.error(run, test))
            runs.setdefault(which, run)
pd.DataFrame(
    {
        name: {
            "states": model.states,
            "neurons": model.width,
            "weights": model.shape.weights,
            "minutes": sum(minutes[name]) / len(minutes[name]),
        }
        for name, model in models.items()
    }
).T

# %% [markdown]
# ## Beside what was published
#
# Root mean square errors in volts; ours is the median of the seeds. For the tanks' 0.306 V half of
# the test served to choose the model, and the grey box knows the physics of tanks.

# %%
if errors:
    table = published.published()[list(errors)].dropna(how="all")
    table.loc["this workbook"] = {
        name: pd.Series(values).median() for name, values in errors.items()
    }
    display(table.style.format("{:.4g}", na_rep="-").highlight_min(props="font-weight: bold"))

# %%
if errors:
    figure, axes = plt.subplots(1, len(errors), figsize=(2.4 * len(errors) + 1, 3.2), squeeze=False)
    for axis, name in zip(axes[0], errors, strict=True):
        theirs = table[name].drop("this workbook").dropna()
        axis.plot([0] * len(theirs), theirs, "o", color="0.6", label="published")
        axis.plot([0] * len(errors[name]), errors[name], "_", color="C3", ms=22, label="ours")
        axis.set(yscale="log", xticks=[], title=name.replace("_", " "), xlim=(-1, 1))
    axes[0, 0].set_ylabel("error (V)")
    axes[0, 0].legend()
    plots.save_figure(figure, out.figures / "real_devices.png")

# %% [markdown]
# ## What a forecast looks like
#
# The end of each test: measured, forecast, and the band that should hold nine samples of ten.

# %%
if runs:
    figure, axes = plt.subplots(len(runs), 1, figsize=(8, 2 * len(runs)), squeeze=False)
    for axis, (which, run) in zip(axes[:, 0], runs.items(), strict=True):
        device = next(one for one in measured.values() if which in one.tests)
        last = slice(-200, None)
        shown, truth = run.isel(time=last), device.tests[which].isel(time=last)
        axis.fill_between(shown.time, shown.y_low, shown.y_high, color="C3", alpha=0.2)
        axis.plot(truth.time, truth.y, "k", lw=1)
        axis.plot(shown.time, shown.y, "C3--", lw=1)
        axis.set(title=which.replace("_", " "), ylabel="V", xlabel="time (s)")

# %% [markdown]
# ## What was found

# %%
out.write_metrics(
    "real_devices",
    {
        "error_v": errors,
        "minutes": minutes,
        "weights": {name: model.shape.weights for name, model in models.items()},
        "chosen": {
            name: next(row for row in model.choices if row["chosen"])
            for name, model in models.items()
        },
    },
)
lines = [
    f"- {name.replace('_', ' ')}: {pd.Series(values).median():.3g} V, the best published "
    f"{published.published()[name].min():.3g} V"
    for name, values in errors.items()
]
display(Markdown("\n".join(lines) or "No recording, no result."))

# %% [markdown] tags=["navigation"]
# [Before: What does *your* device do?](10_your_device.py) | [All notebooks](README.md) | [Next:
# Can a twin design a better reservoir, and does micromagnetics agree?](12_design.py)
