"""The search among a grid's points, on a table of measured errors."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("optuna", reason="adaptive sweeps need optuna")

from spinode.workflow.adaptive import Search
from spinode.workflow.points import Point

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def measured():
    """The 170 trainings of profiles/sweeps/one_skyrmion.yaml, computed once and kept."""
    runs = pd.read_csv(ROOT / "results" / "paper" / "sweep.csv")
    names = ["k", "width", "samples", "noise", "seed"]
    points = [
        Point(str(number), dict(zip(names, row, strict=True)))
        for number, row in enumerate(runs[names].astype(object).to_numpy().tolist())
    ]
    return points, dict(zip([p.name for p in points], runs.nrmse_heldout, strict=True))


def points_until(points, errors, seed, goal):
    """How many points a search computes until one is as good as ``goal``."""
    search, seen = Search(points, seed), {}
    while min(seen.values(), default=np.inf) > goal:
        point = search.suggest(seen)
        seen[point.name] = errors[point.name]
    return len(seen)


def test_the_best_of_170_is_found_among_the_first_40(measured):
    """Half of that is asked for: the median of three searches was 14."""
    points, errors = measured
    goal = 1.05 * np.nanmin(list(errors.values()))
    assert sum(error <= goal for error in errors.values()) == 3  # 40 drawn at random: 56 %
    assert np.median([points_until(points, errors, seed, goal) for seed in range(3)]) <= 20


def test_the_past_alone_decides(measured):
    """A search that was killed and made again goes on as it would have."""
    points, errors = measured
    search, seen = Search(points), {}
    for _ in range(15):
        point = search.suggest(seen)
        assert Search(points).suggest(dict(reversed(seen.items()))) == point
        seen[point.name] = errors[point.name]


def test_every_point_comes_once_and_then_none(measured):
    points, seen = measured[0][:12], {}
    for _ in points:
        point = Search(points).suggest(seen)
        assert point.name not in seen
        seen[point.name] = np.nan
    assert Search(points).suggest(seen) is None


def test_workers_side_by_side_get_different_points(measured):
    points, errors = measured
    seen = {point.name: errors[point.name] for point in points[:10]}
    busy = []
    for _ in range(4):
        busy.append(Search(points).suggest(seen, busy).name)
    assert len({*busy, *seen}) == 14


def test_parameters_of_any_kind():
    points = [
        Point(f"{flag}{sizes}{name}", {"flag": flag, "sizes": sizes, "name": name, "same": 1})
        for flag in (True, False)
        for sizes in ([1], [1, 2])
        for name in ("a", "b", None)
    ]
    seen = {}
    while point := Search(points).suggest(seen):
        seen[point.name] = len(seen)
    assert len(seen) == 12


NOTEBOOK = """\
# %% tags=["parameters"]
profile = "quick"
count = 0

# %%
from spinode.workflow.workbook import outputs

with open("ran.txt", "a") as file:
    print(count, file=file)
outputs(profile).write_metrics("demo", {"away": abs(count - 17), "word": "far"})
"""
COMMAND = [sys.executable, "-m", "spinode.workflow.cli", "sweep", "demo", "-p", "count", "0:30"]


@pytest.fixture
def book(tmp_path, monkeypatch):
    for name in ("notebooks", "profiles"):
        (tmp_path / name).mkdir()
    (tmp_path / "notebooks" / "01_demo.py").write_text(NOTEBOOK)
    (tmp_path / "profiles" / "quick.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(book):
    path = book / "ran.txt"
    return path.read_text().split() if path.exists() else []


def test_a_killed_search_loses_at_most_the_point_in_progress(book):
    command = [*COMMAND, "--workers", "1", "--adaptive", "4", "--minimize", "away"]
    driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    while len(ran(book)) < 3:
        assert driver.poll() is None
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(set(ran(book))) == 4
    assert len(ran(book)) <= 5
    assert len(list(book.glob("sweeps/quick/01_demo/*/point.json"))) == 4
    # The best comes first
    shown = [line.split() for line in done.stdout.splitlines()[-4:]]
    assert int(shown[0][0]) == min(map(int, ran(book)), key=lambda count: abs(count - 17))

    before = ran(book)
    again = subprocess.run(command, capture_output=True, text=True)
    assert "4 points, 4 of them done before" in again.stdout
    assert ran(book) == before
    more = [*COMMAND, "--workers", "1", "--adaptive", "5"]
    for metric, said in (("awya", "did you mean 'away'"), ("word", "no number called 'word'")):
        refused = subprocess.run([*more, "--minimize", metric], capture_output=True, text=True)
        assert refused.returncode == 2
        assert said in refused.stderr.strip().splitlines()[-1]
    assert ran(book) == before
    refused = subprocess.run(more, capture_output=True, text=True)
    assert refused.returncode == 2
    assert "a metric to minimize" in refused.stderr
