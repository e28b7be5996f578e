"""Downloads that go on where they were cut off."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from spinode.errors import InputError, SpinodeError

_PATIENCE = 30  # s without a byte
_NOTHING_LEFT = 416  # what a server says when it is asked to go on at the end or behind it
_BAR_FROM = 1e6  # bytes: a smaller file is there before its bar is


def download(url: str, partial: Path, size: int | None = None) -> None:
    """Append to ``partial`` what it lacks of the file at ``url``, with a progress bar.

    A server that cannot send a part sends the whole file again, and it lands behind what was there:
    the caller, which knows the file's hash, notices and starts again without ``partial``.

    Parameters
    ----------
    url : str
    partial : Path
        What an earlier download has left, or nothing; after a failure, all that has come.
    size : int, optional
        Bytes of the whole file, where known.

    Raises
    ------
    SpinodeError
        If the server cannot be reached or refuses, or the connection breaks.
    InputError
        If ``partial`` cannot be written.
    """
    import pooch  # a second of import that only downloads need
    import requests

    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("ab") as file:
            have = file.tell()
            get = pooch.HTTPDownloader(
                progressbar=size is None or size - have > _BAR_FROM,
                timeout=_PATIENCE,
                headers={"Range": f"bytes={have}-"} if have else {},
            )
            if size is None or have < size:
                get(url, file, None)
    except requests.RequestException as error:
        if error.response is not None and error.response.status_code == _NOTHING_LEFT:
            return
        kept = partial.stat().st_size
        if not kept:
            partial.unlink()
            with suppress(OSError):
                partial.parent.rmdir()
        raise SpinodeError(
            f"cannot download {url} ({type(error).__name__}): connect to the internet, fetch from "
            "another --mirror, or from a local copy of its repository with --from DIR."
            + (f" The {kept / 1e6:.1f} MB that came are kept; the same goes on." if kept else "")
        ) from None
    except OSError as error:
        raise InputError(f"cannot write {partial}: {error.strerror or error}.") from None


def reachable(url: str) -> bool:
    """Return whether a server answers at ``url`` within two seconds."""
    import requests

    try:
        requests.head(url, timeout=2)
    except requests.RequestException:
        return False
    return True
