"""The audit log: an entry is on the disk before what it tells of is acknowledged, and nothing is changed without one.

A change has two writes. Before it what is asked for is noted, flushed; where that cannot be done, as on a full disk,
the change is refused. After it, and before it is acknowledged, the entry goes into the chain, and the note goes. So a
platform that is killed in between leaves the note, which its next life puts into the chain as a change of which nobody
knows how it ended. An ending that the disk does not take is kept in memory and written with the next entry; the change
is not acknowledged then.

Where it lies is a store's matter (`storage.audit`): a file of its own on one machine, a journal on a cluster.
"""

import asyncio
import contextlib
import logging
from typing import Protocol

from msgspec.structs import replace

from dayfly.decide.rates import Bucket, take
from dayfly.model.audit import (
    AuditDraft,
    AuditEntry,
    AuditHead,
    AuditLimits,
    AuditQuery,
    AuditVerdict,
    Begun,
    Change,
)
from dayfly.model.errors import DayflyError, StoreUnavailable
from dayfly.storage.audit import AuditStore

TRIM_EVERY_MS = 86_400_000
REFUSALS_A_MINUTE = 60
MAX_LATE = 1_000
"""Entries that are held in memory while the disk takes none."""
_log = logging.getLogger("dayfly.audit")


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""


class AuditLog:
    """The log in a store; one process at a time may have that open."""

    def __init__(self, store: AuditStore, limits: AuditLimits, clock: Clock) -> None:
        self._store = store
        self._limits = limits
        self._clock = clock
        self._refusals: Bucket | None = None
        self._untold = 0
        self._noting: set[asyncio.Task[None]] = set()
        self._late: list[tuple[int | None, AuditDraft]] = []
        self._trim_at_ms = 0
        self._opening = asyncio.Lock()
        self._is_open = False

    async def open(self) -> None:
        """Open the store, and put into the chain what an earlier life left begun.

        Where it cannot be opened, as it is damaged, calls are served all the same, and every change is refused until it
        can: each tries.
        """
        try:
            await self._open()
        except StoreUnavailable as error:
            _log.error("calls are served, changes refused reason=%s", error)

    async def _open(self) -> None:
        """Open the store where it is not open. Raises StoreUnavailable."""
        async with self._opening:
            if self._is_open:
                return
            try:
                await self._store.open()
            except StoreUnavailable as error:
                what = f"the audit log cannot be opened, and nothing is changed without it: {error}"
                raise StoreUnavailable(what, hint=error.hint or "docs/audit.md says what to do") from error
            self._is_open = True
            await self._take_up()

    async def _take_up(self) -> None:
        try:
            left = await self._store.take_up()
        except StoreUnavailable as error:
            _log.error("what an earlier life began is taken up later reason=%s", error)
            return
        if left:
            _log.warning("changes were cut off, and nobody knows how they ended entries=%d", left)

    async def close(self) -> None:
        """Finish what is being written and close. Idempotent."""
        await asyncio.gather(*self._noting)
        await self._store.close()

    async def begin(self, draft: AuditDraft) -> Begun:
        """Note what is asked for now. Raises StoreUnavailable: it must not be done then."""
        draft = replace(draft, at=self._clock.unix_ms())
        await self._catch_up()
        return Begun(await self._store.begin(draft), draft)

    async def end(self, begun: Begun, status: int, changes: tuple[Change, ...] = ()) -> AuditEntry:
        """Return the entry of what became of it, on the disk.

        Raises StoreUnavailable; the entry is written later then, or stays a note if the platform is killed before.
        """
        number, draft = begun.number, replace(begun.draft, status=status, changes=changes)
        try:
            await self._catch_up()
            entry = await self._store.end(number, draft)
        except StoreUnavailable:
            if len(self._late) < MAX_LATE:
                self._late.append((number, draft))
            raise
        _tell(entry)
        return entry

    async def note(self, draft: AuditDraft) -> None:
        """Write what nobody waits for: what the platform did by itself, and who was refused.

        What the disk does not take now is written later.
        """
        begun = Begun(None, replace(draft, at=self._clock.unix_ms()))
        with contextlib.suppress(StoreUnavailable):  # `end` keeps it, and the writer has told the log why.
            await self.end(begun, draft.status, draft.changes)

    def note_soon(self, draft: AuditDraft) -> None:
        """Have `note` write it; `close` waits for it."""
        task = asyncio.create_task(self.note(draft))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)

    async def refused(self, draft: AuditDraft) -> None:
        """Write that somebody was refused: of very many in a short time only how many, so that none fills the disk."""
        taken = take(REFUSALS_A_MINUTE, 60.0, self._refusals, self._clock.now())
        self._refusals = taken.bucket
        if not taken.allowed:
            self._untold += 1
            return
        told, self._untold = self._untold, 0
        changes = (Change(path="refused before this without an entry", after=told),) if told else ()
        await self.note(replace(draft, changes=changes))

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted, the newest first. Raises StoreUnavailable."""
        await self._open()
        return await self._store.find(query)

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the chain, and that it holds a head that somebody noted. Raises StoreUnavailable."""
        await self._open()
        return await self._store.verify(noted)

    async def _catch_up(self) -> None:
        """Write what could not be written before, and let go what is too old. Raises StoreUnavailable."""
        await self._open()
        while self._late:
            late = self._late.pop(0)
            try:
                _tell(await self._store.end(*late))
            except StoreUnavailable:
                self._late.insert(0, late)
                raise
        now_ms = self._clock.unix_ms()
        if now_ms >= self._trim_at_ms:
            self._trim_at_ms = now_ms + TRIM_EVERY_MS
            try:
                gone = await self._store.trim(self._limits, now_ms)
            except DayflyError as error:
                _log.warning("old entries stay for now reason=%s", error)
            else:
                if gone:
                    _log.info("entries went by their age entries=%d", gone)


def _tell(entry: AuditEntry) -> None:
    """Log the entry's head: where the log goes elsewhere, it is noted there."""
    _log.info(
        "entry sequence=%d hash=%s who=%r role=%s namespace=%s action=%s target=%s status=%d address=%s",
        entry.sequence, entry.hash, entry.who, entry.role or "-", entry.namespace or "-", entry.action,
        ascii(entry.target[:200]), entry.status, entry.address or "-",
    )  # fmt: skip
