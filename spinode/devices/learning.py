"""What a Spin-Neural ODE must know about a device: units, sampling, and what it learns from.

Each device of the paper has one `Learning` (``ONE_SKYRMION.learning``, ``OSCILLATOR`` here), so
that no notebook types its numbers:

>>> from spinode.devices.protocols import ONE_SKYRMION
>>> sorted(ONE_SKYRMION.learning.units(0.768))
['inputs', 'output', 'sample_spacing', 'time_scale']
"""

from dataclasses import dataclass, replace

import xarray as xr

from spinode.errors import InputError
from spinode.trajectory import Channel


@dataclass(frozen=True)
class Learning:
    """How the paper presents a device to a neural ODE (Methods, "Training").

    Parameters
    ----------
    output : Channel
        The measured output. The offset of a skyrmion is its rest, which `units` puts in.
    inputs : tuple of Channel
    sample_spacing : float
        Spacing of samples and of delays (s).
    time_scale : float
        Seconds in one unit of the model's time.
    train, validation, held_out : (int, int)
        First sample of a stretch and the one after its last: what weights are fitted to, what
        chooses among them, and what neither has seen. For the paper the first two are one. None
        where a recording has no such stretch.
    """

    output: Channel
    inputs: tuple[Channel, ...]
    sample_spacing: float
    time_scale: float
    train: tuple[int, int]
    validation: tuple[int, int] | None = None
    held_out: tuple[int, int] | None = None

    def units(self, rest: float | xr.Dataset | None = None) -> dict:
        """Return what `SpinODE` must know: ``SpinODE(**learning.units(signal), k=2, seed=0)``.

        Parameters
        ----------
        rest : float or Dataset, optional
            Output at rest (SI), which becomes zero, or a trajectory that starts there. Left out,
            zero is the channel's own offset.

        Returns
        -------
        dict
            ``output``, ``inputs``, ``sample_spacing``, ``time_scale``.

        Raises
        ------
        InputError
            If the trajectory lacks the output, or its rest is not finite.
        """
        output = self.output
        if isinstance(rest, xr.Dataset):
            if output.name not in rest:
                raise InputError(f"the trajectory lacks {output.name!r}; it has {', '.join(rest)}.")
            rest = rest[output.name].values[0]
        if rest is not None:
            output = replace(output, offset=float(rest))
        return {
            "output": output,
            "inputs": self.inputs,
            "sample_spacing": self.sample_spacing,
            "time_scale": self.time_scale,
        }


def skyrmion(
    inputs: tuple[Channel, ...],
    train: tuple[int, int],
    validation: tuple[int, int],
    held_out: tuple[int, int],
) -> Learning:
    """Return the `Learning` of a skyrmion: (mz - rest) * 10, samples of 5 ps, each 0.025."""
    mz = Channel("mz", "1", scale=0.1)
    return Learning(mz, inputs, 5e-12, 2e-10, train, validation, held_out)


#: The spin-torque nano-oscillator: volts times 10, samples of 100 ns, each 0.0125; trained on the
#: first 5 ms of the digits 0 to 8 of one utterance, tested on other utterances and speakers.
OSCILLATOR = Learning(
    output=Channel("voltage", "V", scale=0.1),
    inputs=(Channel("drive", "V", scale=0.1),),
    sample_spacing=100e-9,
    time_scale=8e-6,
    train=(0, 50_000),
)
