# %% [markdown]
# # How much faster is the neural ODE, really?
#
# *The timing claim of the paper.*
#
# The headline number: the skyrmion reservoir of Fig. 3, 10,000 points of 50 virtual nodes of
# 10 ps, takes micromagnetics **three days** on a GPU and the neural ODE **20 minutes**: over 200
# times less. Here both run on one thread of the same processor, side by side, repeatedly and in
# turn. Only our own forecast is quick enough to do the full task each time; for the others it is
# extrapolated from a shorter one.

# %% tags=["parameters"]
profile = "quick"
cell = 1e-9
repeats = 3
simulated_ns = 1.0
torchdiffeq_points = 10
forecast_points = 10000

# %%
import json
from dataclasses import replace
from time import perf_counter

import numba
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from matplotlib import pyplot as plt
from tqdm import tqdm

from spinode.analysis import plots
from spinode.paper.claims import claimed
from spinode.paper.models import MODELS
from spinode.devices.drives import HeldSequence
from spinode.neural_ode.forecast import forecast
from spinode.micromagnetics import available_engines, simulate
from spinode.neural_ode.model import SpinODE
from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.reference import torchdiffeq_forecast
from spinode.reservoir.readout import gaussian_mask, multiplex
from spinode.reservoir.tasks import mackey_glass_series
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
numba.set_num_threads(1)
torch.set_num_threads(1)
point_ns = 0.5  # 50 nodes of 10 ps
task_points = 10_000

# %% [markdown]
# ## The contestants
#
# - **micromagnetics**: the embedded engine on the paper's mesh (80 x 80 cells of 1 nm), and
#   **MuMax3** on the GPU where there is one. Relaxing the device is not counted.
# - **neural ODE, torchdiffeq**: the paper's way to forecast: time is carried in the state, and the
#   input is looked up by it.
# - **neural ODE, compiled**: ours, of the same model and the same solver.
#
# Both forecasts give the same numbers:

# %%
weights = MODELS["one_skyrmion"].here
model = (
    MODELS["one_skyrmion"].load()
    if weights
    else SpinODE.load(out.input("training/one_skyrmion_k2.pt"))
)
series = mackey_glass_series(500)
masked = multiplex(
    np.resize(series, forecast_points), gaussian_mask(), minimum=ONE_SKYRMION.reservoir.minimum
)
drive = HeldSequence(masked)
rest = np.full(model.k, model.output.offset)
few = HeldSequence(masked[:torchdiffeq_points])
steps = 100 * torchdiffeq_points - model.k

ours = forecast(model, few, initial=rest)
theirs = torchdiffeq_forecast(model, few, initial=rest, steps=steps)
difference = abs(ours.mz.values[: steps + 1] - theirs.mz.values).max()
print(f"largest difference in m_z over {steps} steps: {difference:.1e}")

# %% [markdown]
# ## The race

# %%
device = replace(ONE_SKYRMION.device, cell=cell)


def seconds(run):
    """Return how long ``run()`` takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def micromagnetics(engine, ns):
    """Return how long ``ns`` nanoseconds of the reservoir's drive take to simulate."""
    run = simulate(device, drive, engine=engine, spacing=10e-12, duration=ns * 1e-9, progress=False)
    return run.attrs["wall_time"] - run.attrs["relaxation_wall_time"]


labels = {"embedded": "micromagnetics", "mumax3": "MuMax3"}
engines = [one.engine for one in available_engines() if one.available]
for engine in engines:
    micromagnetics(engine, 0.1)  # compiled once, before the clock runs
times = []
for _ in tqdm(range(repeats), desc="repeats"):
    physics = {
        labels[engine]: micromagnetics(engine, simulated_ns) / simulated_ns for engine in engines
    }
    way = seconds(lambda: torchdiffeq_forecast(model, few, initial=rest, steps=steps))
    compiled = seconds(lambda: forecast(model, drive, initial=rest, every=2))
    times.append(
        {
            **physics,
            "neural ODE, torchdiffeq": way / (torchdiffeq_points * point_ns),
            "neural ODE, compiled": compiled / (forecast_points * point_ns),
        }
    )
times = pd.DataFrame(times)  # seconds of computing per simulated nanosecond

# %% [markdown]
# ## What it means for the task
#
# The neural ODE must first be paid for: its training data are 50 ns of micromagnetics, and its
# training takes time as well. How many points of the task until that has paid off?

# %%
training = out.results / "training.json"
training_s = float(np.median(json.loads(training.read_text())["training_s"]["k2"]))
median = times.median()
upfront = 50 * median["micromagnetics"] + training_s
rows = []
for name in times:
    per_point = median[name] * point_ns
    learns = name.startswith("neural ODE")
    saved = median["micromagnetics"] * point_ns - per_point
    rows.append(
        {
            "method": name,
            "s per ns": median[name],
            "lowest": times[name].min(),
            "highest": times[name].max(),
            "s per point": per_point,
            "10,000 points, extrapolated (s)": per_point * task_points,
            "with training data and training (s)": per_point * task_points + learns * upfront,
            "points until it pays": upfront / saved if learns else 0.0,
            "speed-up": median["micromagnetics"] / median[name],
        }
    )
table = pd.DataFrame(rows).set_index("method")
display(table.style.format("{:.3g}"))

# %%
figure, ax = plt.subplots(figsize=(9, 3.2))
days = {
    "micromagnetics, paper (GPU)": 3 * 86400,
    "neural ODE, paper": 20 * 60,
    **{f"{name}, here": value for name, value in table["10,000 points, extrapolated (s)"].items()},
}
shades = {
    "micromagnetics": "#000000",
    "MuMax3": "#E69F00",
    "neural ODE, torchdiffeq": "#56B4E9",
    "neural ODE, compiled": "#0072B2",
}
per_ns = point_ns * task_points
whiskers = np.full((2, len(days)), np.nan)
whiskers[:, 2:] = per_ns * np.array([median - times.min(), times.max() - median])
ax.barh(
    list(days),
    list(days.values()),
    color=["0.7", "0.7", *(shades[name] for name in times)],
    xerr=whiskers,
    error_kw={"ecolor": "#D55E00", "capsize": 3},
)
ax.set_xscale("log")
ax.invert_yaxis()
ax.set_xlabel(
    "10,000 points of the Mackey-Glass task (s)\n"
    f"here: one thread, median and range of {repeats} runs; all but the last extrapolated"
)
for position, value in enumerate(days.values()):
    said = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
    ax.annotate(
        f"   {said} s", (value + np.nan_to_num(whiskers[1, position]), position), va="center"
    )
ax.margins(x=0.15)
plots.save_figure(figure, out.figures / "speedup.png")
plt.show()

# %%
table["10,000 points, extrapolated (s)"].hvplot.barh(logx=True, width=850, height=250)

# %% [markdown]
# ## What was found

# %%
compiled = table.loc["neural ODE, compiled"]
ratio = median["neural ODE, torchdiffeq"] / median["neural ODE, compiled"]
with_training = table["with training data and training (s)"]
results = pd.DataFrame(
    {
        "s_per_ns": median,
        "s_per_ns_range": {name: [times[name].min(), times[name].max()] for name in times},
        "task_s": table["10,000 points, extrapolated (s)"],
        "task_with_training_s": with_training,
        "speedup_over_micromagnetics": table["speed-up"],
        "speedup_with_training": with_training["micromagnetics"] / with_training,
    }
).rename(index={"neural ODE, torchdiffeq": "torchdiffeq", "neural ODE, compiled": "neural_ode"})
metrics = {
    "cell_m": cell,
    **results.to_dict(),
    "compiled_over_torchdiffeq": float(ratio),
    "points_until_it_pays": float(compiled["points until it pays"]),
    "largest_difference_mz": float(difference),
}
out.write_metrics("speedup", metrics)
display(
    Markdown(
        f"On this machine, one thread each, our forecast is **{compiled['speed-up']:,.0f} times** "
        f"faster than the embedded engine and {ratio:,.0f} times faster than the paper's way of "
        f"forecasting; the paper claims over {claimed('speedup_neural_ode'):g}. Training data "
        f"and training included, the neural ODE pays off after "
        f"{compiled['points until it pays']:,.0f} points of the 10,000."
    )
)
