"""SciPy's Fourier transforms for compiled code: rocket-fft's, or else by way of the interpreter.

They take a field, where to write its transform, the axes, whether forward, a factor, and a number
of threads. The second kind is slower, and gives the same numbers to rounding.
"""

import warnings

import numpy as np
import scipy.fft
from numba import njit, objmode


def _tried(r2c) -> None:
    """Transform a field of four cells; raise if that does not compile or comes out wrong."""

    @njit(cache=True)
    def transform(field, out, axes):
        r2c(field, out, axes, True, 1.0, 1)

    field, out = np.array([[1.0, 2.0], [4.0, 8.0]]), np.empty((2, 2), complex)
    transform(field, out, np.array([0, 1]))
    if not np.allclose(out, scipy.fft.rfftn(field)):
        raise RuntimeError("its transforms are wrong")


#: Whether compiled code that uses them may be kept. It refers to rocket-fft by address, so that
#: without rocket-fft nothing must be kept, nor what was kept be taken.
KEPT = False
try:
    from rocket_fft import c2c, c2r, r2c

    _tried(r2c)
    KEPT = True
except ImportError:
    pass
except Exception as error:  # not made for the numba that is installed
    _said = (str(error).split("\n")[0] or type(error).__name__).strip()
    warnings.warn(
        f"rocket-fft does not work here ({_said:.80}); the engine uses scipy.fft, which is slower.",
        stacklevel=2,
    )

if not KEPT:

    def _r2c(field, out, axes, forward, factor, threads):
        assert forward
        out[...] = scipy.fft.rfftn(field, axes=axes, workers=threads) * factor

    def _c2c(field, out, axes, forward, factor, threads):
        length = [out.shape[axis] for axis in axes]  # of a shorter field the rest is zero
        if forward:
            out[...] = scipy.fft.fftn(field, length, axes, workers=threads) * factor
        else:
            found = scipy.fft.ifftn(field, length, axes, norm="forward", workers=threads)
            out[...] = found * factor

    def _c2r(field, out, axes, forward, factor, threads):
        assert not forward
        length = [out.shape[axis] for axis in axes]
        found = scipy.fft.irfftn(field, length, axes, norm="forward", workers=threads)
        out[...] = found * factor

    def _compiled(function):
        @njit
        def transform(field, out, axes, forward, factor, threads):
            with objmode():
                function(field, out, axes, forward, factor, threads)

        return transform

    r2c, c2c, c2r = map(_compiled, (_r2c, _c2c, _c2r))
