# %% [markdown]
# # What is a skyrmion, and how does a voltage make it breathe?
#
# *The data behind Figures 2 to 4 of the paper.*
#
# Inside a thin magnetic disk, the magnetization $\mathbf m$ is a unit vector at every point. It
# would like to point straight up. A *skyrmion* is a knot in it: a core that points down, a wall in
# which $\mathbf m$ turns over, and around it everything up. The knot cannot be combed out, which
# the *topological charge* says in one number,
#
# $$ Q = \frac{1}{4\pi} \int \mathbf m \cdot
#    \left( \partial_x \mathbf m \times \partial_y \mathbf m \right) dx\, dy , $$
#
# an integer but for the rim of the disk: $-1$ for each skyrmion of this kind. Its size depends on
# the anisotropy $K_u$ that holds the magnetization upright, and a voltage changes $K_u$. So a
# voltage makes it breathe, and that is what the electrodes see: the mean $m_z(t)$.
#
# The authors computed this with MuMax3, which needs an NVIDIA GPU. Where there is none, the engine
# of this package integrates the same equations on the same lattice. **Does it give the same
# data?** We look at both.

# %% tags=["parameters"]
profile = "quick"
cell = 2e-9
amplitude = 1.5e5
pair_scale = 0.5
one_skyrmion_duration = 60e-9
four_skyrmions_duration = 70e-9
pair_duration = 60e-9
snapshots_duration = 1e-9
reference_duration = 1e-9

# %%
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import holoviews as hv
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.paper import authors
from spinode.devices.drives import RandomSinePair
from spinode.analysis.metrics import nrmse
from spinode.micromagnetics import available_engines, simulate
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION, PAIR
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample, save
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
for one in available_engines():
    print(f"{one.engine}: {one.detail}")

# %% [markdown]
# ## A skyrmion at rest, then under voltage
#
# One call relaxes the device, switches the drive on and records. The device and its drive are those
# of the paper; the cell is ours to choose. At 1 nm, the paper's, the embedded engine needs some
# seconds a nanosecond; at 2 nm a tenth of it, but the skyrmion then breathes at a slightly
# different frequency, and is less stable: the paper's amplitude of 2e5 J/m3 destroys it within
# 7 ns, 1.5e5 J/m3 does not (nor half the paper's amplitudes, `pair_scale`, of the third device).
# Everything from one mesh and one amplitude is fair among itself.

# %%
device = replace(ONE_SKYRMION.device, cell=cell)
_, pictures = simulate(
    device,
    ONE_SKYRMION.drive,
    spacing=ONE_SKYRMION.spacing,
    duration=snapshots_duration,
    snapshots=25e-12,
)


def draw(ax, m, every):
    """Draw m_z in colour and the in-plane part as arrows."""
    x = m.x.values * 1e9
    extent = (x[0], x[-1], x[0], x[-1])
    outside = (abs(m) ** 2).sum("component") < 0.5
    mz = m.sel(component="z").where(~outside)
    image = ax.imshow(mz, origin="lower", extent=extent, cmap="RdBu_r", vmin=-1, vmax=1)
    part = m[::every, ::every]
    ax.quiver(
        x[::every],
        x[::every],
        part.sel(component="x"),
        part.sel(component="y"),
        scale=18,
        width=4e-3,
    )
    ax.set(xlabel="x (nm)", ylabel="y (nm)")
    return image


figure, ax = plt.subplots(figsize=(4, 3.4))
figure.colorbar(draw(ax, pictures.m[0], device.cells // 16), label="$m_z$")
plt.show()

# %% [markdown]
# The arrows point outwards all around: a *Néel* skyrmion, the kind that interfacial
# Dzyaloshinskii-Moriya interaction favours. Drag the slider to see it breathe.

# %%
frames = pictures.m.sel(component="z")
frames = frames.assign_coords(time=(frames.time * 1e9).round(4), x=frames.x * 1e9, y=frames.y * 1e9)
frames.rename("mz").hvplot.image(
    x="x",
    y="y",
    groupby="time",
    dynamic=False,
    cmap="RdBu_r",
    clim=(-1, 1),
    width=380,
    height=330,
    xlabel="x (nm)",
    ylabel="y (nm)",
    clabel="mz",
)

# %% [markdown]
# ## The trajectories
#
# Three devices: one skyrmion; four skyrmions, relaxed among random grains; and one skyrmion in a
# larger disk where anisotropy and DMI change together. The other notebooks read these files. Each
# simulation keeps one core busy, so that they run side by side.

# %%
runs = {
    "one_skyrmion": (ONE_SKYRMION, one_skyrmion_duration),
    "four_skyrmions": (FOUR_SKYRMIONS, four_skyrmions_duration),
    "pair": (PAIR, pair_duration),
}
drives = {
    "one_skyrmion": replace(ONE_SKYRMION.drive, amplitude=amplitude),
    "four_skyrmions": replace(FOUR_SKYRMIONS.drive, amplitude=amplitude),
    "pair": RandomSinePair(
        *(
            replace(one, amplitude=pair_scale * one.amplitude)
            for one in (PAIR.drive.first, PAIR.drive.second)
        )
    ),
}


def simulated(name):
    """Return the trajectory of one of the devices."""
    run, duration = runs[name]
    return simulate(
        replace(run.device, cell=cell),
        drives[name],
        spacing=run.spacing,
        duration=duration,
        checkpoint=out.checkpoints / f"{name}.checkpoint",
    )


with ThreadPoolExecutor() as pool:
    trajectories = dict(zip(runs, pool.map(simulated, runs), strict=True))
for name, run in trajectories.items():
    save(run, out.data / f"{name}.nc")
    print(f"{name}: {run.time.values[-1] * 1e9:g} ns in {run.attrs['wall_time']:.0f} s")

# %%
first = slice(0, 10e-9)
beginning = {"micromagnetics": trajectories["one_skyrmion"].sel(time=first)}
hv.Layout(
    [
        plots.interactive({"drive": beginning["micromagnetics"]}, "Ku", height=180),
        plots.interactive(beginning, "mz", height=220),
    ]
).cols(1)

# %% [markdown]
# ## Against MuMax3
#
# The authors published MuMax3's table of the first run. Here the embedded engine runs on the
# paper's own 1 nm mesh, and the curves are compared. An exact demagnetizing tensor leaves a
# difference of a percent or so: MuMax3 integrates its tensor numerically, with an error that acts
# like a change of the anisotropy by 0.03 %. With the same rule of integration in ours
# (`demag="mumax3"`, the default), the difference shrinks tenfold.

# %%
table = authors.locate(authors.ONE_SKYRMION_TABLE)
agreement = {}
if table:
    published = resample(read_table(table), ONE_SKYRMION.spacing, reference_duration)
    ours = {
        demag: simulate(
            ONE_SKYRMION.device,
            ONE_SKYRMION.drive,
            engine="embedded",
            spacing=ONE_SKYRMION.spacing,
            duration=reference_duration,
            demag=demag,
            checkpoint=out.checkpoints / f"reference_{demag}.checkpoint",
        )
        for demag in ("mumax3", "newell")
    }
    agreement = {name: nrmse(run.mz.values, published.mz.values) for name, run in ours.items()}
    for name, error in agreement.items():
        print(f"{name} tensor: NRMSE {error:.2%} over {reference_duration * 1e9:g} ns")
else:
    print("no published table here: 'spinode fetch paper' gets it.")

# %% [markdown]
# ## The end of a skyrmion
#
# Driven hard enough, the knot is pulled open after all: in the published run $m_z$ stays near 1
# after about 113 ns. In our data the topological charge tells, whatever $m_z$ does.

# %%
figure, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True)
if table:
    whole = read_table(table)
    axes[0].plot(whole.time * 1e9, whole.mz, color=plots.COLORS["published"], label="published")
for name, run in trajectories.items():
    axes[0].plot(run.time * 1e9, run.mz, linewidth=0.7, label=name)
    axes[1].plot(run.time * 1e9, run.topological_charge, label=name)
axes[0].set_ylabel("$m_z$")
axes[0].legend(ncols=4)
axes[1].set(xlabel="time (ns)", ylabel="topological charge")
plt.show()
lost = {name: run.attrs.get("annihilation") for name, run in trajectories.items()}
for name, moment in lost.items():
    print(
        f"{name}: " + ("alive to the end" if moment is None else f"lost at {moment * 1e9:.1f} ns")
    )

# %% [markdown]
# ## The figure

# %%
figure = plt.figure(figsize=(10, 7))
layout = figure.add_gridspec(3, 3, width_ratios=(1, 1, 1.2), height_ratios=(1.5, 1, 1))
for column, moment in enumerate((0.0, snapshots_duration / 4)):
    panel = figure.add_subplot(layout[0, column])
    image = draw(panel, pictures.m.sel(time=moment, method="nearest"), device.cells // 16)
    panel.set_title(f"{'ab'[column]}  {moment * 1e9:.2f} ns")
figure.colorbar(image, label="$m_z$")
panel = figure.add_subplot(layout[0, 2])
plots.lines(panel, {"drive": trajectories["one_skyrmion"]}, "Ku", (0, 5e-9))
panel.set_title("c  voltage-controlled anisotropy")
for row, (letter, name) in enumerate([("d", "one_skyrmion"), ("e", "four_skyrmions")], start=1):
    panel = figure.add_subplot(layout[row, :2])
    plots.lines(panel, {"micromagnetics": trajectories[name]}, "mz", (0, 5e-9))
    panel.set_title(f"{letter}  {name.replace('_', ' ')}, {cell * 1e9:g} nm cells")
if table:
    below = {
        "ncols": 2,
        "loc": "lower left",
        "fontsize": 8,
        "handlelength": 1.2,
        "columnspacing": 1,
    }
    panel = figure.add_subplot(layout[1, 2])
    both = {"published": published, "micromagnetics": ours["mumax3"]}
    plots.lines(panel, both, "mz", (reference_duration - 1e-9, reference_duration))
    panel.margins(y=0.3)
    panel.legend(["MuMax3", "embedded engine"], **below)
    panel.set_title("f  the paper's mesh of 1 nm")
    panel = figure.add_subplot(layout[2, 2])
    for name, color in (("newell", "#E69F00"), ("mumax3", "#0072B2")):
        difference = ours[name].mz - published.mz.values
        panel.plot(difference.time * 1e9, difference, color=color, label=f"{name} tensor")
    panel.set(
        xlabel="time (ns)", ylabel="difference in $m_z$", title="g  embedded engine less MuMax3"
    )
    panel.margins(x=0, y=0.3)
    panel.legend(**below)
plots.save_figure(figure, out.figures / "fig1_skyrmion_data.png")
plt.show()

# %%
if table:
    end = slice(reference_duration - 1e-9, None)
    display(plots.interactive({name: run.sel(time=end) for name, run in both.items()}, "mz"))

# %% [markdown]
# ## What was found

# %%
out.write_metrics(
    "skyrmion_data",
    {
        "cell": cell,
        "engine": {name: run.attrs["engine"] for name, run in trajectories.items()},
        "mz_at_rest": {name: float(run.mz[0]) for name, run in trajectories.items()},
        "topological_charge": {
            name: float(run.topological_charge[0]) for name, run in trajectories.items()
        },
        "annihilation": lost,
        "seconds_per_ns": {
            name: (run.attrs["wall_time"] - run.attrs["relaxation_wall_time"])
            / float(run.time[-1] * 1e9)
            for name, run in trajectories.items()
        },
        "nrmse_vs_mumax3": agreement,
    },
)
lines = [
    f"- **{name}**: $m_z$ = {float(run.mz[0]):.4f} at rest, $Q$ = "
    f"{float(run.topological_charge[0]):.2f}."
    for name, run in trajectories.items()
]
if agreement:
    lines.append(
        f"- On the paper's mesh the embedded engine follows MuMax3 to {agreement['mumax3']:.2%} "
        f"(NRMSE), with the exact demagnetizing tensor to {agreement['newell']:.2%}."
    )
display(Markdown("\n".join(lines)))
