"""Layouts of the state database, forth and back; `steps` has them.

Whenever the layout changes, in either direction, the file as it was is kept beside it, `state.db.layout-N`, the newest
two of them. The way up is one transaction, so that what is interrupted has not begun; on the way back each step is one,
with the number it leads to.
"""

import os
import sqlite3
from pathlib import Path

from dayfly.model.errors import ConfigError, StoreUnavailable
from dayfly.storage.steps import STEPS

KEPT_COPIES = 2


def newest() -> int:
    """Return the layout that this program works with."""
    return len(STEPS)


def layout_of(path: Path) -> int:
    """Return the layout of the database at `path`, which is not changed; 0 when there is none. Raises sqlite3.Error."""
    if not (path.exists() and path.stat().st_size):
        return 0
    # A file that was closed cleanly is read as what it is; else SQLite would leave two empty files beside it. A first
    # start that was killed at the wrong moment has left a journal to be undone, which takes writing.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    if path.with_name(f"{path.name}-journal").exists():
        how = "mode=rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    try:
        return _layout(connection)
    finally:
        connection.close()


def layout_for(version: str) -> int:
    """Return the layout that this version of Dayfly works with. Raises ConfigError for one that is no version."""
    numbers = version.split(".")
    if not all(number.isascii() and number.isdigit() for number in numbers):
        raise ConfigError(f"{version!r} is neither a layout, as 1, nor a version, as 0.1.0")
    return sum(_ordered(step.since) <= _ordered(version) for step in STEPS)


def refuse_newer(path: Path) -> None:
    """Raise StoreUnavailable when the database was written by a newer Dayfly; it is not changed."""
    layout = layout_of(path)
    if layout > newest():
        raise StoreUnavailable(
            f"the state in {path} was written by a newer Dayfly (layout {layout}, this one knows up to {newest()});"
            f" start that version, have it bring the state back with `dayfly upgrade --back-to {newest()}`, or choose"
            " another data folder",
        )


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the open database at `path` up to our layout, and keep a copy before. Raises sqlite3.Error, OSError."""
    layout = _layout(connection)
    if 0 < layout < newest():
        keep_copy(connection, path)
    if layout < newest():
        steps = "; ".join(step.up for step in STEPS[layout:])
        connection.executescript(f"BEGIN IMMEDIATE; {steps}; PRAGMA user_version = {newest()}; COMMIT;")


def take_back(path: Path, layout: int) -> int:
    """Bring the database at `path` back to an older layout and return the one it had; a copy of that is kept.

    Raises StoreUnavailable for a database newer than ours, ConfigError for a layout there is no way to; the file is
    not changed then. Raises sqlite3.Error and OSError.
    """
    refuse_newer(path)
    found = layout_of(path)
    if layout == found:
        return found
    if not 0 < layout < found:
        raise ConfigError(f"the state in {path} has layout {found}; it cannot be taken back to {layout}")
    for number in range(found, layout, -1):
        if STEPS[number - 1].down is None:
            raise ConfigError(
                f"the state in {path} has layout {found}, and there is no way back from layout {number}",
                hint=f"if {path.name}.layout-{layout} is there, it is the state as it was before the change",
            )
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        keep_copy(connection, path)
        for number in range(found, layout, -1):
            down = STEPS[number - 1].down
            connection.executescript(f"BEGIN IMMEDIATE; {down}; PRAGMA user_version = {number - 1}; COMMIT;")
    finally:
        connection.close()
    return found


def keep_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Keep the database as it is now beside itself, for its owner alone to read; older copies than two are removed."""
    copy = path.with_name(f"{path.name}.layout-{_layout(connection)}")
    fresh = copy.with_name(f".{copy.name}")
    fresh.unlink(missing_ok=True)
    copy_to(connection, fresh)
    fresh.replace(copy)
    copies = sorted(path.parent.glob(f"{path.name}.layout-*"), key=lambda each: each.stat().st_mtime_ns)
    for old in copies[:-KEPT_COPIES]:
        old.unlink()


def copy_to(connection: sqlite3.Connection, path: Path) -> None:
    """Copy the whole database, as it is at one moment, into a new file of mode 0600."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    target = sqlite3.connect(path)
    try:
        connection.backup(target)
    finally:
        target.close()
        os.fsync(fd)
        os.close(fd)


def _layout(connection: sqlite3.Connection) -> int:
    layout: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return layout


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
