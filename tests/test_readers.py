"""Inputs that came out wrong once: tables, pictures and recordings, each with what is right."""

import numpy as np
import pytest
import xarray as xr

from spinode.errors import InputError
from spinode.micromagnetics.mumax3 import load, read_pictures
from spinode.micromagnetics.ovf import read_ovf
from spinode.micromagnetics.tables import read_table
from spinode.trajectory import resample, save

MEAN = "# t (s)\tmx ()\tmy ()\tmz ()"


def table(folder, columns, values, header=MEAN):
    """Write a table of three rows; return it read, after it went through netCDF."""
    rows = [f"{n * 5e-12!r}\t.1\t0\t.7{values}\n" for n in range(3)]
    (folder / "table.txt").write_text(header + columns + "\n" + "".join(rows))
    return xr.load_dataset(save(read_table(folder / "table.txt"), folder / "table.nc"))


# --- tables -----------------------------------------------------------------------------------


def test_columns_by_region_keep_their_region(tmp_path):
    names = [f"m.region{n}{axis}" for n in (0, 1) for axis in "xyz"]
    columns = "".join(f"\t{name} ()" for name in names)
    read = table(tmp_path, columns, "\t.4\t.5\t.6\t.7\t.8\t.9")
    assert [float(read[name][0]) for name in names] == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_a_parameter_of_one_region_is_the_input_and_of_two_are_told_apart(tmp_path):
    both = "\tKu1.region100 (J/m3)\tKu1.region0 (J/m3)"
    read = table(tmp_path, both, "\t8e5\t5e5")
    assert "Ku" not in read
    assert (float(read["Ku1.region100"][0]), float(read["Ku1.region0"][0])) == (8e5, 5e5)
    assert read["Ku1.region0"].attrs["units"] == "J/m3"
    one = table(tmp_path, "\tKu1.region100 (J/m3)", "\t8e5")
    assert float(one.Ku[0]) == 8e5


def test_a_column_of_a_taken_name_keeps_its_own_values(tmp_path):
    read = table(tmp_path, "\ttime (ns)\tmx ()", "\t3.5\t.9")
    np.testing.assert_allclose(read.time, [0, 5e-12, 1e-11])
    assert read.time.attrs["units"] == "s"
    assert float(read.time_2[0]) == 3.5
    assert read.time_2.attrs == {"long_name": "time", "units": "ns"}
    assert (float(read.mx[0]), float(read.mx_2[0])) == (0.1, 0.9)


def test_rows_under_a_second_header_are_read_by_its_columns(tmp_path):
    path = tmp_path / "table.txt"
    first = MEAN + "\tE_total (J)\tB_extz (T)\n0\t0\t0\t.7\t-1e-18\t.25\n"
    path.write_text(first + MEAN + "\tB_extz (T)\tE_total (J)\n5e-12\t0\t0\t.7\t.25\t-1e-18\n")
    read = read_table(path)
    np.testing.assert_array_equal(read.E_total, [-1e-18, -1e-18])
    np.testing.assert_array_equal(read.B_extz, [0.25, 0.25])
    path.write_text(first + MEAN + "\tE_total (J)\tB_extz (mT)\n5e-12\t0\t0\t.7\t-1e-18\t250\n")
    with pytest.raises(InputError, match=r"line 3: a second header has other columns.*\(mT\)"):
        read_table(path)
    path.write_text(first + MEAN + "\tE_total (J)\tB_extz (T)\n0\t0\t0\t.7\t-1e-18\t.25\n")
    with pytest.raises(InputError, match="line 4: time goes from"):
        read_table(path)


def test_every_variable_has_the_units_of_the_header(tmp_path):
    columns = "\tB_effx (?)\tE_total (J)\tcore position (nm)\tcount"
    read = table(tmp_path, columns, "\t1e-3\t1e-18\t12.5\t4")
    units = {"B_effx": "?", "E_total": "J", "core position": "nm", "count": "1", "mz": "1"}
    assert {name: read[name].attrs["units"] for name in units} == units
    assert table(tmp_path, "\tKu1 (kJ/m3)", "\t800").Ku.attrs["units"] == "kJ/m3"


def test_a_name_that_netcdf_refuses_is_changed(tmp_path):
    read = table(tmp_path, "\tE/V (J/m3)", "\t1000")
    assert float(read.E_V[0]) == 1000
    assert read.E_V.attrs == {"long_name": "E/V", "units": "J/m3"}


@pytest.mark.parametrize("name", [".", "..", "", "a\x00b", "1a", "_x", "time", "core position"])
def test_a_column_of_any_name_is_kept(tmp_path, name):
    read = table(tmp_path, f"\t{name} (J)", "\t9")
    assert [float(one[-1]) for one in read.data_vars.values()][3:] == [9.0]
    assert [one.attrs["units"] for one in read.data_vars.values()][3:] == ["J"]


def test_a_header_is_utf_8(tmp_path):
    read = table(tmp_path, "\tα ()\tE (µJ)", "\t9\t8")
    assert (float(read["α"][0]), read.E.attrs["units"]) == (9.0, "µJ")


def test_columns_of_all_256_regions_are_read(tmp_path):
    columns = "".join(f"\tm.region{n}{axis} ()" for n in range(256) for axis in "xyz")
    read = table(tmp_path, columns, "".join(f"\t{n}" for n in range(768)))
    assert float(read["m.region255z"][0]) == 767


def test_the_charge_on_the_lattice_is_ours(tmp_path):
    columns = "\text_topologicalcharge ()\text_topologicalchargelattice ()"
    read = table(tmp_path, columns, "\t-.898\t-.928")
    assert float(read.topological_charge[0]) == -0.928
    assert float(read.ext_topologicalcharge[0]) == -0.898
    assert float(table(tmp_path, "\text_topologicalcharge ()", "\t-.9").topological_charge[0]) < 0


# --- OVF --------------------------------------------------------------------------------------

LABELS = {
    "Segment count": "1",
    "Title": "m",
    "meshtype": "rectangular",
    "meshunit": "m",
    "valuedim": "3",
    "xbase": "1e-9",
    "ybase": "1e-9",
    "zbase": "5e-10",
    "xnodes": "3",
    "ynodes": "2",
    "znodes": "1",
    "xstepsize": "2e-9",
    "ystepsize": "2e-9",
    "zstepsize": "1e-9",
}


def ovf(path, values, first="# OOMMF OVF 2.0", extra="", kind="Binary 4", order="<", **labels):
    header = "".join(f"# {key}: {value}\n" for key, value in (LABELS | labels).items())
    values = np.asarray(values, dtype=float).ravel()
    if kind == "Text":
        body = "\n".join(map(repr, values.tolist())).encode()
    else:
        control, dtype = (1234567.0, "f4") if kind == "Binary 4" else (123456789012345.0, "f8")
        body = np.concatenate([[control], values]).astype(order + dtype).tobytes()
    text = f"{first}\n# Begin: Segment\n# Begin: Header\n{header}{extra}# End: Header\n"
    path.write_bytes(
        text.encode()
        + f"# Begin: Data {kind}\n".encode()
        + body
        + f"\n# End: Data {kind}\n".encode()
    )
    return path


@pytest.mark.parametrize("kind", ["Text", "Binary 4"])
@pytest.mark.parametrize(
    ("extra", "labels"),
    [
        ("## xnodes: 2\n## coarse run for comparison\n", {}),
        ("## xstepsize: 7e-9 (older run)\n", {}),
        ("", {"xnodes": "3  ## cells along x"}),
        ("#Ynodes :2\n# X Step Size: 2e-09\n", {"ynodes": "", "xstepsize": ""}),
        ("", {"Segment count": "000001"}),
    ],
)
def test_labels_and_comments_read_as_the_format_says(tmp_path, kind, extra, labels):
    read = read_ovf(ovf(tmp_path / "m.ovf", np.arange(18), extra=extra, kind=kind, **labels))
    assert read.shape == (1, 2, 3, 3)
    np.testing.assert_array_equal(read.values.ravel(), np.arange(18))
    np.testing.assert_allclose(read.x, [1e-9, 3e-9, 5e-9])


def test_a_comment_among_the_numbers_is_skipped(tmp_path):
    path = ovf(tmp_path / "m.ovf", np.arange(18), kind="Text")
    path.write_bytes(path.read_bytes().replace(b"\n3.0\n", b"\n## second cell\n3.0 ## here\n"))
    np.testing.assert_array_equal(read_ovf(path).values.ravel(), np.arange(18))


@pytest.mark.parametrize("kind", ["Text", "Binary 4", "Binary 8"])
def test_the_number_of_values_must_be_the_one_announced(tmp_path, kind):
    with pytest.raises(InputError, match=r"announces|more than the 18"):
        read_ovf(ovf(tmp_path / "m.ovf", np.arange(24), kind=kind))
    with pytest.raises(InputError, match=r"announces|cut short"):
        read_ovf(ovf(tmp_path / "m.ovf", np.arange(9), kind=kind))


def test_lengths_become_metres(tmp_path):
    lengths = {f"{axis}{what}": "2" for axis in "xyz" for what in ("base", "stepsize")}
    path = ovf(tmp_path / "m.ovf", np.zeros(18), meshunit="nm", **lengths)
    read = read_ovf(path)
    np.testing.assert_allclose(read.x, [2e-9, 4e-9, 6e-9])
    assert read.x.attrs["units"] == "m"
    with pytest.raises(InputError, match="lengths in 'furlong'"):
        read_ovf(ovf(tmp_path / "m.ovf", np.zeros(18), meshunit="furlong"))


@pytest.mark.parametrize("kind", ["Text", "Binary 4", "Binary 8"])
def test_ovf_1_is_read_with_its_byte_order_and_multiplier(tmp_path, kind):
    first = "# OOMMF: rectangular mesh v1.0"
    options = {"first": first, "kind": kind, "order": ">", "valuemultiplier": "2"}
    read = read_ovf(ovf(tmp_path / "m.omf", np.arange(18), **options))
    np.testing.assert_array_equal(read.values.ravel(), 2 * np.arange(18))


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"meshtype": "irregular"}, "mesh of type 'irregular'"),
        ({"Segment count": "2"}, "holds 2 segments"),
        ({"xnodes": "three"}, "xnodes 'three'"),
        ({"xstepsize": ""}, "xstepsize ''"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_sentence(tmp_path, labels, says):
    with pytest.raises(InputError, match=says) as caught:
        read_ovf(ovf(tmp_path / "m.ovf", np.zeros(18), **labels))
    assert "\n" not in str(caught.value)


# --- series of pictures -----------------------------------------------------------------------


def at(time):
    return f"# Desc: Total simulation time:  {time!r}  s\n"


def test_all_layers_and_the_times_of_the_pictures_are_kept(tmp_path):
    table(tmp_path, "", "")
    for n in range(3):
        values = np.repeat(np.arange(5), 18) + 10 * n
        ovf(tmp_path / f"m{n:06d}.ovf", values, extra=at(n * 5e-12), znodes=5)
    _, pictures = load(tmp_path)
    assert pictures.dims == ("picture", "z", "y", "x", "component")
    np.testing.assert_array_equal(pictures[1, :, 0, 0, 0], 10 + np.arange(5))
    np.testing.assert_allclose(pictures.time, [0, 5e-12, 1e-11])
    assert pictures.time.attrs["units"] == "s"


def test_only_the_series_asked_for_is_read_in_numeric_order(tmp_path):
    for n in (2, 999999, 1000000):
        ovf(tmp_path / f"m{n:06d}.ovf", np.full(18, n % 97))
    for other in ("m_full000000", "m000000_old", "B_demag000000", "ma000001"):
        ovf(tmp_path / f"{other}.ovf", np.full(24, -1.0), xnodes=4)
    pictures = read_pictures(tmp_path)
    np.testing.assert_array_equal(pictures.picture, [2, 999999, 1000000])
    np.testing.assert_array_equal(pictures[:, 0, 0, 0], [2, 999999 % 97, 1000000 % 97])
    assert read_pictures(tmp_path, "B_demag").shape == (1, 2, 4, 3)
    assert read_pictures(tmp_path, "B_ext") is None


@pytest.mark.parametrize("labels", [{"xnodes": 4}, {"xstepsize": "1e-9"}])
def test_pictures_of_unequal_grids_are_refused(tmp_path, labels):
    ovf(tmp_path / "m000000.ovf", np.zeros(18))
    ovf(tmp_path / "m000001.ovf", np.zeros(6 * labels.get("xnodes", 3)), **labels)
    with pytest.raises(InputError, match=r"m000001\.ovf has another grid"):
        read_pictures(tmp_path)


# --- resampling -------------------------------------------------------------------------------


def sine(time):
    return 0.7 + 0.05 * np.sin(2 * np.pi * 4e9 * time)


def recording(time):
    return xr.Dataset({"mz": ("time", sine(time))}, {"time": time})


TIME = np.arange(2000) * 5e-12


@pytest.mark.parametrize("start", [-3e-9, 0.0, 2e-9])
def test_the_grid_starts_at_the_first_sample(start):
    even = resample(recording(TIME + start), 2.5e-12)
    assert float(even.time[0]) == start
    assert even.sizes["time"] == 2 * len(TIME) - 1
    np.testing.assert_allclose(even.mz, sine(even.time.values), atol=1e-6)
    assert resample(recording(TIME + start), 5e-12, 1e-9).sizes["time"] == 201


def test_nothing_is_invented():
    gap = np.concatenate([TIME[:800], TIME[1200:]])
    with pytest.raises(InputError, match=r"nothing is recorded between 3.995e-09 s and 6e-09 s"):
        resample(recording(gap), 5e-12)
    broken = recording(TIME)
    broken.mz[5] = np.nan
    with pytest.raises(InputError, match=r"mz is not a finite number at 2\.5e-11 s"):
        resample(broken, 5e-12)
    twice = TIME.copy()
    twice[6] = twice[5]
    with pytest.raises(InputError, match="must grow from sample to sample"):
        resample(recording(twice), 5e-12)
    with pytest.raises(InputError, match="at least two samples"):
        resample(recording(TIME[:1]), 5e-12)


def test_held_inputs_stay_within_their_values():
    late = np.arange(0, 1e-9, 2.5e-12)
    late[1:] += np.random.default_rng(0).uniform(0, 2e-14, len(late) - 1)
    held = np.where((late // 1e-10).astype(int) % 2, 1e6, 6e5)
    run = recording(late).assign(Ku=("time", held), label=300.0)
    even = resample(run, 5e-12)
    index = (even.time.values / 1e-10 + 1e-6).astype(int)
    np.testing.assert_array_equal(even.Ku, np.where(index % 2, 1e6, 6e5))
    assert float(even.label) == 300
    assert set(np.unique(resample(run, 5e-12 / 3).Ku)) == {6e5, 1e6}
