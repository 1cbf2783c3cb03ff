"""The audit log in a SQLite file, flushed as the state is; one process at a time may have it open."""

import logging
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from dayfly.model.audit import AuditDraft, AuditEntry, AuditHead, AuditLimits, AuditQuery, AuditVerdict
from dayfly.model.errors import StoreUnavailable
from dayfly.storage import audit_file
from dayfly.storage.audit import AuditStore
from dayfly.storage.medium import sqlite_code
from dayfly.storage.writer import Writer

_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
Result = TypeVar("Result")
_log = logging.getLogger("dayfly.audit")


class SqliteAudit(AuditStore):
    """The file at `path`; its folder is made when missing.

    One that is damaged is left as it is, and not opened, unless it is a copy: then it is set aside for a new one.
    """

    def __init__(self, path: Path, *, is_copy: bool = False) -> None:
        self._path = path
        self._is_copy = is_copy
        self._writer: Writer | None = None

    async def open(self) -> None:
        """Open the file where it is not open. Raises StoreUnavailable."""
        if self._writer is not None:
            return
        writer = Writer(self._path, self._connect)
        await writer.open()
        self._writer = writer

    async def close(self) -> None:
        """Finish what is being written and close. Idempotent."""
        if self._writer is not None:
            await self._writer.close()

    async def begin(self, draft: AuditDraft) -> int:
        """Note what is asked for."""
        return await self.run(partial(audit_file.begin, draft=draft))

    async def end(self, number: int | None, draft: AuditDraft) -> AuditEntry:
        """Put into the chain what became of it: both writes or none."""
        return await self.run(partial(audit_file.end, number=number, draft=draft))

    async def take_up(self) -> int:
        """Put into the chain what an earlier life began."""
        return await self.run(audit_file.take_up)

    async def trim(self, limits: AuditLimits, now_ms: int) -> int:
        """Let go what is too old or too much."""
        return await self.run(partial(audit_file.trim, limits=limits, now_ms=now_ms))

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted."""
        return await self.run(partial(audit_file.find, query=query))

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the chain."""
        return await self.run(partial(audit_file.verify, noted=noted))

    async def run(self, operation: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run an operation on the file. Raises StoreUnavailable."""
        if self._writer is None:
            raise StoreUnavailable(
                f"the audit log {self._path} is not open, and nothing is changed without it",
                hint="The platform's log says why; docs/audit.md says what to do",
            )
        return await self._writer.run(operation)

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._connected()
        except sqlite3.DatabaseError as error:
            if not self._is_copy or sqlite_code(error) not in _DAMAGED:
                raise
            _log.error("the copy of the audit log is damaged, and made anew path=%s reason=%s", self._path, error)
            self._path.replace(self._path.with_suffix(".damaged"))
            return self._connected()

    def _connected(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=1.0)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.executescript(audit_file.SCHEMA)
        return connection
