"""Speed and accuracy of the embedded engine, beside NeuralMag and MuMax3.

    python benchmarks/micromagnetics.py [--full]

One thread, the 80 x 80 x 1 nm disk with one skyrmion, driven as in the paper, in double precision
(``s_per_ns``) and in single. NeuralMag (extra ``bench``) integrates the same disk under the same
drive, in turn with ours; medians are compared.
Agreement with MuMax3 needs the authors' tables (``spinode fetch paper``): 2 ns of each by default,
with ``--full`` all of 57.5 ns (one skyrmion) and 20 ns (the others). The last line is one JSON
object; what could not be measured is null there.
"""

import os

# One thread for everybody, before any library starts its pool.
for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.update(NM_BACKEND="jax", NM_DEVICE="cpu")
os.environ.setdefault("NM_DTYPE", "float32")

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

from spinode.analysis.metrics import nrmse
from spinode.devices.protocols import KU_TEST, ONE_SKYRMION, PAIR
from spinode.micromagnetics import embedded, simulate
from spinode.micromagnetics.llg import Integrator, stable_step
from spinode.micromagnetics.skyrmion import film_of, seeded_state
from spinode.micromagnetics.tables import read_table
from spinode.paper import authors
from spinode.trajectory import resample

INTERVAL = 2.5e-12
DRIVE = ONE_SKYRMION.drive
TABLES = {
    "one_skyrmion": (ONE_SKYRMION, authors.ONE_SKYRMION_TABLE, 57.5e-9),
    "pair": (PAIR, authors.PAIR_TABLE, 20e-9),
    "ku_test": (KU_TEST, authors.KU_TEST_TABLE, 20e-9),
}
# In a process of its own, since that of the benchmark has imported far more; and read from Linux,
# since ru_maxrss would be at least the memory of the process that started it.
MEMORY = """
from dataclasses import replace
from spinode.micromagnetics import embedded, simulate
from spinode.micromagnetics.skyrmion import seeded_state
from spinode.devices.protocols import FOUR_SKYRMIONS as run
embedded.relax = lambda device, tensor: seeded_state(device)
simulate(run.device, run.drive, engine="embedded", duration=20e-12, progress=False)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024)
"""


def ours(cells, m=None, dtype=np.float64):
    """Return a function that integrates so many intervals of a disk under the drive."""
    device = replace(ONE_SKYRMION.device, diameter=cells * 1e-9)
    film = film_of(device)
    step = stable_step(film, Ku=1e6, Dind=device.Dind)
    integrator = Integrator(film, device.alpha, INTERVAL, step, dtype=dtype)
    integrator.start(seeded_state(device) if m is None else m)
    done = 0

    def advance(intervals):
        nonlocal done
        for _ in range(intervals):
            ku = DRIVE.sample(done * INTERVAL + integrator.times)["Ku"]
            integrator.advance(ku, device.Dind)
            done += 1

    return advance


def neuralmag(m):
    """Return the same for NeuralMag, which keeps m at the nodes, or None where it is missing."""
    try:
        import jax.numpy as jnp
        import neuralmag as nm
    except ImportError:
        print("NeuralMag is not here: pip install 'spinode[bench]' adds the comparison.")
        return None
    device = ONE_SKYRMION.device
    n = device.cells
    origin = (-device.diameter / 2, -device.diameter / 2, 0)
    state = nm.State(nm.Mesh((n, n), (device.cell, device.cell, device.thickness), origin))
    x, y = state.coordinates()
    state.add_domain(1, x**2 + y**2 <= (device.diameter / 2) ** 2)
    state.material.Ms = device.Msat
    state.material.A = device.Aex
    state.material.Di = device.Dind
    state.material.Di_axis = [0, 0, 1]
    state.material.Ku_axis = [0, 0, 1]
    state.material.alpha = device.alpha
    amplitude = jnp.array(DRIVE.amplitudes)
    state.t = 0.0
    state.material.Ku = lambda t: (
        DRIVE.offset
        + DRIVE.amplitude
        * amplitude[jnp.floor(t * DRIVE.frequency).astype(int)]
        * jnp.sin(2 * jnp.pi * DRIVE.frequency * t)
    )
    padded = np.pad(m, ((0, 0), (1, 1), (1, 1)))
    nodes = padded[:, 1:, 1:] + padded[:, :-1, 1:] + padded[:, 1:, :-1] + padded[:, :-1, :-1]
    nodes[2] += 1e-9  # outside the disk, along z
    nodes = np.moveaxis(nodes / np.linalg.norm(nodes, axis=0), (0, 1, 2), (2, 1, 0))
    state.m = nm.VectorFunction(state, tensor=state.tensor(nodes))
    fields = {
        "exchange": nm.ExchangeField(),
        "demag": nm.DemagField(),
        "anisotropy": nm.UniaxialAnisotropyField(),
        "dmi": nm.InterfaceDMIField(),
    }
    for key, field in fields.items():
        field.register(state, key)
    nm.TotalField(*fields).register(state)
    solver = nm.LLGSolver(state, max_steps=100_000)

    def advance(intervals):
        for _ in range(intervals):
            solver.step(INTERVAL)
        np.asarray(state.m.tensor)  # wait for JAX

    return advance


def seconds_per_ns(advance, intervals):
    # Processor time, of which other work on the machine takes nothing away.
    started = time.process_time()
    advance(intervals)
    return (time.process_time() - started) / (intervals * INTERVAL * 1e9)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="whole tables, some ten minutes")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

    m = embedded.relax(ONE_SKYRMION.device)
    engine, single, peer = ours(80, m), ours(80, m, np.float32), neuralmag(m)
    engine(1)
    single(1)
    if peer:
        peer(1)
    times, single_times, peer_times = [], [], []
    for _ in range(options.rounds):
        times.append(seconds_per_ns(engine, 20))
        single_times.append(seconds_per_ns(single, 20))
        if peer:
            peer_times.append(seconds_per_ns(peer, 2))
    result = {"s_per_ns": statistics.median(times)}
    result["single_s_per_ns"] = statistics.median(single_times)
    result["single_over_double"] = statistics.median(np.divide(single_times, times).tolist())
    result["neuralmag_s_per_ns"] = statistics.median(peer_times) if peer else None
    result["ratio"] = result["neuralmag_s_per_ns"] / result["s_per_ns"] if peer else None
    print(f"80 x 80: {result['s_per_ns']:.2f} s per ns; NeuralMag {result['neuralmag_s_per_ns']}")
    exact, rounded = (
        simulate(ONE_SKYRMION.device, DRIVE, "embedded", duration=1e-9, precision=precision)
        for precision in ("double", "single")
    )
    result["single_nrmse"] = nrmse(rounded.mz.values, exact.mz.values)
    print(f"single precision: {result['single_s_per_ns']:.2f}, NRMSE {result['single_nrmse']:.1e}")

    result["s_per_ns_by_cells"] = {}
    for cells in (60, 80, 100, 120, 240):
        advance = ours(cells)
        advance(1)
        spent = min(seconds_per_ns(advance, 4) for _ in range(3))
        result["s_per_ns_by_cells"][f"cells_{cells}"] = spent
        print(f"{cells} x {cells}: {spent:.2f} s per ns")

    child = subprocess.run([sys.executable, "-c", MEMORY], stdout=subprocess.PIPE, check=True)
    result["memory_mb_120"] = float(child.stdout)

    result["nrmse_vs_mumax3"] = None
    for name, (protocol, file, whole) in TABLES.items():
        table = authors.locate(file)
        if table is None:
            print(f"{name}: no table of the authors here; 'spinode fetch paper' gets it.")
            continue
        duration = whole if options.full else 2e-9
        published = resample(read_table(table), protocol.spacing, duration)
        for demag in ("mumax3", "newell"):
            run = simulate(
                protocol.device,
                protocol.drive,
                engine="embedded",
                spacing=protocol.spacing,
                duration=duration,
                demag=demag,
            )
            error = nrmse(run.mz.values, published.mz.values)
            result[f"nrmse_{name}_{demag}"] = error
            print(f"{name}, {duration * 1e9:g} ns, {demag} tensor: NRMSE {error:.2%}")
    result["nrmse_vs_mumax3"] = result.get("nrmse_one_skyrmion_mumax3")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
