"""SciPy's Fourier transforms for compiled code: rocket-fft's, or else by way of the interpreter.

They take a field, where to write its transform, the axes, whether forward, a factor, and a number
of threads. The second kind is slower, and gives the same numbers to rounding.
"""

from numba import njit, objmode

try:
    from rocket_fft import c2c, c2r, r2c

    #: Whether compiled code that uses them may be kept. It refers to rocket-fft by address, so
    #: that without rocket-fft nothing must be kept, nor what was kept be taken.
    KEPT = True
except Exception:  # absent, or not made for the numba that is installed
    import scipy.fft

    KEPT = False

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
