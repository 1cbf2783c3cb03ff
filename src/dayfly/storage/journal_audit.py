"""The audit log in a journal that outlives the control plane: what was one control plane's chain goes on as the next's.

| name | holds |
|---|---|
| `entry` | the chain: entries as lines of JSON, one or several a note; the head names what was begun and ends with it |
| `begun.NUMBER` | what was asked for and is not over: in the head of the note |
| `anchor` | where the chain begins, since what was too old went |

All is written as the journal's owner, one after the other: of two control planes the one before can write no entry any
more, so that there is one chain. An entry of which nobody knows whether it was kept is looked for before anything else
is written. Entries are found in a copy (`audit_mirror`); whether the chain holds is read from the journal itself.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from dayfly.decide.audit_chain import Chain, chained
from dayfly.model.audit import AuditDraft, AuditEntry, AuditHead, AuditLimits, AuditQuery, AuditVerdict
from dayfly.model.errors import StoreUnavailable
from dayfly.storage.audit import AuditStore
from dayfly.storage.audit_file import trimmed
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal import Journal, write_restored
from dayfly.storage.journal_audit_notes import ANCHOR, ENTRY, START, Ends, begun_name, entries_of, packed, read

LAYOUT = 1
MOST_BYTES = 128 * 2**20
"""What all entries may take: the oldest go before their time."""
_MAX_KEPT = 1000
_log = logging.getLogger("dayfly.audit")


class _Trial(NamedTuple):
    """An entry that may have been kept."""

    number: int | None
    draft: AuditDraft
    entry: AuditEntry


class JournalAudit(AuditStore):
    """The log in a journal, with a copy to find entries in."""

    def __init__(self, journal: Journal, mirror: AuditMirror, most_bytes: int = MOST_BYTES) -> None:
        self._journal = journal
        self._mirror = mirror
        self._most_bytes = most_bytes
        self._head: AuditHead | None = None
        self._anchor = START
        self._number = 0
        """Of the last note of entries."""
        self._mirrored = 0
        """Up to which note of entries the copy has all."""
        self._begun: dict[int, AuditDraft] = {}
        self._left: dict[int, AuditDraft] = {}
        """What an earlier life began."""
        self._over: set[int] = set()
        """What was begun and is over, though its note may be there yet."""
        self._trial: _Trial | None = None
        self._kept: list[_Trial] = []
        """Entries that were kept though whoever wrote them heard that they were not, and will write them again."""
        self._turn, self._filling, self._reading = asyncio.Lock(), asyncio.Lock(), asyncio.Lock()
        self._first_fill: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Take the chain over, and have the copy be filled. Raises StoreUnavailable, also for a newer layout."""
        await self._journal.take_over(LAYOUT)
        anchor = await self._journal.last(ANCHOR)
        self._anchor = read(anchor.head, AuditHead) if anchor is not None else START
        last = await self._journal.last(ENTRY)
        head = self._anchor
        if last is not None:
            self._number, newest = last.number, entries_of(last)[-1]
            if not newest.sequence:
                raise StoreUnavailable("the last entry of the audit log in the queue's store is none of Dayfly's")
            head = AuditHead(newest.sequence, newest.hash)
        notes = await self._journal.heads("begun.*")
        self._left = {int(name.rpartition(".")[2]): read(head, AuditDraft) for name, (_, head) in notes.items()}
        ended = read(last.head, Ends).begun if last is not None else None
        if ended is not None and self._left.pop(ended, None) is not None:
            self._over.add(ended)
        await self._mirror.open()
        self._head = await self._go_on(head)
        self._first_fill = asyncio.create_task(self._fill_quietly())

    async def close(self) -> None:
        """Close the copy; the journal is somebody else's."""
        if self._first_fill is not None:
            self._first_fill.cancel()
            await asyncio.wait([self._first_fill])
        await self._mirror.close()

    async def begin(self, draft: AuditDraft) -> int:
        """Note what is asked for."""
        async with self._turn:
            await self._settle()
            number = secrets.randbits(62)
            self._over.add(number)  # unless it is kept
            await self._write(begun_name(number), msgspec.json.encode(draft), b"")
            self._over.discard(number)
            self._begun[number] = draft
            return number

    async def end(self, number: int | None, draft: AuditDraft) -> AuditEntry:
        """Put into the chain what became of it."""
        async with self._turn:
            await self._settle()
            for trial in self._kept:
                if (trial.number, trial.draft) == (number, draft):
                    self._kept.remove(trial)
                    return trial.entry
            return await self._append(number, draft)

    async def take_up(self) -> int:
        """Put into the chain what an earlier life began."""
        left = sorted(self._left.items(), key=lambda each: each[1].at)
        for number, draft in left:
            await self.end(number, draft)
            del self._left[number]
        return len(left)

    async def trim(self, limits: AuditLimits, now_ms: int) -> int:
        """Let go what is too old or too much; it is told first, should this life end in between."""
        async with self._reading:
            await self._fill()
            gone = await self._mirror.too_old(limits, now_ms, self._most_bytes)
            if gone is None:
                return 0
            async with self._turn:
                await self._settle()
                before = self._anchor
                await self._append(None, trimmed(before, gone, now_ms))
                await self._write(ANCHOR, msgspec.json.encode(gone), b"")
                self._anchor = gone
            await self._mirror.let_go(gone)
            if through := await self._last_note_within(gone):
                await self._journal.drop_through(ENTRY, through)
            return gone.sequence - before.sequence

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted."""
        self._opened()
        await self._fill()
        return await self._mirror.find(query)

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the chain as the journal has it."""
        async with self._reading:
            last, anchor = self._opened().sequence, self._anchor
            chain, at, upto = Chain(anchor, noted), 0, await self._last_number()
            while chain.holds and at < upto:
                notes = await self._journal.read_page(ENTRY, at, upto)
                for entry in (entry for note in notes for entry in entries_of(note)):
                    if anchor.sequence < entry.sequence <= last:
                        chain.take(entry)
                at = notes[-1].number
            return chain.verdict(last)

    def _opened(self) -> AuditHead:
        if self._head is None:
            raise StoreUnavailable(
                "the audit log in the queue's store is not open, and nothing is changed without it",
                hint="The platform's log says why; docs/audit.md says what to do",
            )
        return self._head

    async def _append(self, number: int | None, draft: AuditDraft) -> AuditEntry:
        entry = chained(draft, self._opened())
        self._trial = _Trial(number, draft, entry)
        note = await self._write(ENTRY, msgspec.json.encode(Ends(number)), msgspec.json.encode(entry))
        await self._took(self._trial, note)
        if number is not None:
            with contextlib.suppress(StoreUnavailable):  # it is let go before the next entry is written
                await self._let_go_of_begun()
        return entry

    async def _took(self, trial: _Trial, note: int) -> None:
        self._trial, before = None, self._number
        self._head, self._number = AuditHead(trial.entry.sequence, trial.entry.hash), note
        if trial.number is not None:
            self._begun.pop(trial.number, None)
            self._over.add(trial.number)
        if self._mirrored == before:
            try:
                await self._mirror.add([trial.entry])
            except StoreUnavailable as error:
                _log.warning("an entry is found later reason=%s", error)
            else:
                self._mirrored = max(self._mirrored, note)

    async def _settle(self) -> None:
        """Find out what became of what may have been kept. Raises StoreUnavailable."""
        self._opened()
        if self._trial is not None and not await self._journal.is_gone():
            await self._journal.settle()
            last = await self._journal.last(ENTRY)
            if last is not None and entries_of(last)[-1].hash == self._trial.entry.hash:
                self._kept = [*self._kept[1 - _MAX_KEPT :], self._trial]
                await self._took(self._trial, last.number)
        self._trial = None
        await self._let_go_of_begun()

    async def _let_go_of_begun(self) -> None:
        if self._over:
            await self._journal.settle()
        for number in list(self._over):
            await self._journal.drop(begun_name(number))
            self._over.discard(number)

    async def _write(self, name: str, head: bytes, body: bytes) -> int:
        return await write_restored(self._journal, self._restore, name, head, body)

    async def _go_on(self, head: AuditHead) -> AuditHead:
        """Compare the copy with the chain, of which it may have more: the log of before there were journals.

        Return the last entry's place.
        """
        found = await self._mirror.beyond(head)
        if found is None:
            await self._mirror.clear(self._anchor)
            return head
        start, entries = found
        if not head.sequence:
            head = start
        elif start != self._anchor:
            await self._mirror.let_go(self._anchor)
            start = self._anchor
        await self._give(start, entries)
        return AuditHead(entries[-1].sequence, entries[-1].hash) if entries else head

    async def _restore(self) -> None:
        """Write anew what the copy has: the queue's servers came back without their disks."""
        await self._journal.take_over(LAYOUT)
        self._anchor, self._number = START, 0
        start, entries = await self._mirror.beyond(START) or (START, [])
        await self._give(start, entries)
        for number, draft in (self._begun | self._left).items():
            await self._journal.write_as_owner(begun_name(number), msgspec.json.encode(draft), b"")
        _log.error("the queue's servers lost the audit log; it was written anew entries=%d", len(entries))

    async def _give(self, start: AuditHead, entries: Iterable[AuditEntry]) -> None:
        """Write into the journal what the copy has and it has not, many entries a note."""
        if start != self._anchor:
            await self._journal.write_as_owner(ANCHOR, msgspec.json.encode(start), b"")
            self._anchor = start
        for body in packed(entries):
            self._number = await self._journal.write_as_owner(ENTRY, msgspec.json.encode(Ends()), body)
        self._mirrored = self._number

    async def _fill_quietly(self) -> None:
        with contextlib.suppress(StoreUnavailable):  # whoever looks for entries has it filled, and hears of it
            await self._fill()

    async def _fill(self) -> None:
        """Have the copy hold all that there is. Raises StoreUnavailable."""
        async with self._filling:
            if self._mirrored >= self._number:
                return
            upto, all_there = await self._last_number(), self._number
            while self._mirrored < upto:
                notes = await self._journal.read_page(ENTRY, self._mirrored, upto)
                entries = [entry for note in notes for entry in entries_of(note)]
                await self._mirror.add([each for each in entries if each.sequence > self._anchor.sequence])
                self._mirrored = max(self._mirrored, notes[-1].number)
            self._mirrored = max(self._mirrored, all_there)

    async def _last_number(self) -> int:
        """Return the number of the last note of entries that there is, which may be one less than it should be."""
        last = await self._journal.last(ENTRY)
        return last.number if last is not None else 0

    async def _last_note_within(self, gone: AuditHead) -> int:
        """Return the last note that has no entry behind this one; 0 for none."""
        found = 0
        while notes := await self._journal.read_page(ENTRY, found, 0):
            for note in notes:
                if entries_of(note)[-1].sequence > gone.sequence:
                    return found
                found = note.number
        return found
