"""The paper's numbers beside the workbook's, read from what the notebooks left in ``results/``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from spinode.errors import InputError
from spinode.files import replacing
from spinode.paper.authors import CLAIMS

#: Profiles that the summary tells of, the most faithful last.
PROFILES = ("quick", "paper")
_START, _END = "<!-- summary: made by 08_paper_against_workbook -->", "<!-- end of summary -->"

Results = Mapping[str, Mapping[str, Any]]  # metrics by the name of their file


@dataclass(frozen=True)
class Claim:
    """One number of the paper, and where the workbook's is found.

    Parameters
    ----------
    figure, quantity : str
        Where the paper says it, and what it is.
    paper : float
        The paper's number, or our own bound for agreeing with what it says in words.
    ours : callable
        Takes the results of a profile, returns the workbook's number; a missing one is a KeyError.
    form : str
        Format of both numbers.
    source : callable
        Takes the results, returns what ours was computed from.
    rule : {"at most", "at least", "near", "above"}
        What ours must be to reproduce the paper's; ``near`` is within ``tolerance`` of it, and
        ``above`` is the claim that something fails.
    tolerance : float
        Absolute, for ``near``.
    said : str
        What the paper says where it gives no number.
    why : str
        Reason if it differs.
    """

    figure: str
    quantity: str
    paper: float
    ours: Callable[[Results], float]
    form: str
    source: Callable[[Results], str]
    rule: str = "at most"
    tolerance: float = 0.0
    said: str = ""
    why: str = ""

    def verdict(self, ours: float) -> str:
        """Say whether ``ours`` reproduces the paper's, is better by a factor of two, or differs."""
        if self.rule == "near":
            good, better = abs(ours - self.paper) <= self.tolerance, False
        elif self.rule == "above":
            good, better = ours > self.paper, False
        elif self.rule == "at least":
            good, better = ours >= self.paper, ours >= 2 * self.paper
        else:
            good, better = ours <= self.paper, ours <= self.paper / 2
        if better and not self.said:
            return "better"
        if good:
            return "reproduced"
        return f"differs: {self.why}" if self.why else "differs"

    def claimed(self) -> str:
        """Return the paper's number or words as the table shows them."""
        if self.said:
            return self.said
        number = self.form.format(self.paper)
        return f"above {number}" if self.rule == "above" else number


def _mesh(results: Results) -> str:
    data = results["skyrmion_data"]
    return f"{data['engine']['one_skyrmion']} engine, {data['cell'] * 1e9:g} nm cells"


def _at(*path: str) -> Callable[[Results], Any]:
    """Return a function that follows ``path`` into nested results."""

    def look(results: Results) -> Any:
        found: Any = results
        for name in path:
            found = found[name]
        if found is None:
            raise KeyError(path[-1])  # was not finite
        return found

    return look


def _recognized(front_end: str, recognizer: str, number: int, published: float) -> Claim:
    """Return the claim of a recognition rate with ``number`` training utterances."""
    name = recognizer.replace("neural_ode", "Neural ODE").replace("_noise", " with noise")
    return Claim(
        "5",
        f"digits recognized, {front_end}, {name}, N = {number}",
        published,
        lambda r: r["spoken_digits"]["rates"][front_end][recognizer][number - 1],
        "{:.3f}",
        lambda r: f"{r['spoken_digits']['device'][front_end]}; {r['spoken_digits']['speech']}",
        rule="at least",
        why="other speakers, and an embedded oscillator in place of the measured one",
    )


def _reservoir_claim(device: str, why: str = "") -> Claim:
    def source(results: Results) -> str:
        glass = results["mackey_glass"]
        return (
            f"{glass['engine']} engine, {glass['cell_m'] * 1e9:g} nm cells, "
            f"{glass['micromagnetic_points'][device]} points"
        )

    return Claim(
        "3",
        f"Mackey-Glass, {device}, neural ODE against micromagnetics: mean difference of log10 "
        "NRMSE, H = 1 to 40",
        0.1,
        _at("mackey_glass", "agreement_log10", device),
        "{:.3f}",
        source,
        said="curves on each other",
        why=why,
    )


def claims() -> list[Claim]:
    """Return every number of the paper that the workbook reproduces, in the paper's order."""
    trained, four = _at("training", "data"), _at("training", "four_skyrmions", "data")
    timing = lambda r: f"{r['speedup']['cell_m'] * 1e9:g} nm cells, one thread each"  # noqa: E731
    materials, device = _at("material_parameters", "data"), _at("oscillator", "device")
    fig2, fig4, fig5 = (CLAIMS[name] for name in ("fig2", "fig4", "fig5"))
    found = [
        Claim(
            "1",
            "$m_z$ of the relaxed skyrmion (MuMax3)",
            CLAIMS["data"]["mz_at_rest"],
            _at("skyrmion_data", "mz_at_rest", "one_skyrmion"),
            "{:.4f}",
            _mesh,
            rule="near",
            tolerance=1e-3,
            why="coarse cells",
        ),
        Claim(
            "1",
            "driven skyrmion, embedded engine against MuMax3's table, NRMSE",
            0.01,
            _at("skyrmion_data", "nrmse_vs_mumax3", "mumax3"),
            "{:.2%}",
            lambda r: "1 nm cells",
            said="the same run",
        ),
        Claim(
            "2",
            "one skyrmion, k = 1 cannot: full-trajectory MSE",
            fig2["one_skyrmion_mse"],
            _at("training", "train_mse", "k = 1"),
            "{:.1e}",
            trained,
            rule="above",
        ),
        Claim(
            "2",
            "one skyrmion, k = 2: full-trajectory MSE",
            fig2["one_skyrmion_mse"],
            _at("training", "train_mse", "k = 2"),
            "{:.1e}",
            trained,
        ),
        Claim(
            "2",
            "four skyrmions, k = 2: full-trajectory MSE",
            fig2["four_skyrmions_mse"],
            _at("training", "four_skyrmions", "train_mse"),
            "{:.1e}",
            four,
        ),
    ]
    for who, rule in (("published", "near"), ("k = 2", "at most")):
        label = "the authors' weights through our code" if who == "published" else "our weights"
        for stretch, key in (("training", "nrmse"), ("next 10,000", "next_nrmse")):
            found.append(
                Claim(
                    "2",
                    f"one skyrmion, {label}, NRMSE, {stretch}",
                    fig2[key],
                    _at("training", "nrmse", who, stretch),
                    "{:.1%}",
                    trained,
                    rule=rule,
                    tolerance=0.0007,
                )
            )
    found += [
        _reservoir_claim("one skyrmion"),
        _reservoir_claim(
            "four skyrmions",
            "the disk does not forget how it began, nor do two delays of its mean tell its state",
        ),
        Claim(
            "3",
            "time for 10,000 points, neural ODE (s)",
            CLAIMS["timing"]["neural_ode_s"],
            _at("speedup", "task_s", "neural ODE, compiled"),
            "{:,.1f}",
            timing,
        ),
        Claim(
            "3",
            "time for 10,000 points, micromagnetics (s; ours extrapolated)",
            CLAIMS["timing"]["micromagnetics_s"],
            _at("speedup", "task_s", "micromagnetics"),
            "{:,.0f}",
            timing,
        ),
        Claim(
            "3",
            "speed-up of the neural ODE over micromagnetics (the paper: more than)",
            CLAIMS["timing"]["speedup"],
            _at("speedup", "speedup_over_micromagnetics", "neural ODE, compiled"),
            "{:,.0f}x",
            timing,
            rule="at least",
        ),
    ]
    for who, rule in (("published", "near"), ("k = 2", "at most")):
        label = "the authors' weights through our code" if who == "published" else "our weights"
        for stretch, key in (("training", "nrmse"), ("held out", "next_nrmse")):
            found.append(
                Claim(
                    "4",
                    f"$K_u$ and $D$ as inputs, {label}, NRMSE, {stretch}",
                    fig4[key],
                    _at("material_parameters", "nrmse", who, stretch),
                    "{:.1%}",
                    materials,
                    rule=rule,
                    tolerance=0.003,
                )
            )
        found.append(
            Claim(
                "4",
                f"breathing frequency against $K_u$, {label}, mean error (GHz)",
                fig4["Ku_frequency_ghz"],
                _at(
                    "material_parameters",
                    "frequency_error_ghz",
                    f"Ku, published, {who}",
                    "mean, bin rule",
                ),
                "{:.3f}",
                materials,
                rule=rule,
                tolerance=0.002,
            )
        )
    for symbol, test, source in (
        ("$K_u$", "Ku, published", "MuMax3"),
        ("$D$", "Dind, embedded", "embedded engine"),
    ):
        found.append(
            Claim(
                "4",
                f"breathing frequency against {symbol}, our weights, largest error (one bin, GHz)",
                fig4["bin_ghz"],
                _at(
                    "material_parameters",
                    "frequency_error_ghz",
                    f"{test}, k = 2",
                    "largest, bin rule",
                ),
                "{:.3f}",
                lambda r, source=source: source,
            )
        )
    found.append(
        Claim(
            "5",
            "oscillator, k = 2, MSE on the training data",
            fig5["training_mse"],
            _at("oscillator", "train_mse", "k2"),
            "{:.1e}",
            device,
        )
    )
    for front_end, recognizers in fig5["recognition"].items():
        found.append(
            Claim(
                "5",
                f"digits, {front_end}: largest difference of recognition between the oscillator "
                "and its forecast with noise (the paper's is that of the spectrogram)",
                fig5["recognition_gap"],
                _at("spoken_digits", "largest_gap", front_end, "neural_ode_noise"),
                "{:.1%}",
                _at("spoken_digits", "device", front_end),
            )
        )
        found += [
            _recognized(front_end, recognizer, number, rate)
            for recognizer, rates in recognizers.items()
            for number, rate in rates.items()
        ]
    return found


def read_results(folder: Path) -> Results:
    """Return all metrics in ``results/<profile>``, by the names of their files."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")}


def compare(root: Path, profiles: Iterable[str] = PROFILES) -> pd.DataFrame:
    """Return the table of the paper's numbers and the workbook's.

    Parameters
    ----------
    root : path
        Folder of the workbook.
    profiles : iterable of str
        Which results to show; the verdict is on the last one that has the number.

    Returns
    -------
    DataFrame
        A row a claim that some profile has a number for; all columns are text.
    """
    results = {name: read_results(root / "results" / name) for name in profiles}
    rows = []
    for claim in claims():
        row = {"Fig.": claim.figure, "quantity": claim.quantity, "paper": claim.claimed()}
        for profile, found in results.items():
            column = f"here, {profile} profile"
            try:
                ours = float(claim.ours(found))
            except (KeyError, IndexError):
                row[column] = ""
                continue
            row[column] = claim.form.format(ours)
            row |= {"verdict": claim.verdict(ours), "computed from": claim.source(found)}
        if "verdict" in row:
            rows.append(row)
    columns = ["Fig.", "quantity", "paper", *(f"here, {name} profile" for name in results)]
    return pd.DataFrame(rows, columns=[*columns, "verdict", "computed from"])


def markdown(table: pd.DataFrame) -> str:
    """Return a table of text as Markdown."""
    lines = [" | ".join(table.columns), " | ".join("---" for _ in table.columns)]
    lines += [" | ".join(row) for row in table.itertuples(index=False)]
    return "".join(f"| {line} |\n" for line in lines)


def summary(root: Path) -> str:
    """Return the text of ``results/summary.md``: the table of all profiles that were run."""
    profiles = [name for name in PROFILES if (root / "results" / name).is_dir()]
    return markdown(compare(root, profiles))


def insert(readme: str, table: str) -> str:
    """Return the text of the README with ``table`` between its two markers.

    Raises
    ------
    InputError
        If it does not have the markers.
    """
    before, start, rest = readme.partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end):
        raise InputError(f"README.md has no place for the summary: write {_START} ... {_END}.")
    return f"{before}{_START}\n\n{table}\n{_END}{after}"


def publish(root: Path) -> None:
    """Write ``results/summary.md``, and its table into README.md if there is one."""
    table = summary(root)
    with replacing(root / "results" / "summary.md") as partial:
        partial.write_text(table, encoding="utf-8")
    readme = root / "README.md"
    if readme.is_file():
        text = insert(readme.read_text("utf-8"), table)
        with replacing(readme) as partial:
            partial.write_text(text, encoding="utf-8")
