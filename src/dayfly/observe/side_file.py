"""A file beside the state: SQLite for what is worth keeping and not worth failing for.

Records are not state: `synchronous=OFF` may lose the last seconds when the machine loses power, and a damaged file is
set aside for a new one rather than keeping the platform from starting. One thread writes, others read.
"""

import contextlib
import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.medium import database_failed, disk_failed

_log = logging.getLogger("dayfly.observe")


class SideFile:
    """A file of one schema. `open`, writing and `close` belong to one thread at a time; reading is open to any."""

    what = "file"
    """What it is called in messages."""
    schema = ""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()

    def open(self) -> int:
        """Open the file and return the newest row's number. Raises StoreUnavailable."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                return self._connect()
            except sqlite3.DatabaseError as error:
                if isinstance(error, sqlite3.OperationalError):
                    raise
                _log.error("%s damaged, beginning a new one path=%s reason=%s", self.what, self._path, error)
                self.close()
                self._path.replace(self._path.with_suffix(".damaged"))
                for suffix in ("-wal", "-shm"):
                    self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
                return self._connect()
        except sqlite3.Error as error:
            self.close()
            raise database_failed(f"the {self.what} {self._path} cannot be opened", self._path, error) from error
        except OSError as error:
            self.close()
            raise disk_failed(f"the {self.what} {self._path} cannot be opened", error) from error

    def close(self) -> None:
        """Close the file. Idempotent."""
        with self._reading:
            for connection in (self._writer, self._reader):
                if connection is not None:
                    connection.close()
            self._writer = self._reader = None

    def opened(self, writer: sqlite3.Connection) -> int:
        """Take stock of a file that was opened; return the newest row's number. Raises sqlite3.Error."""
        raise NotImplementedError

    def read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds. Raises StoreUnavailable."""
        with self._reading:
            if self._reader is None:
                raise StoreUnavailable(f"the {self.what} is closed")
            try:
                return self._reader.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise database_failed(f"the {self.what} {self._path} cannot be read", self._path, error) from error

    def unwritten(self, error: sqlite3.Error) -> StoreUnavailable:
        """Return what to say of a write that failed."""
        return database_failed(f"the {self.what} {self._path} cannot be written", self._path, error)

    def _connect(self) -> int:
        with contextlib.suppress(FileExistsError):
            self._path.touch(mode=0o600, exist_ok=False)
        self._writer = sqlite3.connect(self._path, check_same_thread=False)
        self._reader = sqlite3.connect(self._path, check_same_thread=False)
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.execute("PRAGMA synchronous = OFF")
        self._writer.executescript(self.schema)
        return self.opened(self._writer)
