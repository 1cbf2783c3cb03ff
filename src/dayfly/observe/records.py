"""The store of the records of calls: what gateways noted, kept after the calls are over.

Notes arrive on the event loop, many in a message, and nothing there may wait for a disk: a message is put on a bounded
list as it came, and a thread reads it and writes it to a SQLite file (`record_file.py`). When the disk cannot keep up,
or takes nothing, the oldest go and are counted: losing records is better than slowing calls. Gateways are told what is
on file, or gone; until then they keep what they handed over, so that nothing is lost with this process.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import msgspec

from dayfly.decide.redaction import kept
from dayfly.model.errors import StoreUnavailable
from dayfly.model.invocation import Invocation, Note, RecordLimits, RecordQuery, invocation_of
from dayfly.model.names import NamespaceName
from dayfly.model.payload import CallPayload
from dayfly.model.report import ErrorRow
from dayfly.model.rollup import Rollup
from dayfly.model.table import Load
from dayfly.observe.batches import Source
from dayfly.observe.failures import FailureQuery
from dayfly.observe.record_file import RecordFile
from dayfly.observe.rollup_sums import RollupSums
from dayfly.observe.rollups import Life, RollupQuery, Totals, totals_of
from dayfly.observe.writer import Writer

MAX_PENDING_BYTES = 32 * 2**20
_LINGER_S = 0.1
_TRIM_EVERY_S = 30.0
_ROLL_UP_EVERY_S = 5.0
MAX_OF_ID = 1000
"""Calls shown that have the same id."""
_NOTES = msgspec.msgpack.Decoder(list[Note])
_COUNTED = msgspec.msgpack.Decoder(list[msgspec.Raw])
_log = logging.getLogger("dayfly.observe")


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""


class _Handed(msgspec.Struct, frozen=True):
    """Records as a gateway handed them over."""

    source: Source
    batch: int
    records: bytes


class RecordStore:
    """Records in a SQLite file at `path`. They go with their namespace, and keep none from being removed.

    All methods but the thread's own are for the event loop that called `open`.
    """

    kind = "records of calls"

    def __init__(self, path: Path, limits: RecordLimits, clock: Clock) -> None:
        self.confirm: Callable[[str, str, int], None] = lambda _gateway, _boot, _batch: None
        """Tells a gateway, in its life, up to which batch its records are taken care of; on the event loop."""
        self._file = RecordFile(path, limits)
        self._clock = clock
        self._writer = Writer[_Handed](self.kind, self._write, self._file.forget, self._tend, linger_s=_LINGER_S)
        self._reports: dict[Life, Totals] = {}
        self._of_gateways: dict[tuple[str, str], tuple[int, int]] = {}
        self._trim_at = self._roll_up_at = 0.0

    async def open(self) -> None:
        """Open the file, or begin a new one when it is damaged, and start to write; without a file nothing is kept."""
        try:
            await asyncio.to_thread(self._file.open)
        except StoreUnavailable as error:
            _log.error("no calls are recorded until the next start: %s", error)
            return
        self._writer.start()

    async def close(self) -> None:
        """Write what is pending and close the file. Idempotent."""
        if await self._writer.close():
            await asyncio.to_thread(self._file.close)

    @property
    def dropped(self) -> dict[str, int]:
        """Calls without a record since the gateways and this store started, by reason: too many of one function in a
        second, a control plane that was away, a disk that took nothing.
        """
        per_second, away = (sum(told[at] for told in self._of_gateways.values()) for at in (0, 1))
        return {"rate": per_second, "away": away, "disk": self._writer.dropped}

    def take(self, gateway: str, boot: str, load: Load) -> None:
        """Take in what came of a gateway; never blocks and never raises."""
        if any(load.dropped):
            self._of_gateways[gateway, boot] = load.dropped
        writer = self._writer
        with writer.changed:
            for each in load.functions:
                self._reports[gateway, boot, each.function] = totals_of(each)
            if not load.records:
                return
            writer.pending.append(_Handed((gateway, boot), load.batch, load.records))
            writer.weight += len(load.records)
            while writer.is_closed or writer.weight > MAX_PENDING_BYTES:
                oldest = writer.pending.pop(0)
                writer.weight -= len(oldest.records)
                writer.dropped += _count(oldest.records)
                self._confirm(_last_of([oldest]))
                if not writer.pending:
                    return
            if len(writer.pending) == 1:
                writer.changed.notify()

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: a record is no reason to keep what it tells of."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove every record of the namespace's functions that came up to now. Raises StoreUnavailable."""
        await self._writer.forget(namespace)

    async def find(self, query: RecordQuery) -> list[Invocation]:
        """Return the calls wanted, the newest first. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.find, query)

    async def rolled_up(self, query: RollupQuery) -> list[Rollup]:
        """Return the roll-ups wanted, the newest first. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.rolled_up, query)

    async def summed(self, query: RollupSums) -> list[Rollup]:
        """Return sums of roll-ups. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.summed, query)

    async def failures(self, query: FailureQuery) -> list[ErrorRow]:
        """Return how calls failed, what failed most first. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.failures, query)

    async def of_id(self, call_id: str) -> list[Invocation]:
        """Return the calls of this id in all namespaces, the oldest first. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.of_id, call_id, MAX_OF_ID)

    async def payloads(self, namespace: str, call_id: str) -> list[CallPayload]:
        """Return what is kept of the namespace's calls of this id, the oldest first. Raises StoreUnavailable."""
        await self.flush()
        return await asyncio.to_thread(self._file.payloads, namespace, call_id)

    async def flush(self) -> None:
        """Return when all that came up to now is in the file, or lost."""
        await self._writer.flush()

    def _write(self, batch: list[_Handed], at_once: bool) -> StoreUnavailable | None:
        failure = None
        if batch:
            written = _last_of(batch)
            failure = self._append(batch, written)
            self._writer.tell(self._confirm, written)
        if at_once or self._clock.now() >= self._roll_up_at:
            self._roll_up_at = self._clock.now() + _ROLL_UP_EVERY_S
            self._roll_up()
        return failure

    def _tend(self, _is_closing: bool) -> float:
        if self._clock.now() >= self._trim_at:
            self._trim_at = self._clock.now() + _TRIM_EVERY_S
            self._file.trim(self._clock.unix_ms())
        return _ROLL_UP_EVERY_S

    def _append(self, batch: list[_Handed], written: dict[Source, int]) -> StoreUnavailable | None:
        calls: list[Invocation] = []
        payloads: dict[int, CallPayload] = {}
        for handed in batch:
            if self._file.batches.has(handed.source, handed.batch):
                continue
            try:
                notes = _NOTES.decode(handed.records)
                payloads |= {
                    len(calls) + at: kept(note.payload) for at, note in enumerate(notes) if note.payload is not None
                }
                calls += map(invocation_of, notes)
            except (msgspec.MsgspecError, ValueError) as error:
                _log.error("records of calls that cannot be read reason=%s", error)
        failure = self._file.append(calls, payloads, written, self._clock.unix_ms())
        if failure is not None:
            with self._writer.changed:
                self._writer.dropped += len(calls)
        return failure

    def _roll_up(self) -> None:
        with self._writer.changed:
            reports, self._reports = self._reports, {}
        if reports and self._file.roll_up(reports, self._clock.unix_ms()) is not None:
            with self._writer.changed:  # they are totals: what is not written now is in the next ones
                self._reports = {**reports, **self._reports}

    def _confirm(self, written: dict[Source, int]) -> None:
        for (gateway, boot), batch in written.items():
            self.confirm(gateway, boot, batch)


def _last_of(batch: list[_Handed]) -> dict[Source, int]:
    """How far each gateway is with these: what it handed over later has the higher number."""
    return {handed.source: handed.batch for handed in batch if handed.batch}


def _count(message: bytes) -> int:
    try:
        return len(_COUNTED.decode(message))
    except msgspec.MsgspecError:
        return 0
