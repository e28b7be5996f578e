"""Numbers that the documentation says are those of stored results.

Each sentence stands here with a place for each number, beside the results that fill it. Filled in,
it has to stand on the page. Results are those of notebooks (`results/quick`, `results/paper`) and
of benchmarks (`results/benchmarks`, the last line of each as it was printed).
"""

import itertools
import json
import math
import re
from pathlib import Path
from statistics import median

import pandas as pd
import pytest

from spinode.devices.protocols import ONE_SKYRMION

ROOT = Path(__file__).resolve().parent.parent
USUAL = {"k": 2, "width": 50, "samples": 10_000, "noise": 0.0}


@pytest.fixture(scope="module")
def sweep():
    return pd.read_csv(ROOT / "results" / "paper" / "sweep.csv")


def text(page):
    return " ".join((ROOT / page).read_text("utf-8").split())


def stored(name):
    """A stored result by its path under results, without the suffix."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text("utf-8"))


def percent(values):
    """Median, least and largest of the seeds of one error, in per cent."""
    return [100 * one for one in (median(values), min(values), max(values))]


def held_out(sweep, **changes):
    """The held-out NRMSE of the seeds of one point of the sweep, in per cent."""
    chosen = USUAL | changes
    some = sweep[(sweep[list(chosen)] == pd.Series(chosen)).all(axis=1)]
    assert len(some) == 5
    return 100 * some.nrmse_heldout


def said(value):
    """A number as the page writes it: two digits."""
    return f"{value:#.2g}".rstrip(".")


# Sentences of docs/sweeps.md, with a place for each number, and which point of the sweep it is of.
SENTENCES = {
    "**k = 1 cannot**: {} %": [{"k": 1}],
    "**k = 2 is enough**: {} % at width 50": [{}],
    "({} % for k = 3, {} % for k = 4)": [{"k": 3}, {"k": 4}],
    "(width 100: {} % for k = 2, {} % for k = 3)": [{"width": 100}, {"width": 100, "k": 3}],
    "{}, {}, {} and {} % for 10, 20, 50 and 100 neurons": [
        {"width": width} for width in (10, 20, 50, 100)
    ],
    "{} % from 1000 samples (5 ns), {} % from 2000, {} % from 5000, {} % from 10,000": [
        {"samples": samples} for samples in (1000, 2000, 5000, 10_000)
    ],
    "of 3 % little ({} %), of 10 % a lot ({} % for k = 2)": [{"noise": 0.03}, {"noise": 0.1}],
    "takes off a third of the error ({} %)": [{"noise": 0.1, "k": 3}],
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_the_page_on_sweeps_says_is_in_the_table(sentence, sweep):
    medians = [said(held_out(sweep, **changes).median()) for changes in SENTENCES[sentence]]
    assert sentence.format(*medians) in text("docs/sweeps.md")


def test_noise_of_a_percent_costs_nothing_and_seeds_agree(sweep):
    usual, noisy = held_out(sweep), held_out(sweep, noise=0.01)
    assert abs(usual.median() - noisy.median()) < usual.std()
    said_range = f"({said(usual.min())} to {said(usual.max())} %)"
    assert f"**Seeds** agree at k = 2 {said_range}" in text("docs/sweeps.md")


def test_the_page_on_sweeps_has_no_other_number(sweep):
    """Every percentage of that section is one that the tests above look up."""
    page = text("docs/sweeps.md")
    section = page[page.index("## What the sweep of one skyrmion says") :]
    found = re.findall(r"([\d.]+) %", section)
    known = [changes for points in SENTENCES.values() for changes in points]
    values = {said(held_out(sweep, **changes).median()) for changes in known}
    values |= {said(held_out(sweep).max())}
    assert set(found) <= values | {"1", "3", "10"}, "a number without a result"


def test_the_readme_knows_how_long_the_sweep_took(sweep):
    hours = sweep.point_seconds.sum() / 3600
    halves = {2: "two hours", 2.5: "two and a half hours", 3: "three hours"}
    assert f"170 trainings {halves[round(2 * hours) / 2]} of one core" in text("README.md")
    assert len(sweep) == 170


FAMILIES = {
    "the authors' reservoir": "authors",
    "delayed input, masks at random": "random",
    "designed, without delayed input": "undelayed",
    "designed": "designed",
}


@pytest.mark.parametrize("said_of", FAMILIES)
def test_the_page_on_design_says_what_micromagnetics_found(said_of):
    found = json.loads((ROOT / "results" / "paper" / "design.json").read_text())
    cells = [
        "{median:.3f} ({least:.3f} to {largest:.3f})".format(**one)
        for one in found["nrmse_micromagnetics"][FAMILIES[said_of]].values()
    ]
    assert f"| {said_of} | {' | '.join(cells)} |" in text("docs/design.md")
    assert found["left_the_centre"] == {"authors": 1, "random": 2, "undelayed": 1, "designed": 2}


def test_the_page_on_design_says_what_the_twin_expected():
    rows = pd.read_csv(ROOT / "results" / "paper" / "design_verdict.csv")
    expected = rows[(rows.family == "designed") & (rows.judge == "twin_before")].h_10
    assert f"expects {expected.min():.3f} to {expected.max():.3f} of the" in text("docs/design.md")


# --- sentences of the other pages -----------------------------------------------------------


def quick_profile():
    """Minutes that the notebooks of `make paper` took, one after another."""
    files = (ROOT / "results" / "quick").glob("*.json")
    taken = {path.stem: json.loads(path.read_text())["provenance"]["duration_s"] for path in files}
    return [sum(taken[name] for name in taken if name != "sweep") / 60]


def trained(name):
    """Errors of one kind of model in training, held out, and of its worst samples."""
    errors = stored("quick/training")["nrmse"][name]
    return [one for key in ("training", "held_out", "worst_500") for one in percent(errors[key])]


def forecast_step():
    """Microseconds of a step by ours and by torchdiffeq, and how many times ours that is."""
    found = stored("quick/speedup")
    us = 1e6 * ONE_SKYRMION.learning.sample_spacing * 1e9
    seconds = found["s_per_ns"]
    step = [us * seconds[name] for name in ("neural_ode", "torchdiffeq")]
    return [*step, found["compiled_over_torchdiffeq"]]


def as_good_as_the_best():
    """How many points of the sweep are within 5 % of its best, and the chance that 40 hold one."""
    errors = pd.read_csv(ROOT / "results" / "paper" / "sweep.csv").nrmse_heldout
    good, every = int((errors <= 1.05 * errors.min()).sum()), len(errors)
    return [good, 100 * (1 - math.comb(every - good, 40) / math.comb(every, 40))]


def engine_against_mumax3(tensor):
    return [
        100 * stored(f"{profile}/skyrmion_data")["nrmse_vs_mumax3"][tensor]
        for profile in ("quick", "paper")
    ]


def micromagnetics(*names):
    return [stored("benchmarks/micromagnetics")[name] for name in names]


def cost_by_cells():
    return list(stored("benchmarks/micromagnetics")["s_per_ns_by_cells"].values())


def stretches_below_published():
    """How many stretches are held out, and on how many of them every seed beats the authors."""
    found = dict(stored("quick/training")["stretch_errors"])
    (published,) = found.pop("published")
    highest = [max(column) for column in zip(*itertools.chain(*found.values()), strict=True)]
    below = sum(ours < theirs for ours, theirs in zip(highest, published, strict=True))
    return len(published), below


def the_worst_stretch():
    """How many seeds beat the authors where ours are worst, of how many; least, most, theirs."""
    found = stored("quick/training")["stretch_errors"]
    (published,) = found["published"]
    means = [sum(column) for column in zip(*found["k2"], strict=True)]
    worst = means.index(max(means))
    ours, theirs = [100 * seed[worst] for seed in found["latent"]], 100 * published[worst]
    return sum(one < theirs for one in ours), len(ours), min(ours), max(ours), theirs


def own_device(name):
    return [100 * stored("benchmarks/own_devices")[name][key] for key in ("network", "noise")]


def identified(device):
    """What the benchmark printed of a measured device; one had a run of its own."""
    alone = device == "wiener_hammerstein"
    found = stored(f"benchmarks/{device if alone else 'identification'}")
    return {key: value[device] for key, value in found.items() if isinstance(value, dict)}


def real_device(device, test, unit=1e3):
    """Errors on one test of a measured device, and the samples inside of its band."""
    errors = each_seed(device, test, unit)
    inside = 100 * identified(device)["coverage"][test]
    return [median(errors), min(errors), max(errors), inside]


def cost(device):
    """Minutes of a training, and the numbers of weights that its seeds chose."""
    found = identified(device)
    return [found["cpu_minutes"], chosen(found["weights"])]


def chosen(weights):
    """One number where all seeds agree, else the range."""
    return " to ".join(map(str, sorted({min(weights), max(weights)})))


def with_cost(row, device):
    """A row of the table: median and range, minutes, weights, band."""
    *errors, inside = row
    return [*errors, *cost(device), inside]


def noisy_skyrmion(noise):
    found = stored("benchmarks/noise")
    errors = found[f"nrmse_{noise}_seeds"]
    # The weights of all runs stand in one list, those with more noise first.
    runs = slice(None, len(errors)) if noise == 10 else slice(-len(errors), None)
    inside = 100 * found[f"coverage_{noise}"][0]
    return [*percent(errors), found["cpu_minutes"], chosen(found["weights"][runs]), inside]


def with_tanh_alone():
    """Arrow and tanks, and the skyrmion with 3 % of noise, before neurons grew."""
    found = stored("benchmarks/identification_tanh")["seeds"]
    arrow = [1e3 * one for one in found["silverbox"]["silverbox_arrow"]]
    tests = [each(one) for one in (arrow, found["tanks"]["tanks"]) for each in (median, min, max)]
    return [*tests, 100 * stored("benchmarks/noise_tanh")["nrmse_3"]]


def oscillator(point, form):
    """Median and range of the errors to the noise-free oscillator, by working point and form."""
    return percent(stored("benchmarks/oscillator")[point][form])


def each_seed(device, test, unit):
    return [unit * one for one in identified(device)["seeds"][test]]


@pytest.mark.parametrize("name", stored("benchmarks/own_devices"))
def test_the_table_of_our_own_devices_says_what_is_stored(name):
    found = stored("benchmarks/own_devices")[name]
    errors = [f"{100 * found['linear']:.1f} %", f"{100 * found['network']:.2f} %"]
    errors += [f"{100 * found['noise']:.2f} %", f"{found['minutes']:.1f}"]
    rows = [line for line in text("docs/identification.md").split("| `") if line.startswith(name)]
    assert f"| {' | '.join(errors)} |" in rows[0]


# Page, sentence, and what fills the places. A result that is not stored fails its sentences alone.
TRACED = [
    ("README.md", "the quick profile took {:.0f} minutes beside other work", quick_profile),
    (
        "README.md",
        "its notebook `12_design` alone took {:.0f} minutes",
        lambda: [stored("paper/design")["provenance"]["duration_s"] / 60],
    ),
    (
        "docs/training.md",
        "over the first {} points of notebook 03, $m_z$ differs by at most {:.0e}",
        lambda: [
            stored("quick/mackey_glass")[name]
            for name in ("confirmed_points", "difference_to_torchdiffeq")
        ],
    ),
    (
        "docs/training.md",
        "a seed with k = 2 took {:.0f} to {:.0f} s",
        lambda: [each(stored("quick/training")["training_s"]["k2"]) for each in (min, max)],
    ),
    (
        "docs/training.md",
        "| published weights | {0:.2f} % | {3:.2f} % | {6:.1f} % |",
        lambda: trained("published"),
    ),
    *(
        (
            "docs/training.md",
            f"| {row} | {{:.2f}} % ({{:.2f}} to {{:.2f}}) | {{:.2f}} % ({{:.2f}} to {{:.2f}}) "
            "| {:.1f} % ({:.1f} to {:.1f}) |",
            lambda name=name: trained(name),
        )
        for row, name in {
            "k = 1": "k1",
            "k = 2": "k2",
            "k = 2, of the radius": "k2_radius",
            "a state of its own": "latent",
        }.items()
    ),
    (
        "docs/training.md",
        "The five seeds leave {:.2f} % ({:.2f} to {:.2f}) on that run.",
        lambda: percent(stored("quick/training")["latent_strong_nrmse"]),
    ),
    (
        "docs/training.md",
        "Of the {} held-out stretches of 500 samples, every seed of ours is below the published "
        "weights on {}",
        stretches_below_published,
    ),
    (
        "docs/training.md",
        "With a state of its own, {} of the {} seeds are below the published weights there, too: "
        "{:.1f} to {:.1f} %, published {:.1f} %.",
        the_worst_stretch,
    ),
    (
        "docs/training.md",
        "The worst samples begin with sample {:,.0f} ({:.0f} ns).",
        lambda: [
            unit * median(stored("quick/training")["nrmse"]["k2"]["worst_500_start"])
            for unit in (1, 1e9 * ONE_SKYRMION.learning.sample_spacing)
        ],
    ),
    (
        "docs/training.md",
        "The published weights have their worst samples elsewhere, from sample {:,} on.",
        lambda: stored("quick/training")["nrmse"]["published"]["worst_500_start"],
    ),
    (
        "docs/training.md",
        "$m_z$ rises to {:.3f}, in training to {:.3f}.",
        lambda: [
            stored("quick/training")[f"largest_mz_{where}"] for where in ("held_out", "in_training")
        ],
    ),
    (
        "docs/training.md",
        "On samples 11,500 to 21,500 linear ARX (40 delays) reaches {:.0f} %, reservoirpy's NVAR "
        "(quadratic, 5 delays) {:.0f} %, and a GRU with as many weights {:.0f} %",
        lambda: [
            100 * stored("paper/training")["baselines_nrmse_held_out"][name]
            for name in ("linear_arx", "nvar", "gru")
        ],
    ),
    (
        "docs/training.md",
        "takes {:.1f} us, and {:.0f} us by torchdiffeq used as the authors did, {:.0f} times as "
        "long",
        forecast_step,
    ),
    (
        "docs/training.md",
        "compiled by JAX takes {:.1f} times as long as ours, and diffrax {:.1f} times",
        lambda: list(stored("forecast_peers")["over_ours"].values()),
    ),
    (
        "docs/engine.md",
        "NRMSE of {:.3f} % in the quick profile and {:.3f} % in the paper profile",
        lambda: engine_against_mumax3("mumax3"),
    ),
    (
        "docs/engine.md",
        "with the exact tensor the same two NRMSE are {:.2f} and {:.2f} %",
        lambda: engine_against_mumax3("newell"),
    ),
    (
        "docs/engine.md",
        "differs from double by {:.1e} (NRMSE of one nanosecond under the paper's drive) and takes "
        "{:.2f} of the time: {:.1f} against {:.1f} s a nanosecond",
        lambda: micromagnetics("single_nrmse", "single_over_double", "single_s_per_ns", "s_per_ns"),
    ),
    (
        "docs/engine.md",
        "NeuralMag took {:.0f} s, {:.0f} times as long (medians).",
        lambda: micromagnetics("neuralmag_s_per_ns", "ratio"),
    ),
    (
        "docs/engine.md",
        "{:.1f}, {:.1f}, {:.1f}, {:.1f} and {:.0f} s a nanosecond for 60, 80, 100, 120 and 240 "
        "cells across",
        cost_by_cells,
    ),
    (
        "docs/engine.md",
        "The 120 x 120 disk takes {:.0f} MB of memory",
        lambda: micromagnetics("memory_mb_120"),
    ),
    (
        "docs/identification.md",
        "forecast to {:.1f} % of its held-out standard deviation, where the noise is {:.1f} %.",
        lambda: own_device("drives"),
    ),
    (
        "docs/identification.md",
        "| Silverbox multisine | {:.3f} mV ({:.3f} to {:.3f}) | {:.1f} | {} | {:.0f} % |",
        lambda: with_cost(real_device("silverbox", "silverbox_multisine"), "silverbox"),
    ),
    (
        "docs/identification.md",
        "| Silverbox arrow | {:.3f} mV ({:.3f} to {:.3f}) | | | {:.0f} % |",
        lambda: real_device("silverbox", "silverbox_arrow"),
    ),
    (
        "docs/identification.md",
        "| Silverbox, no extrapolation | {:.3f} mV ({:.3f} to {:.3f}) | | | {:.0f} % |",
        lambda: real_device("silverbox", "silverbox_no_extrapolation"),
    ),
    (
        "docs/identification.md",
        "| cascaded tanks | {:.3f} V ({:.3f} to {:.3f}) | {:.1f} | {} | {:.0f} % |",
        lambda: with_cost(real_device("tanks", "tanks", 1), "tanks"),
    ),
    (
        "docs/identification.md",
        "| Wiener-Hammerstein | {:.3f} mV ({:.3f} to {:.3f}) | {:.1f} | {} | {:.0f} % |",
        lambda: with_cost(
            real_device("wiener_hammerstein", "wiener_hammerstein"), "wiener_hammerstein"
        ),
    ),
    (
        "docs/identification.md",
        "which also choose the step, seed 0 leaves {:.3f} mV",
        lambda: [1e3 * identified("wiener_hammerstein")["held_out_rms"]],
    ),
    (
        "docs/identification.md",
        "Seed 0 took {} states, {} neurons of tanh alone",
        lambda: [identified("wiener_hammerstein")["chosen"][name] for name in ("states", "width")],
    ),
    (
        "docs/identification.md",
        "On two idle cores it took {:.2f} minutes",
        lambda: [stored("benchmarks/wiener_hammerstein")["minutes"]["wiener_hammerstein"]],
    ),
    *(
        (
            "docs/identification.md",
            f"| skyrmion, {noise} % noise | {{:.2f}} % ({{:.2f}} to {{:.2f}}) | {{:.1f}} | {{}} "
            "| {:.0f} % |",
            lambda noise=noise: noisy_skyrmion(noise),
        )
        for noise in (10, 3)
    ),
    (
        "docs/identification.md",
        "simulated, {:.2f} times as tall. Seeds 0 and 1 leave {:.2f} and {:.2f} mV there; with "
        "tanh alone they left {:.2f} and {:.2f} mV.",
        lambda: [
            stored("benchmarks/extrapolation")["reach"],
            *stored("benchmarks/extrapolation")["error_mv"],
            *stored("benchmarks/extrapolation_tanh")["error_mv"],
        ],
    ),
    (
        "docs/identification.md",
        "({:.0f} against {:.0f} ms, a ratio of {:.1f})",
        lambda: [
            stored("benchmarks/identification_peer")[name]
            for name in ("ours_ms", "jax_ms", "ratio")
        ],
    ),
    (
        "docs/identification.md",
        "the same five seeds gave {:.3f} mV ({:.3f} to {:.3f}) there, {:.3f} V ({:.3f} to {:.3f}) "
        "on the tanks, and {:.2f} % on the skyrmion with 3 % noise",
        with_tanh_alone,
    ),
    (
        "docs/identification.md",
        "The tanks, seeds 0 to 4: {:.3f}, {:.3f}, {:.3f}, {:.3f}, {:.3f} V.",
        lambda: each_seed("tanks", "tanks", 1),
    ),
    (
        "docs/identification.md",
        "The arrow: {:.3f}, {:.3f}, {:.3f}, {:.3f}, {:.3f} mV.",
        lambda: each_seed("silverbox", "silverbox_arrow", 1e3),
    ),
    (
        "docs/identification.md",
        "(k = 2) leaves {:.2f} % ({:.2f} to {:.2f}), the latent form {:.2f} % ({:.2f} to {:.2f})",
        lambda: [*oscillator("cochlear", "paper_form"), *oscillator("cochlear", "latent_form")],
    ),
    (
        "docs/identification.md",
        "where the noise is {:.0f} times as strong, the paper's form leaves {:.2f} % ({:.2f} to "
        "{:.2f}), the latent form {:.2f} % ({:.2f} to {:.2f})",
        lambda: [
            stored("benchmarks/oscillator")["spectrogram"]["noise"]
            / stored("benchmarks/oscillator")["cochlear"]["noise"],
            *oscillator("spectrogram", "paper_form"),
            *oscillator("spectrogram", "latent_form"),
        ],
    ),
    (
        "docs/identification.md",
        "A training takes {:.2f} minutes of threads (median of five).",
        lambda: [stored("benchmarks/oscillator")["spectrogram"]["cpu_minutes"]["latent_form"]],
    ),
    ("docs/sweeps.md", "{} points are as good as that", lambda: as_good_as_the_best()[:1]),
    ("docs/sweeps.md", "with a probability of {:.0f} %", lambda: as_good_as_the_best()[1:]),
]


@pytest.mark.parametrize(
    ("page", "sentence", "results"), TRACED, ids=[f"{page}: {words}" for page, words, _ in TRACED]
)
def test_what_a_page_says_is_stored(page, sentence, results):
    expected = sentence.format(*results())
    assert expected in text(page), expected


def test_a_forecast_is_thousands_of_times_faster_than_micromagnetics():
    """As README begins."""
    assert "forecasts the device thousands of times faster than micromagnetics" in text("README.md")
    for profile in ("quick", "paper"):
        speedup = stored(f"{profile}/speedup")["speedup_over_micromagnetics"]["neural_ode"]
        assert 2000 < speedup < 20_000


# Times and percentages that are settings or estimates.
SETTINGS = {
    "README.md": {"5 ms"},
    "docs/training.md": set(),
    "docs/engine.md": {"30 s", "2.2 s"},
    "docs/reproducibility.md": set(),
    "docs/your_device.md": {"70 %"},
    "docs/anywhere.md": set(),
}
MEASURED = re.compile(r"(?<![\w.])\d[\d.,]*(?:e-?\d+)? (?:%|us|ms|s|minutes|hours|mV|V)(?!\w)")
MEASURES = re.compile(r"`(?:python )?benchmarks/\w+\.py|`tests/test_\w+\.py|`make faults`")


def paragraphs(page):
    """The paragraphs of a page without code, each table with the paragraph before it."""
    body = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text("utf-8"), flags=re.S | re.M)
    # `spinode readme` makes this table.
    body = re.sub(r"<!-- summary.*<!-- end of summary -->", "", body, flags=re.S)
    return [" ".join(one.split()) for one in re.split(r"\n\n(?!\|)", body)]


@pytest.mark.parametrize("page", SETTINGS)
def test_any_other_measurement_names_what_measures_it(page):
    """A time or a percentage is traced above, or its paragraph names a benchmark or a test."""
    place, number = r"\\\{[^}]*\}", r"[\d.,e-]+"
    sentences = [re.escape(sentence) for where, sentence, _ in TRACED if where == page]
    known = [re.sub(place, lambda _: number, sentence) for sentence in sentences]
    for paragraph in paragraphs(page):
        rest = paragraph
        for sentence in known:
            rest = re.sub(sentence, "", rest)
        found = set(MEASURED.findall(rest)) - SETTINGS[page]
        assert not found or MEASURES.search(paragraph), (found, paragraph)
