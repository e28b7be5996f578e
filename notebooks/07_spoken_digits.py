# %% [markdown]
# # Does the forecast recognize spoken digits as well as the oscillator it stands in for?
#
# *Figure 5d and e of the paper.*
#
# The 400 virtual nodes of the oscillator are the states of a reservoir computer. N of the ten
# utterances of every speaker train one linear map from the nodes to the ten digits; the others are
# tested; all choices of N are averaged. **The paper claims that a neural ODE with noise at its
# input predicts the recognition rate of the device**, for a front end that does half of the work
# (the cochlea) and for one that leaves it all to the oscillator (the spectrogram).
#
# To see what the oscillator adds, the acoustic channels alone go through the same protocol. And the
# authors' trained network, if it was fetched, listens to our speakers: a model of the real device.

# %% tags=["parameters"]
profile = "quick"
iterations = 6000
width = 100
train_samples = 50000
noise_iterations = 1000
utterances = 10
published_input_noise = 0.02
seed = 0

# %%
import holoviews as hv
import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from matplotlib import pyplot as plt

from spinode.analysis import plots
from spinode.neural_ode import sde
from spinode.paper import authors
from spinode.paper.models import MODELS
from spinode.speech import corpora, multiplexing
from spinode.speech.cochlea import cochleagram, spectrogram
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.noise import input_noise_strength, langevin_strength
from spinode.devices.oscillator import NanoOscillator, simulate
from spinode.speech.recognition import recognize
from spinode.neural_ode.training import fit
from spinode.trajectory import Channel
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
front_ends = {"cochlear": cochleagram, "spectrogram": spectrogram}

# %% [markdown]
# ## Speech, drives, and the device's answers

# %%
corpus = corpora.corpus()
device = NanoOscillator()
print(f"speech: {corpus.name} ({corpus.credit})")
acoustics, drives, states, sources = {}, {}, {}, {}
for name, front_end in front_ends.items():
    heard = multiplexing.features(corpus, front_end)[:, :utterances]
    acoustics[name] = heard
    drives[name] = multiplexing.drives(heard, multiplexing.mask(len(heard[0, 0, 0])))
    session = multiplexing.recorded_session(name)
    if session:
        sources[name] = "recordings of the real oscillator, published by the authors"
        drives[name] = session.drives[:, :utterances]
        states[name] = {"oscillator": session.states[:, :utterances]}
    else:
        sources[name] = "embedded stochastic oscillator"
        states[name] = {"oscillator": multiplexing.measure(device, drives[name], seed=seed + 1)}
    print(f"{name}: {sources[name]}, {drives[name].size} recordings")

# %% [markdown]
# ## One model a front end, from 5 ms
#
# The cochlear one is that of notebook 06. The spectrogram drives the oscillator differently (the
# authors measured it at another working point), so it gets 5 ms of its own. The noise at the input
# is estimated from the same 5 ms, and so is the neural SDE, whose noise comes from within.

# %%
models, noisy_models, input_noise = {}, {}, {}
for name in front_ends:
    drive = multiplexing.as_drive(list(drives[name][0, 0, :9])).isel(
        time=slice(0, train_samples + 2)
    )
    if "embedded" in sources[name]:
        recorded = simulate(device, drive, seed=seed)
    else:
        recorded = multiplexing.as_trajectory(list(states[name]["oscillator"][0, 0, :9]), drive)
    if name == "cochlear":
        model = SpinODE.load(out.input("oscillator/cochlear_k2.pt"))
        noisy_model = sde.NeuralSDE.load(out.input("oscillator/cochlear_sde"))
    else:
        model = SpinODE(
            Channel("voltage", "V", scale=0.1),
            (Channel("drive", "V", scale=0.1),),
            sample_spacing=multiplexing.NODE_TIME,
            time_scale=multiplexing.NODE_TIME / 0.0125,
            width=width,
            seed=seed,
        )
        fit(
            model,
            recorded,
            interpolation="linear",
            train=(0, train_samples),
            iterations=iterations,
            check_every=300,
            seed=seed,
            checkpoint=out.checkpoints / f"oscillator_{name}.checkpoint",
        )
        model.save(out.data / "spoken_digits" / f"{name}_k2.pt")
        noisy_model = sde.NeuralSDE(model, seed=seed)
        sde.fit(noisy_model, recorded, iterations=noise_iterations, seed=seed)
        noisy_model.save(out.data / "spoken_digits" / f"{name}_sde")
    models[name], noisy_models[name] = model, noisy_model
    strength = langevin_strength(model, recorded)
    input_noise[name] = input_noise_strength(model, recorded, "held").value
    print(f"{name}: noise {strength} V/sqrt(s), at the input {input_noise[name] * 1e3:.1f} mV")

# %% [markdown]
# ## Forecasting every recording

# %%
for name, model in models.items():
    played = drives[name]
    states[name]["Neural ODE"] = multiplexing.forecast_states(model, played)
    states[name]["Neural ODE with noise"] = multiplexing.forecast_states(
        model, played, noise=input_noise[name], seed=seed + 2
    )
    states[name]["neural SDE"] = multiplexing.simulate_states(
        noisy_models[name], played, seed=seed + 4
    )
    states[name]["acoustic channels alone"] = acoustics[name]
if MODELS["oscillator_cochlear"].here:
    twin = MODELS["oscillator_cochlear"].load()
    played = drives["cochlear"]
    states["cochlear"]["authors' network"] = multiplexing.forecast_states(twin, played)
    states["cochlear"]["authors' network with noise"] = multiplexing.forecast_states(
        twin, played, noise=published_input_noise, seed=seed + 3
    )

# %% [markdown]
# ## Recognition

# %%
results = {
    name: {recognizer: recognize(matrices) for recognizer, matrices in by_recognizer.items()}
    for name, by_recognizer in states.items()
}
rates = pd.concat(
    {
        (name, recognizer): result.rate.to_series()
        for name, by_recognizer in results.items()
        for recognizer, result in by_recognizer.items()
    },
    axis=1,
)
display(rates.T.style.format("{:.3f}"))

# %%
figure, panels = plt.subplots(1, 2, figsize=(10, 4.6), sharey=True)
colors = {
    "oscillator": plots.COLORS["measured"],
    "acoustic channels alone": plots.COLORS["drive"],
    "Neural ODE": plots.COLORS["k = 2"],
    "Neural ODE with noise": plots.COLORS["input noise, held"],
    "neural SDE": plots.COLORS["neural SDE"],
    "authors' network": plots.COLORS["published"],
    "authors' network with noise": plots.COLORS["echo-state network"],
}
for letter, panel, (name, by_recognizer) in zip("ab", panels, results.items(), strict=True):
    for recognizer, result in by_recognizer.items():
        panel.errorbar(
            result.trained,
            result.rate,
            result.spread,
            color=colors[recognizer],
            capsize=2,
            linewidth=3 if recognizer == "oscillator" else 1.4,
            alpha=0.5 if recognizer == "oscillator" else 1.0,
            linestyle="--" if recognizer == "neural SDE" else "-",
            label=recognizer,
        )
    for recognizer, published in authors.recognition_rates(name).items():
        panel.plot(
            np.arange(1, len(published) + 1), published, color=colors[recognizer], linewidth=0.6
        )
    panel.set(title=f"{letter}  {name} front end", xlabel="training utterances N")
panels[0].set_ylabel("recognition rate")
handles = {
    label: handle
    for panel in panels
    for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
}
figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, fontsize=8)
figure.suptitle(
    f"speech: {corpus.name}; device: {', '.join(sorted(set(sources.values())))}\n"
    "bars: standard deviation over choices; thin lines: published, for other speakers",
    fontsize=8,
)
plots.save_figure(figure, out.figures / "fig5_recognition.png")
plt.show()

# %%
hv.Layout(
    [
        rates[name].hvplot.line(
            title=name,
            xlabel="training utterances N",
            ylabel="recognition rate",
            group_label="recognizer",
            color=[colors[recognizer] for recognizer in rates[name]],
            width=850,
            height=320,
        )
        for name in results
    ]
).cols(1)

# %% [markdown]
# Which digits are taken for which, with the most training (per cent of the digits spoken):

# %%
figure, panels = plt.subplots(2, 2, figsize=(7.5, 7))
for row, (name, by_recognizer) in zip(panels, results.items(), strict=True):
    for panel, recognizer in zip(row, ("oscillator", "Neural ODE with noise"), strict=True):
        confusion = by_recognizer[recognizer].confusion.isel(trained=-1)
        shares = confusion / confusion.sum("answered")
        panel.imshow(shares, cmap="Greys", vmin=0, vmax=1)
        panel.set(title=f"{name}, {recognizer}", xlabel="answered", ylabel="spoken")
        panel.set_xticks(range(10))
        panel.set_yticks(range(10))
        for spoken, answered in np.argwhere(shares.values >= 0.05):
            share = float(shares[spoken, answered])
            shade = "white" if share > 0.5 else "black"
            panel.text(
                answered,
                spoken,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                size=6,
                color=shade,
            )
plots.save_figure(figure, out.figures / "fig5_confusion.png")
plt.show()

# %%
hv.Layout(
    [
        by_recognizer[recognizer]
        .confusion.isel(trained=-1)
        .hvplot.heatmap(
            x="answered",
            y="spoken",
            C="confusion",
            title=f"{name}, {recognizer}",
            cmap="Greys",
            width=420,
            height=360,
        )
        for name, by_recognizer in results.items()
        for recognizer in ("oscillator", "Neural ODE with noise")
    ]
).cols(2)

# %% [markdown]
# ## What was found

# %%
gaps = {
    name: {
        recognizer: float(abs(by[recognizer].rate - by["oscillator"].rate).max())
        for recognizer in ("Neural ODE", "Neural ODE with noise", "neural SDE")
    }
    for name, by in results.items()
}
metrics = {
    "speech": corpus.name,
    "device": sources,
    "input_noise": input_noise,
    "largest_gap": gaps,
    "rates": {
        name: {recognizer: result.rate.values.tolist() for recognizer, result in by.items()}
        for name, by in results.items()
    },
    "spread": {
        name: {recognizer: result.spread.values.tolist() for recognizer, result in by.items()}
        for name, by in results.items()
    },
    "published": {
        name: {recognizer: list(map(float, rates)) for recognizer, rates in found.items()}
        for name in front_ends
        if (found := authors.recognition_rates(name))
    },
}
out.write_metrics("spoken_digits", metrics)
lines = [
    f"- **{name}**: the Neural ODE with noise is within "
    f"{100 * gap['Neural ODE with noise']:.1f} percentage points of the oscillator "
    f"({float(results[name]['oscillator'].rate[0]):.1%} at N = 1, "
    f"{float(results[name]['oscillator'].rate[-1]):.1%} at the largest N), the neural SDE within "
    f"{100 * gap['neural SDE']:.1f}, the Neural ODE without noise within "
    f"{100 * gap['Neural ODE']:.1f}."
    for name, gap in gaps.items()
]
display(Markdown("\n".join(lines)))
