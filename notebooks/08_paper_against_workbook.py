# %% [markdown]
# # Does the workbook reproduce the paper?
#
# Every number below is read from what the other notebooks measured on this machine
# (`results/<profile>/`), beside the paper's own. Nothing is typed by hand: the paper's numbers are
# a table, `spinode/paper/claims.csv`, with their sources, where ours are found, and what counts as
# reproduced.
#
# A result is **reproduced** if it is as good as the paper says, **better** if by a factor of two or
# more; else it **differs**, and the reason stands beside it. Some numbers of the paper are not
# accuracies but the errors at which training was stopped: those are **reached** or not. Where ours
# was computed from other data than the paper's, there is no verdict: **not compared**. Where
# several seeds were trained, the median is compared, and their range is shown.

# %% tags=["parameters"]
profile = "quick"

# %%
from IPython.display import Markdown, display

from spinode.analysis import plots
from spinode.paper import comparison
from spinode.files import replacing, workbook_root
from spinode.workflow.workbook import outputs

plots.use_style()
out = outputs(profile)
root = workbook_root()

# %% [markdown]
# ## This profile

# %%
ours = comparison.compare(root, [profile])
readable = comparison.markdown(comparison.wide(ours))
with replacing(out.results / "report.md") as partial:
    partial.write_text(readable, encoding="utf-8")
display(Markdown(readable))

# %% [markdown]
# ## All profiles that were run
#
# This table is `results/summary.md`. Each profile has its own verdicts: `quick` computes on coarse
# cells and for minutes, `paper` on the paper's own mesh and lengths.

# %%
comparison.publish(root)
display(Markdown(comparison.summary(root)))

# %% [markdown]
# ## What was found

# %%
words = ours.verdict.str.partition(":")[0].replace("", "shown")
verdicts = words.value_counts().rename("numbers")
table = verdicts.rename_axis("verdict").reset_index()
display(table.hvplot.bar(x="verdict", y="numbers", width=420, height=260))
differing = ours[ours.verdict.str.startswith("differs")]
counted = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
lines = [f"Of {len(ours)} numbers: {counted}."]
lines += [
    f"- *{row['label']}*: the paper has {row['paper']}, we have {row['ours']} ({row['verdict']})."
    for _, row in differing.iterrows()
]
display(Markdown("\n".join(lines)))

# %% [markdown] tags=["navigation"]
# [Before: Does the forecast recognize spoken digits as well as the oscillator it stands in
# for?](07_spoken_digits.py) | [All notebooks](README.md) | [Next: How many delays, how wide, how
# long, how clean?](09_sweep.py)
