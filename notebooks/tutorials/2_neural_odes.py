# %% [markdown]
# # What is a neural ODE?
#
# *Tutorial 2 of 5. You need: what a derivative is. You get: a network that learns a law of motion
# from a recording, built from scratch.*
#
# Galileo watched a pendulum and found a law. A law of motion says how the state $y$ changes, given
# the state itself,
#
# $$ \frac{dy}{dt} = f(y). $$
#
# Suppose we do not know $f$ and only have a recording of $y(t)$. A **neural ODE** puts a small
# network in the place of $f$, solves the equation with it, compares the solution with the recording
# and corrects the network until the two agree. What is learned is not the recording but the law:
# it can be continued, or started from elsewhere.

# %% jupyter={"source_hidden": true} tags=["parameters"]
profile = "quick"
iterations = 1500
driven_iterations = 600

# %% jupyter={"source_hidden": true}
import holoviews as hv  # draws pictures that move

hv.extension.inline = True  # their code comes with the notebook, not from the network

# %% jupyter={"source_hidden": true}
import hvplot.pandas  # adds .hvplot to tables
import hvplot.xarray  # noqa: F401 adds .hvplot to fields
import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import nn

from spinode.book.exercises import check
from spinode.neural_ode.forecast import forecast
from spinode.analysis.metrics import nrmse
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.learning import fit
from spinode.trajectory import Channel

# %% [markdown]
# ## A recording
#
# A damped oscillator: position $x$ (m) and velocity $v$ (m/s), with $\dot x = v$ and
# $\dot v = -x - 0.2\,v$ (time in s). Its solution is known by heart, a decaying cosine.

# %%
step = 0.2
damping = 0.1
tone = np.sqrt(1 - damping**2)


def oscillator(x, v, time):
    """Return position and velocity at every time, shape (times, 2)."""
    cosine, sine = np.cos(tone * time), np.sin(tone * time)
    swing = (v + damping * x) / tone
    position = np.exp(-damping * time) * (x * cosine + swing * sine)
    velocity = np.exp(-damping * time) * (v * cosine - (x + damping * v) / tone * sine)
    return np.stack([position, velocity], axis=-1)


time = step * np.arange(150)
recording = torch.tensor(oscillator(2.0, 0.0, time))
table = pd.DataFrame(recording.numpy(), columns=["x", "v"], index=pd.Index(time, name="time"))
table.hvplot.line(xlabel="time (s)", ylabel="x (m), v (m/s)", width=700, height=250)

# %% [markdown]
# ## A network that will become the law
#
# Two numbers in, two numbers out, 20 neurons between. At first it is noise.

# %%
torch.manual_seed(0)
f = nn.Sequential(nn.Linear(2, 20), nn.Tanh(), nn.Linear(20, 2)).double()


def ahead(f, y):
    """Return y one step later: Runge-Kutta, as in tutorial 1, now for a network."""
    a = f(y)
    b = f(y + step / 2 * a)
    c = f(y + step / 2 * b)
    d = f(y + step * c)
    return y + step / 6 * (a + 2 * b + 2 * c + d)


# %% [markdown]
# ## Learning
#
# Cut the recording into short windows. Start at the first point of each, take 10 steps with the
# network, and compare with what was recorded. PyTorch computes how every weight would have to
# change to make the difference smaller (*back-propagation*, through all ten steps), and `Adam`
# changes them a little. That is all there is to it.

# %%
optimizer = torch.optim.Adam(f.parameters(), lr=2e-2)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
window, losses = 10, []
for _ in range(iterations):
    starts = torch.randint(0, len(recording) - window, (32,))
    y, error = recording[starts], 0.0
    for n in range(1, window + 1):
        y = ahead(f, y)
        error = error + ((y - recording[starts + n]) ** 2).mean()
    optimizer.zero_grad()
    error.backward()
    optimizer.step()
    schedule.step()
    losses.append(error.item() / window)
pd.Series(losses, name="mean squared error").hvplot.line(
    logy=True, xlabel="iteration", width=700, height=250
)

# %% [markdown]
# ## Does it know the law?
#
# Start it elsewhere, at (0.5, 1.2), where the recording never began, and let it run. We measure a
# forecast by its **NRMSE**: the root of its mean squared error over the standard deviation of the
# truth. 0 is perfect; 100 % is what the mean alone would score.


# %%
def run(f, start, steps):
    """Return the network's own trajectory, shape (steps, 2)."""
    y, path = torch.tensor(start, dtype=torch.float64), []
    with torch.no_grad():
        for _ in range(steps):
            path.append(y)
            y = ahead(f, y)
    return torch.stack(path).numpy()


start = [0.5, 1.2]
both = pd.DataFrame(
    {
        "true": oscillator(*start, time)[:, 0],
        "neural ODE": run(f, start, len(time))[:, 0],
    },
    index=pd.Index(time, name="time"),
)
unseen_error = nrmse(both["neural ODE"].values, both["true"].values)
print(f"NRMSE from an unseen start: {unseen_error:.1%}")
both.hvplot.line(xlabel="time (s)", ylabel="x (m)", width=700, height=250)

# %% [markdown]
# One long spiral was enough, since it passes near every state of lower energy. Where it did *not*
# pass, the network guesses. Move the slider to start farther and farther out; the recording began
# at x = 2 m.

# %%
starts = []
for first in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
    pair = {
        "true": oscillator(first, 0.0, time)[:, 0],
        "neural ODE": run(f, [first, 0.0], len(time))[:, 0],
    }
    starts.append(pd.DataFrame({"time": time, "start": first, **pair}))
pd.concat(starts).hvplot.line(
    x="time",
    y=["true", "neural ODE"],
    groupby="start",
    dynamic=False,
    xlabel="time (s)",
    ylabel="x (m)",
    width=700,
    height=250,
)

# %% [markdown]
# The map shows how wrong its slope is at every state, with the recording on top.

# %%
grid = np.linspace(-3, 3, 61)
x, v = np.meshgrid(grid, grid)
with torch.no_grad():
    guess = f(torch.tensor(np.stack([x, v], axis=-1))).numpy()
wrong = np.hypot(guess[..., 0] - v, guess[..., 1] + x + 2 * damping * v)
errors = xr.DataArray(wrong, {"v": grid, "x": grid}, name="error of the slope")
errors.hvplot.image(
    x="x",
    y="v",
    logz=True,
    clim=(1e-3, 3),
    cmap="viridis",
    xlabel="x (m)",
    ylabel="v (m/s)",
    width=480,
    height=380,
) * table.hvplot.line(x="x", y="v", color="white")

# %% [markdown]
# > **Exercise 1 ★.** Start at (2.8, 0), outside of the recording. Where does the forecast go wrong
# > first, and does it recover?

# %%
exercise_1 = None  # NRMSE from the start at (2.8, 0), in percent
check("2.1", exercise_1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Set `start = [2.8, 0.0]`. The first swing is off by up to 0.4 m, since the slopes out there are
# guesses. Damping then carries the state inwards, to where the network was trained: from there on
# the law is right, but it continues from a wrong place, a little late and a little too large or
# small (NRMSE 16 %). A forecast is only as good as the states it visits.
#
# </details>
#
# > **Exercise 2 ★★.** Set `window = 1` and run again from the cell of the network on. Is the
# > forecast worse? Then do the same, with both windows, for a noisy recording:
# > `recording += 0.05 * torch.tensor(np.random.default_rng(1).normal(size=recording.shape))`.

# %%
exercise_2 = None  # NRMSE of the noisy recording with a window of 1, in percent
check("2.2", exercise_2)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Without noise a single step gives the slope, and the forecast is about as good (NRMSE 4.0 % in
# place of 3.2 %), after a tenth of the work. With noise it is not: the change within one step of
# 0.2 s drowns in the noise of the two points, and the NRMSE is 37 % with a window of 1, but 6 %
# with one of 10, in which noise averages out and errors that add up are punished. The paper uses 20
# steps; Levenberg-Marquardt (`docs/training.md`), for signals without noise, a thousand.
#
# </details>
#
# ## With a drive
#
# Devices do not just ring down, they are driven: $dy/dt = f(y, e(t))$. The network gets the drive
# $e$ as a further input. This is what `SpinODE` is, with two hidden layers, units and names; `fit`
# trains it and `forecast` runs it, both compiled: a step of a forecast takes some microseconds.
#
# Here the same oscillator under a random voltage, of which we record the position alone. The
# equation is solved in ten small steps a sample.

# %%
generator = np.random.default_rng(4)
samples = 1500
slow = np.convolve(generator.normal(size=samples + 20), np.hanning(21) / 20, "valid")
fine = np.interp(np.arange(0, samples - 1, 0.1), np.arange(samples), slow)
y, path = np.zeros(2), []
for n, push in enumerate(fine):
    if n % 10 == 0:
        path.append(y[0])
    v = y[1] + step / 10 * (-y[0] - 2 * damping * y[1] + push)
    y = np.array([y[0] + step / 10 * v, v])
driven = xr.Dataset(
    {
        "x": ("time", np.array(path), {"units": "m"}),
        "e": ("time", slow[: len(path)], {"units": "V"}),
    },
    {"time": step * np.arange(len(path))},
)
driven.to_dataframe().hvplot.line(
    y=["e", "x"], xlabel="time (s)", ylabel="voltage e (V), position x (m)", width=800, height=240
)

# %% [markdown]
# The model sees the position and its neighbour in time ($k = 2$; tutorial 3 says why). It learns
# from the first 160 s, and we stop where the 40 s after them are forecast best.

# %%
model = SpinODE(Channel("x", "m"), (Channel("e", "V"),), sample_spacing=step, time_scale=1.0)
fit(
    model,
    driven,
    interpolation="linear",
    train=(0, 800),
    validation=(800, 1000),
    iterations=driven_iterations,
    progress=False,
)
ours = forecast(model, driven, initial=driven, interpolation="linear")
held_out = nrmse(ours.x.values[1000:], driven.x.values[1000 : ours.sizes["time"]])
print(f"trained on 160 s; NRMSE from 200 s on: {held_out:.1%}")
pd.DataFrame({"true": driven.x.to_series(), "neural ODE": ours.x.to_series()}).hvplot.line(
    xlabel="time (s)", ylabel="x (m)", width=800, height=260
)

# %% [markdown]
# This is the paper's complete method. Replace the oscillator by a skyrmion and the voltage by
# $K_u(t)$, and you are in notebook 02.
#
# > **Exercise 3 ★★★.** Drive the trained model with another voltage, a sine of amplitude 0.1 V and
# > several periods. Does it find the resonance (period $2\pi$ s) although it never saw a sine?

# %%
exercise_3 = None  # amplitude at resonance
check("2.3", exercise_3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# t, amplitudes = step * np.arange(1000), {}
# for period in (3, 5, 2 * np.pi, 9):
#     sine = xr.Dataset({"e": ("time", 0.1 * np.sin(2 * np.pi * t / period))}, {"time": t})
#     end = forecast(model, sine, initial=np.zeros(2), interpolation="linear").x[-200:]
#     amplitudes[period] = float(abs(end).max())
# ```
#
# It does: 0.03, 0.16, 0.49 and 0.19 m, where theory,
# $0.1 / \sqrt{(1 - \omega^2)^2 + (0.2\,\omega)^2}$, has 0.03, 0.16, 0.50 and 0.19 m. Far beyond the
# amplitudes of the training data do not trust it; `forecast` warns, or stops.
#
# </details>

# %% [markdown] tags=["navigation"]
# [Before: From one spin to a skyrmion](1_from_spin_to_skyrmion.py) | [All
# notebooks](../README.md) | [Next: Why two delays? Seeing what you cannot measure](3_delays.py)
