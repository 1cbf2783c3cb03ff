"""When the disk fails: from what the operating system or SQLite says to our error, with what an operator should do.

Everything that keeps something in the data folder meets the same few faults, and says the same of them. SQLite calls
most of them a "disk I/O error", so the file system is asked whether it is full or read-only.
"""

import errno
import os
import sqlite3
from pathlib import Path

from dayfly.model.errors import StoreFull, StoreUnavailable

_FULL = ("the disk is full", "free some space on it; what was acknowledged is kept")
_READ_ONLY = ("it cannot be written", "check how the disk is mounted, and who owns the file and its folder")
_BROKEN = (
    "the disk reports errors",
    "look into the kernel's log; what was acknowledged is kept as far as the disk did",
)
_DESCRIPTORS = ("too many files are open", "raise the limit of open files (ulimit -n) and start again")
_DAMAGED = ("the file is damaged", "put it aside and restore a copy of the data folder")
_LOCKED = ("another program holds the file", "stop whatever else uses this data folder")
_UNKNOWN = ("the disk or its file failed", "check the disk under the data folder")
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _READ_ONLY,
    errno.EPERM: _READ_ONLY,
    errno.EIO: _BROKEN,
    errno.EMFILE: _DESCRIPTORS,
    errno.ENFILE: _DESCRIPTORS,
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
}
_VAGUE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_PRIMARY = 0xFF
"""SQLite's extended codes carry the plain one in their lowest byte."""


def disk_failed(what: str, error: OSError) -> StoreUnavailable:
    """Return our error for what the operating system refused, StoreFull when there is no space or quota left.

    `what` says in the beginning of a sentence what did not come true.
    """
    return _error(what, _BY_ERRNO.get(error.errno or 0, _UNKNOWN), error.strerror or str(error))


def database_failed(what: str, path: Path, error: sqlite3.Error) -> StoreUnavailable:
    """Return our error for what SQLite said of the database at `path`; as `disk_failed`."""
    code = sqlite_code(error)
    found = _state_of(path.parent) if code in _VAGUE else None
    return _error(what, found or _BY_SQLITE.get(code, _UNKNOWN), str(error))


def sqlite_code(error: sqlite3.Error) -> int:
    """Return SQLite's plain result code, 0 when the error has none."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY


def _state_of(folder: Path) -> tuple[str, str] | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None  # then what SQLite said is all we know
    if found.f_flag & os.ST_RDONLY:
        return _READ_ONLY
    return _FULL if found.f_bavail == 0 else None


def _error(what: str, why: tuple[str, str], said: str) -> StoreUnavailable:
    cause, remedy = why
    kind = StoreFull if why is _FULL else StoreUnavailable
    return kind(f"{what}: {cause} ({said})", hint=remedy)
