# %% [markdown]
# # Computing with anything that moves
#
# *Tutorial 4 of 5. You need: what a straight-line fit is. You get: why a skyrmion can predict a
# chaotic series, and how to measure what a reservoir is good for.*
#
# Throw a stone into a pond. The ripples, for a while, know where and when it fell: the pond
# *remembers*, and where ripples meet it *mixes*. Reservoir computing uses just that. Push an input
# into a system with a life of its own, look at many points of its state, and fit **one straight
# line** from what you see to what you want to know. Nothing inside is trained.
#
# A reservoir must (1) *fade*: forget slowly; (2) *bend*: respond nonlinearly; (3) be *rich*: give
# many different views of its past.

# %% jupyter={"source_hidden": true} tags=["parameters"]
profile = "quick"
points = 3000
simulated_ns = 20.0
iterations = 600
lm_steps = 12

# %% jupyter={"source_hidden": true}
import holoviews as hv  # draws pictures that move

hv.extension.inline = True  # their code comes with the notebook, not from the network

# %% jupyter={"source_hidden": true}
from dataclasses import replace

import hvplot.pandas  # noqa: F401 adds .hvplot to tables
import numpy as np
import pandas as pd

from spinode import SpinODE, fit, simulate
from spinode.book.exercises import check
from spinode.devices.protocols import ONE_SKYRMION
from spinode.reservoir.measures import processing_capacity
from spinode.reservoir.readout import cross_validate, gaussian_mask, multiplex, train_readout
from spinode.reservoir.tasks import mackey_glass, mackey_glass_series, memory, narma10
from spinode.reservoir.twin import twin_states

# %% [markdown]
# ## A reservoir in five lines
#
# Fifty numbers, mixed at random, squeezed by tanh, fed with one input: an *echo-state network*.

# %%
generator = np.random.default_rng(0)
nodes = 50
mixing = generator.normal(size=(nodes, nodes))
mixing /= abs(np.linalg.eigvals(mixing)).max()
entry = generator.uniform(-0.5, 0.5, nodes)


def echo(series, reach=0.95):
    """Return the states of the network while it listens, shape (points, nodes)."""
    state, states = np.zeros(nodes), []
    for value in series:
        state = np.tanh(reach * mixing @ state + entry * value)  # reach below 1: echoes fade
        states.append(state)
    return np.array(states)


# %% [markdown]
# ## How much does it remember?
#
# Feed it random numbers $u(n)$ and ask for the one of $d$ steps ago. How well that works,
# $1 - \mathrm{NRMSE}^2$ (1 perfect, 0 a guess), summed over all $d$, is its **memory capacity**.

# %%
train = points // 2
delays = np.arange(40)


def capacity(states, task, **options):
    """Return the recall for every delay; its sum is the memory capacity."""
    readout = train_readout(states, task, train=train, discard=100, **options)
    return pd.Series(np.clip(1 - readout.nrmse**2, 0, 1), task.labels, name="recall")


task = memory(points, delays)
recall = {"echo-state network": capacity(echo(task.inputs), task, ridge=1e-8)}
print(f"memory capacity {recall['echo-state network'].sum():.1f} of at most {nodes}")
recall["echo-state network"].hvplot.step(
    xlabel="delay d (inputs)", ylabel="recall", where="mid", width=600, height=250
)

# %% [markdown]
# The 0.95 sets how far an echo reaches. Move the slider: a shorter reach forgets sooner, and beyond
# 1 something else happens.

# %%
reaches = []
for reach in (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1, 1.2, 1.4):
    one = capacity(echo(task.inputs, reach), task, ridge=1e-8)
    reaches.append(pd.DataFrame({"delay": delays, "reach": reach, "recall": one.values}))
pd.concat(reaches).hvplot.line(
    x="delay",
    y="recall",
    groupby="reach",
    dynamic=False,
    xlabel="delay d (inputs)",
    ylim=(-0.05, 1.05),
    width=600,
    height=250,
)

# %% [markdown]
# > **Exercise 1 ★.** What is the memory capacity at a reach of 0.5, and at 1.2? Why does it fall on
# > both sides?

# %%
exercise_1 = None  # memory capacity of the echo-state network at a reach of 0.5
check("4.1", exercise_1)

# %% [markdown]
# <details><summary>Solution</summary>
#
# `capacity(echo(task.inputs, 0.5), task, ridge=1e-8).sum()`: the memory capacity falls from 16.0 to
# 10.8, and to 12.0 at 1.2, for opposite reasons. At 0.5 echoes fade sooner: recall is nearly
# perfect up to a delay of nine and gone at twelve. At 1.2 the echoes of long ago do not die out;
# the states depend on things nobody asks for, and already three steps ago the recall is 0.9. The
# best place is near 1, the *edge of chaos*.
#
# </details>
#
# ## One device instead of fifty
#
# A skyrmion has one output, $m_z$. Where do fifty numbers come from? From **time**. Multiply each
# input by a mask of fifty random numbers and play these one after the other, 10 ps each, as
# voltages. $m_z$ never settles in 10 ps, so each value is an echo of the ones before: fifty
# *virtual nodes*.
#
# We let a neural ODE stand in for the skyrmion, as the paper does. It is trained here and now, on a
# short simulation with cells of 2 nm (tutorials 1 to 3 say how and why).
#
# A word of warning about such a stand-in, or *twin*. It knows the device where it was trained, and
# nothing tells it where that ends: driven harder than ever before, it answers as quickly, with as
# many digits, and may be wrong. Whoever *searches* with it is led there, as the answers that look
# best are likely those whose error flatters. So never trust a twin at the edge of its data: stay
# inside, or simulate there and train it again, and let the device have the last word. Notebook 12
# does all three.

# %%
spacing, hold = ONE_SKYRMION.learning.sample_spacing, ONE_SKYRMION.reservoir.hold
device = replace(ONE_SKYRMION.device, cell=2e-9)
drive = replace(ONE_SKYRMION.drive, amplitude=1.5e5)
signal = simulate(device, drive, spacing=spacing, duration=simulated_ns * 1e-9)
samples = signal.sizes["time"]
model = SpinODE(**ONE_SKYRMION.learning.units(signal))
fit(
    model,
    signal,
    inputs=drive,
    train=(0, int(0.8 * samples)),
    validation=(int(0.8 * samples), samples),
    iterations=iterations,
    lm_steps=lm_steps,
    progress=False,
)


def skyrmion(series, minimum=ONE_SKYRMION.reservoir.minimum):
    """Return the virtual nodes of a skyrmion that listens, shape (points, nodes)."""
    centred = series - series.mean()
    masked = multiplex(centred, gaussian_mask(nodes), minimum=minimum)
    return twin_states(model, masked, hold=hold)


recall["skyrmion"] = capacity(skyrmion(task.inputs), task, ridge=1e-8)
print({name: f"memory capacity {one.sum():.1f}" for name, one in recall.items()})
pd.DataFrame(recall).hvplot.line(xlabel="delay d (inputs)", ylabel="recall", width=600, height=250)

# %% [markdown]
# What is the mask for? Without one (randomness 0) each input is played fifty times over, and the
# virtual nodes differ by the breathing alone. The more random the mask, the more different views of
# the same input they are. Move the slider.

# %%
listened = slice(0, 3)
centred = task.inputs[listened] - task.inputs.mean()
masks = []
for randomness in (0.0, 0.25, 0.5, 0.75, 1.0):
    mask = (1 - randomness) + randomness * gaussian_mask(nodes)
    played = multiplex(centred, mask, minimum=ONE_SKYRMION.reservoir.minimum)
    values = twin_states(model, played, hold=hold).ravel()
    clock = hold * 1e9 * np.arange(1, len(values) + 1)
    masks.append(pd.DataFrame({"time": clock, "m_z": values, "randomness": randomness}))
pd.concat(masks).hvplot.scatter(
    x="time",
    y="m_z",
    groupby="randomness",
    dynamic=False,
    xlabel="time (ns): three inputs of 0.5 ns",
    ylabel="m_z at the virtual nodes",
    size=10,
    width=700,
    height=250,
)

# %% [markdown]
# The skyrmion remembers far less than the network: the present input and the two before, then
# nothing. Its breathing loses more than half of its amplitude in 0.5 ns, the length of an input;
# and all that one input can hand on to the next is the state of the skyrmion, two numbers
# (tutorial 3).
#
# But memory is not all. A readout may ask for *products* of past inputs, too. What can be read of
# all of them, up to a degree and a delay, sums up to the **information processing capacity**. It is
# at most the number of nodes, and splits by degree: the first is memory, the higher ones are what
# the reservoir computes by itself.

# %%
answers = {"echo-state network": echo(task.inputs), "skyrmion": skyrmion(task.inputs)}
capacities = {
    name: processing_capacity(one, task.inputs).groupby("degree").capacity.sum()
    for name, one in answers.items()
}
pd.DataFrame(capacities).T.round(1)

# %% [markdown]
# The network spends its nodes on remembering, the skyrmion on bending what it heard last. What
# counts is whether that fits the task.
#
# ## A task that needs both memory and mixing
#
# NARMA-10 asks for a sum that holds the product of two inputs, one a step and the other ten steps
# old. Any reservoir finds it hard; without a memory of ten steps it is hopeless. `cross_validate`
# repeats the fit with each fifth of the points as the test in turn, so that we see how sure a score
# is.

# %%
hard = narma10(points)
states = {
    "bare input": hard.inputs[:, None],
    "echo-state network": echo(4 * hard.inputs - 1),
    "skyrmion": skyrmion(hard.inputs),
}
scores = {name: cross_validate(one, hard, discard=100, ridge=1e-6) for name, one in states.items()}
narma = pd.DataFrame(
    {name: {"NRMSE": one.mean(), "spread": one.std()} for name, one in scores.items()}
).T
narma.round(3)

# %% [markdown]
# > **Exercise 2 ★★.** Hold each value for 5 ps instead of 10 (a quarter of a nanosecond an input).
# > What happens to the skyrmion's memory, counted in inputs?

# %%
exercise_2 = None  # memory capacity of the skyrmion with 5 ps a value
check("4.2", exercise_2)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Set `hold = 5e-12` after the training. Memory in *nanoseconds* is a property of the damping.
# Inputs come twice as fast, so it reaches twice as many of them back, four in place of two, but
# each less well, since the same two numbers are to hold them: the capacity only rises from 2.7 to
# 3.1.
#
# </details>
#
# ## A task that fits: predicting chaos
#
# The Mackey-Glass series wanders chaotically, but it is smooth: the recent past says much about the
# near future. The paper's Fig. 3 predicts it $H$ steps ahead.

# %%
series = mackey_glass_series(points)
chaos = mackey_glass(series, np.arange(40))
curves = {
    "bare input": train_readout(series[:, None], chaos, train=train, discard=100).nrmse,
    "skyrmion": train_readout(skyrmion(series), chaos, train=train, discard=100).nrmse,
    "echo-state network": train_readout(
        echo(series - series.mean()), chaos, train=train, discard=100, ridge=1e-8
    ).nrmse,
}
pd.DataFrame(curves, index=pd.Index(np.arange(40), name="horizon H (steps)")).hvplot.line(
    ylabel="NRMSE", width=650, height=280
)

# %% [markdown]
# The line "bare input" is a straight-line fit without any reservoir: what lies below it is the
# skyrmion's doing. In notebook 03 the same is done with 10,000 points, against micromagnetics, and
# with the authors' own weights.
#
# > **Exercise 3 ★★★.** How few virtual nodes would do? Try 10 and 25, and say why fewer can be
# > better.

# %%
exercise_3 = None  # NRMSE of the skyrmion at H = 10 with 25 nodes
check("4.3", exercise_3)

# %% [markdown]
# <details><summary>Solution</summary>
#
# Set `nodes` in the cell of the echo network and run all below. Fewer nodes give fewer views *and*
# a shorter time per input, so that memory reaches farther back. With 25 nodes the second wins, and
# the skyrmion is better than with 50 (at H = 10 an NRMSE of 0.47 in place of 0.64). With 10 it is
# worse at every horizon.
#
# </details>

# %% [markdown] tags=["navigation"]
# [Before: Why two delays? Seeing what you cannot measure](3_delays.py) | [All
# notebooks](../README.md) | [Next: Noise: when the same drive never gives the same
# answer](5_noise.py)
