"""Train one model from several seeds, in parallel."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import xarray as xr
from tqdm import tqdm

from spinode.cores import cores, local_cluster
from spinode.neural_ode.checkpoint import Checkpoint
from spinode.neural_ode.model import SpinODE
from spinode.neural_ode.training import fit_delays


def fit_seeds(
    model: SpinODE,
    trajectory: xr.Dataset,
    seeds: Sequence[int],
    *,
    client=None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **options,
) -> list[tuple[SpinODE, xr.Dataset]]:
    """Train the same model from several seeds, in parallel processes of one core each.

    Parameters
    ----------
    model : SpinODE
        Left as it is; every training starts from a copy with weights drawn anew.
    trajectory : Dataset
        As for `fit`.
    seeds : sequence of int
        Each the seed of the first weights and of the choice of windows.
    client : dask.distributed.Client, optional
        Dask cluster to train on; by default this machine's cores. In a script this needs the
        usual ``if __name__ == "__main__":``.
    checkpoint : path, optional
        As for `fit`; the seed is appended to the name. The files stay until all seeds have
        finished, so that none is ever trained twice; on a cluster they must lie in a folder that
        its machines share.
    progress : bool
        Show a bar of finished trainings.
    **options
        Further arguments of `fit`.

    Returns
    -------
    list of (SpinODE, Dataset)
        Model and history of each seed, in the order of ``seeds``.

    Raises
    ------
    InputError, TrainingDiverged
        As `fit`, for the first seed that fails.
    """
    from distributed import as_completed

    workers = min(len(seeds), cores())
    with (
        local_cluster(workers, dashboard_address=None) if client is None else nullcontext(client)
    ) as client:
        data = client.scatter(trajectory)
        trainings = [
            client.submit(_fit_seed, model, data, seed, checkpoint, options, pure=False)
            for seed in seeds
        ]
        finished = as_completed(trainings, loop=client.loop)
        for training in tqdm(finished, desc="seeds", total=len(seeds), disable=not progress):
            training.result()  # raises what the training raised
        results = [training.result() for training in trainings]
    # Not before all are through: whatever ends this before costs no seed that has finished.
    for seed in seeds:
        _checkpoint(checkpoint, seed).remove()
    return results


def _checkpoint(path: str | Path | None, seed: int) -> Checkpoint:
    """Return the checkpoint of one seed."""
    if path is not None:
        path = Path(path)
        path = path.with_stem(f"{path.stem}_seed{seed}")
    return Checkpoint(path, kept=True)


def _fit_seed(model, trajectory, seed, checkpoint, options) -> tuple[SpinODE, xr.Dataset]:
    """Train a copy of ``model``, its weights drawn anew."""
    model = copy.deepcopy(model)
    model.draw_weights(seed)
    kept = _checkpoint(checkpoint, seed)
    history = fit_delays(model, trajectory, seed=seed, checkpoint=kept, progress=False, **options)
    return model, history
