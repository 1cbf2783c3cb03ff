"""A copy of the audit log's chain in a file of this machine, by which entries are found; the chain is kept elsewhere.

What queries in SQL read is this file. It may lack the newest entries for a while, is filled from what keeps the chain,
and is made anew wherever it does not agree with that.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from dayfly.decide.audit_chain import Chain
from dayfly.model.audit import AuditEntry, AuditHead, AuditLimits, AuditQuery
from dayfly.storage import audit_file
from dayfly.storage.sqlite_audit import SqliteAudit


class AuditMirror:
    """The copy in the file at `path`, which may be one that an earlier version kept the log itself in."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteAudit(path, is_copy=True)

    async def open(self) -> None:
        """Open the file, whose chain then holds what was begun there. Raises StoreUnavailable."""
        await self._file.open()
        await self._file.take_up()

    async def close(self) -> None:
        """Close it. Idempotent."""
        await self._file.close()

    async def beyond(self, head: AuditHead) -> tuple[AuditHead, list[AuditEntry]] | None:
        """Return where the file's chain begins, and what it has behind the head, if it goes on from there.

        None for a chain that is another, or ends before. Raises StoreUnavailable.
        """
        found = await self._file.run(partial(audit_file.after, head=head))
        if found is None:
            return None
        start = await self._file.run(audit_file.anchor)
        chain = Chain(head)
        for entry in found if head.sequence else ():
            chain.take(entry)
        return (start, found) if chain.holds else None

    async def clear(self, start: AuditHead) -> None:
        """Have no entry, and a chain that begins behind this one. Raises StoreUnavailable."""
        await self._file.run(partial(audit_file.clear, start=start))

    async def add(self, entries: Sequence[AuditEntry]) -> None:
        """Have these, each once. Raises StoreUnavailable."""
        await self._file.run(partial(audit_file.copy, entries=entries))

    async def too_old(self, limits: AuditLimits, now_ms: int, most_bytes: int) -> AuditHead | None:
        """Return the last of what is too old or too much. Raises StoreUnavailable."""
        return await self._file.run(partial(audit_file.too_old, limits=limits, now_ms=now_ms, most_bytes=most_bytes))

    async def let_go(self, gone: AuditHead) -> None:
        """Have the chain begin behind this entry. Raises StoreUnavailable."""
        await self._file.run(partial(audit_file.let_go, gone=gone))

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted, the newest first. Raises StoreUnavailable."""
        return await self._file.find(query)
