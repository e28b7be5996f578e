"""The Spin-Neural ODE with a state of its own: derivatives, linear start, training, forecasts."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from scipy.integrate import solve_ivp
from scipy.io import savemat
from scipy.signal import lfilter

from spinode import SpinODE, fit
from spinode.analysis.metrics import nrmse
from spinode.devices.drives import RandomSine
from spinode.errors import InputError
from spinode.neural_ode import _sensitivities, linear, records
from spinode.neural_ode.identification import identify
from spinode.neural_ode.initial_state import fit_state
from spinode.neural_ode.latent import LatentODE
from spinode.neural_ode.state_space import Shape, neurons, simulate
from spinode.neural_ode.variable_projection import VariableProjection, Window
from spinode.recordings import published

ROOT = Path(__file__).resolve().parent.parent
SPACING = 0.1


def duffing(samples, seed, noise=0.0, amplitude=0.14):
    """A driven, damped oscillator with a hardening spring, by a solver of its own."""
    generator = np.random.default_rng(seed)
    time = SPACING * np.arange(samples)
    phases = generator.uniform(0, 2 * np.pi, 40)
    rates = generator.uniform(0.1, 2.4, 40)  # no common period: the signal never repeats

    def drive(t):
        return amplitude * np.sum(np.cos(np.multiply.outer(t, rates) + phases), axis=-1)

    def slope(t, s):
        return [s[1], -0.3 * s[1] - s[0] - 0.5 * s[0] ** 3 + drive(t)]

    truth = solve_ivp(slope, (0, time[-1]), [0.0, 0.0], t_eval=time, rtol=1e-8, atol=1e-10).y[0]
    noisy = truth + noise * truth.std() * generator.normal(size=samples)
    data = {"drive": ("time", drive(time)), "x": ("time", noisy), "clean": ("time", truth)}
    return xr.Dataset(data, {"time": time})


@pytest.fixture(scope="module")
def recording():
    return duffing(2500, 0, noise=0.05, amplitude=0.16)


@pytest.fixture(scope="module")
def model(recording):
    return identify(
        recording, output="x", inputs="drive", states=2, width=8, ridge=1e-6,
        interpolation="cubic", progress=False,
    )  # fmt: skip


@pytest.mark.parametrize(("output_width", "growing"), [(0, True), (3, True), (3, False)])
def test_sensitivities_are_the_derivatives(output_width, growing):
    shape = Shape(3, 2, 4, output_width, growing)
    generator = np.random.default_rng(0)
    weights = 0.4 * generator.normal(size=shape.weights)
    weights[shape.sizes[0] :][4:7] -= 0.5
    stages = generator.normal(size=(3 * 19 + 1, 2))
    truth, counts = generator.normal(size=20), np.ones(20)
    counts[7] = 0
    first = generator.normal(size=3)
    rows = np.empty((20, shape.weights + 4))
    assert _sensitivities.window_rows(
        *shape.network(weights), 0.3, first, stages, truth, counts, rows
    )
    assert not rows[7].any()
    both = np.concatenate([weights, first])
    for i in range(both.size):
        shifted = []
        for change in (1e-6, -1e-6):
            moved = both.copy()
            moved[i] += change
            shifted.append(simulate(shape, moved[:-3], 0.3, moved[-3:], stages)[0])
        slope = (shifted[0] - shifted[1]) / 2e-6
        assert np.allclose(rows[:, i], counts * slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("growing", [True, False])
def test_neurons_are_those_of_the_compiled_loops(growing):
    """The output network alone, at the first sample: y = co . s([x, e, 1] wo)."""
    shape = Shape(1, 1, 0, 6, growing)
    generator = np.random.default_rng(3)
    wo, out = 2 * generator.normal(size=(3, 6)), generator.normal(size=6)
    weights = shape.pack(wo=wo, co=np.append(out, np.zeros(3)))
    entering = np.array([0.7, -0.4, 1.0]) @ wo
    shown, _ = simulate(shape, weights, 0.1, np.array([0.7]), np.full((4, 1), -0.4))
    assert shown[0] == pytest.approx(out @ neurons(entering, growing))


def test_growing_neurons_are_cubes_and_squares():
    small, large = neurons(np.array([[0.0, 1e-3], [0.0, -1e4]]), growing=True)[:, 1]
    assert small == pytest.approx(1e-9 / 2, rel=1e-5)
    assert large == pytest.approx(-1e8, rel=1e-3)


def test_first_states_are_projected_out_exactly():
    """A step without damping, in the linear read-out, is the joint least-squares solution."""
    shape = Shape(2, 1)
    generator = np.random.default_rng(1)
    wf = np.array([[-0.2, 0.5, 0.3, 0.0], [-0.5, -0.1, 0.2, 0.0]])
    weights = shape.pack(wf=wf, co=np.array([1.0, 0.2, 0.0, 0.1]))
    windows = [
        Window(generator.normal(size=(3 * 29 + 1, 1)), generator.normal(size=30), np.ones(30))
        for _ in range(3)
    ]
    firsts = generator.normal(size=(3, 2))
    free = np.zeros(shape.weights, bool)
    free[-1] = True  # the offset: with the first states the problem is linear
    projection = VariableProjection(
        shape, 1.0, windows, ridge=np.zeros(shape.weights), free=free, damping=1e-10
    )
    new, moved, error = projection.step_once(weights, firsts)
    columns, right = np.zeros((90, 7)), np.zeros(90)
    for w, window in enumerate(windows):
        here = slice(30 * w, 30 * (w + 1))
        base = simulate(shape, weights, 1.0, np.zeros(2), window.stages)[0] - weights[-1]
        right[here] = window.truth - base
        columns[here, 0] = 1
        for i in range(2):
            one = simulate(shape, weights, 1.0, np.eye(2)[i], window.stages)[0]
            columns[here, 1 + 2 * w + i] = one - base - weights[-1]
    best = np.linalg.lstsq(columns, right, rcond=None)[0]
    assert new[-1] == pytest.approx(best[0], abs=1e-3)
    assert moved.ravel() == pytest.approx(best[1:], abs=2e-2)
    assert error == pytest.approx(np.mean((columns @ best - right) ** 2), rel=1e-4)


def test_a_step_follows_the_bend_of_the_residuals():
    """Its second derivative along a step is that of finite differences of the simulation."""
    shape = Shape(2, 1, 4)
    generator = np.random.default_rng(3)
    weights = 0.2 * generator.normal(size=shape.weights)
    shape.unpack(weights)[1][:, shape.width : -2] -= np.eye(2)  # so that it settles
    counts = (generator.random((2, 40)) > 0.2).astype(float)
    windows = [
        Window(generator.normal(size=(3 * 39 + 1, 1)), generator.normal(size=40), some)
        for some in counts
    ]
    firsts = generator.normal(size=(2, 2))
    free = np.ones(shape.weights, bool)
    free[:3] = False
    change, shift = 0.01 * generator.normal(size=free.sum()), 0.01 * generator.normal(size=(2, 2))

    def residuals(change, shift):
        moved = weights.copy()
        moved[free] += change
        outputs = [
            simulate(shape, moved, 1.0, first, window.stages)[0] - window.truth
            for first, window in zip(firsts + shift, windows, strict=True)
        ]
        return counts * outputs

    def slope(number):
        """Return the derivative of the residuals by one weight, or one first state."""
        unit = np.zeros(change.size + shift.size)
        unit[number] = 1e-5
        up, down = (
            residuals(sign * unit[: change.size], sign * unit[change.size :].reshape(2, 2))
            for sign in (1, -1)
        )
        return (up - down) / 2e-5

    second = residuals(change, shift) - 2 * residuals(0 * change, 0 * shift)
    second += residuals(-change, -shift)
    expected = [np.sum(slope(i) * second) / counts.sum() for i in range(change.size + 4)]
    projection = VariableProjection(
        shape, 1.0, windows, ridge=np.zeros(shape.weights), free=free, bent=True
    )
    kept = projection.normal_equations(weights, firsts)["rows"]
    for rows in (kept, {}):  # those of many samples are not kept
        bend, veer = projection._bend(rows, weights, firsts, change, shift)
        assert np.append(bend, veer) == pytest.approx(np.array(expected), rel=0.02, abs=1e-9)


@pytest.mark.parametrize("output_width", [0, 3])
def test_a_state_may_be_counted_from_elsewhere(output_width):
    shape = Shape(2, 1, 4, output_width)
    generator = np.random.default_rng(5)
    weights, origin = 0.2 * generator.normal(size=shape.weights), np.array([1.5, -0.7])
    stages = generator.normal(size=(3 * 19 + 1, 1))
    outputs, states = simulate(shape, weights, 0.3, origin, stages)
    moved, around_zero = simulate(shape, shape.recentred(weights, origin), 0.3, np.zeros(2), stages)
    assert moved == pytest.approx(outputs, rel=1e-9)
    assert around_zero == pytest.approx(states - origin, abs=1e-9)


def test_a_start_is_found_from_a_guess_that_does_not_last():
    """A cubic that pulls out: from the guess it grows without bound, from the truth it settles."""
    shape = Shape(1, 1, 2)
    w1 = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    weights = shape.pack(w1, np.array([[0.0, 0.3, -0.3, 0.2, 0.0]]), co=np.array([1.0, 0.0, 0.0]))
    stages = np.random.default_rng(0).normal(size=(3 * 59 + 1, 1))
    truth, _ = simulate(shape, weights, 0.5, np.array([0.8]), stages)
    lost, _ = simulate(shape, weights, 0.5, np.array([4.0]), stages)
    assert np.isfinite(truth).all()
    assert not np.isfinite(lost).all()
    found = fit_state(shape, weights, 0.5, stages, truth, np.array([4.0]))
    assert found == pytest.approx([0.8], abs=1e-3)


def test_linear_start_finds_a_known_system():
    shape = Shape(2, 1)
    wf = np.array([[-0.05, 0.6, 0.2, 0.0], [-0.6, -0.05, 0.4, 0.0]])
    weights = shape.pack(wf=wf, co=np.array([1.0, -0.5, 0.0, 0.3]))
    stages = np.repeat(np.random.default_rng(0).normal(size=(1000, 1)), 3, axis=0)[:-2]
    truth = simulate(shape, weights, 1.0, np.zeros(2), stages)[0]
    data = [Window(stages, truth, np.ones(1000))]
    shape, (start, *_) = linear.initial(data, 2, linear.arx(data, [4, 8]), feedthrough=True)
    poles = np.sort_complex(np.linalg.eigvals(shape.unpack(start)[1][:, :2]))
    assert poles == pytest.approx(np.sort_complex(np.linalg.eigvals(wf[:, :2])), abs=0.05)


def test_learns_through_noise(model):
    """5 % noise in; the forecast of another drive is several times closer to the clean truth."""
    other = duffing(2000, 1)
    run = model.forecast(other[["drive"]], other[["x"]])
    error = float(np.sqrt(((run.x - other.clean)[100:] ** 2).mean()) / other.clean.std())
    assert error < 0.025


def test_band_holds_what_it_promises(model):
    other = duffing(2000, 1, noise=0.05, amplitude=0.16)
    run = model.forecast(other[["drive"]], other[["x"]], band=0.9)
    inside = ((other.x > run.x_low) & (other.x < run.x_high))[100:].mean()
    assert 0.85 < float(inside) < 0.97


def test_a_spring_goes_on_to_stiffen_beyond_the_training():
    """Driven 1.3 times as far as in training. Neurons of tanh alone give 9 % here."""
    calm, strong = duffing(2500, 11, noise=0.02), duffing(1500, 21, amplitude=0.24)
    reach = np.abs(strong.clean).max() / np.abs(calm.clean).max()
    assert reach > 1.25
    options = {"states": 2, "width": 8, "ridge": 1e-8, "interpolation": "cubic", "seed": 1}
    learned = identify(calm, output="x", inputs="drive", progress=False, **options)
    run = learned.forecast(strong[["drive"]], strong[["x"]])
    assert nrmse(run.x.values[50:], strong.clean.values[50:]) < 0.04


def test_a_model_file_gives_the_same_forecast(model, recording, tmp_path):
    loaded = LatentODE.load(model.save(tmp_path / "model.pt"))
    pair = [one.forecast(recording[["drive"]], recording[["x"]]).x for one in (model, loaded)]
    assert (pair[0] == pair[1]).all()
    assert loaded.choices == model.choices


def test_start_may_be_any_number_of_samples_or_none(model, recording):
    truth = recording.clean
    for first in (recording.x.values[:5], np.where(np.arange(60) % 3, np.nan, truth[:60]), None):
        run = model.forecast(recording[["drive"]], first)
        error = np.sqrt(((run.x - truth)[200:] ** 2).mean()) / truth.std()
        assert error < 0.03


def test_several_records_with_gaps_learn_as_one(recording):
    x = recording.x.values.copy()
    x[300:340] = np.nan
    whole = recording.assign(x=("time", x))
    parts = [whole.isel(time=slice(0, 900)), whole.isel(time=slice(900, None))]
    options = {"output": "x", "inputs": "drive", "states": 2, "width": 0, "interpolation": "linear"}
    one, two = (identify(data, **options, progress=False) for data in (whole, parts))
    run = [m.forecast(recording[["drive"]]).x.values for m in (one, two)]
    assert np.std(run[0] - run[1]) < 0.05 * np.std(run[0])


def test_goes_on_from_its_checkpoint(recording, tmp_path, monkeypatch):
    options = {"output": "x", "inputs": "drive", "states": 2, "width": 8, "ridge": 1e-6}
    options |= {"progress": False, "interpolation": "linear"}
    data = recording.isel(time=slice(0, 700))
    whole = identify(data, **options)
    options["checkpoint"] = tmp_path / "state"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("spinode.neural_ode.choice.Choice.finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            identify(data, **options)
    assert options["checkpoint"].exists()
    with pytest.raises(InputError, match="other data"):
        identify(data.isel(time=slice(0, 600)), **options)
    resumed = identify(data, **options)
    assert np.array_equal(resumed.weights, whole.weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("x"), "lacks x"),
        (lambda d: d.assign(drive=d.drive * 0), "never changes"),
        (lambda d: d.isel(time=slice(0, 20)), "at least 50"),
        (lambda d: d.assign(drive=d.drive.where(d.time != d.time[7])), "not a number"),
        (lambda d: d.assign_coords(time=d.time**1.1), "evenly spaced"),
    ],
)
def test_bad_records_get_one_sentence(recording, change, message):
    with pytest.raises(InputError, match=message):
        identify(change(recording), output="x", inputs="drive", progress=False)


@pytest.mark.parametrize(
    "option", [{"states": 0}, {"width": 2.5}, {"ridge": -1}, {"interpolation": "nearest"}]
)
def test_bad_options_get_one_sentence(recording, option):
    with pytest.raises(InputError, match=next(iter(option))):
        identify(recording, output="x", inputs="drive", progress=False, **option)


@pytest.fixture(scope="module")
def kinked():
    """A linear resonator under a sine whose amplitude jumps each period, and that drive."""
    drive = RandomSine(periods=120)
    time = 50e-12 * np.arange(600)
    unit = 1 / (2 * np.pi * 4e9)

    def slope(t, s):
        force = (drive.sample(np.array([min(t * unit, drive.duration)]))["Ku"][0] - 8e5) / 2e5
        return [s[1], force - 0.2 * s[1] - s[0]]

    steps = {"rtol": 1e-9, "atol": 1e-11, "max_step": 0.1}
    truth = solve_ivp(slope, (0, time[-1] / unit), [0.0, 0.0], t_eval=time / unit, **steps).y[0]
    return xr.Dataset({"mz": ("time", truth)}, {"time": time}), drive


def test_a_drive_that_is_known_at_any_time_is_not_interpolated(kinked):
    """Kinks between periods: a spline through five samples a period rings at each."""
    record, drive = kinked
    sampled = record.assign(Ku=("time", drive.sample(record.time.values)["Ku"]))
    options = {"output": "mz", "inputs": "Ku", "states": 2, "width": 0, "progress": False}
    by_drive = identify(kinked, **options)
    by_samples = identify(sampled, **options, interpolation="cubic")
    assert by_drive.inputs[0].units == "J/m3"
    run = by_drive.forecast(drive, record, duration=float(record.time[-1]))
    assert nrmse(run.mz.values, record.mz.values) < 1e-5
    worse = by_samples.forecast(sampled[["Ku"]], record)
    assert nrmse(worse.mz.values, record.mz.values) > 5e-3


def test_fit_passes_the_drive_on(kinked):
    record, drive = kinked
    blank = SpinODE.for_data(
        record.assign(Ku=("time", drive.sample(record.time.values)["Ku"])),
        output="mz", inputs="Ku", state="own",
    )  # fmt: skip
    fit(blank, record, inputs=drive, states=2, width=0, progress=False)
    run = blank.forecast(drive, record, duration=float(record.time[-1]))
    assert nrmse(run.mz.values, record.mz.values) < 1e-5


def test_other_records_choose_and_are_not_learned_from():
    calm, strong = duffing(1500, 11, noise=0.02), duffing(1200, 21, amplitude=0.24)
    options = {"output": "x", "inputs": "drive", "states": 2, "width": 8, "interpolation": "cubic"}
    model = identify(calm, validation=strong, **options, progress=False)
    run = model.forecast(strong[["drive"]], strong[["x"]])
    left = (run.x - strong.x).values[model.start_samples :]
    # What the model calls its noise is the error of free simulation on those records.
    assert np.sqrt((left**2).mean()) == pytest.approx(model.noise * model.output.scale, rel=0.05)
    lowest, highest = (float(getattr(calm.x, end)()) for end in ("min", "max"))
    assert model.trained_range["x"] == (lowest, highest)


def test_the_best_of_several_starts_is_kept(tmp_path, monkeypatch):
    """A start draws what another seed draws, a thousand seeds on; and goes on when interrupted."""
    calm, strong = duffing(1500, 11, noise=0.02), duffing(1200, 21, amplitude=0.24)
    options = {"output": "x", "inputs": "drive", "states": 2, "width": 4, "ridge": 1e-5}
    options |= {"interpolation": "cubic", "validation": strong, "steps": 10, "progress": False}
    alone = [identify(calm, seed=seed, **options) for seed in (0, 1000)]
    best = identify(calm, seed=0, starts=2, **options)
    assert alone[0].noise != alone[1].noise
    np.testing.assert_array_equal(best.weights, min(alone, key=lambda one: one.noise).weights)

    def interrupted(self, key, state):
        self._final = {key: state}
        if key[1] == 1 and state["taken"] == 5:
            self._save()
            raise KeyboardInterrupt

    options |= {"starts": 2, "checkpoint": tmp_path / "state"}
    with monkeypatch.context() as patch:
        patch.setattr("spinode.neural_ode.choice.Choice._save_final", interrupted)
        with pytest.raises(KeyboardInterrupt):
            identify(calm, **options)
    resumed = identify(calm, **options)
    np.testing.assert_array_equal(resumed.weights, best.weights)
    assert not options["checkpoint"].exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop_vars("x"), "a record of validation lacks the model's output x"),
        (lambda d: d.drop_vars("drive"), "lacks drive"),
        (lambda d: d.assign_coords(time=2 * d.time), "a record of validation has them every"),
    ],
)
def test_bad_records_to_choose_by_get_one_sentence(recording, change, message):
    options = {"output": "x", "inputs": "drive", "progress": False}
    with pytest.raises(InputError, match=message):
        identify(recording, validation=change(recording), **options)


def test_a_drive_that_does_not_fit_gets_one_sentence(kinked):
    record, drive = kinked
    with pytest.raises(InputError, match="the drive of record 0 lacks Dind; it has Ku"):
        identify((record, drive), output="mz", inputs="Dind", progress=False)
    with pytest.raises(InputError, match="has no time"):
        identify((xr.Dataset({"mz": 0.5}), drive), output="mz", inputs="Ku", progress=False)


def test_held_out_pieces_are_not_fitted():
    window = Window(np.arange(3 * 99 + 1.0)[:, None], np.arange(100.0), np.ones(100))
    fitted, held = records.hold_out([window], 10, 5, 2)
    seen = np.concatenate([one.truth for one in fitted])
    kept = np.concatenate([one.truth for one in held])
    assert not set(seen) & set(kept)
    assert sorted([*seen, *kept]) == list(range(100))


@pytest.fixture
def measured():
    folder = ROOT.parent / "shared" / "system-identification"
    if not folder.is_dir():
        pytest.skip("the benchmarks' files are not here")
    return folder


def test_the_official_split(measured):
    tanks = published.load("tanks", measured)
    assert tanks.train.sizes["time"] == tanks.tests["tanks"].sizes["time"] == 1024
    assert float(tanks.train.u[0]) == 3.2567 and float(tanks.tests["tanks"].u[0]) == 0.97619
    circuit = published.load("wiener_hammerstein", measured)
    sizes = circuit.train.sizes["time"], circuit.tests["wiener_hammerstein"].sizes["time"]
    assert sizes == (100_000, 78_800)


def test_no_official_test_sample_enters_the_training(tmp_path):
    """A model learned beside other test data has the same weights, bit by bit."""
    generator, devices = np.random.default_rng(0), []
    u = np.repeat(generator.uniform(0, 5, 64), 16)
    y = 5 + lfilter([0.05], [1, -0.95], u - 2.5)
    for name in ("one", "other"):
        other = generator.uniform(0, 9, (2, 1024))
        rows = zip(u, other[0], y, other[1], strict=True)
        lines = [",".join(f"{value:.5g}" for value in row) for row in rows]
        lines[0] += ",4,"
        (tmp_path / name / "cascaded-tanks").mkdir(parents=True)
        table = "\n".join(
            ['"uEst","uVal","yEst","yVal","Ts",', lines[0], *(f"{x},," for x in lines[1:])]
        )
        (tmp_path / name / "cascaded-tanks" / "dataBenchmark.csv").write_text(table)
        devices.append(published.load("tanks", tmp_path / name))
    assert not devices[0].tests["tanks"].equals(devices[1].tests["tanks"])
    options = {"states": 1, "width": 4, "ridge": 1e-3, "interpolation": "linear"}
    weights = [
        identify(one.train, output="y", inputs="u", progress=False, **options).weights
        for one in devices
    ]
    assert np.array_equal(*weights)


def test_the_fields_own_loader_gives_the_same_records(measured, monkeypatch, tmp_path):
    """Its own split of the archives' files, with only the download left out."""
    loader = pytest.importorskip("nonlinear_benchmarks.benchmarks")
    table = np.genfromtxt(
        measured / "cascaded-tanks/dataBenchmark.csv", delimiter=",", skip_header=1
    )
    columns = dict(zip(("uEst", "uVal", "yEst", "yVal"), table.T[:, :, None], strict=False))
    circuit = {"uBenchMark": [], "yBenchMark": []}
    for part in ("train", "valid", "test"):
        path = measured / f"wiener-hammerstein/WienerHammerstein_{part}.hdf5"
        with h5py.File(path) as file:
            circuit["uBenchMark"].append(np.ravel(file["u"]))
            circuit["yBenchMark"].append(np.ravel(file["y"]))
    circuit = {name: np.concatenate(parts)[:, None] for name, parts in circuit.items()}
    for folder in ("CascadedTanksFiles", "SilverboxFiles"):
        (tmp_path / folder).mkdir()
    savemat(tmp_path / "CascadedTanksFiles/dataBenchmark.mat", columns | {"Ts": 4.0})
    savemat(tmp_path / "WienerHammerBenchMark.mat", circuit | {"fs": 51_200.0})
    volts = np.genfromtxt(measured / "silverbox/SNLS80mV.csv", delimiter=",", skip_header=1)
    volts = {"V1": volts[None, :, 0], "V2": volts[None, :, 1]}
    savemat(tmp_path / "SilverboxFiles/SNLS80mV.mat", volts)
    monkeypatch.setattr(loader, "cashed_download", lambda *a, **k: str(tmp_path))
    for name in published.DEVICES:
        local, loaded = published.load(name, measured), published.load(name)
        assert loaded.train.equals(local.train)
        assert list(loaded.tests) == list(local.tests)
        assert all(loaded.tests[one].equals(local.tests[one]) for one in local.tests)


def test_devices_that_are_not_there_get_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot read silverbox"):
        published.load("silverbox", tmp_path)
    with pytest.raises(InputError, match="there is no device"):
        published.load("goldbox", tmp_path)


def test_two_heaters_of_a_slow_mass():
    """Two inputs of unlike sizes, radiation, temperatures in kelvin, a sample every half minute."""
    generator, spacing = np.random.default_rng(0), 30.0
    power = np.repeat(generator.uniform(0, 200, size=(60, 2)), 20, axis=0) * [1.0, 0.01]
    temperature, truth = np.full(2, 300.0), []
    for first, second in power:
        truth.append(temperature[1])
        for _ in range(10):
            lost = 2e-9 * (temperature**4 - 300.0**4)
            between = 2.0 * (temperature[0] - temperature[1])
            heated = np.array([first - between, 50 * second + between]) - lost
            temperature = temperature + spacing / 10 * heated / 500
    truth = np.array(truth)
    noisy = truth + 0.01 * truth.std() * generator.normal(size=truth.size)
    data = {"t": ("time", noisy), "a": ("time", power[:, 0]), "b": ("time", power[:, 1])}
    record = xr.Dataset(data, {"time": spacing * np.arange(truth.size)})
    early, late = record.isel(time=slice(0, 800)), record.isel(time=slice(800, None))
    model = identify(
        early, output="t", inputs=["a", "b"], states=2, width=8, ridge=1e-4, progress=False
    )
    assert model.interpolation == "held"
    error = (model.forecast(late[["a", "b"]], late).t - truth[800:])[100:]
    assert float(np.sqrt((error**2).mean())) < 0.03 * truth.std()


def test_a_device_with_hysteresis():
    """A Bouc-Wen spring: the memory is a state that no output shows."""
    generator, spacing = np.random.default_rng(1), 0.05
    phases, rates = generator.uniform(0, 7, size=20), generator.uniform(0.2, 3, size=20)
    time = spacing * np.arange(1600)
    force = 0.5 * np.cos(np.multiply.outer(time, rates) + phases).sum(axis=1)
    x, v, z, truth = 0.0, 0.0, 0.0, []
    for one in force:
        truth.append(x)
        for _ in range(5):
            moved = v - 0.8 * abs(v) * z - 0.3 * v * abs(z)
            x, v, z = (
                x + 0.01 * v, v + 0.01 * (one - 0.4 * v - 2 * x - 2 * z), z + 0.01 * moved
            )  # fmt: skip
    truth = np.array(truth)
    noisy = truth + 0.01 * truth.std() * generator.normal(size=truth.size)
    record = xr.Dataset({"x": ("time", noisy), "f": ("time", force)}, {"time": time})
    early, late = record.isel(time=slice(0, 1100)), record.isel(time=slice(1100, None))
    options = {"output": "x", "inputs": "f", "states": 3, "interpolation": "held"}
    errors = []
    for width in (0, 8):
        model = identify(early, width=width, ridge=1e-4, progress=False, **options)
        left = (model.forecast(late[["f"]], late).x - truth[1100:])[100:]
        errors.append(float(np.sqrt((left**2).mean()) / truth.std()))
    assert errors[1] < 0.9 * errors[0]
