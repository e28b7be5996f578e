"""What a study found, as numbers, words and pictures in a folder."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from spinode.analysis import plots
from spinode.files import replacing
from spinode.recordings.study import Study

# Samples that a close look at a forecast shows.
_CLOSE = 400
_COLORS = {"linear": "C1", "network": "C0"}


def write(study: Study, folder: str | Path) -> Path:
    """Write ``model.npz``, ``report.json``, ``report.md`` and three pictures; return the report.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    folder = Path(folder)
    for name, model in study.models.items():
        model.save(folder / ("model.npz" if name == "network" else f"model_{name}.npz"))
    with replacing(folder / "report.json") as partial:
        partial.write_text(json.dumps(study.numbers(), indent=1, default=float) + "\n", "utf-8")
    with plt.rc_context():
        plots.use_style()
        for name, draw in (
            ("recording", recording_figure),
            ("forecast", forecast_figure),
            ("residuals", residuals_figure),
        ):
            figure = draw(study)
            with replacing(folder / f"{name}.png") as partial:
                figure.savefig(partial, format="png", dpi=150)
            plt.close(figure)
    with replacing(folder / "report.md") as partial:
        partial.write_text(text(study), "utf-8")
    return folder / "report.md"


def text(study: Study) -> str:
    """Return the report in Markdown."""
    seen, model = study.seen, study.models["network"]
    rows = [
        f"| {name} | {score.rmse:.4g} | {score.nrmse:.2%} | {score.fit:.2%} "
        f"| {score.residuals.independent:.0%} | {score.residuals.white:.0%} |"
        for name, score in study.scores.items()
    ]
    doubts = [f"- {one}" for one in study.warnings] or ["- nothing odd was seen."]
    doubts += [
        f"- {name} leaves its trained range in {part:.1%} of the held-out samples: there the "
        "forecast extrapolates."
        for name, part in study.beyond.items()
        if part > 0
    ]
    chosen_by = "pieces of the training data that were left out of the fit"
    if study.validation:
        sources = [one.attrs.get("source", "another recording") for one in study.validation]
        chosen_by = f"{', '.join(sources)}, which no weight was fitted to"
    integral = ""
    if model.shape.integrating:
        integral = " (one of them an integral: the output keeps its place when nothing drives it)"
    late = "".join(
        f" {name} reaches the output about {seconds:.3g} s late."
        for name, seconds in study.dead_times.items()
        if seconds > 0
    )
    at_output = ""
    if model.shape.output_width:
        at_output = (
            f", and {model.shape.output_width} at its output, which shows the size of what moves "
            "and not its sign"
        )
    return "\n".join(
        [
            f"# {study.output}, driven by {', '.join(study.inputs)}",
            "",
            f"{sum(one.sizes['time'] for one in study.train)} samples to learn from, "
            f"{sum(one.sizes['time'] for one in study.held_out)} held out, one every "
            f"{seen.sample_spacing:.4g} s. 99 % of the output's power lies below "
            f"{seen.bandwidth:.4g} Hz ({seen.samples_per_cycle:.1f} samples a cycle); its noise is "
            f"about {seen.noise:.3g} {study.units}. By their coherence a linear model would leave "
            f"an NRMSE of about {seen.linear_bound:.0%}; less, if the answer comes late or drifts.",
            "",
            *doubts,
            "",
            "![the recording](recording.png)",
            "",
            "## Free simulation of held-out data",
            "",
            "Only the drive is given, and the first samples to start from, which are not scored.",
            "",
            f"| model | RMSE ({study.units}) | NRMSE | fit | residuals independent of the input "
            "| residuals white |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"The network has {model.states} states{integral} and {model.width} neurons"
            f"{at_output}; in all {model.shape.weights} weights. These were chosen among "
            f"{len(model.choices)} by free simulation of {chosen_by}. Of white or independent "
            f"residuals 99 % of the correlations lie within the bound.{late}",
            "",
            "![forecast and truth](forecast.png)",
            "",
            "![residuals](residuals.png)",
            "",
        ]
    )


def recording_figure(study: Study) -> plt.Figure:
    """Draw the beginning of the recording, and how far it is linear."""
    one, seen = study.train[0], study.seen
    names = [*study.inputs, study.output]
    figure, axes = plt.subplots(len(names) + 1, 1, figsize=(7, 1.6 * (len(names) + 1)))
    figure.set_layout_engine("constrained")
    part = one.isel(time=slice(0, 4 * _CLOSE))
    for axis, name in zip(axes, names, strict=False):
        axis.plot(part.time, part[name], linewidth=0.8, color="0.3")
        axis.set(ylabel=f"{name} ({one[name].attrs.get('units', '1')})", xlabel="time (s)")
    axes[-1].plot(seen.frequency, seen.coherence, color="C2")
    axes[-1].axvline(seen.bandwidth, color="0.5", linestyle=":", label="99 % of the power below")
    axes[-1].set(xlabel="frequency (Hz)", ylabel="coherence", ylim=(0, 1.05))
    axes[-1].legend()
    return figure


def forecast_figure(study: Study) -> plt.Figure:
    """Draw a close look at the first held-out stretch, and what is left over the whole of it."""
    measured = study.held_out[0]
    started = study.models["network"].start_samples
    figure, axes = plt.subplots(2, 1, figsize=(7, 4.4), layout="constrained")
    close = slice(0, min(started + _CLOSE, measured.sizes["time"]))
    axes[0].plot(
        measured.time[close], measured[study.output][close], color="0.65", linewidth=3,
        label="measured",
    )  # fmt: skip
    for name, runs in study.forecasts.items():
        label = f"{name}, NRMSE {study.scores[name].nrmse:.2%}"
        style = {"color": _COLORS[name], "linewidth": 1, "label": label}
        axes[0].plot(runs[0].time[close], runs[0][study.output][close], **style)
        left = measured[study.output].values[: runs[0].sizes["time"]] - runs[0][study.output].values
        axes[1].plot(runs[0].time, left, color=_COLORS[name], linewidth=0.5)
    axes[0].set(ylabel=f"{study.output} ({study.units})", xlabel="time (s)")
    axes[1].set(ylabel=f"measured - forecast ({study.units})", xlabel="time (s)")
    axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3)
    return figure


def residuals_figure(study: Study) -> plt.Figure:
    """Draw the correlations of what is left over, and the bound of white noise."""
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), layout="constrained", sharey=True)
    for name, score in study.scores.items():
        test = score.residuals
        axes[0].plot(test.lags[1:], test.auto[1:], color=_COLORS[name], label=name)
        axes[1].plot(test.lags, test.cross.T, color=_COLORS[name])
    for axis, what in zip(axes, ("themselves", "the input"), strict=True):
        axis.axhspan(-test.bound, test.bound, color="0.85", zorder=0)
        axis.set(xlabel="lag (samples)", title=f"residuals with {what}")
    axes[0].set_ylabel("correlation")
    axes[0].legend()
    largest = max(np.abs(s.residuals.auto[1:]).max() for s in study.scores.values())
    axes[0].set_ylim(-1.1 * max(largest, 0.1), 1.1 * max(largest, 0.1))
    return figure
