"""Whom connections over TLS trust: the certificates of the system, read once, and again when they have changed."""

import os
import ssl
import threading


class Trust:
    """Gives contexts for connections out; `always` stands for what the system trusts. For any thread."""

    def __init__(self, always: ssl.SSLContext | None = None) -> None:
        self._always = always
        self._turn = threading.Lock()
        self._known: tuple[tuple[tuple[str, int, int], ...], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context. It reads files, and blocks, where there are other certificates than the last time."""
        if self._always is not None:
            return self._always
        with self._turn:
            stamp = _stamp()
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, ssl.create_default_context()
            return self._known[1]


def _stamp() -> tuple[tuple[str, int, int], ...]:
    """Return what differs once the system's certificates do: an update puts another file, or another in the folder."""
    paths = ssl.get_default_verify_paths()
    found = []
    for path in filter(None, (paths.cafile, paths.capath)):
        told = os.stat(path)
        found.append((path, told.st_ino, told.st_mtime_ns))
    return tuple(found)
