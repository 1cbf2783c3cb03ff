"""Unix sockets that only the account which made them may connect to.

A socket file gets its mode from the process' mask at the moment of `bind`: to change it afterwards would leave it open
to everybody for a moment.
"""

import contextlib
import os
import socket


def bind_private(path: str | os.PathLike[str], kind: int = socket.SOCK_STREAM) -> socket.socket:
    """Return a unix socket bound to `path`, mode 0600, in place of whatever file was there. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, kind)
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener
