# %% [markdown]
# # How many delays, how wide, how long, how clean?
#
# *Goes beyond the paper, which shows such comparisons for single trainings.*
#
# Notebook 02 trains two models, k = 1 and k = 2, both of width 50, from one seed each. Would
# another seed have told another story? Do more delays help, or more neurons? Can the training
# signal be ten times shorter, and what if it is noisy, as every measured one is? Each question is
# a handful of trainings; together they are a sweep.

# %% tags=["parameters"]
profile = "quick"
grid = "profiles/sweeps/few.yaml"

# %%
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.analysis.looks import LOOKS
from spinode.files import workbook_root
from spinode.workflow.grid import read_grid
from spinode.workflow.sweep import sweep
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)

# %% [markdown]
# ## The trainings
#
# `sweeps/train_one` is one training; the grid names the values of its parameters. Every point runs
# in a process and a folder of its own, and what was done before is not done again: interrupt this
# cell and run it again, and it continues. From a terminal the same is
# `spinode sweep train_one --grid profiles/sweeps/few.yaml`, and on a cluster one adds `--scheduler`
# (`docs/sweeps.md`).

# %%
points = sweep("train_one", read_grid(workbook_root() / grid), profile=profile)
runs = points.to_dataframe().reset_index()
columns = ["k", "width", "samples", "noise", "seed"]
measures = ["nrmse_heldout", "nrmse_trained", "train_mse", "training_seconds", "diverged"]
runs.loc[:, [*columns, *measures, "point_seconds", "point_error"]].to_csv(
    out.results / "sweep.csv", index=False
)
runs[[*columns, *measures]]

# %% [markdown]
# ## What each of them does to the forecast
#
# The NRMSE of a free forecast over the held-out stretch, 57.5 to 100 ns. In each picture one thing
# varies while the others have their usual values: width 50, 10,000 samples, no noise. A dot is a
# training, lines join the medians over the seeds. A forecast that left the range of its training
# data has no dot.

# %%
usual = {"width": 50, "samples": 10000, "noise": 0.0}
labels = {
    "width": "neurons in a hidden layer",
    "samples": "training samples (5 ps each)",
    "noise": "noise (fraction of the signal's standard deviation)",
}


def varied(axis):
    """Return the runs in which only ``axis``, k and the seed differ from the usual."""
    others = {name: value for name, value in usual.items() if name != axis}
    return runs[(runs[list(others)] == others).all(axis=1)]


pictures = [
    varied(axis).hvplot.scatter(
        x=axis,
        y="nrmse_heldout",
        by="k",
        logy=True,
        hover_cols=["seed", "train_mse"],
        xlabel=label,
        ylabel="held-out NRMSE",
        width=420,
        height=320,
        color=[LOOKS[f"k{k}"].color for k in sorted(runs.k.unique())],
    )
    for axis, label in labels.items()
]
(pictures[0] + pictures[1] + pictures[2]).opts(shared_axes=False)

# %%
figure, panels = plt.subplots(1, 3, figsize=(11, 3.4), sharey=True)
for letter, panel, (axis, label) in zip("abc", panels, labels.items(), strict=True):
    for k, group in varied(axis).groupby("k"):
        line = LOOKS[f"k{k}"].line
        middle = group.groupby(axis).nrmse_heldout.median()
        style = {"color": line["color"], "markersize": 3, "alpha": 0.5}
        panel.plot(group[axis], group.nrmse_heldout, "o", **style)
        panel.plot(middle.index, middle, **line)
    panel.set_xlabel(label)
    panel.set_title(letter)
panels[0].set(xscale="log", yscale="log", ylabel="held-out NRMSE")
panels[1].set_xscale("log")
panels[0].legend()
plots.save_figure(figure, out.figures / "sweep.png")
plt.show()

# %% [markdown]
# ## What was found

# %%
plain = runs[(runs[list(usual)] == usual).all(axis=1)]
medians = plain.groupby("k").nrmse_heldout.median()
best = runs.loc[runs.nrmse_heldout.idxmin()]
metrics = {
    "points": len(runs),
    "failed": int((runs.point_error != "").sum()),
    "median_nrmse_heldout": {f"k{k}": float(value) for k, value in medians.items()},
    "best": {name: best[name].item() for name in [*columns, "nrmse_heldout"]},
}
out.write_metrics("sweep", metrics)

lines = [
    f"- **k = {k}** at width 50: held-out NRMSE {group.nrmse_heldout.min():.1%} to "
    f"{group.nrmse_heldout.max():.1%} over {len(group)} seeds, median {medians[k]:.1%}."
    for k, group in plain.groupby("k")
]
lines.append(
    f"- **The best of {len(runs)}**: {best.nrmse_heldout:.2%}, with k = {best.k}, width "
    f"{best.width}, {best.samples} samples, noise {best.noise:g}, seed {best.seed}."
)
display(Markdown("\n".join(lines)))

# %% [markdown] tags=["navigation"]
# [Before: Does the workbook reproduce the paper?](08_paper_against_workbook.py) | [All
# notebooks](README.md) | [Next: What does *your* device do?](10_your_device.py)
