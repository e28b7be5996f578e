# %% [markdown]
# # One model of one skyrmion
#
# *A point of a sweep; `09_sweep` runs it over a grid and draws what comes out.*
#
# Notebook 02 trains two Spin-Neural ODEs on the signal of one skyrmion and looks at them closely.
# Here one is trained and only its errors are kept, so that hundreds can be: with $k$ delays, a
# given width, on the first `samples` samples from 7.5 ns on, with noise added to them if wished.

# %% tags=["parameters"]
profile = "quick"
k = 2
width = 50
samples = 10000
noise = 0.0
seed = 0
iterations = 2400
lm_steps = 0
train_start = 1500
heldout_start = 11500
heldout_stop = 20000

# %%
import warnings

import numpy as np

from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.analysis.metrics import nrmse
from spinode.neural_ode.model import SpinODE
from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.descent import TrainingDiverged
from spinode.neural_ode.learning import fit
from spinode.paper.recordings import recording
from spinode.workflow.workbook import outputs

out = outputs(profile)

# %% [markdown]
# The published MuMax3 run if it was fetched, else the one of notebook 01.

# %%
learning = ONE_SKYRMION.learning
recorded = recording(ONE_SKYRMION, out.input, samples=heldout_stop)
signal, drive = recorded.signal, recorded.drive

# %% [markdown]
# `noise` is a fraction of the signal's standard deviation; the errors below are taken to the
# signal without it.

# %%
generator = np.random.default_rng(seed)
spread = float(signal.mz.std())
noisy = signal.assign(mz=signal.mz + noise * spread * generator.normal(size=signal.mz.shape))

model = SpinODE(**learning.units(signal), k=k, width=width, seed=seed)
try:
    history = fit(
        model,
        noisy,
        inputs=drive,
        train=(train_start, train_start + samples),
        iterations=iterations,
        lm_steps=lm_steps,
        seed=seed,
        progress=False,
    )
except TrainingDiverged as stop:  # a result as good as any; the best weights are kept
    history, diverged = stop.history, True
else:
    diverged = False
model.save(out.data / "model.pt")

# %% [markdown]
# One free forecast from 7.5 ns to the end; the held-out stretch is the same for all points.

# %%
truth = signal.isel(time=slice(train_start, None))
lasting = learning.sample_spacing * (truth.sizes["time"] - 1)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ForecastWarning)  # a forecast cut short has infinite NRMSE
    forecasted = forecast(
        model, drive, initial=truth, duration=float(truth.time[-1] - truth.time[0])
    )
run = forecasted.reindex(time=truth.time, method="nearest", tolerance=learning.sample_spacing / 2)
stretches = {
    "trained": slice(0, samples),
    "heldout": slice(heldout_start - train_start, None),
}
metrics = {
    f"nrmse_{name}": nrmse(run.mz.values[part], truth.mz.values[part])
    for name, part in stretches.items()
}
metrics |= {
    "train_mse": float(history.train_mse.min()),
    "training_seconds": float(history.seconds[-1]),
    "diverged": diverged,
}
out.write_metrics("train_one", metrics)
metrics
