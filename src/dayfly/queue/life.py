"""Lives of the queue's process: a name for each, and a way to tell from outside whether it still lives.

A life holds a lock on a file that bears its name. The kernel lets go of the lock when the process ends, however it
does, so that what it worked on can be taken up by another without guessing from time.
"""

import contextlib
import fcntl
import os
import secrets
from pathlib import Path


class Life:
    """This process's own life, from here to its end."""

    def __init__(self, run_dir: Path) -> None:
        self.name = secrets.token_hex(6)
        self._path = _path(run_dir, self.name)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def end(self) -> None:
        """Let others take up what is left."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._fd)


def is_alive(run_dir: Path, name: str) -> bool:
    """Whether the life of that name has not ended."""
    try:
        fd = os.open(_path(run_dir, name), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        _path(run_dir, name).unlink()
    return False


def _path(run_dir: Path, name: str) -> Path:
    return run_dir / f"queue-{name}.life"
