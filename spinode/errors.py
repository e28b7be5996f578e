"""What spinode raises when it cannot go on: one sentence that says what, where and what to do."""

from importlib import import_module
from types import ModuleType


class SpinodeError(Exception):
    """Base of every error spinode raises on purpose; the command line prints it, exit code 1."""


class InputError(SpinodeError, ValueError):
    """A value, file or name that cannot be used as given; exit code 2."""


def extra(name: str, module: str, work: str) -> ModuleType:
    """Import a ``module`` that is installed with the extra ``name``, for some ``work``.

    Raises
    ------
    InputError
        If it is not installed.
    """
    package = module.partition(".")[0]
    try:
        import_module(package)
        return import_module(module)
    except ModuleNotFoundError:
        raise InputError(
            f"{work} needs the package {package}: pip install 'spinode[{name}]'."
        ) from None
