# %% [markdown]
# # From one spin to a skyrmion
#
# *Tutorial 1 of 5. You need: vectors and a little Python. You get: the equation behind all data of
# this workbook, solved twice, once in ten lines and once for over a thousand spins.*
#
# A magnet is made of spins, and each is a tiny gyroscope. Push a gyroscope and it does not fall
# over, it turns sideways. For a spin of direction $\mathbf m$ (a unit vector) in a field
# $\mathbf B$, that is the **Landau-Lifshitz-Gilbert equation** (LLG),
#
# $$ \frac{d\mathbf m}{dt} = -\frac{\gamma}{1+\alpha^2}
#    \left[ \mathbf m \times \mathbf B +
#    \alpha\, \mathbf m \times (\mathbf m \times \mathbf B) \right]. $$
#
# The first term turns $\mathbf m$ about the field (*precession*); the second, of strength
# $\alpha$, the Gilbert damping, pulls it into the field's direction.

# %% jupyter={"source_hidden": true} tags=["parameters"]
profile = "quick"
simulated_ns = 3.0

# %% jupyter={"source_hidden": true}
import holoviews as hv  # draws pictures that move

hv.extension.inline = True  # their code comes with the notebook, not from the network

# %% jupyter={"source_hidden": true}
from dataclasses import replace

import hvplot.pandas  # adds .hvplot to tables
import hvplot.xarray  # noqa: F401 adds .hvplot to fields
import numpy as np
import pandas as pd

from spinode.book.exercises import check
from spinode.devices.drives import PulseSequence
from spinode.micromagnetics import simulate
from spinode.devices.protocols import ONE_SKYRMION

# %% [markdown]
# ## One spin
#
# The equation, word for word. `np.cross` is the vector product; $\gamma$ is a constant of nature,
# the gyromagnetic ratio of the electron.

# %%
gamma = 1.7595e11  # rad / (T s)


def slope(m, B, alpha):
    """Return dm/dt."""
    turn = np.cross(m, B)
    return -gamma / (1 + alpha**2) * (turn + alpha * np.cross(m, turn))


# %% [markdown]
# A computer follows it in small steps. The simplest way, $\mathbf m \leftarrow \mathbf m + h\,
# d\mathbf m/dt$, drifts off. The classical way looks ahead three times within a step and averages:
# the **Runge-Kutta method**. We meet it again in every notebook.


# %%
def runge_kutta(m, h, *given):
    """Return m one step of length h later."""
    a = slope(m, *given)
    b = slope(m + h / 2 * a, *given)
    c = slope(m + h / 2 * b, *given)
    d = slope(m + h * c, *given)
    return m + h / 6 * (a + 2 * b + 2 * c + d)


def follow(alpha, B=0.5, duration=1e-9, h=2e-13):
    """Return the path of a spin that starts in the plane, in a field B along z."""
    m, path = np.array([1.0, 0.0, 0.0]), []
    for _ in range(round(duration / h)):
        path.append(m)
        m = runge_kutta(m, h, np.array([0.0, 0.0, B]), alpha)
    table = pd.DataFrame(path, columns=["mx", "my", "mz"])
    return table.assign(time=1e9 * h * np.arange(len(path)), alpha=alpha)


paths = pd.concat([follow(alpha) for alpha in (0.01, 0.05, 0.1, 0.3, 1.0)])
paths.iloc[::10].hvplot.line(
    x="time",
    y=["mx", "my", "mz"],
    groupby="alpha",
    dynamic=False,
    xlabel="time (ns)",
    ylabel="m",
    width=650,
    height=280,
)

# %% [markdown]
# Move the slider. At small $\alpha$ the spin circles many times before it gives in.
#
# Is it right? A spin in a constant field can be solved by hand: $m_z(t) = \tanh(t/\tau)$ with
# $\tau = (1 + \alpha^2)/(\alpha \gamma B)$.

# %%
path = follow(0.1)
exact = np.tanh(path.time * 1e-9 * 0.1 * gamma * 0.5 / (1 + 0.1**2))
print(f"largest difference from the exact m_z: {abs(path.mz - exact).max():.1e}")

# %% [markdown]
# > **Exercise 1 ★.** How fast does the spin circle at $\alpha = 0.01$ and B = 0.5 T? Count the
# > turns in the picture, then compare with $\gamma B / 2\pi$.

# %%
exercise_1 = None  # turns in a nanosecond
check("1.1", exercise_1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Fourteen turns in a nanosecond: $1.7595 \cdot 10^{11} \cdot 0.5 / 2\pi$ = 14.0 GHz. Magnets live
# at gigahertz, which is why people want to compute with them.
#
# </details>
#
# > **Exercise 2 ★★.** In `follow`, replace the Runge-Kutta step by the simple one,
# > `m = m + h * slope(m, np.array([0.0, 0.0, B]), alpha)`. How long is `m` after 1 ns without
# > damping, `follow(0.0)`, with h = 1e-13 and with 1e-12?

# %%
exercise_2 = None  # length of m after 1 ns with h = 1e-13
check("1.2", exercise_2)

# %% [markdown]
# <details><summary>Solution</summary>
#
# `follow(0.0, h=1e-13)[["mx", "my", "mz"]].iloc[-1]` and `np.linalg.norm` of it: 1.47, and 47 with
# h = 1e-12. Each simple step goes along the tangent of the circle and ends outside of it: the
# length grows by the fraction $(h \gamma B)^2/2$ a step. With h = 1e-13 that is 3.9e-5, and 10,000
# steps make a factor of $e^{0.39} = 1.47$. Runge-Kutta keeps the length to 3e-11 and 3e-6.
#
# </details>
#
# ## Over a thousand spins
#
# In a film every spin also feels its neighbours. The field $\mathbf B$ becomes a sum:
#
# | term | favours | constant |
# | --- | --- | --- |
# | exchange | neighbours parallel | $A_{ex}$ = 15 pJ/m |
# | anisotropy | all along $\pm z$ | $K_u$ = 0.8 MJ/m3 |
# | Dzyaloshinskii-Moriya (DMI) | neighbours turned, always the same way round | $D$ = 3.5 mJ/m2 |
# | demagnetization | no poles at the surface | $M_s$ = 580 kA/m |
#
# Exchange and anisotropy alone give a boring magnet, all up. The DMI makes turning cheap, and then
# a knot can live in it: a **skyrmion**. `simulate` relaxes one in a disk of 80 nm and then drives
# it. We use cells of 2 nm, a coarse lattice, to be quick. The drive is a kick: for 1 ns, the DMI is
# raised by a few percent, then everything is left alone.

# %%
device = replace(ONE_SKYRMION.device, cell=2e-9)
kick = PulseSequence("Ku", (8e5,), "Dind", pulse=3.6e-3, rest=3.5e-3)
run, pictures = simulate(device, kick, spacing=5e-12, duration=simulated_ns * 1e-9, snapshots=2e-11)
frames = pictures.m.sel(component="z")
frames = frames.assign_coords(time=(frames.time * 1e9).round(3), x=frames.x * 1e9, y=frames.y * 1e9)
frames.time.attrs = {"long_name": "time", "units": "ns"}
frames.rename("mz").hvplot.image(
    x="x",
    y="y",
    groupby="time",
    dynamic=False,
    cmap="RdBu_r",
    clim=(-1, 1),
    data_aspect=1,
    frame_width=280,
    clabel="m_z",
    xlabel="x (nm)",
    ylabel="y (nm)",
)

# %% [markdown]
# The core (blue) points down, everything around it up. It *breathes*: after the kick it grows and
# shrinks by itself. What an electrode would see is the mean $m_z$ of the disk:

# %%
signal = run.mz.to_series()
signal.index = signal.index * 1e9
signal.hvplot.line(xlabel="time (ns)", ylabel="mean m_z", width=700, height=260)

# %%
ring = run.mz.values[round(1e-9 / 5e-12) :]
ring = (ring - ring.mean()) * np.hanning(len(ring))
amplitude = abs(np.fft.rfft(ring, 8 * len(ring)))
frequency = np.fft.rfftfreq(8 * len(ring), 5e-12)
breathing = frequency[amplitude.argmax()]
print(f"breathing frequency: {breathing / 1e9:.1f} GHz")

# %% [markdown]
# So a disk of 1264 spins, each with its own LLG, rings like a bell with one tone. That is the
# discovery the paper starts from: **the whole knot moves almost as if it were one oscillator**, and
# an oscillator's law of motion is something a small network can learn from watching it
# (tutorial 2), even though it sees $m_z$ and nothing else (tutorial 3).
#
# > **Exercise 3 ★★.** The anisotropy holds the spins upright. Will the skyrmion be larger or
# > smaller, and breathe faster or slower, at $K_u$ = 7.8e5 J/m3? Change `8e5` in `kick`, and add
# > `Ku=7.8e5` to `replace(...)`.

# %%
exercise_3 = None  # breathing frequency at the weaker anisotropy
check("1.3", exercise_3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# A weaker anisotropy makes the wall around the core cheaper, in which spins lie in the plane: the
# skyrmion grows, and the mean $m_z$ of the disk falls from 0.771 to 0.745. The larger circle is
# held less tightly and breathes more slowly, at 10.2 in place of 10.5 GHz. Notebook 05 measures
# this over a whole range.
#
# </details>

# %% [markdown] tags=["navigation"]
# [All notebooks](../README.md) | [Next: What is a neural ODE?](2_neural_odes.py)
