"""The MuMax3 backend, with a stand-in that replays a published table in place of the program."""

import os
import signal
import stat
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from spinode.devices.drives import HeldSequence, RandomSine, RandomSinePair
from spinode.devices.grains import published_grains
from spinode.devices.protocols import D_TEST, FOUR_SKYRMIONS, KU_TEST, ONE_SKYRMION, PAIR
from spinode.errors import InputError, SpinodeError
from spinode.micromagnetics import available_engines, mumax3, simulate
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample

# Behaves as MuMax3 towards its caller: options, output folder, log, table, saved m.
STAND_IN = """#!{python}
import os, signal, sys, time
from pathlib import Path

mode = os.environ.get("STAND_IN", "")
print("//mumax 3.10 linux_amd64 go1.14 (gc)")
print("//CUDA 11.0 GPU0, using cc=70 PTX", flush=True)
if mode == "no gpu":
    sys.exit("panic: CUDA_ERROR_NO_DEVICE")
if "-test" in sys.argv:
    sys.exit(0)
if mode == "script error":
    sys.exit("//script line 17: undefined: s")
if mode == "disk full":
    sys.exit("panic: write run.out/m000003.ovf: no space left on device")
if mode == "crash":
    sys.exit("panic: runtime error: index out of range")
output = Path(sys.argv[sys.argv.index("-o") + 1])
script = Path(sys.argv[-1]).read_text()
assert "relax()" in script and Path(script.split('loadfile("')[1].split('"')[0]).exists()
output.mkdir()
if mode == "no table":
    sys.exit(0)
lines = Path(os.environ["STAND_IN_TABLE"]).read_text().splitlines()
header, *rows = lines[: 402 if mode != "truncated" else 200]
with open(output / "table.txt", "w") as table:
    table.write(header + "\\text_topologicalcharge ()\\n")
    for row in rows:
        table.write(row + "\\t-0.94\\n")
    table.flush()
    if mode == "hang":
        Path(os.environ["STAND_IN_PID"]).write_text(str(os.getpid()))
        time.sleep(600)
if "autosave(m," in script:
    for number in range(3):
        (output / f"m{{number:06d}}.ovf").write_bytes(Path(os.environ["STAND_IN_M"]).read_bytes())
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch, paper_data):
    program = tmp_path / "mumax3"
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    table = paper_data / "Mumax3_simulations" / "1skyrmion_voltage_train" / "table.txt"
    monkeypatch.setenv("SPINODE_MUMAX3", str(program))
    monkeypatch.setenv("STAND_IN_TABLE", str(table))
    monkeypatch.setenv("STAND_IN_PID", str(tmp_path / "pid"))
    monkeypatch.setenv("STAND_IN_M", str(tmp_path / "m.ovf"))
    return table


def run(**options):
    device, drive = ONE_SKYRMION.device, ONE_SKYRMION.drive
    options = {"duration": 1e-9, "progress": False} | options
    return simulate(device, drive, engine="mumax3", **options)


def test_a_run_gives_the_published_table_on_an_even_grid(stand_in):
    trajectory = run()
    published = resample(read_table(stand_in), 2.5e-12, 1e-9)
    np.testing.assert_array_equal(trajectory.time, published.time)
    np.testing.assert_allclose(trajectory.mz, published.mz, atol=1e-7)
    np.testing.assert_allclose(trajectory.topological_charge, -0.94)
    np.testing.assert_allclose(trajectory.Ku, published.Ku, atol=300)
    assert trajectory.attrs["engine"] == "mumax3"
    assert trajectory.attrs["engine_version"] == "3.10"
    assert 0 <= trajectory.attrs["relaxation_wall_time"] < trajectory.attrs["wall_time"]
    assert trajectory.mz.attrs["units"] == "1"


def test_snapshots_are_read(stand_in, tmp_path):
    m = np.random.default_rng(0).normal(size=(80, 80, 3)).astype("<f4")
    header = mumax3._ovf("m", [0.0]).split("# Begin: Data")[0]
    header = header.replace("xnodes: 1", "xnodes: 80").replace("ynodes: 1", "ynodes: 80")
    header = header.replace("valuedim: 1", "valuedim: 3")
    control = np.array([1234567.0], dtype="<f4")
    body = b"# Begin: Data Binary 4\n" + control.tobytes() + m.tobytes() + b"\n# End: Data\n"
    (tmp_path / "m.ovf").write_bytes(header.encode() + body)
    _, pictures = run(snapshots=0.5e-9)
    assert pictures.m.dims == ("time", "y", "x", "component")
    np.testing.assert_allclose(pictures.time, [0, 0.5e-9, 1e-9])
    np.testing.assert_array_equal(pictures.m[1], m)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("no gpu", r"no NVIDIA GPU or driver \(panic: CUDA_ERROR_NO_DEVICE\)"),
        ("script error", r"refuses the script: script line 17: undefined: s\."),
        ("disk full", "The disk is full"),
        ("truncated", "table ends"),
        ("no table", "without writing a table"),
        ("crash", "last words: panic: runtime error"),
    ],
)
def test_failures_are_told_apart(stand_in, monkeypatch, mode, says):
    monkeypatch.setenv("STAND_IN", mode)
    with pytest.raises(SpinodeError, match=says) as caught:
        run()
    assert "\n" not in str(caught.value)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_timeout_stops_the_process(stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("STAND_IN", "hang")
    with pytest.raises(SpinodeError, match=r"stopped after 4 s, 1\.00 of 1\.00 ns"):
        run(timeout=4)
    assert not alive(int((tmp_path / "pid").read_text()))


def test_an_interrupt_stops_the_process(stand_in, monkeypatch, tmp_path):
    monkeypatch.setenv("STAND_IN", "hang")
    code = (
        "from spinode.micromagnetics import simulate\n"
        "from spinode.devices.protocols import ONE_SKYRMION as p\n"
        "simulate(p.device, p.drive, engine='mumax3', duration=1e-9)\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    pid = tmp_path / "pid"
    while not (pid.exists() and pid.read_text()):
        assert caller.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # for the bar to see the table
    caller.send_signal(signal.SIGINT)
    _, error = caller.communicate(timeout=20)
    assert "KeyboardInterrupt" in error
    assert "1.00/1.00 ns" in error  # the bar had moved with the table
    assert not alive(int(pid.read_text()))


def test_what_is_available_and_why_not(stand_in, monkeypatch, tmp_path):
    first, second = available_engines()
    assert (first.engine, first.available) == ("mumax3", True)
    assert (second.engine, second.available) == ("embedded", True)
    monkeypatch.setenv("STAND_IN", "no gpu")
    assert "no NVIDIA GPU" in available_engines()[0].detail
    monkeypatch.setenv("SPINODE_MUMAX3", str(tmp_path / "nowhere"))
    assert "no executable file" in available_engines()[0].detail
    monkeypatch.delenv("SPINODE_MUMAX3")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "not installed" in available_engines()[0].detail
    with pytest.raises(InputError, match="not installed"):
        run()


def test_a_folder_from_elsewhere_is_read(stand_in, tmp_path):
    output = tmp_path / "from_cluster" / "run.out"
    output.mkdir(parents=True)
    (output / "table.txt").write_text(stand_in.read_text())
    table, pictures = mumax3.load(tmp_path / "from_cluster")
    assert float(table.mz[0]) == 0.7680944
    assert pictures is None
    with pytest.raises(InputError, match="holds 0 MuMax3 tables"):
        mumax3.load(tmp_path / "empty")


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
    read = read_ovf(tmp_path / "sequence_Ku.ovf")
    np.testing.assert_array_equal(read.values.ravel(), drive.values)


def test_published_sequences_are_read(paper_data):
    folder = paper_data / "Mumax3_simulations"
    for name, count in (
        ("1skyrmion_voltage_train/sequence_amp2.ovf", 600),
        ("1skyrmion_input_PMA_DMI_train/sequence_amp3.ovf", 6600),
    ):
        values = read_ovf(folder / name).values.ravel()
        assert len(values) == count
        known = RandomSine(frequency=4e9, periods=min(count, 6001)).amplitudes
        np.testing.assert_allclose(2 * (values[:6001] - 1) - 1, known, atol=1e-15)


def test_a_drive_mumax3_cannot_run_is_refused():
    drive = RandomSinePair(
        RandomSine(frequency=3e9, periods=3),
        RandomSine("Dind", 3e-3, 1e-4, frequency=2e9, periods=2),
    )
    with pytest.raises(InputError, match="no whole ratio"):
        mumax3.script(PAIR.device, drive)
