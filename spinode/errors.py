"""What spinode raises when it cannot go on: one sentence that says what, where and what to do."""


class SpinodeError(Exception):
    """Base of every error spinode raises on purpose; the command line prints it, exit code 1."""


class InputError(SpinodeError, ValueError):
    """A value, file or name that cannot be used as given; exit code 2."""
