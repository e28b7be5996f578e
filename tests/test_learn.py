"""From a recording in a file to a model, a report and forecasts, from the command line."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy import signal

from spinode.errors import InputError
from spinode.workflow.cli import app

NOISE = 0.02


def device(drive):
    """A resonator whose drive saturates, and its output (V) without noise."""
    return signal.lfilter([0.02], [1, -1.6, 0.83], np.tanh(drive / 0.1))


def recorded(path, amplitude, samples, seed, step=2.0):
    """Write a noisy recording of the device to a file."""
    generator = np.random.default_rng(seed)
    drive = np.repeat(generator.uniform(-amplitude, amplitude, size=samples // 10), 10)
    clean = device(drive)
    noisy = clean + NOISE * clean.std() * generator.normal(size=clean.size)
    time = np.arange(samples) * step
    pd.DataFrame({"time_us": time, "drive_mV": 1e3 * drive, "v_mV": 1e3 * noisy}).to_csv(
        path, index=False
    )
    return path


COLUMNS = ("--time", "time_us", "--input", "drive_mV", "--output", "v_mV", "--hold")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A folder with a recording, and what the command left beside it."""
    folder = tmp_path_factory.mktemp("lab")
    run = recorded(folder / "run.csv", 0.3, 3000, seed=0)
    done = invoke("learn", run, *COLUMNS, "--states", "2")
    assert done.exit_code == 0, done.output
    return folder


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_network_comes_down_to_the_noise(learned):
    report = json.loads((learned / "run_learned" / "report.json").read_text())
    assert report["samples_held_out"] == 900
    assert report["sample_spacing_s"] == pytest.approx(2e-6)
    network, linear = report["models"]["network"], report["models"]["linear"]
    assert network["nrmse"] < 1.5 * NOISE
    assert linear["nrmse"] > 3 * network["nrmse"]
    assert network["residuals_independent_of_input"] > 0.9
    assert network["fit"] == pytest.approx(1 - network["nrmse"])


def test_the_report_says_what_was_noticed(tmp_path):
    """The level of a tank, filled through a pipe: an integral, and late by 30 samples."""
    generator = np.random.default_rng(3)
    flow = np.repeat(generator.uniform(-1, 1, size=250), 20)
    arrived = np.concatenate([np.full(30, flow[0]), flow[:-30]])
    level = np.cumsum(arrived) / 200
    level += 0.01 * generator.normal(size=level.size)
    columns = {"t_s": 0.5 * np.arange(level.size), "flow": flow, "level": level}
    pd.DataFrame(columns).to_csv(tmp_path / "tank.csv", index=False)
    done = invoke(
        "learn", tmp_path / "tank.csv", "--time", "t_s", "--input", "flow", "--output", "level",
        "--states", "1", "--hold",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "tank_learned" / "report.json").read_text())
    assert report["integrating"]
    assert 12.5 <= report["dead_times_s"]["flow"] <= 15
    assert report["models"]["network"]["rmse"] < 0.02
    text = (tmp_path / "tank_learned" / "report.md").read_text()
    assert "one of them an integral" in text
    assert re.search(r"flow reaches the output about 1\d(\.5)? s late", text)


def test_another_recording_chooses(tmp_path):
    calm = recorded(tmp_path / "calm.csv", 0.15, 1000, seed=1)
    strong = recorded(tmp_path / "strong.csv", 0.3, 600, seed=2)
    done = invoke("learn", calm, *COLUMNS, "--states", "2", "--choose-by", strong)
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "calm_learned" / "report.json").read_text())
    assert report["recordings_to_choose_by"] == ["strong.csv"]
    assert report["samples_train"] + report["samples_held_out"] == 1000
    # What is stored with a choice is its error on that recording, which is stronger.
    chosen = next(one for one in report["choices"] if one["chosen"])
    assert chosen["error"] > 2 * NOISE
    assert (
        "strong.csv, which no weight was fitted to"
        in (tmp_path / "calm_learned" / "report.md").read_text()
    )
    slow = recorded(tmp_path / "slow.csv", 0.3, 600, seed=2, step=3.0)
    done = invoke("learn", calm, *COLUMNS, "--choose-by", slow)
    assert isinstance(done.exception, InputError)
    assert "a record of validation has them every" in str(done.exception)


def test_the_report_shows_its_pictures(learned):
    folder = learned / "run_learned"
    text = (folder / "report.md").read_text()
    pictures = re.findall(r"\]\((\w+\.png)\)", text)
    assert len(pictures) == 3
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
    assert not list(folder.glob("*.checkpoint*"))


def test_a_forecast_of_a_new_drive_is_what_the_device_does(learned):
    drive = np.repeat(np.random.default_rng(7).uniform(-0.28, 0.28, size=60), 10)
    new = learned / "new.csv"
    pd.DataFrame({"drive_V": drive, "v_V": device(drive)}).to_csv(new, index=False)
    model, out = learned / "run_learned" / "model.npz", learned / "ahead.csv"
    done = invoke("forecast", model, new, "--out", out, "--band", "0.9")
    assert done.exit_code == 0, done.output
    ahead = pd.read_csv(out)
    truth = device(drive)
    error = np.sqrt(np.mean((ahead.v_V - truth)[100:] ** 2)) / truth.std()
    assert error < 1.5 * NOISE
    assert (ahead.v_low_V < ahead.v_V).all()
    started = invoke("forecast", model, new, "--output", "v_V", "--out", out)
    assert started.exit_code == 0, started.output
    error = np.sqrt(np.mean((pd.read_csv(out).v_V - truth) ** 2)) / truth.std()
    assert error < 1.5 * NOISE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train", "half"], "--train is FROM:TO"),
        (["--train", "0:0.999"], "leaves 3 samples to test on"),
        (["--states", "few"], "--states is a whole number or auto"),
        (["--units", "mV"], "--units is COLUMN=UNIT"),
    ],
)
def test_bad_options_get_one_sentence(learned, options, message):
    done = invoke(
        "learn", learned / "run.csv", "--time", "time_us", "--input", "drive_mV",
        "--output", "v_mV", *options,
    )  # fmt: skip
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)


def test_a_drive_in_another_unit_is_refused(learned):
    model = learned / "run_learned" / "model.npz"
    pd.DataFrame({"drive_mA": np.arange(9.0)}).to_csv(learned / "wrong.csv", index=False)
    done = invoke("forecast", model, learned / "wrong.csv", "--out", learned / "no.csv")
    assert "drive is in A in" in str(done.exception)
