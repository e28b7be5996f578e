"""A simulation that is killed goes on from its checkpoint as if nothing had happened."""

import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from spinode.devices.drives import RandomSine
from spinode.devices.protocols import ONE_SKYRMION
from spinode.errors import InputError
from spinode.micromagnetics import embedded, simulate

DEVICE = replace(ONE_SKYRMION.device, cell=2e-9)
DRIVE = RandomSine(periods=2)
OPTIONS = {"engine": "embedded", "snapshots": 0.1e-9, "progress": False}

KILLED = """
import os, signal, sys
from pathlib import Path
from spinode.micromagnetics import embedded, simulate
sys.path.insert(0, sys.argv[2])
from test_micromagnetics_resume import DEVICE, DRIVE, OPTIONS

embedded._CHECKPOINT_EVERY = 0.0
samples = 0
real = embedded.topological_charge

def charge(m, inside):
    global samples
    samples += 1
    if samples == 100:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(m, inside)

embedded.topological_charge = charge
simulate(DEVICE, DRIVE, checkpoint=Path(sys.argv[1]), **OPTIONS)
"""


def test_a_killed_run_goes_on_bit_for_bit(tmp_path, request):
    checkpoint = tmp_path / "run.checkpoint"
    command = [sys.executable, "-c", KILLED, str(checkpoint), str(request.path.parent)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with np.load(checkpoint) as saved:
        assert len(saved["rows"]) == 99

    resumed, resumed_pictures = simulate(DEVICE, DRIVE, checkpoint=checkpoint, **OPTIONS)
    assert not checkpoint.exists()
    whole, whole_pictures = simulate(DEVICE, DRIVE, **OPTIONS)
    xr.testing.assert_equal(resumed, whole)
    xr.testing.assert_equal(resumed_pictures, whole_pictures)
    for run in (resumed, whole):
        assert 0 < run.attrs["relaxation_wall_time"] < run.attrs["wall_time"]


def test_a_foreign_checkpoint_is_refused(tmp_path, monkeypatch):
    checkpoint = tmp_path / "run.checkpoint"
    monkeypatch.setattr(embedded, "_CHECKPOINT_EVERY", 0.0)
    monkeypatch.setattr(embedded, "relax", lambda *_: np.ones((3, 40, 40)) / np.sqrt(3))
    monkeypatch.setattr(embedded.Path, "unlink", lambda *args, **kwargs: None)
    simulate(
        DEVICE, DRIVE, checkpoint=checkpoint, **OPTIONS | {"duration": 10e-12, "snapshots": None}
    )
    with pytest.raises(InputError, match="belongs to another simulation"):
        simulate(DEVICE, DRIVE, checkpoint=checkpoint, **OPTIONS)


@pytest.mark.parametrize("content", [b"half a", b"", b"PK\x03\x04 cut short"])
def test_a_broken_checkpoint_is_refused(tmp_path, content):
    checkpoint = tmp_path / "run.checkpoint"
    checkpoint.write_bytes(content)
    with pytest.raises(InputError, match="should be a checkpoint; delete it"):
        simulate(DEVICE, DRIVE, checkpoint=checkpoint, **OPTIONS)


def test_a_checkpoint_that_could_not_be_written_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file"):
        simulate(DEVICE, DRIVE, checkpoint=tmp_path / "file" / "run.checkpoint", **OPTIONS)
