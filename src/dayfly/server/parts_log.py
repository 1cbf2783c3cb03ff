"""What all parts of the platform have said of late, as JSON lines in files of bounded size in the data folder.

The supervisor writes them, for whoever looks at the platform's own log by the API. What is on standard error is not
in our hands: it may be a terminal.
"""

import contextlib
import os
from pathlib import Path

FILE, BEFORE = "parts.jsonl", "parts.1.jsonl"
MOST_BYTES = 2 * 2**20
"""The size at which a file becomes the one before, which is kept until the next does."""


class PartsLog:
    """The files in a folder; one process writes them."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path, self._before = folder / FILE, folder / BEFORE
        self._most_bytes = most_bytes
        self._fd = -1
        self._size = 0

    def keep(self, line: str) -> None:
        """Add a line. On a disk that takes none it is dropped: standard error has it, and serving matters more."""
        data = line.encode("utf-8", "replace") + b"\n"
        with contextlib.suppress(OSError):
            if self._fd < 0:
                self._open()
            elif self._size + len(data) > self._most_bytes:
                os.close(self._fd)
                self._fd = -1
                self._path.replace(self._before)
                self._open()
            self._size += os.write(self._fd, data)

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._path, flags, 0o600)
        self._size = os.fstat(self._fd).st_size
