"""The panels of Fig. 5: a noisy oscillator and its forecasts, and recognized digits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.pyplot import Axes
from scipy.signal import welch

from spinode.analysis.looks import LOOKS
from spinode.devices.learning import OSCILLATOR

_MV, _US, _MHZ = 1e3, 1e6, 1e-6
_LEVELS = 10  # parts of equal size into which a response is sorted
# How much of a drive and of an answer a picture shows.
_SHOWN = slice(4000, 4200)


def from_word_to_voltage(
    figure: Figure, word: np.ndarray, rate: float, channels: np.ndarray, answer: xr.Dataset
) -> None:
    """Draw a sound, its acoustic channels, and a part of the drive and the answer.

    Parameters
    ----------
    figure : Figure
    word : array, shape (samples,)
    rate : float
        Of the sound (Hz).
    channels : array, shape (channels, frames)
    answer : Dataset
        ``drive`` and ``voltage`` over ``time``.
    """
    sound, ear, volts = figure.subplots(3, 1)
    sound.plot(np.arange(word.size) / rate * 1e3, word, linewidth=0.5, color="black")
    sound.set(title="a  the word", xlabel="time (ms)", ylabel="sound")
    picture = ear.imshow(channels, aspect="auto", cmap="magma")
    figure.colorbar(picture, ax=ear, label="firing rate", pad=0.01)
    ear.set(title="b  cochleagram", xlabel="frame", ylabel="channel")
    part = answer.isel(time=_SHOWN)
    volts.plot(part.time * _US, part.drive * _MV, **LOOKS["drive"].line)
    volts.plot(part.time * _US, part.voltage * _MV, **LOOKS["oscillator"].line)
    volts.set(title="c  drive and answer", xlabel="time (us)", ylabel="mV")
    volts.legend(loc="upper right", ncols=2)
    volts.margins(x=0)


def traces(upper: Axes, lower: Axes, states: Mapping[str, np.ndarray], part: slice) -> None:
    """Draw the same part of what several answered to one recording, and how far they are off.

    Parameters
    ----------
    upper, lower : Axes
        For the answers, and for all others less the first.
    states : mapping
        (nodes, frames) in V, by identifier (`spinode.analysis.looks`); the first is the device's,
        drawn wide, and the last lies over it.
    part : slice
        Samples.
    """
    clock = np.arange(part.start, part.stop) * OSCILLATOR.sample_spacing * _US
    volts = {name: matrix.ravel(order="F")[part] * _MV for name, matrix in states.items()}
    device, *others = volts
    upper.plot(clock, volts[device], **LOOKS[device].line, linewidth=3.5, alpha=0.35)
    upper.plot(clock, volts[others[-1]], **LOOKS[others[-1]].line)
    for name in others:
        lower.plot(clock, volts[name] - volts[device], **LOOKS[name].line, linewidth=1)
    for ax in (upper, lower):
        ax.margins(x=0, y=0.15)
        ax.legend(ncols=4, loc="upper right")
    upper.set(ylabel="voltage (mV)")
    upper.tick_params(labelbottom=False)
    lower.set(xlabel="time (us)", ylabel=f"less the {LOOKS[device].label} (mV)")


def spread_by_level(deviations: Mapping[str, np.ndarray], response: np.ndarray) -> pd.DataFrame:
    """Return the standard deviation of noise in tenths of a response, sorted by its level.

    Parameters
    ----------
    deviations : mapping
        Noisy minus noise-free answer (V), by identifier.
    response : array
        Noise-free answer (V).

    Returns
    -------
    DataFrame
        In V, one row a tenth, indexed by its mean level (V).
    """
    tenths = np.array_split(np.argsort(response), _LEVELS)
    levels = pd.Index([response[part].mean() for part in tenths], name="level")
    return pd.DataFrame(
        {name: [values[part].std() for part in tenths] for name, values in deviations.items()},
        index=levels,
    )


def noise(axes: list[Axes], deviations: Mapping[str, np.ndarray], response: np.ndarray) -> None:
    """Draw how much, how fast, and at which level several answers fluctuate, in three panels.

    Parameters
    ----------
    axes : three Axes
    deviations, response
        As for `spread_by_level`; the first of the deviations is the device's, drawn wide.
    """
    amount, speed, level = axes
    edge = 4 * np.std(next(iter(deviations.values()))) * _MV
    bins = np.linspace(-edge, edge, 50)
    by_level = spread_by_level(deviations, response) * _MV
    for order, (name, values) in enumerate(deviations.items()):
        look = {"color": LOOKS[name].color, "linestyle": LOOKS[name].dashes}
        look |= {"linewidth": 1.4} if order else {"linewidth": 3.0, "alpha": 0.5}
        amount.hist(values * _MV, bins, density=True, histtype="step", **look)
        frequency, power = welch(values, 1 / OSCILLATOR.sample_spacing, nperseg=512)
        # The window of the estimate spoils the first and the last bin.
        speed.loglog(frequency[1:-1] * _MHZ, power[1:-1] * 1e12, **look)
        level.plot(
            by_level.index * _MV, by_level[name], label=LOOKS[name].label, marker="o", **look
        )
    amount.set(xlabel="deviation (mV)", ylabel="density (1/mV)")
    speed.set(xlabel="frequency (MHz)", ylabel="density (mV$^2$/MHz)")
    level.set(xlabel="noise-free answer (mV)", ylabel="spread (mV)", ylim=(0, None))


def rates(ax: Axes, results: Mapping[str, xr.Dataset], published: Mapping[str, np.ndarray]) -> None:
    """Draw recognition rates against training utterances, and published ones as rings.

    Parameters
    ----------
    ax : Axes
    results : mapping
        From `spinode.speech.recognition.recognize`, by identifier; bars are the standard deviation
        over choices of utterances. An ``oscillator`` is drawn wide.
    published : mapping
        Rates for 1, 2, ... training utterances, by identifier.
    """
    for name, result in results.items():
        wide = {"linewidth": 3.5, "alpha": 0.5} if name == "oscillator" else {}
        ax.errorbar(
            result.trained, result.rate, result.spread, **LOOKS[name].line, capsize=2, **wide
        )
    for name, values in published.items():
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            "o",
            color=LOOKS[name].color,
            markerfacecolor="none",
            label=f"published: {LOOKS[name].label}",
        )
    ax.set(xlabel="training utterances N", ylabel="recognition rate", ylim=(0.4, 1.02))


def shared_legend(figure: Figure, ncols: int) -> None:
    """Put one legend of all panels below them."""
    handles = {
        label: handle
        for panel in figure.axes
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles, loc="outside lower center", ncols=ncols, fontsize="small"
    )


def change_by_noise(
    ax: Axes, quiet: np.ndarray, noisy: np.ndarray, published: Mapping[str, np.ndarray]
) -> None:
    """Draw how noise changes the recognition rates of the authors' network, ours and theirs.

    Parameters
    ----------
    ax : Axes
    quiet, noisy : array, shape (N,)
        Rates with our speakers.
    published : mapping
        Rates ``neural_ode`` and ``neural_ode_noise`` with theirs.
    """
    numbers = np.arange(1, len(quiet) + 1)
    ax.axhline(0, color="0.8", linewidth=1)
    theirs = 100 * (published["neural_ode_noise"] - published["neural_ode"])
    ax.plot(numbers, theirs, "o", color="black", markerfacecolor="none", label="published")
    ax.plot(numbers, 100 * (noisy - quiet), label="our speakers", color=LOOKS["twin_noise"].color)
    ax.set(xlabel="training utterances N", ylabel="change (points)")


def noise_and_ridge(ax: Axes, rates: Mapping[str, xr.DataArray], number: int) -> None:
    """Draw the recognition rate against noise in the states, by where the noise is.

    Parameters
    ----------
    ax : Axes
    rates : mapping
        Over ``noise`` (V, of the states) and ``trained``, by identifier.
    number : int
        Training utterances.
    """
    for name, table in rates.items():
        chosen = table.sel(trained=number)
        shown = chosen.where(chosen.noise > 0, drop=True)
        ax.semilogx(shown.noise * _MV, shown, marker="o", markersize=4, **LOOKS[name].line)
    quiet = float(rates["noise_everywhere"].sel(trained=number, noise=0.0))
    ax.axhline(quiet, color="0.6", linewidth=1, label="no noise, no ridge")
    ax.xaxis.set_minor_formatter("")
    ax.set(xlabel="noise of the states, or the ridge's (mV)", ylabel="recognition rate")


def confusion(ax: Axes, result: xr.Dataset):
    """Draw which digit is taken for which with the most training, in per cent of those spoken.

    Parameters
    ----------
    ax : Axes
    result : Dataset
        From `spinode.speech.recognition.recognize`.

    Returns
    -------
    AxesImage
        For a colour bar.
    """
    counts = result.confusion.isel(trained=-1)
    shares = 100 * (counts / counts.sum("answered")).values
    picture = ax.imshow(shares, cmap="Greys", vmin=0, vmax=100)
    ax.set(xlabel="answered", ylabel="spoken", xticks=range(10), yticks=range(10))
    for spoken, answered in np.argwhere(shares >= 5):
        share = shares[spoken, answered]
        shade = "white" if share > 50 else "black"
        ax.text(answered, spoken, f"{share:.0f}", ha="center", va="center", size=6, color=shade)
    return picture
