"""The data folder's lock: one platform a folder, for as long as its supervisor lives and not a moment longer.

The kernel holds it (flock), so a crash leaves nothing to clean up. It belongs to an open file, and so survives the step
from `dayfly start` into the supervisor, which inherits it. The file says who holds it; the lock, not the file, is what
counts.
"""

import fcntl
import os
import time
from pathlib import Path

from dayfly.model.errors import ConfigError, Conflict

_NAME = "lock"
_POLL_S, _TRIES = 0.02, 10


def take_lock(data_dir: Path) -> int:
    """Take the lock and return its descriptor. Raises Conflict naming the holder, ConfigError when it cannot be had."""
    try:
        fd = os.open(data_dir / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as failed:
        raise ConfigError(f"{data_dir / _NAME} cannot be opened: {failed.strerror}") from failed
    if not _locked(fd):
        other = os.pread(fd, 32, 0).decode().strip() or "(starting)"
        os.close(fd)
        raise Conflict(
            f"Dayfly already runs on {data_dir}, as process {other}",
            hint="`dayfly stop` ends it; --data-dir starts another beside it",
        )
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def holder(data_dir: Path) -> int | None:
    """Return the process that holds the lock, or None when nobody does."""
    try:
        fd = os.open(data_dir / _NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).decode().strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(fd)


def _locked(fd: int) -> bool:
    """Take the lock; `holder` elsewhere has it for a moment each time it looks, so that one refusal is no answer."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_POLL_S)
        else:
            return True
    return False


def wait_released(data_dir: Path, timeout_s: float) -> bool:
    """Wait until nobody holds the lock; return whether that came true in time."""
    deadline = time.monotonic() + timeout_s
    while holder(data_dir) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
