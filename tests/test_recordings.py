"""Recordings of a user's own: files, units, a look, and what a forecast leaves over."""

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import xarray as xr
from scipy import signal

from spinode.errors import InputError
from spinode.recordings.look import look
from spinode.recordings.readers import read_recording
from spinode.recordings.residuals import residual_test
from spinode.recordings.study import Score, Study
from spinode.recordings.units import of_column, to_si

COLUMNS = {"output": "v_mV", "inputs": ["drive_mV"], "time": "time_us"}


@pytest.fixture
def table():
    generator = np.random.default_rng(0)
    drive = generator.normal(size=200)
    return pd.DataFrame(
        {"time_us": 10 + 0.5 * np.arange(200), "drive_mV": drive, "v_mV": np.cumsum(drive)}
    )


def written(table, path):
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".tsv":
        table.to_csv(path, index=False, sep="\t")
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {name: table[name].to_numpy() for name in table})
    elif path.suffix == ".npz":
        np.savez(path, **{name: table[name].to_numpy() for name in table})
    elif path.suffix == ".nc":
        xr.Dataset({name: ("row", table[name].to_numpy()) for name in table}).to_netcdf(path)
    else:
        with h5py.File(path, "w") as file:
            for name in table:
                file[name] = table[name].to_numpy()
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "h5", "nc", "mat", "npz"])
def test_every_kind_of_file_gives_the_same_trajectory_in_si_units(kind, table, tmp_path):
    read = read_recording(written(table, tmp_path / f"r.{kind}"), **COLUMNS)
    np.testing.assert_allclose(read.time, 0.5e-6 * np.arange(200), atol=1e-15)
    np.testing.assert_allclose(read.drive, 1e-3 * table.drive_mV)
    np.testing.assert_allclose(read.v, 1e-3 * table.v_mV)
    assert (read.v.units, read.drive.units, read.time.units) == ("V", "V", "s")


def test_a_german_table_and_a_mumax3_table_are_read(table, tmp_path):
    table.to_csv(tmp_path / "r.csv", index=False, sep=";", decimal=",")
    assert read_recording(tmp_path / "r.csv", **COLUMNS).sizes["time"] == 200
    lines = ["# t (s)\tmx ()\tmz ()\tKu1 (J/m3)"]
    lines += [f"{5e-12 * n}\t0\t{0.7 + 1e-4 * n}\t{8e5 + n}" for n in range(60)]
    (tmp_path / "table.txt").write_text("\n".join(lines) + "\n")
    read = read_recording(
        tmp_path / "table.txt", output="mz ()", inputs=["Ku1 (J/m3)"], time="t (s)"
    )
    assert read.Ku1.units == "J/m3"
    assert float(read.time[-1]) == pytest.approx(59 * 5e-12)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zeit [us];Eingang [mV];v [mV]\n0,5;1,25;-2,5\n", "utf-8-sig"),
        ("Model,X-2024\nRate,2e6\n\nZeit,Eingang,v\nus,mV,mV\n0.5,1.25,-2.5\n", "cp1252"),
        ("Zeit (µs)\tEingang [mV]\tv/mV\r\n0,5\t1,25\t-2,5\r\n", "cp1252"),
        ("# measured on Monday\n% Zeit_us Eingang_mV v_mV\n0.5  1.25  -2.5\n", "ascii"),
        ("Zeit (us);Eingang, mV;v_mV;Kommentar\n0.5;1.25;-2.5;ok\n", "utf-16"),
        ('"Zeit [us]","Eingang [mV]","v [mV]"\n"0.5","1.25","-2.5"\n', "utf-8"),
    ],
)
def test_tables_of_instruments_and_spreadsheets_are_read(text, encoding, tmp_path):
    """The same three numbers, in as many ways as there are programs that write them."""
    head, row = text.rstrip().rsplit("\n", 1)
    rows = [row.replace("2.5", f"2.{n:02d}5").replace("2,5", f"2,{n:02d}5") for n in range(80)]
    steps = [
        one.replace("0.5", f"{n}.5", 1).replace("0,5", f"{n},5", 1) for n, one in enumerate(rows)
    ]
    inputs = [
        one.replace("1.25", f"1.{n % 7}25").replace("1,25", f"1,{n % 7}25")
        for n, one in enumerate(steps)
    ]
    path = tmp_path / "r.csv"
    path.write_bytes("\n".join([head, *inputs, ""]).encode(encoding))
    read = read_recording(path, output="v", inputs=["Eingang"], time="Zeit")
    n = np.arange(80)
    np.testing.assert_allclose(read.time, 1e-6 * n, atol=1e-15)
    np.testing.assert_allclose(read.v, -1e-3 * (2 + n / 100 + 0.005), rtol=1e-12)
    np.testing.assert_allclose(read.Eingang, 1e-3 * (1 + (n % 7) / 10 + 0.025), rtol=1e-12)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%H:%M:%S"])
def test_clocks_and_dates_become_seconds(form, table, tmp_path):
    when = pd.Timestamp("2024-02-11 09:00:30") + pd.to_timedelta(90.0 * np.arange(200), unit="s")
    table = table.assign(when=when.strftime(form))
    table.to_csv(tmp_path / "r.csv", index=False)
    read = read_recording(tmp_path / "r.csv", output="v", inputs=["drive"], time="when")
    np.testing.assert_allclose(read.time, 90.0 * np.arange(200))


def test_a_unit_of_ones_own_stays_as_it_is(table, tmp_path):
    named = table.rename(columns={"v_mV": "v [counts]", "drive_mV": "T [°C]"})
    read = read_recording(
        written(named, tmp_path / "r.csv"), output="v", inputs=["T"], time="time_us"
    )
    assert (read.v.units, read["T"].units) == ("counts", "degC")
    np.testing.assert_allclose(read.v, table.v_mV)


def test_a_table_without_names_has_numbers_for_them(table, tmp_path):
    table.to_csv(tmp_path / "r.csv", index=False, header=False)
    read = read_recording(tmp_path / "r.csv", output="3", inputs=["2"], time="1")
    np.testing.assert_allclose(read["3"], table.v_mV)


def test_structures_of_matlab_are_reached_by_their_fields(table, tmp_path):
    values = {name: table[name].to_numpy() for name in table}
    scipy.io.savemat(tmp_path / "r.mat", {"run": values})
    names = {"output": "run.v_mV", "inputs": ["run.drive_mV"], "time": "run.time_us"}
    assert read_recording(tmp_path / "r.mat", **names).sizes["time"] == 200


def test_a_sample_time_stands_in_for_a_time_column(table, tmp_path):
    path = written(table, tmp_path / "r.csv")
    read = read_recording(path, output="v_mV", inputs=["drive_mV"], sample_time=2e-6)
    assert float(read.time[1]) == 2e-6
    named = read_recording(
        path, output="v_mV", inputs=["drive_mV"], sample_time=1.0, units={"v_mV": "uV"}
    )
    np.testing.assert_allclose(named.v, 1e-6 * table.v_mV)


def test_jitter_is_smoothed_out(tmp_path):
    """A slow sine at jittered times comes out on the even grid."""
    generator = np.random.default_rng(1)
    grid = 1e-3 * np.arange(400)
    time = grid + 1e-4 * generator.uniform(-1, 1, size=400) * (grid > 0) * (grid < grid[-1])
    table = pd.DataFrame({"t_s": time, "u": np.cos(9 * time), "y": np.sin(9 * time)})
    table.to_csv(tmp_path / "r.csv", index=False)
    read = read_recording(tmp_path / "r.csv", output="y", inputs=["u"], time="t_s")
    np.testing.assert_allclose(read.y, np.sin(9 * grid), atol=2e-5)


def test_a_missing_output_is_kept_as_missing(table, tmp_path):
    table.loc[7, "v_mV"] = np.nan
    read = read_recording(written(table, tmp_path / "r.csv"), **COLUMNS)
    assert np.flatnonzero(np.isnan(read.v.values)).tolist() == [7]


def _set(row, column, value):
    def change(table):
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="v_mV"), "no column 'v_mV'"),
        (lambda t: t.rename(columns={"v_mV": "v_mW"}), "did you mean v_mW"),
        (lambda t: t.assign(drive_mV=1.0), "drive_mV never changes; nothing can be learned"),
        (lambda t: t.assign(v_mV=1.0), "v_mV never changes; there is no response"),
        (lambda t: t.head(20), "holds 20 samples; at least 50"),
        (_set(9, "drive_mV", np.nan), "the input drive_mV is missing or not a number at sample 9"),
        (_set(9, "v_mV", "oops"), "line 11: 'oops' in column v_mV is not a number"),
        (_set(9, "time_us", np.nan), "the time time_us is not a number at sample 9"),
        (lambda t: t.drop(index=range(50, 90)), "jumps after sample 49"),
        (lambda t: pd.concat([t, t]), "repeats or runs backwards after sample 199"),
    ],
)
def test_bad_recordings_get_one_sentence(change, message, table, tmp_path):
    path = written(change(table), tmp_path / "r.csv")
    with pytest.raises(InputError, match=message) as caught:
        read_recording(path, **COLUMNS)
    assert "\n" not in str(caught.value)


def test_bad_files_get_one_sentence(table, tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        read_recording(tmp_path / "none.csv", **COLUMNS)
    for name in ("r.mat", "r.h5", "r.npz"):
        (tmp_path / name).write_text("not one of these")
        with pytest.raises(InputError, match="cannot be read as"):
            read_recording(tmp_path / name, **COLUMNS)
    (tmp_path / "r.docx").write_text("a report")
    with pytest.raises(InputError, match=r"files of kind \.docx are not read"):
        read_recording(tmp_path / "r.docx", **COLUMNS)
    path = written(table, tmp_path / "r.csv")
    with pytest.raises(InputError, match="name the time column, or give the sample time"):
        read_recording(path, output="v_mV", inputs=["drive_mV"])
    with pytest.raises(InputError, match="positive number of seconds"):
        read_recording(path, output="v_mV", inputs=["drive_mV"], sample_time=0.0)
    with pytest.raises(InputError, match="unit 'furlong' is not known"):
        read_recording(path, **COLUMNS, units={"v_mV": "furlong"})


@pytest.mark.parametrize(
    ("unit", "factor", "base"),
    [("ms", 1e-3, "s"), ("kHz", 1e3, "Hz"), ("mT", 1e-3, "T"), ("T", 1, "T"), ("m", 1, "m"),
     ("kJ/m3", 1e3, "J/m3"), ("min", 60, "s"), ("%", 0.01, "1"), ("l/min", 1e-3 / 60, "m3/s"),
     ("mm2", 1e-6, "m2"), ("µA/cm2", 1e-2, "A/m2"),
     ("N·m", 1, "N*m"), ("rpm", np.pi / 30, "rad/s"), ("m/s^2", 1, "m/s2")],
)  # fmt: skip
def test_units(unit, factor, base):
    assert to_si(unit) == (pytest.approx(factor), base)


def test_an_index_is_no_unit():
    assert of_column("u_m") == ("u_m", None)
    assert of_column("i_bias") == ("i_bias", None)
    assert of_column("time_s") == ("time", "s")


def _resonator(noise=0.0, samples=20_000, nonlinear=0.0):
    generator = np.random.default_rng(3)
    drive = generator.normal(size=samples)
    answer = signal.lfilter([0.1], [1, -1.6, 0.81], drive)
    answer = answer + nonlinear * answer**2 + noise * answer.std() * generator.normal(size=samples)
    return xr.Dataset(
        {"u": ("time", drive), "y": ("time", answer)}, {"time": 1e-6 * np.arange(samples)}
    )


def test_the_linear_bound_is_the_noise_of_a_linear_device():
    """With noise of a tenth of the signal, a perfect linear model has NRMSE 0.1/sqrt(1.01)."""
    assert look(_resonator(0.1), output="y", inputs=["u"]).linear_bound == pytest.approx(
        0.0995, abs=0.015
    )
    assert look(_resonator(), output="y", inputs=["u"]).linear_bound < 0.1
    assert look(_resonator(nonlinear=1.0), output="y", inputs=["u"]).linear_bound > 0.3


def test_noise_is_estimated_from_the_floor_of_the_spectrum():
    run = _resonator(0.2)
    truth = 0.2 * _resonator().y.values.std()
    assert look(run, output="y", inputs=["u"]).noise == pytest.approx(truth, rel=0.2)


def test_a_look_finds_what_an_experimenter_would_ask_about():
    run = _resonator()
    assert not look(run, output="y", inputs=["u"]).warnings
    saturated = run.assign(y=run.y.clip(max=float(run.y.quantile(0.9))))
    assert any("saturated" in one for one in look(saturated, output="y", inputs=["u"]).warnings)
    drifting = run.assign(y=run.y + 8 * run.y.std() * run.time / run.time[-1])
    assert any("not steady" in one for one in look(drifting, output="y", inputs=["u"]).warnings)
    other = run.assign(u=("time", np.random.default_rng(9).normal(size=run.sizes["time"])))
    assert any("right input" in one for one in look(other, output="y", inputs=["u"]).warnings)


@pytest.mark.parametrize(
    "network, expected",
    [(0.1, None), (0.5, "the linear model"), (1.2, "do not use it"), (np.nan, "do not use it")],
)
def test_a_network_of_no_use_is_said_to_be_one(network, expected):
    run = _resonator()
    seen = look(run, output="y", inputs=["u"])
    left = residual_test(*np.random.default_rng(0).normal(size=(2, 1000)), 50)
    scores = {"linear": Score(1.0, 0.4, left), "network": Score(1.0, network, left)}
    study = Study("y", ("u",), [run], [run], [], seen, {}, {}, scores, {})
    if expected is None:
        assert not study.warnings
    else:
        assert [expected in one for one in study.warnings] == [True]


def test_residuals_of_white_noise_pass_and_missing_dynamics_do_not():
    generator = np.random.default_rng(0)
    noise, drive = generator.normal(size=(2, 20_000))
    fine = residual_test(noise, drive)
    assert fine.white > 0.94
    assert fine.independent > 0.94
    echo = noise + 0.2 * np.roll(drive, 3)
    lacking = residual_test(echo, drive)
    # What is left follows the input by three samples: correlation 0.2 / sqrt(1.04).
    assert np.abs(lacking.cross[0]).argmax() == 3
    assert lacking.cross[0, 3] == pytest.approx(0.2 / np.sqrt(1.04), abs=0.02)
    coloured = signal.lfilter([1], [1, -0.9], noise)
    assert residual_test(coloured, drive).white < 0.9
    with pytest.raises(InputError, match="need 500 samples"):
        residual_test(noise[:100], drive[:100])
