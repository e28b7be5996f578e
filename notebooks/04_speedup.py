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
#
# One number is not enough. A neural ODE must be paid for before it forecasts: its training data are
# micromagnetics, and training takes time. And a fast forecast has two causes, the method and the
# program: so the paper's own way to forecast runs here as well.

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

from spinode import SpinODE, forecast, simulate
from spinode.analysis import plots
from spinode.analysis.looks import LOOKS
from spinode.devices.drives import HeldSequence
from spinode.devices.protocols import ONE_SKYRMION
from spinode.micromagnetics import available_engines
from spinode.neural_ode.reference import torchdiffeq_forecast
from spinode.paper.claims import claimed
from spinode.paper.models import MODELS
from spinode.reservoir.readout import gaussian_mask, multiplex
from spinode.reservoir.tasks import mackey_glass_series
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
numba.set_num_threads(1)
torch.set_num_threads(1)
plan = ONE_SKYRMION.reservoir
point_ns = plan.nodes * plan.hold * 1e9
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
series = np.resize(mackey_glass_series(500), forecast_points)
masked = multiplex(series, gaussian_mask(plan.nodes), plan.minimum)
drive = HeldSequence(masked, hold=plan.hold)
rest = np.full(model.k, model.output.offset)
few = HeldSequence(masked[:torchdiffeq_points], hold=plan.hold)
steps = 2 * plan.nodes * torchdiffeq_points - model.k

ours = forecast(model, few, initial=rest)
theirs = torchdiffeq_forecast(model, few, initial=rest, steps=steps)
difference = abs(ours.mz.values[: steps + 1] - theirs.mz.values).max()
print(f"largest difference in m_z over {steps} steps: {difference:.1e}")

# %% [markdown]
# ## The race

# %%
device = replace(ONE_SKYRMION.device, cell=cell)
ENGINES = {"embedded": "micromagnetics", "mumax3": "mumax3"}
engines = [one.engine for one in available_engines() if one.available]


def seconds(run):
    """Return how long ``run()`` takes."""
    start = perf_counter()
    run()
    return perf_counter() - start


def simulation_seconds(engine, ns):
    """Return how long ``ns`` nanoseconds of the reservoir's drive take to simulate."""
    run = simulate(
        device,
        drive,
        engine=engine,
        spacing=plan.hold,
        duration=ns * 1e-9,
        progress=False,
    )
    return run.attrs["wall_time"] - run.attrs["relaxation_wall_time"]


for engine in engines:
    simulation_seconds(engine, 0.1)  # compiled once, before the clock runs

# %%
rounds = []
for _ in tqdm(range(repeats), desc="repeats"):
    one = {ENGINES[e]: simulation_seconds(e, simulated_ns) / simulated_ns for e in engines}
    way = seconds(lambda: torchdiffeq_forecast(model, few, initial=rest, steps=steps))
    one["torchdiffeq"] = way / (torchdiffeq_points * point_ns)
    compiled = seconds(lambda: forecast(model, drive, initial=rest, every=2))
    one["neural_ode"] = compiled / (forecast_points * point_ns)
    rounds.append(one)
times = pd.DataFrame(rounds)  # seconds of computing per simulated nanosecond
median = times.median()
times

# %% [markdown]
# ## What it means for the task
#
# The training data are the first 57.5 ns of micromagnetics, 7.5 ns of which are left to settle; the
# training is that of notebook 02. After how many points of the task does that pay off?

# %%
training = json.loads(out.input("training.json").read_text())
training_s = float(np.median(training["training_s"]["k2"]))
learning = ONE_SKYRMION.learning
data_ns = learning.validation[1] * learning.sample_spacing * 1e9
data_s = data_ns * median["micromagnetics"]
rows = {}
for name in times:
    learns = name in ("torchdiffeq", "neural_ode")
    task_s = median[name] * point_ns * task_points
    saved = (median["micromagnetics"] - median[name]) * point_ns
    rows[name] = {
        "s_per_ns": median[name],
        "s_per_ns_range": [times[name].min(), times[name].max()],
        "task_s": task_s,
        "task_with_training_s": task_s + learns * (data_s + training_s),
        "speedup_over_micromagnetics": (times["micromagnetics"] / times[name]).median(),
        "points_until_it_pays": (data_s + training_s) / saved if learns else 0.0,
    }
for row in rows.values():
    all_in = row["task_with_training_s"]
    row["speedup_with_training"] = rows["micromagnetics"]["task_s"] / all_in
table = pd.DataFrame(rows).T.drop(columns="s_per_ns_range").astype(float)
table.style.format("{:.3g}")

# %%
BARS = {
    "paper_gpu": ("micromagnetics, paper (GPU)", claimed("micromagnetics_task_s")),
    "paper_ode": ("neural ODE, paper", claimed("neural_ode_task_s")),
}
for name, row in rows.items():
    label = {"neural_ode": "neural ODE, compiled"}.get(name, LOOKS[name].label)
    BARS[name] = f"{label}, here", row["task_s"]


def draw_speed(ax):
    """Draw what the task takes, and above it what training data and training add."""
    for position, (name, (_, value)) in enumerate(BARS.items()):
        color = plots.COLORS.get(name, "#BBBBBB")
        ax.barh(position, value, color=color)
        said = f"{value:,.0f} s" if value >= 100 else f"{value:.2g} s"
        if name in ("torchdiffeq", "neural_ode"):
            whole = rows[name]["task_with_training_s"]
            hatched = {"color": "none", "edgecolor": color, "hatch": "////", "linewidth": 0.8}
            ax.barh(position, whole - value, left=value, **hatched)
            said, value = f"{said}; {whole:,.0f} s with data and training", whole
        ax.annotate(f"  {said}", (value, position), va="center", fontsize=9)
    ax.set(xscale="log", xlabel="10,000 points of the Mackey-Glass task (s)", xlim=(0.3, 3e7))
    ax.set_yticks(range(len(BARS)), [label for label, _ in BARS.values()])
    ax.invert_yaxis()


figure, ax = plt.subplots(figsize=(9, 3.2))
draw_speed(ax)
ax.set_title(f"here: one thread, median of {repeats} rounds; hatched: training data and training")
plots.save_figure(figure, out.figures / "speedup.png")
plt.show()

# %% [markdown]
# All bars but our forecast's are extrapolated from a shorter run. A forecast needs no more than a
# few thousand multiplications a step; any time beyond them is due to the program.
# `benchmarks/forecast_peers.py` compares ours with the same solver compiled by JAX (`lax.scan`) and
# by diffrax.

# %% [markdown]
# ## What was found

# %%
out.write_metrics(
    "speedup",
    {
        "cell_m": cell,
        "rounds": repeats,
        **{key: {name: row[key] for name, row in rows.items()} for key in rows["neural_ode"]},
        "training_data_s": data_s,
        "training_s": training_s,
        "compiled_over_torchdiffeq": float((times.torchdiffeq / times.neural_ode).median()),
        "largest_difference_mz": float(difference),
    },
)
ours_row, theirs_row = rows["neural_ode"], rows["torchdiffeq"]
faster = {name: row["speedup_over_micromagnetics"] for name, row in rows.items()}
display(
    Markdown(
        f"On this machine, one thread each, our forecast is **{faster['neural_ode']:,.0f} times** "
        f"faster than the embedded engine; with training data and training counted, the whole task "
        f"is done **{ours_row['speedup_with_training']:,.0f} times** sooner. The paper's own way "
        f"to forecast is {faster['torchdiffeq']:,.0f} times faster than this "
        f"engine, "
        f"{theirs_row['speedup_with_training']:,.0f} times with training; the paper claims over "
        f"{claimed('speedup_neural_ode'):g} (MuMax3 on a GPU). The "
        f"neural ODE pays off after {ours_row['points_until_it_pays']:,.0f} of the 10,000 points."
    )
)

# %% [markdown] tags=["navigation"]
# [Before: Can a neural ODE stand in for a reservoir computer made of a
# skyrmion?](03_mackey_glass.py) | [All notebooks](README.md) | [Next: Can one network learn a
# whole family of devices?](05_material_parameters.py)
