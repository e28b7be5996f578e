# %% [markdown]
# # Does the workbook reproduce the paper?
#
# Every number below is read from what the other notebooks measured on this machine
# (`results/<profile>/`), beside the paper's own. Nothing is typed by hand.

# %% tags=["parameters"]
profile = "quick"

# %%
import json

import pandas as pd
from IPython.display import Markdown, display

from spinode import paper
from spinode.files import replacing
from spinode.workbook import outputs

out = outputs(profile)
results = {path.stem: json.loads(path.read_text()) for path in out.results.glob("*.json")}
rows = []


def row(figure, quantity, claim, ours, verdict, source):
    """Add a row to the table."""
    rows.append(
        {
            "figure": figure,
            "quantity": quantity,
            "paper": claim,
            "workbook": ours,
            "verdict": verdict,
            "data": source,
        }
    )


# %% [markdown]
# ## Figs. 1 and 2: the data, and the training
#
# The paper's claim of Fig. 2 has two halves: k = 2 reaches the stated error, and k = 1 does not.

# %%
data = results["skyrmion_data"]
for tensor, error in data["nrmse_vs_mumax3"].items():
    row(
        "1",
        f"embedded engine ({tensor} tensor) against MuMax3, NRMSE",
        "",
        f"{error:.2%}",
        "",
        "1 nm",
    )

training = results["training"]
claim = paper.CLAIMS["fig2"]["one_skyrmion_mse"]
for name, mse in training["train_mse"].items():
    fails = name == "k = 1"
    row(
        "2",
        f"one skyrmion, {name}, full-trajectory MSE",
        f"above {claim:.0e}" if fails else f"{claim:.0e}",
        f"{mse:.1e}",
        "reproduced" if fails == (mse > claim) else "differs",
        training["data"],
    )

# %% [markdown]
# ## Fig. 3: the reservoir, and what it takes to compute it

# %%
glass = results["mackey_glass"]
row(
    "3",
    "Mackey-Glass, neural ODE against micromagnetics, mean difference of log10 NRMSE",
    "none to be seen",
    f"{glass['agreement_log10']:.3f}",
    "reproduced" if glass["agreement_log10"] <= 0.1 else "differs",
    f"{glass['engine']}, {glass['cell_m'] * 1e9:g} nm, {glass['micromagnetic_points']} points",
)
for name, values in glass["nrmse"].items():
    scores = ", ".join(f"{value:.3f} at {horizon}" for horizon, value in values.items())
    row("3", f"Mackey-Glass NRMSE, {name}", "", scores, "", f"{glass['points']} points")

speedup = results["speedup"]
ratio = speedup["speedup_over_micromagnetics"]["neural ODE, compiled"]
row(
    "timing",
    "neural ODE over micromagnetics",
    f"over {speedup['paper_speedup']}x",
    f"{ratio:,.0f}x",
    "better" if ratio > speedup["paper_speedup"] else "differs",
    f"embedded engine, {speedup['cell_m'] * 1e9:g} nm cells, one thread each",
)

# %% [markdown]
# ## Fig. 4: material parameters

# %%
materials = results["material_parameters"]
for name, error in materials["frequency_error_ghz"].items():
    largest = error["largest, bin rule"]
    row(
        "4",
        f"breathing frequency, {name}, largest error by the paper's rule",
        "one bin, 0.195 GHz",
        f"{largest:.3f} GHz (mean {error['mean, bin rule']:.3f})",
        "reproduced" if largest < 0.196 else "differs",
        materials["data"],
    )

# %% [markdown]
# ## Fig. 5: the noisy oscillator, and the digits it recognizes
#
# The published rates are of other speakers; what can be compared is how close the forecast comes to
# the oscillator it was trained on.

# %%
if oscillator := results.get("oscillator"):
    claim = oscillator["paper_mse"]
    for name, mse in oscillator["train_mse"].items():
        verdict = "reproduced" if mse <= claim else "differs"
        row(
            "5",
            f"oscillator, {name}, MSE",
            f"{claim:.1e}",
            f"{mse:.1e}",
            verdict,
            oscillator["device"],
        )

if digits := results.get("spoken_digits"):
    for front_end, gap in digits["largest_gap"].items():
        published = digits["published"].get(front_end, {})
        compared = [published.get(name) for name in ("oscillator", "Neural ODE with noise")]
        theirs = (
            max(abs(a - b) for a, b in zip(*compared, strict=True))
            if None not in compared
            else None
        )
        row(
            "5",
            f"spoken digits, {front_end}, forecast with noise less oscillator, largest difference",
            "" if theirs is None else f"{theirs:.1%}",
            f"{gap:.1%}",
            "" if theirs is None else "reproduced" if gap <= theirs else "differs",
            f"{digits['device'][front_end]}, {digits['speech']}",
        )
        best = {name: f"{rates[-1]:.3f}" for name, rates in digits["rates"][front_end].items()}
        scores = ", ".join(f"{rate} {name}" for name, rate in best.items())
        row("5", f"recognition rate, {front_end}, most training", "", scores, "", digits["speech"])

# %% [markdown]
# ## The table

# %%
report = pd.DataFrame(rows)
header = " | ".join(report.columns)
body = "\n".join("| " + " | ".join(line) + " |" for line in report.itertuples(index=False))
text = f"| {header} |\n|{' --- |' * len(report.columns)}\n{body}\n"
with replacing(out.results / "report.md") as partial:
    partial.write_text(text)
display(Markdown(text))
