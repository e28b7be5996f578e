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
# an integer, apart from what the rim of the disk adds: $-1$ for each skyrmion of this kind. Its
# size depends on the anisotropy $K_u$ that holds the magnetization upright, and a voltage changes
# $K_u$. So a voltage makes it breathe, and that is what the electrodes see: the mean $m_z(t)$.
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

from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode import simulate
from spinode.analysis import plots
from spinode.analysis.looks import LOOKS
from spinode.analysis.metrics import nrmse
from spinode.devices.drives import RandomSinePair
from spinode.devices.protocols import FOUR_SKYRMIONS, ONE_SKYRMION, PAIR
from spinode.micromagnetics import available_engines
from spinode.micromagnetics.tables import read_table
from spinode.paper import authors
from spinode.trajectory import resample, save
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
for one in available_engines():
    print(f"{one.engine}: {one.detail}")

# %% [markdown]
# ## Skyrmions at rest, then under voltage
#
# One call relaxes the device, switches the drive on and records. The devices and drives are those
# of the paper; the cell is ours to choose. At 1 nm, the paper's, the embedded engine needs some
# seconds a nanosecond; at 2 nm a tenth of it, but a skyrmion then breathes at a slightly different
# frequency, and is less stable: the paper's amplitude of 2e5 J/m3 destroys it within 7 ns, 1.5e5
# J/m3 does not (nor half the paper's amplitudes, `pair_scale`, of the third device). Results from
# one mesh and one amplitude can be compared with each other.
#
# Four skyrmions are relaxed among grains, each of its own anisotropy and DMI, which hold them in
# place. The grains are those of the published script, cell by cell, and like MuMax3's `relax` the
# embedded engine follows the energy downhill without precession, so that both start from the same
# state.

# %%
DEVICES = {one.name: one for one in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR)}


def photographed(name):
    """Return pictures of a device during the first moments of its drive."""
    run = DEVICES[name]
    _, taken = simulate(
        replace(run.device, cell=cell),
        replace(run.drive, amplitude=amplitude),
        spacing=run.spacing,
        duration=snapshots_duration,
        snapshots=25e-12,
    )
    return taken


shown = ("one_skyrmion", "four_skyrmions")
with ThreadPoolExecutor() as pool:
    pictures = dict(zip(shown, pool.map(photographed, shown), strict=True))

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
for ax, (name, taken) in zip(axes, pictures.items(), strict=True):
    image = plots.magnetization(ax, taken.m[0])
    ax.set_title(f"{LOOKS[name].label}, at rest")
figure.colorbar(image, ax=axes, label="$m_z$")
plt.show()

# %% [markdown]
# The arrows point outwards all around: *Néel* skyrmions, the kind that interfacial
# Dzyaloshinskii-Moriya interaction favours. Drag the slider to see one breathe.

# %%
upright = pictures["one_skyrmion"].m.sel(component="z")
frames = upright.assign_coords(
    time=(upright.time * 1e9).round(4), x=upright.x * 1e9, y=upright.y * 1e9
)
axes_of_frames = {"x": "x", "y": "y", "xlabel": "x (nm)", "ylabel": "y (nm)", "clabel": "mz"}
frames.rename("mz").hvplot.image(
    groupby="time",
    dynamic=False,
    cmap="cividis",
    clim=(-1, 1),
    width=380,
    height=330,
    **axes_of_frames,
)

# %% [markdown]
# ## The trajectories
#
# Three devices: one skyrmion; four skyrmions; and one skyrmion in a larger disk where anisotropy
# and DMI change together. The other notebooks read these files. Each simulation keeps one core
# busy, so that they run side by side.

# %%
durations = {
    "one_skyrmion": one_skyrmion_duration,
    "four_skyrmions": four_skyrmions_duration,
    "pair": pair_duration,
}
first, second = PAIR.drive.first, PAIR.drive.second
drives = {
    "one_skyrmion": replace(ONE_SKYRMION.drive, amplitude=amplitude),
    "four_skyrmions": replace(FOUR_SKYRMIONS.drive, amplitude=amplitude),
    "pair": RandomSinePair(
        replace(first, amplitude=pair_scale * first.amplitude),
        replace(second, amplitude=pair_scale * second.amplitude),
    ),
}


def simulated(name):
    """Return the trajectory of one of the devices."""
    return simulate(
        replace(DEVICES[name].device, cell=cell),
        drives[name],
        spacing=DEVICES[name].spacing,
        duration=durations[name],
        checkpoint=out.checkpoints / f"{name}.checkpoint",
    )


# %%
with ThreadPoolExecutor() as pool:
    trajectories = dict(zip(DEVICES, pool.map(simulated, DEVICES), strict=True))
for name, run in trajectories.items():
    save(run, out.data / f"{name}.nc")
    print(f"{name}: {run.time.values[-1] * 1e9:g} ns in {run.attrs['wall_time']:.0f} s")

# %%
beginning = trajectories["one_skyrmion"].sel(time=slice(0, 10e-9))
(
    plots.interactive({"drive": beginning}, "Ku", height=180)
    + plots.interactive({"micromagnetics": beginning}, "mz", height=220)
).cols(1)

# %% [markdown]
# ## Against MuMax3
#
# The authors published MuMax3's table of the first run. Here the embedded engine runs on the
# paper's own 1 nm mesh, and the curves are compared. An exact demagnetizing tensor leaves a
# difference: MuMax3 integrates its tensor numerically, with an error that acts like a change of the
# anisotropy by 0.03 %. With the same rule of integration in ours (`demag="mumax3"`, the default),
# the difference shrinks tenfold.

# %%
TENSORS = {"mumax3": "micromagnetics", "newell": "exact_demag"}  # and how each is drawn
table = authors.locate(authors.ONE_SKYRMION_TABLE)
ours, agreement = {}, {}
if table:
    published = resample(read_table(table), ONE_SKYRMION.spacing, reference_duration)
    for demag in TENSORS:
        ours[demag] = simulate(
            ONE_SKYRMION.device,
            ONE_SKYRMION.drive,
            engine="embedded",
            spacing=ONE_SKYRMION.spacing,
            duration=reference_duration,
            demag=demag,
            checkpoint=out.checkpoints / f"reference_{demag}.checkpoint",
        )
        agreement[demag] = nrmse(ours[demag].mz.values, published.mz.values)
        print(f"{demag} tensor: NRMSE {agreement[demag]:.2%} over {reference_duration * 1e9:g} ns")
else:
    print("no published table here: 'spinode fetch paper' gets it.")

# %% [markdown]
# ## The end of a skyrmion
#
# Driven hard enough, the knot is pulled open after all: in the published run $m_z$ stays near 1
# after about 113 ns. In our data the topological charge shows it, whatever $m_z$ does.

# %%
figure, axes = plt.subplots(2, 1, figsize=(8, 3.6), sharex=True)
if table:
    whole = read_table(table)
    axes[0].plot(whole.time * 1e9, whole.mz, linewidth=0.7, **LOOKS["mumax3"].line)
for name, run in trajectories.items():
    look = {"color": plots.COLORS[name], "label": LOOKS[name].label}
    axes[0].plot(run.time * 1e9, run.mz, linewidth=0.7, **look)
    axes[1].plot(run.time * 1e9, run.topological_charge, **look)
axes[0].set_ylabel("$m_z$")
axes[0].legend(ncols=4, loc="lower right")
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
def draw_pictures(axes):
    """Draw one skyrmion at rest and at its largest, and four at rest."""
    upright = pictures["one_skyrmion"].m.sel(component="z").mean(("x", "y"))
    chosen = {"a": ("one_skyrmion", 0), "b": ("one_skyrmion", int(upright.argmin()))}
    chosen["c"] = "four_skyrmions", 0
    for ax, (letter, (name, number)) in zip(axes, chosen.items(), strict=True):
        taken = pictures[name].m[number]
        image = plots.magnetization(ax, taken)
        ax.set_title(f"{letter}  {LOOKS[name].label}, {float(taken.time) * 1e9:.2f} ns")
    axes[-1].figure.colorbar(image, ax=axes, label="$m_z$")


def draw_comparison(upper, lower):
    """Draw the last nanosecond on the paper's mesh beside MuMax3's, and the difference."""
    end = (reference_duration - 1e-9, reference_duration)
    plots.lines(upper, {"mumax3": published, "micromagnetics": ours["mumax3"]}, "mz", end)
    upper.legend(["MuMax3, published", "embedded engine"], ncols=2, loc="lower left")
    upper.set_title("g  the paper's mesh of 1 nm")
    for tensor, name in reversed(TENSORS.items()):
        difference = ours[tensor].mz - published.mz.values
        look = LOOKS[name].line | {"label": f"{tensor} tensor: NRMSE {agreement[tensor]:.2%}"}
        lower.plot(difference.time * 1e9, difference, **look)
    lower.set(xlabel="time (ns)", ylabel="difference in $m_z$")
    lower.set_title("h  embedded engine less MuMax3")
    lower.legend(loc="upper left")
    for ax in (upper, lower):
        ax.margins(x=0, y=0.35)


# %%
figure = plt.figure(figsize=(11, 8))
top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.5))
draw_pictures(list(top.subplots(1, 3)))
panels = bottom.subplot_mosaic("dg;dg;eg;eh;fh;fh" if table else "d;e;f")
plots.lines(panels["d"], {"drive": trajectories["one_skyrmion"]}, "Ku", (0, 5e-9))
panels["d"].set_title("d  voltage-controlled anisotropy")
for letter, name in zip("ef", shown, strict=True):
    plots.lines(panels[letter], {"micromagnetics": trajectories[name]}, "mz", (0, 5e-9))
    panels[letter].set_title(f"{letter}  {LOOKS[name].label}, {cell * 1e9:g} nm cells")
if table:
    draw_comparison(panels["g"], panels["h"])
plots.save_figure(figure, out.figures / "fig1_skyrmion_data.png")
plt.show()

# %% [markdown]
# a, b and c are on cells of the size named in e and f; b is the skyrmion at its largest during the
# first moments of the drive. The drive is the paper's: a sine whose amplitude is drawn anew each
# period.

# %%
if table:
    both = {"mumax3": published, "micromagnetics": ours["mumax3"]}
    display(plots.interactive(both, "mz"))

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
found = [
    f"- **{LOOKS[name].label}**: $m_z$ = {float(run.mz[0]):.4f} at rest, $Q$ = "
    f"{float(run.topological_charge[0]):.2f}."
    for name, run in trajectories.items()
]
if agreement:
    found.append(
        f"- On the paper's mesh the embedded engine follows MuMax3 to {agreement['mumax3']:.2%} "
        f"(NRMSE), with the exact demagnetizing tensor to {agreement['newell']:.2%}."
    )
display(Markdown("\n".join(found)))

# %% [markdown] tags=["navigation"]
# [Before: Noise: when the same drive never gives the same answer](tutorials/5_noise.py) | [All
# notebooks](README.md) | [Next: Can a network learn a skyrmion's law of motion from one short
# signal?](02_training.py)
