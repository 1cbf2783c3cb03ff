"""Small files that only their owner may read: written in one step, and on the disk when that returns."""

import contextlib
import glob
import os
import secrets
from pathlib import Path

_RANDOM = "[0-9a-f]" * 8


def replace(path: Path, data: bytes) -> None:
    """Put `data` in the file's place, mode 0600; a crash leaves the old one or the new one. Raises OSError.

    Its folder is made, mode 0700, when it is missing.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def sweep(path: Path) -> None:
    """Remove what a life that was killed while it wrote the file has left beside it."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.{_RANDOM}"):
        with contextlib.suppress(OSError):
            left.unlink()
