"""The log store: what functions printed, kept after their replicas are gone.

Lines arrive on the event loop, sometimes thousands at once, and nothing there may wait for a disk. So `write` numbers a
line, hands it to those who follow the function and puts it on a bounded list; a thread writes the list to a SQLite file
in batches (`log_file.py`). When the disk cannot keep up, or takes nothing, lines are dropped and counted: losing log
lines is better than slowing calls. That is said once when it begins, and once with their number when it is over. A
reader first waits until all that was written before it is in the file, then reads, and goes on with live lines by their
numbers, so that none is missing and none comes twice.

The same thread removes what is too old, and takes lines into the index of words, a piece between two batches: a search
first waits until all that was written before it is in there.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from dayfly.model.errors import StoreUnavailable
from dayfly.model.log import FoundLines, LogLine, Retention
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.observe.log_file import LogFile, LogQuery, Row
from dayfly.observe.log_follower import Follower, tidy
from dayfly.observe.log_search import IndexDamaged, LogSearch, find
from dayfly.observe.writer import Writer, settle

MAX_PENDING_LINES = 50_000
MAX_PENDING_CHARACTERS = 16 * 1024 * 1024
_LINGER_S = 0.05
_PAGE = 1000
_EXPIRE_EVERY_S = 60.0
_REST_S = 5.0
"""How long nothing is indexed for its own sake after it failed."""
_log = logging.getLogger("dayfly.observe")

__all__ = ["LogQuery", "LogSearch", "LogStore", "Retention"]


class LogStore:
    """Log lines in a SQLite file at `path`; implements the control plane's LogSink.

    All methods but the thread's own are for the event loop that called `open`.
    """

    def __init__(
        self, path: Path, *, retention: Retention | None = None, unix_ms: Callable[[], int] = lambda: 0
    ) -> None:
        self._path = path
        self._unix_ms = unix_ms
        self._rest_until = 0.0
        self._damage = ""
        self._file = LogFile(path, retention or Retention())
        self._followers: dict[FunctionKey, set[Follower]] = {}
        self._writer = Writer[Row](
            "log lines", self._write, self._file.forget, self._tend, linger_s=_LINGER_S,
            wants=lambda: bool(self._searching) or self._has_to_index(),
        )  # fmt: skip
        self._searching: list[tuple[int, asyncio.Future[None]]] = []
        self._newest = 0
        self._expire_at = 0.0

    async def open(self) -> None:
        """Open the file, or begin a new one when it is damaged, and start to write. Raises StoreUnavailable."""
        self._newest = await asyncio.to_thread(self._file.open)
        self._writer.start()

    async def close(self) -> None:
        """End those who follow, write what is pending and close the file. Idempotent."""
        self.end_followers()
        if await self._writer.close():
            await asyncio.to_thread(self._file.close)

    def end_followers(self) -> None:
        """Let those who follow come to their end; for a server that is about to stop."""
        for followers in self._followers.values():
            for follower in followers:
                follower.end()

    @property
    def followers(self) -> int:
        """How many readers follow a function now."""
        return sum(map(len, self._followers.values()))

    @property
    def dropped(self) -> int:
        """How many lines were dropped since the store was opened because the disk did not take them in time."""
        return self._writer.dropped

    def write(self, line: LogLine) -> None:
        """Keep the line; never blocks and never raises. Lines over the limit of a line are cut."""
        line = tidy(line)
        writer = self._writer
        with writer.changed:
            full = len(writer.pending) >= MAX_PENDING_LINES or writer.weight >= MAX_PENDING_CHARACTERS
            if writer.is_closed or full:
                writer.dropped += 1
                return
            self._newest += 1
            number = self._newest
            writer.pending.append((number, line))
            writer.weight += len(line.text)
            if len(writer.pending) == 1:
                writer.changed.notify()
        for follower in self._followers.get(line.key, ()):
            follower.put(number, line)

    async def flush(self) -> None:
        """Return when all that was written up to now is in the file."""
        await self._writer.flush()

    async def forget(self, namespace: NamespaceName) -> None:
        """Remove every line of the namespace's functions that was written up to now. Raises StoreUnavailable."""
        await self._writer.forget(namespace)

    async def query(
        self, key: FunctionKey, *, since_unix_ns: int = 0, tail: int = -1, replica: str = ""
    ) -> list[LogLine]:
        """Return the lines kept, oldest first: those since a time, at most `tail` of the newest when it is not
        negative, of one replica when it is given. Raises StoreUnavailable.
        """
        query = LogQuery(key=key, since_unix_ns=since_unix_ns, tail=tail, replica=replica)
        return [line async for line in self.lines(query)]

    async def follow(self, key: FunctionKey) -> AsyncGenerator[LogLine, None]:
        """Yield the lines written from now on, until the store is closed."""
        async with contextlib.aclosing(self.lines(LogQuery(key=key, tail=0), follow=True)) as lines:
            async for line in lines:
                yield line

    async def lines(self, query: LogQuery, *, follow: bool = False) -> AsyncGenerator[LogLine, None]:
        """Yield the lines that `query` asks for and then, when following, those to come until the store is closed.

        A follower that reads too slowly misses lines, and a line of the platform says how many. Raises
        StoreUnavailable.
        """
        follower = self._enter(query.key) if follow else None
        upto = self._newest  # in the same step as entering: live lines begin with the next number
        try:
            await self._writer.flush()
            after = await asyncio.to_thread(self._file.start_of, query, upto)
            while page := await asyncio.to_thread(self._file.page, query, after, upto, _PAGE):
                for number, line in page:
                    after = number
                    yield line
            while follower and (item := await follower.get()) is not None:
                _, line = item
                if query.wants(line):
                    yield line
        finally:
            if follower:
                self._leave(query.key, follower)

    async def search(self, search: LogSearch) -> FoundLines:
        """Return a page of the lines that are searched for, the newest first.

        Raises InvalidRequest for a search that takes too long, StoreUnavailable.
        """
        await self._indexed()
        try:
            return await asyncio.to_thread(find, self._path, search)
        except IndexDamaged as error:
            await self._indexed(damage=str(error))
        return await asyncio.to_thread(find, self._path, search)

    async def _indexed(self, *, damage: str = "") -> None:
        """Return when the words of all that was written up to now are in the index; with `damage` in a new one."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._writer.changed:
            self._writer.check_open()
            self._damage = damage or self._damage
            self._searching.append((self._newest, done))
            self._writer.changed.notify()
        await done

    def _enter(self, key: FunctionKey) -> "Follower":
        follower = Follower(key)
        if self._writer.is_closed:
            follower.end()
        self._followers.setdefault(key, set()).add(follower)
        return follower

    def _leave(self, key: FunctionKey, follower: "Follower") -> None:
        followers = self._followers.get(key, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(key, None)

    def _write(self, batch: list[Row], _at_once: bool) -> StoreUnavailable | None:
        failure = self._file.append(batch) if batch else None
        if failure is not None:
            with self._writer.changed:
                self._writer.dropped += len(batch)
        return failure

    def _tend(self, is_closing: bool) -> float:
        if time.monotonic() >= self._expire_at and not self._file.expire(self._unix_ms() * 1_000_000):
            self._expire_at = time.monotonic() + _EXPIRE_EVERY_S
        self._index(is_closing)
        return max(0.0, self._expire_at - time.monotonic())

    def _has_to_index(self) -> bool:
        return self._file.is_behind and time.monotonic() >= self._rest_until

    def _index(self, is_closing: bool) -> None:
        """Take a piece into the index, where there is a whole one or somebody waits; tell those who wait no more."""
        with self._writer.changed:
            searching, self._searching = self._searching, []
            damage, self._damage = self._damage, ""
        failure = StoreUnavailable("the store of log lines is closed") if is_closing else None
        if not is_closing and (
            damage or self._has_to_index() or any(number > self._file.indexed for number, _ in searching)
        ):
            failure = self._file.index_anew(damage) if damage else self._file.index()
            if failure is not None:
                self._rest_until = time.monotonic() + _REST_S
        waiting = []
        for number, done in searching:
            if failure is None and number > self._file.indexed:
                waiting.append((number, done))
            else:
                self._writer.tell(settle, done, failure)
        with self._writer.changed:
            self._searching = waiting + self._searching
