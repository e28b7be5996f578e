# %% [markdown]
# # Why two delays? Seeing what you cannot measure
#
# *Tutorial 3 of 5. You need: tutorial 2, or what a neural ODE is. You get: why the paper's model
# with k = 2 works and the one with k = 1 cannot.*
#
# A pendulum passes its lowest point. Will it go left or right? From the position alone you cannot
# tell: you need the velocity. Now suppose that you *cannot* measure velocity. Look twice: two
# positions, shortly after each other, reveal it as well. That is **delay embedding**: in place of
# the state that you cannot see, take
#
# $$ \big(x(t),\; x(t+d),\; \dots,\; x(t + (k-1) d)\big). $$
#
# Takens proved in 1981 that with enough delays this works for almost any system and any signal.

# %% jupyter={"source_hidden": true} tags=["parameters"]
profile = "quick"
iterations = 1600
simulated_ns = 12.0

# %% jupyter={"source_hidden": true}
import holoviews as hv  # draws pictures that move

hv.extension.inline = True  # their code comes with the notebook, not from the network

# %% jupyter={"source_hidden": true}
from dataclasses import replace

import hvplot.pandas  # adds .hvplot to tables
import hvplot.xarray  # noqa: F401 adds .hvplot to fields
import numpy as np
import pandas as pd
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.spatial import cKDTree

from spinode.book.exercises import check
from spinode.neural_ode.forecast import forecast
from spinode.analysis.metrics import nrmse
from spinode.micromagnetics import simulate
from spinode.neural_ode.model import SpinODE
from spinode.devices.protocols import ONE_SKYRMION
from spinode.neural_ode.learning import fit
from spinode.trajectory import Channel, delay_embed

# %% [markdown]
# ## A system with a hidden part
#
# The van der Pol oscillator, an electric circuit that oscillates by itself:
# $\ddot x = (1 - x^2)\,\dot x - x$. We record $x$ only.

# %%
step = 0.2
time = step * np.arange(750)
solved = solve_ivp(
    lambda t, y: (y[1], (1 - y[0] ** 2) * y[1] - y[0]),
    (0, time[-1]),
    (0.5, 0.0),
    t_eval=time,
    rtol=1e-8,
)
x, hidden = solved.y
record = pd.DataFrame({"x": x, "velocity (hidden)": hidden}, index=pd.Index(time, name="time"))
record[:300].hvplot.line(y="x", xlabel="time (s)", ylabel="x (V)", width=700, height=220)

# %% [markdown]
# ## One value is not enough
#
# For a law $dx/dt = f(x)$ to exist, equal $x$ must be followed by equal slopes. They are not: at
# nearly every $x$ the curve goes up as well as down.

# %%
slopes = pd.DataFrame({"x": x[:-1], "dx/dt": np.diff(x) / step})
slopes.hvplot.scatter(
    x="x", y="dx/dt", xlabel="x (V)", ylabel="dx/dt (V/s)", size=5, width=420, height=320
)

# %% [markdown]
# ## Two values are
#
# Against $x(t)$ and $x(t+d)$, the slope *is* a function: points that are neighbours in the plane
# have the same colour. Move the slider to change $d$: too short, and all points lie near the
# diagonal, where the two values say the same. At half a period (3.4 s) they say the same again, up
# to the sign.

# %%
panes = []
for lag in (1, 2, 3, 5, 10, 17):
    plane = pd.DataFrame(
        {"x(t)": x[: -lag - 1], "x(t+d)": x[lag:-1], "d (s)": round(lag * step, 1)}
    )
    panes.append(plane.assign(slope=np.diff(x)[: -lag or None] / step))
pd.concat(panes).hvplot.scatter(
    x="x(t)",
    y="x(t+d)",
    c="slope",
    groupby="d (s)",
    xlabel="x(t) (V)",
    ylabel="x(t+d) (V)",
    clabel="slope (V/s)",
    colorbar=True,
    dynamic=False,
    cmap="coolwarm",
    size=8,
    width=480,
    height=380,
)

# %% [markdown]
# ## Counting false neighbours
#
# How many delays does an unknown signal need? Look for **false neighbours**: points that are close
# with $k$ values, but only because the picture is squashed, and far apart once the next value is
# looked at. When adding a value finds no more of them, $k$ is enough (Kennel, 1992).


# %%
def false_neighbours(signal, k, lag=1, tolerance=10.0):
    """Return the fraction of nearest neighbours in k delays that part in the next one."""
    count = len(signal) - k * lag
    points = np.column_stack([signal[j * lag : j * lag + count] for j in range(k)])
    distance, index = cKDTree(points).query(points, k=2)
    later = signal[k * lag : k * lag + count]
    apart = abs(later - later[index[:, 1]])
    known = distance[:, 1] > 1e-9 * signal.std()
    return float((apart[known] / distance[known, 1] > tolerance).mean())


ks = range(1, 5)
found = pd.Series({k: false_neighbours(x, k, lag=3) for k in ks}, name="false neighbours")
print(found.to_string())
found.rename(index=str).hvplot.bar(xlabel="k", width=380, height=250)

# %% [markdown]
# Or ask a neighbour. For every moment of the second half, take the one of the first half whose $k$
# values are most like it, and let it predict the slope. With $k = 1$ it knows the size and often
# has the wrong sign. Move the slider to $k = 2$, and it knows; more delays add nothing.

# %%
answers = []
for k in ks:
    count = len(x) - 1 - 3 * max(ks)
    points = np.column_stack([x[3 * j : 3 * j + count] for j in range(k)])
    slope, half = np.diff(x)[:count] / step, count // 2
    _, nearest = cKDTree(points[:half]).query(points[half:])
    told = {"slope": slope[half:], "neighbour's slope": slope[nearest], "k": k}
    answers.append(pd.DataFrame(told))
pd.concat(answers).hvplot.scatter(
    x="slope",
    y="neighbour's slope",
    groupby="k",
    dynamic=False,
    xlabel="slope (V/s)",
    ylabel="neighbour's slope (V/s)",
    size=8,
    width=420,
    height=320,
)

# %% [markdown]
# > **Exercise 1 ★.** What does the count say of a signal of pure noise?

# %%
exercise_1 = None  # false neighbours of white noise for k = 2
check("3.1", exercise_1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# `false_neighbours(np.random.default_rng(0).normal(size=1500), k)`: 0.99, 0.70 and 0.23 for k = 1
# to 3, no sudden drop to nothing. No number of past values predicts the next one of white noise.
# (It falls for a dull reason: among 1500 points in many dimensions nobody has a close neighbour.)
#
# </details>
#
# ## The law in delay coordinates
#
# So let a network learn $dy/dt = f(y)$ for $y = (x(t), x(t+d))$, from values of $x$ alone. A model
# without inputs has nothing to be driven by; we give it one that is always zero.

# %%
data = xr.Dataset(
    {"x": ("time", x, {"units": "V"}), "zero": ("time", 0 * x, {"units": "V"})}, {"time": time}
)
forecasts, errors = {}, {}
for k in (1, 2):
    model = SpinODE(
        Channel("x", "V", scale=2.0),
        (Channel("zero", "V"),),
        sample_spacing=step,
        time_scale=1.0,
        k=k,
    )
    fit(
        model,
        data,
        interpolation="linear",
        train=(0, 350),
        validation=(350, 450),
        iterations=iterations,
        progress=False,
    )
    later = data.isel(time=slice(450, None))
    forecasts[f"k = {k}"] = forecast(model, later, initial=later, interpolation="linear").x
    aligned = forecasts[f"k = {k}"].reindex(time=later.time, method="nearest", tolerance=step / 2)
    errors[f"k = {k}"] = nrmse(aligned.values, later.x.values)
print({name: f"NRMSE {error:.1%}" for name, error in errors.items()})
pd.DataFrame(
    {"true": data.x[450:].to_series(), **{n: run.to_series() for n, run in forecasts.items()}}
).hvplot.line(xlabel="time (s)", ylabel="x (V)", width=750, height=260)

# %% [markdown]
# With one value the best a law can do is to come to rest: where the slope is as often up as down,
# the mean is zero. With two it oscillates, and after nine periods is only slightly out of step. The
# hidden velocity was never shown to it.
#
# ## And the skyrmion?
#
# Its micromagnetic state has thousands of numbers. How many delays of $m_z$ does it need? We
# simulate a few nanoseconds under the paper's drive. Neighbours may part because their drives do,
# so that close now means close in the values of $m_z$ *and* of the drive.

# %%
device = replace(ONE_SKYRMION.device, cell=2e-9)
drive = replace(ONE_SKYRMION.drive, amplitude=1.5e5)
run = simulate(device, drive, spacing=5e-12, duration=simulated_ns * 1e-9)
mz = (run.mz.values - run.mz.values.mean()) / run.mz.values.std()
force = (run.Ku.values - 8e5) / 1e5


def driven_false_neighbours(signal, force, k, lag=4, tolerance=2.0):
    """Count false neighbours of a driven signal: being close includes the drive."""
    count = len(signal) - k * lag
    values = [delay[:count] for j in range(k) for delay in (signal[j * lag :], force[j * lag :])]
    points = np.column_stack([*values, force[k * lag : k * lag + count]])
    distance, index = cKDTree(points).query(points, k=2)
    later = signal[k * lag : k * lag + count]
    apart = abs(later - later[index[:, 1]])
    return float((apart / distance[:, 1] > tolerance).mean())


skyrmion = pd.Series(
    {k: driven_false_neighbours(mz, force, k) for k in ks}, name="false neighbours, skyrmion"
)
print(skyrmion.to_string())
skyrmion.rename(index=str).hvplot.bar(xlabel="k", width=380, height=250)

# %% [markdown]
# With a second delay the false neighbours are gone, and more delays find none. Over a thousand
# spins, and two numbers predict what comes next: the skyrmion breathes as one oscillator. This is
# the paper's k = 2, found without training anything. Notebook 02 trains both.
#
# `delay_embed` of the workbook does what we did by hand:

# %%
delay_embed(np.arange(6.0), 3)

# %% [markdown]
# > **Exercise 2 ★.** A quarter of the breathing period, about 100 ps, would show position and
# > velocity best. How many samples of the published data, 5 ps apart, is that? Is $d$ = one sample
# > not too short, as in the slider above?

# %%
exercise_2 = None  # samples in a quarter of a period
check("3.2", exercise_2)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Five samples. For data *with noise* one would be too short: the two values nearly coincide, and
# their difference, which carries the velocity, drowns. Simulated data have no noise to speak of.
# For the measured oscillator (notebook 06), samples are 100 ns apart and the relaxation takes
# 290 ns.
#
# </details>
#
# > **Exercise 3 ★★.** Train the van der Pol model with k = 3. Does it get better? And with noise of
# > 0.02 on `x`?

# %%
exercise_3 = None  # NRMSE without noise for k = 3, in percent
check("3.3", exercise_3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Set `k = 3`, and `data["x"] += 0.02 * np.random.default_rng(0).normal(size=len(x))` before the
# training. Both times it gets better: the NRMSE falls from 13 to 6 %, and with noise from about 27
# to 7 %. Two values suffice in principle, but three span twice the time, so that the velocity
# drowns less in noise and in the errors of the network. How many are best, one has to try; notebook
# 09 does.
#
# </details>

# %% [markdown] tags=["navigation"]
# [Before: What is a neural ODE?](2_neural_odes.py) | [All notebooks](../README.md) | [Next:
# Computing with anything that moves](4_reservoirs.py)
