# %% [markdown]
# # Noise: when the same drive never gives the same answer
#
# *Tutorial 5 of 5. You need: mean and standard deviation. You get: what thermal noise does to a
# device, how to measure its strength from one recording, and two ways to forecast it.*
#
# At room temperature everything trembles. A nano-oscillator is small enough to show it: play it the
# same drive twice and the answers differ. A forecast that is honest must not only give the mean
# answer, it must also tremble as much as the device.

# %% jupyter={"source_hidden": true} tags=["parameters"]
profile = "quick"
iterations = 2400
samples = 12000

# %% jupyter={"source_hidden": true}
import holoviews as hv  # draws pictures that move

hv.extension.inline = True  # their code comes with the notebook, not from the network

# %% jupyter={"source_hidden": true}
import warnings
from dataclasses import replace

import hvplot.pandas  # adds .hvplot to tables
import hvplot.xarray  # noqa: F401 adds .hvplot to fields
import numpy as np
import pandas as pd
import xarray as xr

from spinode.book.exercises import check
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.analysis.metrics import nrmse
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import (
    NoisyDrive,
    input_noise_strength,
    langevin_strength,
    one_step_residuals,
)
from spinode.devices.oscillator import NanoOscillator, simulate_oscillator
from spinode.neural_ode.learning import fit
from spinode.trajectory import Channel

# %% [markdown]
# ## A particle on a spring, kicked at random
#
# The simplest noisy system relaxes to zero at a rate $\Gamma$ and is kicked by noise of strength
# $s$ all the time,
#
# $$ dx = -\Gamma x\, dt + s\, dW . $$
#
# $dW$ is a random number with variance $dt$, drawn anew every step: after a time $t$ the kicks have
# added up to a spread of $s \sqrt t$, not $s\, t$, since half of them cancel. On a computer it is
# one line (Euler and Maruyama).


# %%
def kicked(rate, strength, steps, h, runs, seed=0):
    """Return paths of shape (steps, runs) that start at zero."""
    generator = np.random.default_rng(seed)
    x, path = np.zeros(runs), []
    for _ in range(steps):
        path.append(x)
        x = x - rate * x * h + strength * np.sqrt(h) * generator.normal(size=runs)
    return np.array(path)


h, rate, strength = 0.01, 1.0, 0.5
paths = kicked(rate, strength, 600, h, 2000)
clock = pd.Index(h * np.arange(len(paths)), name="time")
few = pd.DataFrame(paths[:, :6], index=clock).hvplot.line(
    ylabel="x", color="silver", legend=False, width=700, height=260
)
theory = strength * np.sqrt((1 - np.exp(-2 * rate * clock.values)) / (2 * rate))
spread = pd.DataFrame({"spread of 2000 runs": paths.std(axis=1), "theory": theory}, index=clock)
few * spread.hvplot.line(color=["black", "red"], line_width=3)

# %% [markdown]
# Kicks push out, the spring pulls back, and the spread settles where both balance, at
# $s/\sqrt{2\Gamma}$. The slider changes the strength $s$.

# %%
strengths = []
for s in (0.1, 0.2, 0.5, 1.0, 1.5):
    some = kicked(rate, s, 600, h, 6)[::5]
    strengths.append(pd.DataFrame(some, columns=list("abcdef")).assign(time=clock[::5], s=s))
pd.concat(strengths).hvplot.line(
    x="time",
    y=list("abcdef"),
    groupby="s",
    dynamic=False,
    ylabel="x",
    ylim=(-2.5, 2.5),
    legend=False,
    width=700,
    height=260,
)

# %% [markdown]
# > **Exercise 1 ★.** Which $s$ gives the same final spread at four times the rate? Which curve
# > tells the two systems apart nevertheless?

# %%
exercise_1 = None  # s at a rate of 4
check("5.1", exercise_1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Twice the $s$. The final spread alone cannot tell them apart; how *fast* it is reached can, or how
# quickly $x$ forgets its own past (its spectrum, which notebook 06 compares).
#
# </details>
#
# ## A device
#
# `NanoOscillator` is a spin-torque oscillator in the amplitude equation of Slavin and Tiberkevich:
# the current feeds the precession, damping eats it, more of it the larger the amplitude. It is a
# spring that gets softer and stiffer with the drive. Twice the same random drive:

# %%
device = NanoOscillator(noise=6.0)
spacing = 1e-7
generator = np.random.default_rng(1)
drive = xr.Dataset(
    {"drive": ("time", generator.choice([-1, 1], samples) * generator.uniform(0, 0.25, samples))},
    {"time": spacing * np.arange(samples)},
)
first, second = (simulate_oscillator(device, drive, seed=seed) for seed in (0, 1))
part = slice(1000, 1080)
pd.DataFrame(
    {"first": first.voltage[part].values, "second": second.voltage[part].values},
    index=pd.Index(first.time[part].values * 1e6, name="time"),
).hvplot.line(xlabel="time (us)", ylabel="voltage (V)", width=750, height=260)

# %% [markdown]
# ## A neural ODE learns the mean
#
# Trained on the noisy recording, what does the network learn? Each kick is as often up as down, so
# the law with the smallest squared error is the one *without* kicks. The proof: it is closer to a
# noise-free device, which it has never seen, than the recording it was trained on.

# %%
train = 9000
model = SpinODE(
    Channel("voltage", "V", scale=0.1),
    (Channel("drive", "V", scale=0.1),),
    sample_spacing=spacing,
    time_scale=spacing / 0.25,
    k=1,
    width=30,
)
fit(
    model,
    first,
    interpolation="linear",
    train=(0, train),
    iterations=iterations,
    progress=False,
)
quiet = forecast(model, drive, initial=first, interpolation="linear")
truth = simulate_oscillator(replace(device, noise=0.0), drive)
unseen = slice(train, None)
for name, run in {"network": quiet, "the recording": first}.items():
    error = nrmse(run.voltage.values[unseen], truth.voltage.values[unseen])
    print(f"{name}: NRMSE {error:.1%} to the noise-free device")

# %% [markdown]
# ## How strong is the noise? Ask the residuals
#
# Forecast each sample from the measured one just before. What is left is what the kicks did within
# 100 ns. If the kicks are Gaussian, their most likely strength is the root of the mean square of
# those residuals, corrected for how much the device forgets within a sample. With it comes an
# uncertainty.

# %%
left_over = one_step_residuals(model, first)
estimate = langevin_strength(left_over)
print(f"estimated {estimate} V/sqrt(s), true {device.noise}")

# %% [markdown]
# > **Exercise 2 ★★.** Estimate the strength for true values of 2 and 12 with the *same* model
# > (`simulate_oscillator(replace(device, noise=...), drive, seed=3)`). And what does a badly
# > trained model say?

# %%
exercise_2 = None  # estimate for a true strength of 12, in V/sqrt(s)
check("5.2", exercise_2)

# %% [markdown]
# <details><summary>Solution</summary>
#
# A true 12 is found as 11.9, a true 2 as 2.5: far more than the uncertainty, which does not include
# the error of the model. A residual is noise *plus* ignorance: after 50 iterations the residuals of
# the model, taken for noise, give far too much. But ignorance is the same whenever the same state
# meets the same drive, and noise is not. `langevin_strength` first removes what state and drive
# predict of the residuals, and comes close again.
#
# </details>
#
# ## Forecasting the noise
#
# The paper's way: put Gaussian noise on the *input* of the noise-free model, a new value every 100
# ns. How much? So much that the residuals of single steps are explained best. (That takes the drive
# slightly beyond the largest value in training; `forecast` warns of that, and here we expect it.)

# %%
warnings.simplefilter("ignore", ForecastWarning)
level = input_noise_strength(left_over, "held").value
noisy = forecast(model, NoisyDrive(drive, level, seed=1), initial=first)
deviation = pd.DataFrame(
    {
        "device": (first.voltage - quiet.voltage).values * 1e3,
        "neural ODE, noise at the input": (noisy.voltage - quiet.voltage).values * 1e3,
    }
)
print(f"input noise {level * 1e3:.1f} mV; spread (mV):", deviation.std().round(2).to_dict())
deviation.hvplot.hist(
    bins=60,
    alpha=0.5,
    normed=True,
    ylabel="density (1/mV)",
    xlabel="deviation (mV)",
    width=650,
    height=260,
)

# %% [markdown]
# The same drive many times: the band is the model's forecast of the spread (5 % of the runs below
# it, 5 % above), the dots are what the device did.

# %%
short = drive.isel(time=slice(1000, 1120))
short = short.assign_coords(time=short.time - short.time[0])
noisy_drives = [NoisyDrive(short, level, seed=number) for number in range(200)]
start = quiet.voltage.values[1000:1001]
runs = forecast(model, noisy_drives, initial=[start] * 200).voltage.values
clock = np.arange(runs.shape[1]) * spacing * 1e6
band = pd.DataFrame(
    {
        "time": clock,
        "low": np.quantile(runs, 0.05, axis=0),
        "high": np.quantile(runs, 0.95, axis=0),
        "device": first.voltage.values[1000 : 1000 + runs.shape[1]],
    }
)
inside = ((band.device > band.low) & (band.device < band.high)).mean()
print(f"{inside:.0%} of the device's samples lie in the band meant for 90 %")
band.hvplot.area(
    x="time", y="low", y2="high", alpha=0.4, width=750, height=260
) * band.hvplot.scatter(
    x="time", y="device", xlabel="time (us)", ylabel="voltage (V)", color="black", size=8
)

# %% [markdown]
# > **Exercise 3 ★★★.** Input noise acts through the drive; real thermal kicks act on the amplitude
# > itself. Hold the drive at 0.25 V and let both run. How many times as large as the spread of the
# > device about its noise-free answer is that of the model about its own? And at -0.25 V?

# %%
exercise_3 = None  # spread of the model over that of the device, at 0.25 V
check("5.3", exercise_3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# still = drive.assign(drive=0 * drive.drive + 0.25)
# real = simulate_oscillator(device, still, seed=5)
# mean = simulate_oscillator(replace(device, noise=0.0), still)
# twin = forecast(model, NoisyDrive(still, level, seed=2), initial=real)
# calm = forecast(model, still, initial=real, interpolation="linear")
# apart = [(a.voltage - b.voltage)[200:].std() for a, b in ((twin, calm), (real, mean))]
# ratio = float(apart[0] / apart[1])
# ```
#
# At 0.25 V the model trembles 1.9 times as much as the device, at -0.25 V 0.9 times. The strength
# of the input noise is right on average over the drives of the recording. But noise at the input
# makes a device tremble as much as it answers to the drive, thermal noise as little as it is
# damped, and the two change differently with the drive. A model with noise of its own (a
# *stochastic* differential equation) can tell them apart.
#
# </details>
#
# Notebook 06 does all this for the oscillator of the paper, with spoken digits as the drive.

# %% [markdown] tags=["navigation"]
# [Before: Computing with anything that moves](4_reservoirs.py) | [All notebooks](../README.md) |
# [Next: What is a skyrmion, and how does a voltage make it breathe?](../01_skyrmion_data.py)
