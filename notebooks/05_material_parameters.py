# %% [markdown]
# # Can one network learn a whole family of devices?
#
# *Figure 4 of the paper.*
#
# The anisotropy $K_u$ and the interfacial DMI $D$ decide how fast a skyrmion breathes. If both are
# *inputs* of the neural ODE, with their delays,
#
# $$ \frac{dy}{dt} = f_\theta\big(y(t),\; K_u(t), K_u(t+d),\; D(t), D(t+d)\big), $$
#
# then one trajectory in which both wander holds the law of motion of every device in between. The
# paper trains on such a trajectory and asks for something it never showed: how does the device ring
# after a pulse, at each of 21 values of $K_u$ and 16 of $D$? **It claims the right breathing
# frequency at all of them.**

# %% tags=["parameters"]
profile = "quick"
width = 50
iterations = 2400
lm_steps = 20
train_start = 1000
train_stop = 10000
validation_stop = 11000
heldout_stop = 21000
cell = 1e-9
embedded_levels = 4
outside_Ku = [7.0e5, 9.0e5]
outside_Dind = [2.4e-3, 3.6e-3]
seed = 0

# %%
import json
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product

import holoviews as hv
import numpy as np
import pandas as pd
import panel as pn
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.paper import authors
from spinode.paper.models import MODELS
from spinode.devices.drives import PulseSequence
from spinode.errors import SpinodeError
from spinode.neural_ode.forecast import ForecastWarning, forecast
from spinode.analysis.metrics import nrmse
from spinode.micromagnetics import simulate
from spinode.neural_ode.model import SpinODE
from spinode.devices.protocols import D_TEST, KU_TEST, PAIR
from spinode.analysis.spectra import peak_frequency, ringing_frequency, spectrum
from spinode.neural_ode.training import fit
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import Channel, load, resample
from spinode.workflow.workbook import outputs

plots.use_style()
pn.extension(inline=True)
out = outputs(profile)
spacing = 5e-12

# %% [markdown]
# ## The training trajectory
#
# A 4 GHz sine of random amplitude on $K_u$, a ten times slower one on $D$; published by the authors
# or, without their data, from the embedded engine (notebook 01).

# %%
table = authors.locate(authors.PAIR_TABLE)
source = "MuMax3, published by the authors" if table else "embedded engine, notebook 01"
drive = PAIR.drive
if table:
    recorded = read_table(table)
else:
    recorded = load(out.input("pair.nc"))
    first, second = (json.loads(recorded.attrs["drive"])[one] for one in ("first", "second"))
    drive = replace(
        drive,
        first=replace(drive.first, amplitude=first["amplitude"]),
        second=replace(drive.second, amplitude=second["amplitude"]),
    )
    cell = recorded.attrs["cell_size"]
heldout_stop = min(heldout_stop, int(recorded.time[-1] / spacing))
signal = resample(recorded, spacing, spacing * heldout_stop)
print(f"data: {source}")

beginning = {"drive": signal.sel(time=slice(0, 10e-9))}
plots.interactive(beginning, "Ku", height=160) + plots.interactive(beginning, "Dind", height=160)

# %%
model = SpinODE(
    Channel("mz", "1", offset=float(signal.mz[0]), scale=0.1),
    (
        Channel("Ku", "J/m3", offset=8e5, scale=0.5e5),
        Channel("Dind", "J/m2", offset=3.0e-3, scale=0.4e-3),
    ),
    sample_spacing=spacing,
    time_scale=2e-10,
    width=width,
    seed=seed,
)
checkpoint = out.checkpoints / "material_parameters.checkpoint"
history = fit(
    model,
    signal,
    inputs=drive,
    train=(train_start, train_stop),
    validation=(train_stop, validation_stop),
    iterations=iterations,
    lm_steps=lm_steps,
    patience=12,
    seed=seed,
    checkpoint=checkpoint,
)
model.save(out.data / "material_parameters" / "pair.pt")

# %% [markdown]
# ## Forecast of the training stretch and beyond

# %%
models = {"k2": model}
if MODELS["pair"].here:
    models["published"] = MODELS["pair"].load()

truth = signal.isel(time=slice(train_start, None))
runs = {
    name: forecast(one, drive, initial=truth, duration=spacing * (heldout_stop - train_start))
    for name, one in models.items()
}
split = validation_stop - train_start
errors = {}
for name, run in runs.items():
    aligned = run.reindex(time=truth.time, method="nearest", tolerance=spacing / 2).mz.values
    errors[name] = {
        "training": nrmse(aligned[:split], truth.mz.values[:split]),
        "held_out": nrmse(aligned[split:], truth.mz.values[split:]),
    }
display(pd.DataFrame(errors).T.rename_axis("NRMSE").style.format("{:.2%}"))

# %% [markdown]
# ## Pulses it never saw
#
# In the $K_u$ test, $K_u$ climbs from 7.5 to 8.5e5 J/m3 in steps of 4 ns; in the first nanosecond
# of each, $D$ is lifted by 0.1e-3 J/m2, then the device rings. In the $D$ test the roles change.
# Published micromagnetics where it was fetched, and the embedded engine always.


# %%
def breathing(run, levels, hold):
    """Return the frequencies (Hz) at which ``run`` rings on every step, by both rules."""
    step = round(hold / spacing)
    ringing = [run.mz.values[step * i + 200 : step * (i + 1)] for i in range(len(levels))]
    return pd.DataFrame(
        {
            "bin": [peak_frequency(signal[:600], spacing) for signal in ringing],
            "fit": [ringing_frequency(signal[:600], spacing) for signal in ringing],
        },
        index=pd.Index(levels),
    )


def micromagnetics(name, device, drive):
    """Simulate a test on the embedded engine, on the mesh of the training data."""
    return simulate(
        replace(device, cell=cell),
        drive,
        engine="embedded",
        spacing=spacing,
        checkpoint=out.checkpoints / f"material_parameters_{name}.checkpoint",
    )


tests = {}
table = authors.locate(authors.KU_TEST_TABLE)
if table:
    tests["Ku, published"] = KU_TEST.drive, resample(read_table(table), spacing)
table = authors.locate(authors.D_TEST_TABLE)
if table:
    tests["Dind, published"] = D_TEST.drive, resample(read_table(table), spacing)


def embedded(protocol):
    """Simulate some steps of a test, all of them inside the range that was trained."""
    parameter = protocol.drive.swept
    lowest, highest = float(signal[parameter].min()), float(signal[parameter].max())
    margin = 0.05 * (highest - lowest)
    inside = [
        level for level in protocol.drive.levels if lowest - margin <= level <= highest + margin
    ]
    chosen = np.linspace(len(inside) - 1, 0, embedded_levels).round().astype(int)[::-1]
    drive = replace(protocol.drive, levels=tuple(inside[i] for i in chosen))
    device = replace(protocol.device, **{parameter: drive.levels[0]})
    return drive, micromagnetics(protocol.name, device, drive)


with ThreadPoolExecutor() as pool:  # a simulation keeps one core busy
    tests["Dind, embedded"], tests["Ku, embedded"] = pool.map(embedded, (D_TEST, KU_TEST))

# %%
frequencies, responses = {}, {}
for test, (drive, reference) in tests.items():
    frequencies[test, "micromagnetics"] = breathing(reference, drive.levels, drive.hold)
    for name, one in models.items():
        responses[test, name] = forecast(one, drive, initial=reference)
        frequencies[test, name] = breathing(responses[test, name], drive.levels, drive.hold)
differences = {
    (test, name): abs(found - frequencies[test, "micromagnetics"]) / 1e9
    for (test, name), found in frequencies.items()
    if name != "micromagnetics"
}
summary = pd.DataFrame(
    {
        key: {
            "bin_mean": difference["bin"].mean(),
            "bin_largest": difference["bin"].max(),
            "fit_mean": difference["fit"].mean(),
            "fit_largest": difference["fit"].max(),
        }
        for key, difference in differences.items()
    }
).T.rename_axis(["test", "model"])
display(summary.style.format("{:.3f} GHz"))

# %% [markdown]
# And the whole traces, not only their frequencies:

# %%
traces = {}
for (test, name), response in responses.items():
    reference = tests[test][1]
    aligned = response.reindex(time=reference.time, method="nearest", tolerance=spacing / 2)
    error = nrmse(aligned.mz.values, reference.mz.values)
    spread = float(reference.mz.std()) / model.output.scale
    traces[test, name] = {"NRMSE": error, "MSE": (error * spread) ** 2}
display(pd.DataFrame(traces).T.style.format({"NRMSE": "{:.2%}", "MSE": "{:.1e}"}))

# %% [markdown]
# ## The figure

# %%
figure, axes = plt.subplots(3, 2, figsize=(10, 8.4), height_ratios=(1, 1.5, 0.8))
end = float(truth.time[-1])
plots.lines(axes[0, 0], {"micromagnetics": truth, **runs}, "mz", (end - 4e-9, end))
axes[0, 0].set_title(f"a  held out, NRMSE {errors['k2']['held_out']:.1%}")
axes[0, 0].legend(fontsize=7, ncols=3)
ringing = next(iter(tests))
drive, reference = tests[ringing]
frequency, amplitude = spectrum(reference.mz.values[200:800], spacing)
ours = spectrum(responses[ringing, "k2"].mz.values[200:800], spacing)[1]
axes[0, 1].plot(frequency / 1e9, amplitude, color="black", alpha=0.45, linewidth=2.6)
axes[0, 1].plot(frequency / 1e9, ours, color=plots.COLORS["k2"])
axes[0, 1].set(xlim=(0, 30), xlabel="frequency (GHz)", ylabel="amplitude")
axes[0, 1].set_title(f"b  spectrum of the first step, {ringing}")

for column, (parameter, scale, units) in enumerate(
    [("Ku", 1e-5, "$K_u$ (1e5 J/m3)"), ("Dind", 1e3, "$D$ (1e-3 J/m2)")]
):
    upper, lower = axes[1, column], axes[2, column]
    for test in tests:
        if not test.startswith(parameter):
            continue
        reference = frequencies[test, "micromagnetics"]
        levels = reference.index * scale
        line, mark = ("-", "*") if test.endswith("published") else ("--", "o")
        style = {"color": "black", "linestyle": line, "alpha": 0.6}
        upper.plot(levels, reference["fit"] / 1e9, label=f"micromagnetics, {test}", **style)
        for name in models:
            style = {"color": plots.COLORS[name], "marker": mark, "markersize": 4}
            found = frequencies[test, name]
            label = None if name in upper.get_legend_handles_labels()[1] else name
            upper.plot(levels, found["fit"] / 1e9, linestyle="", label=label, **style)
            lower.plot(levels, differences[test, name]["bin"], linestyle=line, **style)
    lower.axhline(0.195, color="0.5", linestyle="--", linewidth=1)
    lower.set(xlabel=units, ylabel="error (GHz)")
    lower.set_title("one bin: 0.195 GHz", fontsize=8)
    upper.set(ylabel="frequency (GHz)")
    upper.set_title(f"{'cd'[column]}  breathing frequency against {parameter}")
    upper.legend(fontsize=7)
plots.save_figure(figure, out.figures / "fig4_material_parameters.png")
plt.show()

# %%
table = pd.concat(
    {key: found["fit"].rename("GHz") / 1e9 for key, found in frequencies.items()},
    names=["test", "model", "level"],
).reset_index()
hv.Layout(
    [
        table[table.test.str.startswith(parameter)].hvplot.scatter(
            x="level",
            y="GHz",
            by=["test", "model"],
            xlabel=units,
            ylabel="breathing frequency (GHz)",
            width=560,
            height=380,
        )
        for parameter, units in (("Ku", "Ku (J/m3)"), ("Dind", "D (J/m2)"))
    ]
).cols(1)

# %% [markdown]
# ## Try it
#
# The forecast takes milliseconds, so sliders can drive it: a device of any $K_u$ and $D$, and its
# answer to a pulse. In grey, the micromagnetic step of the tests whose device is nearest; the pulse
# is of the kind that it got.

# %%
devices = pd.DataFrame(
    [
        {"test": test, "step": step, drive.swept: level, drive.pulsed: drive.rest}
        for test, (drive, _) in tests.items()
        for step, level in enumerate(drive.levels)
    ]
)
Ku = pn.widgets.FloatSlider(name="Ku (J/m3)", start=7.5e5, end=8.5e5, step=0.01e5, value=8.0e5)
Dind = pn.widgets.FloatSlider(
    name="D (J/m2)", start=2.6e-3, end=3.4e-3, step=0.01e-3, value=3.0e-3, format="0.00000"
)


@pn.depends(Ku, Dind)
def ring(Ku, Dind):
    """Forecast one pulse on any device, beside the nearest micromagnetic step."""
    away = ((devices.Ku - Ku) / 1e5) ** 2 + ((devices.Dind - Dind) / 0.8e-3) ** 2
    nearest = devices.loc[away.idxmin()]
    drive, reference = tests[nearest.test]
    count = round(drive.hold / spacing)
    part = reference.isel(time=slice(count * nearest.step, count * (nearest.step + 1)))
    here = {"Ku": Ku, "Dind": Dind}
    pulse = here[drive.pulsed] + drive.pulse - drive.rest
    # Twice the same step: the model settles during the first.
    pulses = replace(drive, levels=(here[drive.swept],) * 2, pulse=pulse, rest=here[drive.pulsed])
    response = forecast(model, pulses, initial=np.full(model.k, model.output.offset))
    response = response.isel(time=slice(count, None))
    label = f"micromagnetics at Ku = {nearest.Ku:.4g}, D = {nearest.Dind:.4g}"
    runs = {label: part, "neural ODE": response}
    return plots.interactive(
        {name: run.assign_coords(time=run.time - run.time[0]) for name, run in runs.items()}, "mz"
    )


pn.Column(Ku, Dind, ring)

# %% [markdown]
# ## Where does it break?
#
# Beyond the paper: pulses at values outside the rectangle of $K_u$ and $D$ that the training
# trajectory covered, on the embedded engine. (`forecast` warns that it extrapolates; here we know.)

# %%
warnings.simplefilter("ignore", ForecastWarning)
points = []
for test, (drive, _) in tests.items():
    for value, error in differences[test, "k2"]["fit"].items():
        pair = {drive.swept: value, drive.pulsed: drive.rest}
        points.append({**pair, "error": error})


def outside(pair):
    """Return how wrong the frequency is (GHz) for one device outside the trained range."""
    Ku, Dind = pair
    drive = PulseSequence("Ku", (Ku,), "Dind", pulse=Dind + 0.1e-3, rest=Dind)
    device = replace(PAIR.device, Ku=Ku, Dind=Dind)
    try:
        reference = micromagnetics(f"outside_{Ku:g}_{Dind:g}", device, drive)
    except SpinodeError as error:
        print(f"nothing to forecast: {error}")
        return None
    response = forecast(model, drive, initial=reference)
    found = np.nan
    if response.sizes["time"] >= reference.sizes["time"]:
        step = breathing(response, (Ku,), drive.hold)["fit"].iloc[0]
        found = abs(step - breathing(reference, (Ku,), drive.hold)["fit"].iloc[0]) / 1e9
    return {"Ku": Ku, "Dind": Dind, "error": found}


with ThreadPoolExecutor() as pool:
    found = pool.map(outside, product(outside_Ku, outside_Dind))
    points += [point for point in found if point]
points = pd.DataFrame(points)

# %%
trained = {name: (float(signal[name].min()), float(signal[name].max())) for name in ("Ku", "Dind")}
figure, ax = plt.subplots(figsize=(6, 4))
known = points.dropna()
marks = ax.scatter(
    known.Ku / 1e5, known.Dind * 1e3, c=np.maximum(known.error, 1e-3), norm="log", cmap="viridis"
)
lost = points[points.error.isna()]
ax.scatter(lost.Ku / 1e5, lost.Dind * 1e3, marker="x", color="black", label="forecast blew up")
(left, right), (bottom, top) = trained["Ku"], trained["Dind"]
corners = np.array([[left, bottom], [right, bottom], [right, top], [left, top], [left, bottom]])
ax.plot(corners[:, 0] / 1e5, corners[:, 1] * 1e3, "--", color="0.5", label="trained range")
figure.colorbar(marks, label="frequency error (GHz)")
ax.set(xlabel="$K_u$ (1e5 J/m3)", ylabel="$D$ (1e-3 J/m2)")
ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=8)
plots.save_figure(figure, out.figures / "fig4_where_it_breaks.png")
plt.show()

# %%
points.hvplot.scatter(x="Ku", y="Dind", c="error", cnorm="log", size=80, width=600, height=350)

# %% [markdown]
# ## What was found


# %%
def by_test(values):
    """Return values by test, then by model."""
    nested = {}
    for (test, name), value in values.items():
        parameter, origin = test.split(", ")
        key = f"{'ku' if parameter == 'Ku' else 'd'}_{origin}"
        nested.setdefault(key, {})[name] = value
    return nested


metrics = {
    "data": source,
    "training_s": float(history.seconds[-1]),
    "train_mse": {"k2": float(history.train_mse.min())},
    "nrmse": errors,
    "frequency_error_ghz": by_test({key: row.to_dict() for key, row in summary.iterrows()}),
    "test_nrmse": by_test({key: found["NRMSE"] for key, found in traces.items()}),
    "test_mse": by_test({key: found["MSE"] for key, found in traces.items()}),
    "outside": points.rename(
        columns={"Ku": "ku_j_m3", "Dind": "d_j_m2", "error": "error_ghz"}
    ).to_dict("records"),
}
out.write_metrics("material_parameters", metrics)
inside = summary.xs("k2", level="model")
display(
    Markdown(
        "\n".join(
            f"- **{test}**: mean error {row['bin_mean']:.3f} GHz by the paper's rule, "
            f"{row['fit_mean']:.3f} GHz by the fit; "
            f"{'every' if row['bin_largest'] <= 0.1954 else 'not every'} point is within "
            "one bin of 0.195 GHz."
            for test, row in inside.iterrows()
        )
    )
)

# %% [markdown] tags=["navigation"]
# [Before: How much faster is the neural ODE, really?](04_speedup.py) | [All notebooks](README.md)
# | [Next: Do five milliseconds of a noisy oscillator tell how it will answer
# anybody?](06_oscillator.py)
