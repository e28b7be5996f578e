# %% [markdown]
# # What does *your* device do?
#
# *Beyond the paper: from a recording in a file to a model of the device.*
#
# The paper ends where most laboratories begin: with a device, something that drives it, and a noisy
# recording of what it answered. Nobody knows its equations. This notebook takes such a recording
# and learns
#
# $$ \frac{dx}{dt} = A x + B e + b + W_2\, s(W_1 [x; e] + b_1), \qquad y = C x + D e + c, $$
#
# a neural ODE with a state $x$ of its own. The paper's state is the delayed output: each sample is
# taken as exact, noise included. Here the state is whatever explains all of the samples, and a
# forecast starts from a state fitted to many of them. The neurons $s$ saturate, as tanh does, or
# every other one grows, $s(v) = v\sqrt{1 + v^2} - v$, so that a spring that stiffens goes on to
# stiffen beyond what was recorded. Held-out pieces of the recording decide.
#
# The same without a notebook, in one command:
#
# ```console
# $ spinode learn recording.csv --time time_us --input drive_mV --output v_mV
# ```

# %% tags=["parameters"]
profile = "quick"
recording = ""
output = "v_mV"
inputs = ["drive_mV"]
time = "time_us"
sample_time = 0.0
units = {}
hold = False
train = [0.0, 0.7]
states = "auto"
seed = 0
samples = 10000

# %%

import numpy as np
import pandas as pd
import xarray as xr
from IPython.display import Markdown, display

from spinode.analysis import plots
from spinode.devices.oscillator import NanoOscillator, simulate_oscillator
from spinode.recordings import report, study
from spinode.recordings.look import look
from spinode.recordings.readers import read_recording
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)

# %% [markdown]
# ## A recording
#
# Name a file in the parameter `recording`: CSV, TSV, netCDF, HDF5, MATLAB, numpy, a MuMax3 table.
# The columns carry their units in their names (`v_mV`), or `units` gives them. Without a file, we
# make one as an experimenter would have it: the noisy nano-oscillator of Fig. 5, driven by random
# steps, written to a table of microseconds and millivolts. From here on we pretend not to know what
# it is.

# %%
path = recording or out.data / "your_device.csv"
if not recording:
    steps = np.random.default_rng(seed).uniform(-0.35, 0.35, size=samples // 5)
    drive = xr.Dataset(
        {"drive": ("time", np.repeat(steps, 5))}, {"time": 100e-9 * np.arange(5 * len(steps))}
    )
    answer = simulate_oscillator(NanoOscillator(), drive, seed=seed)
    table = {
        "time_us": answer.time.values * 1e6,
        "drive_mV": drive.drive.values * 1e3,
        "v_mV": answer.voltage.values * 1e3,
    }
    pd.DataFrame(table).round(6).to_csv(path, index=False)
measured = read_recording(
    path,
    output=output,
    inputs=inputs,
    time=time or None,
    sample_time=sample_time or None,
    units=units,
)
measured

# %% [markdown]
# ## A look before anything is learned
#
# Is it sampled fast enough for what it does? Is the drive rich? Is it steady? How much of it can a
# linear model explain at all? The *coherence* answers the last question: what is not coherent with
# the drive is noise or nonlinearity, and no linear model gets below it.

# %%
y, *drives = measured
seen = look(measured, output=y, inputs=drives)
for doubt in seen.warnings or ["nothing odd was seen."]:
    print("-", doubt)
pd.Series(
    {
        "samples": seen.samples,
        "sample spacing (s)": seen.sample_spacing,
        "samples a cycle": seen.samples_per_cycle,
        "linear bound (NRMSE)": seen.linear_bound,
        "noise": seen.noise,
    }
).to_frame("the recording")

# %%
plots.interactive({"recording": measured.isel(time=slice(0, 2000))}, y)

# %% [markdown]
# ## A linear model and a network
#
# Both learn from the same part of the recording. The network grows out of the linear model: its
# hidden layer begins with no effect, so it can only become better. How many states, how many
# neurons and how strongly they are held back is chosen by forecasting pieces of the training part
# that were left out of the fit. The rest of the recording is used for no choice.

# %%
found = study.learn(
    measured,
    output=y,
    inputs=drives,
    train=tuple(train),
    interpolation="held" if hold else "auto",
    states=states,
    seed=seed,
    checkpoint=out.checkpoints / "your_device.checkpoint",
)
pd.DataFrame(found.models["network"].choices)

# %% [markdown]
# ## Free simulation of what was held out
#
# The model is given the drive, and the first samples to start from. Everything after is forecast.
# *Fit* is the measure of the field of system identification, one minus the NRMSE.

# %%
pd.DataFrame(
    {
        name: {
            f"RMSE ({found.units})": score.rmse,
            "NRMSE": score.nrmse,
            "fit": score.fit,
            "residuals independent of the drive": score.residuals.independent,
            "residuals white": score.residuals.white,
        }
        for name, score in found.scores.items()
    }
).T

# %%
figure = report.forecast_figure(found)
plots.save_figure(figure, out.figures / "your_device.png")
# %% [markdown]
# ## What is left over
#
# If what the forecast leaves over still follows the drive, the model lacks something that the
# device does. If it is correlated only with itself, the noise has a memory, which a model of the
# device need not know. Noise alone keeps 99 % of the correlations within the band.

# %%
report.residuals_figure(found)
# %% [markdown]
# ## What was found

# %%
score = found.scores["network"]
out.write_metrics("your_device", found.numbers())
found.models["network"].save(out.data / "your_device.npz")
beyond = max(found.beyond.values())
display(
    Markdown(
        f"From {found.numbers()['samples_train']:,} noisy samples, a neural ODE of "
        f"{found.models['network'].states} states forecasts the held-out "
        f"{found.numbers()['samples_held_out']:,} to an NRMSE of **{score.nrmse:.1%}** "
        f"(the linear model {found.scores['linear'].nrmse:.1%}). "
        f"{beyond:.1%} of the held-out drive lies outside the range it was trained in."
    )
)

# %% [markdown]
# The model is a file now, and forecasts any other drive, from Python or from the command line:
#
# ```console
# $ spinode forecast your_device.npz new_drive.csv --out forecast.csv
# ```
#
# **Never trust it beyond its data.** A model of a device knows what the recording showed of it.
# Where a drive leaves the trained range, a forecast warns: take the warning seriously.

# %% [markdown] tags=["navigation"]
# [Before: How many delays, how wide, how long, how clean?](09_sweep.py) | [All
# notebooks](README.md) | [Next: Does it hold on real devices?](11_real_devices.py)
