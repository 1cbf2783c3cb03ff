"""Runs of flows in a journal that outlives the control plane: what was one control plane's goes on as the next one's.

Under `run.ID.head` is the run with what its log began with, under `run.ID.log` each append. Which runs there are is
read once, when they are taken over, and known from then on. To every run under way whoever takes over adds a note
without entries: an append of the one before, which believes of another note that it is the last, is refused from then
on. One that looks then what the last note is finds whose it is, and writes nothing any more.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TypeVar

import msgspec

from dayfly.model.errors import NotFound, StoreFull, StoreUnavailable
from dayfly.model.flow_run import Entry, Finished, FlowRun, Logged
from dayfly.model.names import NamespaceName
from dayfly.storage.flow_runs import Outrun, RunKey, RunLog, RunQuery
from dayfly.storage.journal import Journal, write_restored
from dayfly.storage.journal_run_index import Card, Known, RunIndex, Tail
from dayfly.storage.memory_flow_runs import finished, missing, reused

LAYOUT = 1
MOST_BYTES = 512 * 2**20
"""What all runs may take: the oldest that are over go before their time, and without any none begins."""
_AT_A_TIME = 32
_ATTEMPTS = 20
_NOTE_BYTES = 512
_log = logging.getLogger("dayfly.storage")
Thing = TypeVar("Thing")
Result = TypeVar("Result")


class _Beginning(msgspec.Struct, frozen=True):
    run: FlowRun
    log: list[Logged]


class _Added(msgspec.Struct, frozen=True):
    unix_ms: int
    entries: list[Entry]


class JournalRuns(RunLog):
    """The runs in a journal."""

    def __init__(self, journal: Journal, most_bytes: int = MOST_BYTES) -> None:
        self._journal = journal
        self._most_bytes = most_bytes
        self._owner = secrets.token_hex(8)
        self._index: RunIndex | None = None
        self._beginning = asyncio.Lock()
        self._half_begun: set[str] = set()
        """Runs that may have been kept, though whoever began them heard that they were not."""

    async def open(self) -> None:
        """Take over every run. Raises StoreUnavailable, also for a layout newer than ours."""
        if self._index is not None:
            return
        await self._journal.take_over(LAYOUT)
        index = RunIndex()
        tails = await self._journal.heads("run.*.log")
        for name, (number, head) in (await self._journal.heads("run.*.head")).items():
            run_id, card = name.split(".")[1], _read(head, Card)
            run = Known(run_id, number, card, _tail_of(card))
            if (last := tails.get(f"run.{run_id}.log")) is not None:
                run.number, run.tail = last[0], _read(last[1], Tail)
            index.add(run)
        await _each(index.under_way(), self._take_over)
        self._index = index

    async def close(self) -> None:
        """Nothing is to be done: the journal is somebody else's."""

    async def begin(self, run: FlowRun, log: Sequence[Logged] = (), key: RunKey | None = None) -> FlowRun:
        """Keep a new run, or return the one of the key. Raises KeyReused, StoreFull."""
        index = self._opened()
        body = msgspec.json.encode(_Beginning(run, list(log)))
        size = sum(len(msgspec.json.encode(logged.entry)) for logged in log)
        card = Card(
            namespace=run.namespace, flow=run.flow, started_unix_ms=run.started_unix_ms, owner=self._owner,
            key=key.key if key is not None else None, digest=key.digest if key is not None else "",
            length=len(log), bytes=size, size_bytes=len(body) + _NOTE_BYTES,
        )  # fmt: skip
        async with self._beginning:
            known = index.keyed(run, key) if key is not None else None
            if known is not None and known.card.digest != card.digest:
                raise reused()
            if known is not None:
                return await self.get(known.id)
            await self._undo()
            await self._make_room(card.size_bytes)
            self._half_begun.add(run.id)
            name, head = f"run.{run.id}.head", msgspec.json.encode(card)
            number = await write_restored(self._journal, self._restore, name, head, body)
            self._half_begun.discard(run.id)
            self._opened().add(Known(run.id, number, card, _tail_of(card)))
        return run

    async def append(self, run: str, after: int, unix_ms: int, entries: Sequence[Entry]) -> int:
        """Add entries, and return the size of the log. Raises Outrun."""
        known = self._opened().get(run)
        if known is None:
            raise Outrun
        await self._make_sure(known)
        if known.is_over or known.tail.length != after:
            raise Outrun
        body = msgspec.json.encode(_Added(unix_ms, list(entries)))
        end = next((entry for entry in entries if isinstance(entry, Finished)), None)
        tail = Tail(
            owner=self._owner, length=after + len(entries),
            bytes=known.tail.bytes + sum(len(msgspec.json.encode(entry)) for entry in entries),
            size_bytes=known.tail.size_bytes + len(body) + _NOTE_BYTES,
            state=end.state if end is not None else "running", finished_unix_ms=unix_ms if end is not None else 0,
        )  # fmt: skip
        last, known.in_doubt = known.number, True
        number = await self._journal.write(f"run.{run}.log", msgspec.json.encode(tail), body, last)
        if number is None:
            raise Outrun
        known.number, known.tail, known.in_doubt = number, tail, False
        return tail.bytes

    async def log(self, run: str) -> list[Logged]:
        """Return the run's log."""
        known = self._opened().get(run)
        if known is None:
            return []
        await self._make_sure(known)
        length, found = known.tail.length, list[Logged]()
        if known.card.length:
            found += (await self._begun(run)).log
        if known.number:
            for note in await self._journal.read(f"run.{run}.log", known.number):
                added = _read(note.body, _Added) if note.body else _Added(0, [])
                found += [Logged(len(found) + at, added.unix_ms, entry) for at, entry in enumerate(added.entries, 1)]
        if len(found) < length:
            raise StoreUnavailable(
                f"the log of the run {run} in the queue's store lacks entries: {len(found)} of {length}"
            )
        return found

    async def size(self, run: str) -> int:
        """Return the size of the log."""
        known = self._opened().get(run)
        return known.tail.bytes if known is not None else 0

    async def get(self, run: str) -> FlowRun:
        """Return the run. Raises NotFound."""
        known = self._opened().get(run)
        if known is None:
            raise NotFound(missing(run))
        await self._make_sure(known)
        begun = (await self._begun(run)).run
        if not known.is_over:
            return begun
        last = await self._journal.last(f"run.{run}.log")
        for entry in _read(last.body, _Added).entries if last is not None else ():
            if isinstance(entry, Finished):
                return finished(begun, entry, known.tail.finished_unix_ms)
        raise StoreUnavailable(f"the end of the run {run} is missing in the queue's store; was it just removed?")

    async def listed(self, query: RunQuery) -> list[FlowRun]:
        """Return the runs wanted, the newest first."""
        return await self._found(self._opened().wanted(query))

    async def under_way(self) -> list[FlowRun]:
        """Return every run that is not over, the oldest first."""
        return await self._found(self._opened().under_way())

    async def remove(self, runs: Collection[str]) -> None:
        """Forget these runs."""
        index = self._opened()

        async def drop(run: str) -> None:
            await self._journal.drop(f"run.{run}")
            index.discard(run)

        await _each([run for run in runs if index.get(run) is not None], drop)

    async def forget(self, namespace: NamespaceName) -> None:
        """Forget all runs of the namespace."""
        await self.remove([run.id for run in self._opened() if run.card.namespace == namespace])

    async def trim(self, finished_before_unix_ms: int, most: int) -> int:
        """Forget what is old, and what is too much of one namespace."""
        async with self._beginning:
            await self._undo()
        gone = list(self._opened().too_old(finished_before_unix_ms, most))
        await self.remove(gone)
        return len(gone)

    def _opened(self) -> RunIndex:
        if self._index is None:
            raise StoreUnavailable("the runs of flows are not open")
        return self._index

    async def _restore(self) -> None:
        """Begin with no runs: the queue's servers came back without their disks."""
        _log.error("the queue's servers lost the runs of flows runs=%d", len(list(self._opened())))
        self._index = None
        self._half_begun.clear()
        await self.open()

    async def _take_over(self, run: Known) -> None:
        """Write behind whatever is the last note of a run under way."""
        for _ in range(_ATTEMPTS):
            tail = msgspec.structs.replace(run.tail, owner=self._owner)
            number = await self._journal.write(f"run.{run.id}.log", msgspec.json.encode(tail), b"", run.number)
            if number is not None:
                run.number, run.tail = number, tail
                return
            await self._look(run)
            if run.is_over:
                return
        raise StoreUnavailable(f"another control plane goes on with the run {run.id} again and again")

    async def _make_sure(self, run: Known) -> None:
        """Look where the log ends, if that is in doubt. Raises StoreUnavailable if it is ours no more."""
        if run.in_doubt:
            await self._look(run)
            if run.tail.owner != self._owner:
                raise StoreUnavailable("another control plane goes on with the runs of flows; this one writes no more")
            run.in_doubt = False

    async def _look(self, run: Known) -> None:
        last = await self._journal.last(f"run.{run.id}.log")
        if last is not None and last.number >= run.number:  # an append of ours may have come to its end meanwhile
            run.number, run.tail = last.number, _read(last.head, Tail)

    async def _undo(self) -> None:
        """Let go of runs that may have been kept though their beginning failed."""
        if self._half_begun:
            await self._journal.settle()
        for run in list(self._half_begun):
            await self._journal.drop(f"run.{run}")
            self._half_begun.discard(run)

    async def _make_room(self, size_bytes: int) -> None:
        index = self._opened()
        excess = index.size_bytes + size_bytes - self._most_bytes
        gone = list[str]()
        for run in reversed(index.over()) if excess > 0 else ():
            if excess <= 0:
                break
            gone.append(run.id)
            excess -= run.tail.size_bytes
        if excess > 0:
            told = f"runs of flows under way take {self._most_bytes} bytes in the queue's store, and no more may begin"
            raise StoreFull(told, hint="Try again once some are over; `dayfly flow cancel RUN` ends one.")
        await self.remove(gone)

    async def _begun(self, run: str) -> _Beginning:
        note = await self._journal.last(f"run.{run}.head")
        if note is None:
            raise NotFound(missing(run))
        return _read(note.body, _Beginning)

    async def _found(self, runs: Iterable[Known]) -> list[FlowRun]:
        async def get(run: Known) -> FlowRun | None:
            try:
                return await self.get(run.id)
            except NotFound:  # it was removed just now
                return None

        return [run for run in await _each(runs, get) if run is not None]


def _tail_of(card: Card) -> Tail:
    return Tail(owner=card.owner, length=card.length, bytes=card.bytes, size_bytes=card.size_bytes)


def _read(text: bytes, kind: type[Thing]) -> Thing:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(
            f"a run of a flow in the queue's store cannot be read: {error}",
            hint="something else than Dayfly wrote it; see docs/flows.md for where it lies",
        ) from error


async def _each(things: Iterable[Thing], work: Callable[[Thing], Awaitable[Result]]) -> list[Result]:
    """Do the work for each, several at a time, and return what it comes to in the order of the things."""
    room = asyncio.Semaphore(_AT_A_TIME)

    async def one(thing: Thing) -> Result:
        async with room:
            return await work(thing)

    return await asyncio.gather(*map(one, things))
