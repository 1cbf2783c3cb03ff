"""The store of the history: samples in, answers out, each in a thread of its own.

What was found is put on a short list, which the writing thread takes; nobody waits for a disk. Queries stand in line
for the reading thread: one at a time, a few waiting, each bounded (`budget`), so that no question can take the
platform's processor from it.
"""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from dayfly.model.errors import LimitExceeded, StoreUnavailable
from dayfly.model.history import HistoryLimits
from dayfly.model.names import NamespaceName
from dayfly.model.table import FunctionLoad
from dayfly.observe.history import queries
from dayfly.observe.history.budget import Budget
from dayfly.observe.history.file import HistoryFile
from dayfly.observe.history.queries import Answer, Extent
from dayfly.observe.history.scrape import GatewayLife, Scrape
from dayfly.observe.history.shelf import Family, Shelf
from dayfly.observe.promql.series import Labels
from dayfly.observe.writer import Writer

MAX_PENDING = 6
"""Scrapes that wait for a slow disk; beyond it the oldest go."""
MAX_WAITING = 16
"""Queries that stand in line."""
_TRIM_EVERY_S = 300.0
_log = logging.getLogger("dayfly.observe")
T = TypeVar("T")


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment in the past; never goes back."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""


class HistoryStore:
    """History in a SQLite file at `path`. It goes with its namespace, and keeps none from being removed.

    All methods but the threads' own are for the event loop that called `open`.
    """

    kind = "history"

    def __init__(self, path: Path, limits: HistoryLimits, clock: Clock) -> None:
        self._file = HistoryFile(path, limits)
        self._shelf = Shelf(path)
        self._clock = clock
        self._writer = Writer[Scrape](self.kind, self._write, self._file.forget, self._tend)
        self._trim_at = 0.0
        self._waiting = 0
        self._reader: concurrent.futures.ThreadPoolExecutor | None = None

    @property
    def marks(self) -> Mapping[GatewayLife, FunctionLoad]:
        """How far gateways had been counted when an earlier life wrote its last sample. To be asked before `record`."""
        return dict(self._file.marks)

    @property
    def refused(self) -> int:
        """Series that there was no room for, at the last moment."""
        return self._file.refused

    async def open(self) -> None:
        """Open the file, or begin a new one when it is damaged; without a file nothing is kept."""
        try:
            await asyncio.to_thread(self._file.open)
        except StoreUnavailable as error:
            _log.error("no history is kept until the next start: %s", error)
            return
        self._writer.start()
        self._reader = concurrent.futures.ThreadPoolExecutor(1, "history-reader")

    async def close(self) -> None:
        """Write what is pending and close the file. Idempotent."""
        reader, self._reader = self._reader, None
        if not await self._writer.close() or reader is None:
            return
        await asyncio.get_running_loop().run_in_executor(reader, self._shelf.close)
        await asyncio.to_thread(reader.shutdown)
        await asyncio.to_thread(self._file.close)

    def record(self, scrape: Scrape) -> None:
        """Have what was found written; never blocks and never raises."""
        writer = self._writer
        with writer.changed:
            if writer.is_closed:
                return
            writer.pending.append(scrape)
            if len(writer.pending) > MAX_PENDING:
                del writer.pending[0]
                writer.dropped += 1
            writer.changed.notify()

    async def inside(self, _namespace: NamespaceName) -> list[str]:
        """Return nothing: history is no reason to keep what it tells of."""
        return []

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove every series of the namespace. Raises StoreUnavailable."""
        await self._writer.forget(namespace)

    async def flushed(self) -> None:
        """Return when all that was recorded up to now is in the file, or lost."""
        await self._writer.flush()

    async def at_moment(self, query: str, extent: Extent) -> Answer:
        """Answer a query at the extent's end. Raises QueryWrong, QueryFailed, LimitExceeded, StoreUnavailable."""
        return await self._ask(lambda budget: queries.at_moment(self._shelf, query, extent, budget))

    async def over_span(self, query: str, extent: Extent, step_ms: int) -> Answer:
        """Answer a query step by step. Raises QueryWrong, QueryFailed, LimitExceeded, StoreUnavailable."""
        return await self._ask(lambda budget: queries.over_span(self._shelf, query, extent, step_ms, budget))

    async def series(self, selectors: list[str], extent: Extent) -> list[Labels]:
        """Return the labels of series. Raises QueryWrong, QueryFailed, LimitExceeded, StoreUnavailable."""
        return await self._ask(lambda budget: queries.series(self._shelf, selectors, extent, budget))

    async def families(self) -> list[Family]:
        """Return what the metrics are. Raises LimitExceeded, StoreUnavailable."""
        return await self._ask(lambda _budget: queries.families(self._shelf))

    async def _ask(self, question: Callable[[Budget], T]) -> T:
        if self._reader is None:
            raise StoreUnavailable("the history is closed: its file could not be opened, as the log says")
        if self._waiting >= MAX_WAITING:
            raise LimitExceeded(f"{MAX_WAITING} queries of the history stand in line already", retry_after_s=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._reader, lambda: question(Budget(self._clock.now))
            )
        finally:
            self._waiting -= 1

    def _write(self, batch: list[Scrape], _at_once: bool) -> StoreUnavailable | None:
        failure: StoreUnavailable | None = None
        for scrape in batch:
            lost = self._file.append(scrape)
            if lost is not None:
                failure = lost
                with self._writer.changed:
                    self._writer.dropped += 1
        return failure or (self._file.roll_up() if batch else None)

    def _tend(self, _is_closing: bool) -> None:
        if self._clock.now() >= self._trim_at:
            self._trim_at = self._clock.now() + _TRIM_EVERY_S
            self._file.trim()
