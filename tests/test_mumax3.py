"""The MuMax3 backend, with a stand-in for the program."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
import pytest

from spinode.devices.drives import HeldSequence, RandomSine, RandomSinePair
from spinode.devices.grains import published_grains
from spinode.devices.protocols import D_TEST, FOUR_SKYRMIONS, KU_TEST, ONE_SKYRMION, PAIR
from spinode.errors import InputError, SpinodeError
from spinode.micromagnetics import available_engines, mumax3, mx3, process, simulate
from spinode.micromagnetics.ovf import read_ovf

# Behaves as MuMax3 was seen to towards its caller: options, output folder, log, a table that is
# flushed late and lacks its last row, saved m with their times, panics with their stack.
STAND_IN = """#!{python}
import os, re, signal, sys, time
from pathlib import Path

mode = os.environ.get("STAND_IN", "")
print("//mumax 3.10 linux_amd64 go1.14 (gc)")
print("//CUDA 11.0 GPU0, using cc=70 PTX", flush=True)
PANICS = {{
    "no gpu": "panic: CUDA_ERROR_NO_DEVICE",
    "wrong gpu": "panic: CUDA_ERROR_INVALID_DEVICE",
    "out of memory": "panic: CUDA_ERROR_OUT_OF_MEMORY",
    "gpu fault": "panic: CUDA_ERROR_ILLEGAL_ADDRESS",
    "script error": "//script.go:38: script line 17: undefined: s",
    "disk full": "panic: write run.out/m000003.ovf: no space left on device",
    "crash": "panic: runtime error: index out of range",
}}
STACK = "\\n\\ngoroutine 1 [running, locked to thread]:\\nmain.main()\\n\\t/src/main.go:62 +0x1d"
if mode in PANICS:
    sys.exit(PANICS[mode] + STACK)
if "-test" in sys.argv:
    sys.exit(0)
assert "-f" not in sys.argv, "that would delete what is there"
output = Path(sys.argv[sys.argv.index("-o") + 1])
script = Path(sys.argv[-1]).read_text()
start, spacing = 1e-9, 2.5e-12
saved = re.search(r'm.loadfile."(.*?)".*?^t = (\\S+)$', script, re.S | re.M)
if saved:
    assert "relax()" not in script and Path(saved.group(1)).exists()
    begin = float(saved.group(2))
else:
    assert "relax()" in script
    begin = start
assert all(Path(name).exists() for name in re.findall(r'loadfile."(.*?)"', script))
output.mkdir()
if mode == "no table":
    sys.exit(0)
time.sleep(float(os.environ.get("STAND_IN_RELAXES", 0)))
print(re.search(r'print."(.*)"', script).group(1), flush=True)
autosave = re.search(r"^autosave.m, (.*).$", script, re.M)
every = round(float(autosave.group(1)) / spacing) if autosave else 10**9
total = 401 if mode != "half" else 200  # rows of 1 ns
if mode == "last row lost":
    total -= 1
first = round((begin - start) / spacing)
OVF = Path(os.environ["STAND_IN_M"]).read_bytes()
rows = []
for n in range(first, total):
    t = start + n * spacing + (n > 0) * 3e-15
    rows.append(f"{{t!r}}\\t0\\t0\\t{{0.75 + 0.01 * n}}\\t-0.928\\t800000\\n")
    if (n - first) % every == 0 and (mode != "last row lost" or n < 400):
        when = f"# Desc: Total simulation time:  {{t!r}}  s\\n# Begin: Data".encode()
        name = output / f"m{{(n - first) // every:06d}}.ovf"
        name.write_bytes(OVF.replace(b"# Begin: Data", when, 1))
with open(output / "table.txt", "w") as table:
    table.write("# t (s)\\tmx ()\\tmy ()\\tmz ()\\text_topologicalchargelattice ()")
    table.write("\\tKu1.region100 (J/m3)\\n")
    table.write("".join(rows))
    table.flush()
    if mode == "killed":
        table.write(rows[-1][:20])  # half a row
        table.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(os.environ["STAND_IN_PID"]).write_text(str(os.getpid()))
        time.sleep(600)
if mode == "half":
    sys.exit("panic: CUDA_ERROR_ILLEGAL_ADDRESS" + STACK)
"""


def picture():
    """Return a picture in OVF2, binary of 4 bytes, and its values."""
    m = np.random.default_rng(0).normal(size=(80, 80, 3)).astype("<f4")
    header = mx3._ovf("m", [0.0]).split("# Begin: Data")[0]
    header = header.replace("xnodes: 1", "xnodes: 80").replace("ynodes: 1", "ynodes: 80")
    header = header.replace("valuedim: 1", "valuedim: 3")
    control = np.array([1234567.0], dtype="<f4")
    body = b"# Begin: Data Binary 4\n" + control.tobytes() + m.tobytes() + b"\n# End: Data\n"
    return header.encode() + body, m


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    program = tmp_path / "mumax3"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "m.ovf").write_bytes(picture()[0])
    monkeypatch.setenv("SPINODE_MUMAX3", str(program))
    monkeypatch.setenv("STAND_IN_PID", str(tmp_path / "pid"))
    monkeypatch.setenv("STAND_IN_M", str(tmp_path / "m.ovf"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def run(**options):
    device, drive = ONE_SKYRMION.device, ONE_SKYRMION.drive
    options = {"duration": 1e-9, "progress": False} | options
    return simulate(device, drive, engine="mumax3", **options)


def left_behind(folder):
    return list(folder.glob("spinode-mumax3-*"))


def test_a_run_gives_the_table_on_an_even_grid(stand_in):
    trajectory = run()
    np.testing.assert_allclose(trajectory.time, 2.5e-12 * np.arange(401))
    # The table's rows are 3 fs late: on the grid, mz is lower by 3 fs of its slope.
    expected = 0.75 + 0.01 * (np.arange(401) - 3e-15 / 2.5e-12)
    np.testing.assert_allclose(trajectory.mz[5:], expected[5:], atol=1e-6)
    np.testing.assert_allclose(trajectory.topological_charge, -0.928)
    np.testing.assert_array_equal(
        trajectory.Ku, ONE_SKYRMION.drive.sample(trajectory.time.values)["Ku"]
    )
    assert trajectory.attrs["engine"] == "mumax3"
    assert trajectory.attrs["engine_version"] == "3.10"
    assert trajectory.mz.attrs["units"] == "1"
    assert not left_behind(stand_in)


def test_snapshots_are_read(stand_in):
    _, pictures = run(snapshots=0.5e-9)
    assert pictures.m.dims == ("time", "y", "x", "component")
    np.testing.assert_allclose(pictures.time, [0, 0.5e-9, 1e-9])
    np.testing.assert_array_equal(pictures.m[1], picture()[1])


def test_a_last_row_and_picture_lost_to_rounding_cost_no_more_than_themselves(
    stand_in, monkeypatch
):
    monkeypatch.setenv("STAND_IN", "last row lost")
    trajectory, pictures = run(snapshots=0.5e-9)
    np.testing.assert_allclose(trajectory.time, 2.5e-12 * np.arange(400))
    np.testing.assert_allclose(pictures.time, [0, 0.5e-9])


def test_the_relaxation_ends_when_the_script_says_so(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN_RELAXES", "1.5")
    attributes = run().attrs
    assert 1.5 < attributes["relaxation_wall_time"] < attributes["wall_time"]


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("no gpu", r"no NVIDIA GPU or driver \(panic: CUDA_ERROR_NO_DEVICE\)"),
        ("wrong gpu", r"no GPU of that number \(panic: CUDA_ERROR_INVALID_DEVICE\)"),
        ("out of memory", "too little free memory"),
        ("gpu fault", r"The GPU failed MuMax3 \(panic: CUDA_ERROR_ILLEGAL_ADDRESS\)"),
        ("script error", r"refuses the script: script line 17: undefined: s\.$"),
        ("disk full", "The disk is full"),
        ("no table", "without writing a table"),
        ("crash", r"last words: panic: runtime error: index out of range\.$"),
    ],
)
def test_failures_are_told_apart(stand_in, monkeypatch, mode, says):
    monkeypatch.setenv("STAND_IN", mode)
    with pytest.raises(SpinodeError, match=says) as caught:
        run()
    assert "\n" not in str(caught.value)
    assert not left_behind(stand_in)  # nothing was computed


def test_what_a_failed_run_computed_is_kept(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN", "half")
    with pytest.raises(SpinodeError, match=r"GPU failed .* is kept in .*; folder=.* goes on"):
        run()
    (kept,) = left_behind(stand_in)
    assert len((kept / "run.out" / "table.txt").read_text().splitlines()) == 201


def test_a_killed_run_goes_on_from_its_last_state(stand_in, monkeypatch):
    home = stand_in / "run.checkpoint"
    monkeypatch.setenv("STAND_IN", "half")
    with pytest.raises(SpinodeError, match="is kept"):
        run(checkpoint=home, snapshots=0.25e-9)
    before = (home / "run.out" / "table.txt").read_bytes()
    monkeypatch.setenv("STAND_IN", "last row lost")
    folder = stand_in / "stays"
    shutil.copytree(home, folder)
    trajectory, pictures = run(folder=folder, snapshots=0.25e-9)
    script = (folder / "run2.mx3").read_text()
    assert 'm.loadfile("run.out/m000001.ovf")' in script
    assert "for i := 1; i < 2; i++ {" in script
    assert "for i := 2; i < 4; i++ {" in script
    assert (folder / "run.out" / "table.txt").read_bytes() == before
    np.testing.assert_allclose(
        trajectory.mz[5:], 0.75 + 0.01 * np.arange(5, 400), atol=2e-5, rtol=0
    )
    np.testing.assert_allclose(pictures.time, [0, 0.25e-9, 0.5e-9, 0.75e-9])
    # All of it is there: nothing runs again.
    monkeypatch.setenv("STAND_IN", "no gpu")
    np.testing.assert_array_equal(run(folder=folder, snapshots=0.25e-9)[0].mz, trajectory.mz)
    with pytest.raises(InputError, match="another simulation"):
        run(folder=folder, duration=0.5e-9)


def test_a_checkpoint_is_removed_at_the_end(stand_in):
    assert run(checkpoint=stand_in / "run.checkpoint").sizes["time"] == 401
    assert not (stand_in / "run.checkpoint").exists()


def test_output_of_another_run_is_not_touched(stand_in):
    output = stand_in / "mine" / "run.out"
    output.mkdir(parents=True)
    (output / "table.txt").write_text("mine")
    with pytest.raises(InputError, match="unknown origin"):
        run(folder=stand_in / "mine")
    assert (output / "table.txt").read_text() == "mine"


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class UntilWritten:
    """A clock that stands still until the stand-in has written its table, then is 5 s later."""

    def __init__(self, written):
        self._written = written
        self._now = 0.0

    def sleep(self, seconds):
        time.sleep(seconds)
        if self._written.exists() and self._written.read_text():
            self._now = 5.0

    def monotonic(self):
        return self._now


def test_a_timeout_stops_the_process_and_keeps_what_it_wrote(stand_in, monkeypatch):
    monkeypatch.setenv("STAND_IN", "hang")
    monkeypatch.setattr(process, "clock", UntilWritten(stand_in / "pid"))
    monkeypatch.setattr(process, "_PATIENCE", 0.5)  # the stand-in ignores SIGTERM
    with pytest.raises(SpinodeError, match=r"stopped after 4 s, 1\.00 of 1\.00 ns .* kept in"):
        run(timeout=4)
    assert not alive(int((stand_in / "pid").read_text()))


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_mumax3_dies_with_its_caller(stand_in, monkeypatch, kind):
    if kind != signal.SIGINT and sys.platform != "linux":
        pytest.skip("only Linux tells a process of its parent's death")
    monkeypatch.setenv("STAND_IN", "hang")
    code = (
        "from spinode.micromagnetics import process, simulate\n"
        "from spinode.devices.protocols import ONE_SKYRMION as p\n"
        "process._PATIENCE = 0.5\n"
        "simulate(p.device, p.drive, engine='mumax3', duration=1e-9)\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    pid = stand_in / "pid"
    shown = b""
    while b"1.00/1.00 ns" not in shown:  # the bar moves with the table
        assert caller.poll() is None, shown.decode()
        shown += caller.stderr.read1(1)
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
    caller.send_signal(kind)
    error = caller.communicate()[1].decode()
    if kind == signal.SIGINT:
        assert "KeyboardInterrupt" in error
    while alive(int(pid.read_text())):  # for as long as it takes
        time.sleep(0.05)
    assert len(left_behind(stand_in)) == 1


def test_what_is_available_and_why_not(stand_in, monkeypatch, tmp_path):
    first, second = available_engines()
    assert (first.engine, first.available) == ("mumax3", True)
    assert (second.engine, second.available) == ("embedded", True)
    monkeypatch.setenv("STAND_IN", "no gpu")
    assert "no NVIDIA GPU" in available_engines()[0].detail
    monkeypatch.setenv("SPINODE_MUMAX3", str(tmp_path / "nowhere"))
    assert "not an executable file" in available_engines()[0].detail
    monkeypatch.delenv("SPINODE_MUMAX3")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "not installed" in available_engines()[0].detail
    with pytest.raises(InputError, match="not installed"):
        run()


def test_a_folder_from_elsewhere_is_read(stand_in):
    run(folder=stand_in / "from_cluster", snapshots=0.5e-9)
    table, pictures = mumax3.load(stand_in / "from_cluster")
    assert float(table.mz[0]) == 0.75
    assert pictures.dims == ("picture", "y", "x", "component")
    np.testing.assert_allclose(pictures.time, [0, 0.5e-9, 1e-9], atol=1e-14)
    with pytest.raises(InputError, match="holds 0 MuMax3 tables"):
        mumax3.load(stand_in / "empty")


# --- the script -------------------------------------------------------------------------------


def script_of(protocol, **options):
    return mumax3.script(protocol.device, protocol.drive, protocol.spacing, **options)


def test_script_of_one_skyrmion():
    text, sequences = script_of(ONE_SKYRMION, snapshots=25e-12)
    for line in (
        "SetGridsize(80, 80, 1)",
        "SetCellsize(1e-09, 1e-09, 1e-09)",
        'sequence_Ku := loadfile("sequence_Ku.ovf")',
        "m.setInShape(circle(4e-08).Transl(0, 0, 0), NeelSkyrmion(1, -1).Transl(0, 0, 0))",
        "autosave(m, 2.5e-11)",
        "tableautosave(2.5e-12)",
        "TableAdd(Ku1.Region(100))",
        "    Ku1.SetRegion(100, 800000 + 200000*a*sin(2*pi*4000000000*(t-1e-09)))",
        "TableAdd(ext_topologicalchargelattice)",
    ):
        assert line in text.splitlines()
    order = ["alpha = 0.1", "relax()", "run(1e-09)", "alpha = 0.01", "DefRegion(100", "for i"]
    positions = [text.index(step) for step in order]
    assert positions == sorted(positions)
    assert len(sequences["sequence_Ku"]) == 600


def test_scripts_use_nothing_they_do_not_define():
    # The published scripts of the K_u and D tests read an undefined sequence.
    for protocol in (ONE_SKYRMION, FOUR_SKYRMIONS, PAIR, KU_TEST, D_TEST):
        text, sequences = script_of(protocol)
        assert {part.split(".get")[0] for part in text.split() if ".get(" in part} == set(sequences)
        assert all(f"{name} := loadfile" in text for name in sequences)


def test_script_of_four_skyrmions_makes_the_published_grains():
    text, _ = script_of(FOUR_SKYRMIONS)
    assert "ext_makegrains(1e-08, 98, 1234567)" in text
    assert "    AnisU.SetRegion(i, vector(0.2*(rand()-0.5), 0.2*(rand()-0.5), 1))" in text
    assert text.count("setInShape") == 4


def test_a_map_of_grains_goes_to_mumax3_as_it_is(tmp_path):
    device = replace(FOUR_SKYRMIONS.device, grains=replace(published_grains(), recipe=None))
    path = mumax3.write(tmp_path, device, FOUR_SKYRMIONS.drive)
    lines = path.read_text().splitlines()
    assert 'regions.LoadFile("regions.ovf")' in lines
    region = read_ovf(tmp_path / "regions.ovf").values[0, ..., 0].astype(int)
    assert region.shape == (120, 120)
    np.testing.assert_array_equal(region.ravel(), published_grains().region)
    for i in np.unique(region):
        assert f"Ku1.SetRegion({i}, {published_grains().Ku[i]:.12g})" in lines


def test_a_shorter_run_has_fewer_periods():
    assert "for i := 0; i < 40; i++ {" in script_of(ONE_SKYRMION, duration=10e-9)[0]


def test_sequences_survive_the_ovf_file(tmp_path):
    drive = HeldSequence((0.1, -0.30000000000000004, 1e-9))
    mumax3.write(tmp_path, ONE_SKYRMION.device, drive)
    path = tmp_path / "sequence_Ku.ovf"
    np.testing.assert_array_equal(read_ovf(path).values.ravel(), drive.values)
    # A published one has a blank line among its values.
    text = path.read_text()
    assert text.count("-0.30000000000000004\n") == 1
    path.write_text(text.replace("-0.30000000000000004\n", "-0.30000000000000004\n\n"))
    np.testing.assert_array_equal(read_ovf(path).values.ravel(), drive.values)


def test_a_drive_mumax3_cannot_run_is_refused():
    drive = RandomSinePair(
        RandomSine(frequency=3e9, periods=3),
        RandomSine("Dind", 3e-3, 1e-4, frequency=2e9, periods=2),
    )
    with pytest.raises(InputError, match="no whole ratio"):
        mumax3.script(PAIR.device, drive)
