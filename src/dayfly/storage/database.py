"""The state's SQLite file, opened once for all that keep something in it.

One process at a time may have it open, and one thread of it writes (see `writer`): functions and secrets are stores of
their own over this one file, so that a copy of it is all of the state at one moment.

WAL with `synchronous=FULL`: a commit is flushed before it is acknowledged (in WAL mode the weaker NORMAL would not do
that). What is deleted is overwritten, since it may have been a secret's.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.migrations import migrate, refuse_newer
from dayfly.storage.writer import Writer

Result = TypeVar("Result")


class Database:
    """The file at `path`; its folder is made when missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: Writer | None = None

    async def open(self) -> None:
        """Open, and bring an older layout up to date; nothing happens when it is open already.

        Raises StoreUnavailable, also for a layout newer than ours.
        """
        if self._writer is None:
            writer = Writer(self.path, self._connect)
            await writer.open()
            self._writer = writer

    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    async def run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run the operation and return its result once it is on the disk. Raises StoreUnavailable, and what it raises.

        It runs in another thread, and once more should the first commit fail.
        """
        if self._writer is None:
            raise StoreUnavailable(f"{self.path}: the state store is not open")
        return await self._writer.run(operation)

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_newer(self.path)
        # SQLite would make the file readable by all; the files beside it take their mode from this one.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.path.chmod(0o600)
        connection = sqlite3.connect(self.path, isolation_level=None, timeout=1.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        migrate(connection, self.path)
        return connection
