"""Curves of the paper that are published as pictures only, read off them as numbers.

A file ``digitized_<name>.csv`` beside this module holds each, with its source on top.
"""

from importlib import resources

import pandas as pd


def digitized(name: str) -> pd.DataFrame:
    """Return the curves of ``digitized_<name>.csv``, indexed by its first column.

    ``mackey_glass`` holds log10 NRMSE against the horizon (Fig. 3), for one and four skyrmions,
    by MuMax3 (``one_skyrmion_micromagnetics``) and by the neural ODE. ``recognition_cochlear``
    holds the recognition rate of the measured oscillator against the number of training utterances
    (Fig. 5).
    """
    file = resources.files("spinode.paper").joinpath(f"digitized_{name}.csv")
    with file.open(encoding="utf-8") as lines:
        return pd.read_csv(lines, comment="#", index_col=0)
