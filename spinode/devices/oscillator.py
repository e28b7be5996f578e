"""A spin-torque nano-oscillator: its amplitude under a driven current, with thermal noise.

The embedded device of Fig. 5. In the frame that rotates with the oscillation, the complex
amplitude c of the Slavin-Tiberkevich model obeys

    dc/dt = -Gamma_0 [(1 + Q1 p + Q2 p^2 + Q3 p^3) - zeta (1 - p)] c + noise,    p = |c|^2,

with zeta the current over its threshold (the supercriticality). The nonlinear frequency shift turns
c and leaves ``|c|`` alone, so it is left out. The output is the voltage
``gain * (|c| - |c| at rest)``, one sample every 100 ns.

References
----------
A. Slavin and V. Tiberkevich, IEEE Trans. Magn. 45, 1875 (2009); damping up to the third power:
V. Tiberkevich and A. Slavin, Phys. Rev. B 75, 014440 (2007).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from numba import njit

from spinode.errors import InputError
from spinode.trajectory import label, spacing_of

# Steps of the solver in a sample of 100 ns: a thirtieth of the relaxation time.
_STEP = 10e-9
_LARGEST_DRIVE = 5.0  # V; beyond lies a slip of units


@dataclass(frozen=True)
class NanoOscillator:
    """A spin-torque nano-oscillator at its working point.

    Parameters
    ----------
    damping_rate : float
        Gamma_0 in 1/s.
    nonlinear_damping : tuple of float
        Q1, Q2, Q3.
    supercriticality : float
        zeta at the bias current alone.
    supercriticality_per_volt : float
        How much a volt of drive adds to zeta (1/V).
    gain : float
        Output voltage per unit of amplitude (V).
    noise : float
        Strength of the thermal (Langevin) noise of the output in V per root second: without
        restoring force, its variance would grow by ``noise**2 * t``.

    Raises
    ------
    InputError
        When a value makes no sense, or some drive would have two stable amplitudes.

    Notes
    -----
    The defaults are the first of the `WORKING_POINTS`.
    """

    damping_rate: float = 4.0985e7
    nonlinear_damping: tuple[float, float, float] = (1.62685, -16.7059, 35.2544)
    supercriticality: float = 1.151889
    supercriticality_per_volt: float = 0.204186
    gain: float = 0.616615
    noise: float = 0.43

    def __post_init__(self):
        for name in ("damping_rate", "supercriticality", "supercriticality_per_volt", "gain"):
            if not 0 < getattr(self, name) < np.inf:
                raise InputError(
                    f"NanoOscillator: {name} must be positive, not {getattr(self, name)!r}."
                )
        if not 0 <= self.noise < np.inf:
            raise InputError(
                f"NanoOscillator: noise must be zero or positive, not {self.noise!r} V/sqrt(s)."
            )
        _, needed = self._powers()
        if len(self.nonlinear_damping) != 3 or np.any(np.diff(needed) <= 0):
            raise InputError(
                f"NanoOscillator: the nonlinear damping {self.nonlinear_damping} must be three "
                "numbers for which a larger current sustains a larger amplitude; change them."
            )
        if self.supercriticality <= 1:
            raise InputError(
                f"NanoOscillator: a supercriticality of {self.supercriticality:g} is below the "
                "threshold of 1, where nothing oscillates; raise the bias current."
            )

    def _powers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a grid of powers p and the supercriticality that sustains each."""
        power = np.linspace(0, 0.98, 4000)
        damping = np.polynomial.polynomial.polyval(power, (1, *self.nonlinear_damping))
        return power, damping / (1 - power)

    def settled(self, drive: np.ndarray) -> np.ndarray:
        """Return the noise-free voltage (V) that a constant ``drive`` (V) settles at."""
        power, needed = self._powers()
        zeta = self.supercriticality + self.supercriticality_per_volt * np.append(drive, 0.0)
        amplitude = np.sqrt(np.interp(zeta, needed, power))
        return self.gain * (amplitude[:-1] - amplitude[-1])

    def _rest(self) -> float:
        """Return the amplitude at the bias current alone."""
        power, needed = self._powers()
        return float(np.sqrt(np.interp(self.supercriticality, needed, power)))


#: The two settings (current, field) at which the authors measured, by acoustic front end. The
#: responses are fitted to their networks and the noise to the change that noise makes of their
#: recognition rates: `spinode.speech.calibration`, ``benchmarks/calibrate_oscillator.py``.
WORKING_POINTS = {
    "cochlear": NanoOscillator(),
    "spectrogram": NanoOscillator(
        damping_rate=4.3294e7,
        nonlinear_damping=(1.43044, -14.6898, 28.6845),
        supercriticality=1.145208,
        supercriticality_per_volt=0.217798,
        gain=0.671872,
        noise=8.15,
    ),
}


def simulate_oscillator(device: NanoOscillator, drive: xr.Dataset, *, seed: int = 0) -> xr.Dataset:
    """Simulate the response of ``device``, which starts at rest, to a drive voltage.

    Solved by the stochastic Heun method at a tenth of a sample; the drive is linear between its
    samples.

    Parameters
    ----------
    device : NanoOscillator
    drive : Dataset
        Evenly spaced samples of ``drive`` (V) over ``time`` (s).
    seed : int
        Seed of the thermal noise; the same seed gives the same response.

    Returns
    -------
    Dataset
        ``voltage`` and ``drive`` (V) over the same ``time``.

    Raises
    ------
    InputError
        If there is no such drive, or it holds NaN or more than 5 V.
    """
    if "drive" not in drive:
        raise InputError("the oscillator needs a trajectory with the variable drive (V).")
    spacing = spacing_of(drive)
    volts = drive.drive.values.astype(float)
    bad = np.flatnonzero(~(np.abs(volts) <= _LARGEST_DRIVE))
    if bad.size:
        raise InputError(
            f"the drive is {volts[bad[0]]:g} V at {float(drive.time[bad[0]]):.6g} s; "
            f"keep it within {_LARGEST_DRIVE:g} V (is it in volts?)."
        )
    substeps = max(1, round(spacing / _STEP))
    amplitude = np.empty(volts.size)
    _heun(
        device.supercriticality + device.supercriticality_per_volt * volts,
        np.array(device.nonlinear_damping, float),
        device.damping_rate,
        device.noise / device.gain,
        spacing / substeps,
        substeps,
        device._rest(),
        np.random.default_rng(seed),
        amplitude,
    )
    attributes = {
        "source": "embedded stochastic oscillator",
        "engine": "spinode.devices.oscillator",
        "seed": seed,
        **{f"device_{name}": value for name, value in asdict(device).items()},
    }
    voltage = device.gain * (amplitude - device._rest())
    return label(
        xr.Dataset(
            {"voltage": ("time", voltage), "drive": ("time", volts)},
            {"time": drive.time.values},
            attributes,
        )
    )


@njit(cache=True, nogil=True)
def _growth(zeta, power, damping, rate):
    """Return the rate (1/s) at which the amplitude grows."""
    loss = 1.0 + power * (damping[0] + power * (damping[1] + power * damping[2]))
    return rate * (zeta * (1.0 - power) - loss)


@njit(cache=True, nogil=True)
def _heun(zeta, damping, rate, noise, step, substeps, start, generator, amplitude):
    """Fill ``amplitude`` with ``|c|`` at the samples of ``zeta``."""
    x, y = start, 0.0
    kick = noise * np.sqrt(step)
    amplitude[0] = start
    for n in range(zeta.size - 1):
        slope = (zeta[n + 1] - zeta[n]) / substeps
        for m in range(substeps):
            here = zeta[n] + m * slope
            dx, dy = 0.0, 0.0
            if kick > 0.0:
                dx = kick * generator.standard_normal()
                dy = kick * generator.standard_normal()
            g1 = _growth(here, x * x + y * y, damping, rate)
            px = x + step * g1 * x + dx
            py = y + step * g1 * y + dy
            g2 = _growth(here + slope, px * px + py * py, damping, rate)
            x += 0.5 * step * (g1 * x + g2 * px) + dx
            y += 0.5 * step * (g1 * y + g2 * py) + dy
        amplitude[n + 1] = np.sqrt(x * x + y * y)
