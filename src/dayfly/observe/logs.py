"""The log store: what functions printed, kept after their replicas are gone.

Lines arrive on the event loop, sometimes thousands at once, and nothing there may wait for a disk. So `write` numbers a
line, hands it to those who follow the function and puts it on a bounded list; a thread writes the list to a SQLite file
in batches (`log_file.py`). When the disk cannot keep up, or takes nothing, lines are dropped and counted: losing log
lines is better than slowing calls. That is said once when it begins, and once with their number when it is over. A
reader first waits until all that was written before it is in the file, then reads, and goes on with live lines by their
numbers, so that none is missing and none comes twice.
"""

import asyncio
import collections
import contextlib
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import msgspec

from dayfly.model.errors import StoreUnavailable
from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.observe.log_file import LogFile, LogQuery, Retention, Row
from dayfly.observe.losses import Losses

MAX_PENDING_LINES = 50_000
MAX_PENDING_CHARACTERS = 16 * 1024 * 1024
MAX_FOLLOWER_LINES = 10_000
_LINGER_S = 0.05
_PAGE = 1000
_log = logging.getLogger("dayfly.observe")

__all__ = ["LogQuery", "LogStore", "Retention"]


class LogStore:
    """Log lines in a SQLite file at `path`; implements the control plane's LogSink.

    All methods but the thread's own are for the event loop that called `open`.
    """

    def __init__(self, path: Path, *, retention: Retention | None = None) -> None:
        self._file = LogFile(path, retention or Retention())
        self._followers: dict[FunctionKey, set[_Follower]] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._changed = threading.Condition()
        self._pending: list[Row] = []
        self._forgetting: list[tuple[NamespaceName, asyncio.Future[None]]] = []
        self._pending_characters = 0
        self._hurry = False
        self._closing = True
        self._dropped = 0
        self._newest = 0
        self._written = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Open the file, or begin a new one when it is damaged, and start to write. Raises StoreUnavailable."""
        self._loop = asyncio.get_running_loop()
        self._newest = self._written = await asyncio.to_thread(self._file.open)
        self._closing = False
        self._thread = threading.Thread(target=self._write_batches, name="log-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """End those who follow, write what is pending and close the file. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify()
        self.end_followers()
        await asyncio.to_thread(thread.join)
        self._wake_waiters(None)
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
        return self._dropped

    def write(self, line: LogLine) -> None:
        """Keep the line; never blocks and never raises. Lines over the limit of a line are cut."""
        line = _tidy(line)
        with self._changed:
            full = len(self._pending) >= MAX_PENDING_LINES or self._pending_characters >= MAX_PENDING_CHARACTERS
            if self._closing or full:
                self._dropped += 1
                return
            self._newest += 1
            number = self._newest
            self._pending.append((number, line))
            self._pending_characters += len(line.text)
            if len(self._pending) == 1:
                self._changed.notify()
        for follower in self._followers.get(line.key, ()):
            follower.put(number, line)

    async def flush(self) -> None:
        """Return when all that was written up to now is in the file."""
        await self._flushed(self._newest)

    async def forget(self, namespace: NamespaceName) -> None:
        """Remove every line of the namespace's functions that was written up to now. Raises StoreUnavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closing:
                raise StoreUnavailable("the log store is closed")
            self._forgetting.append((namespace, done))
            self._changed.notify()
        await done

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
            await self._flushed(upto)
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

    def _enter(self, key: FunctionKey) -> "_Follower":
        follower = _Follower(key)
        if self._closing:
            follower.end()
        self._followers.setdefault(key, set()).add(follower)
        return follower

    def _leave(self, key: FunctionKey, follower: "_Follower") -> None:
        followers = self._followers.get(key, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(key, None)

    async def _flushed(self, number: int) -> None:
        if self._written >= number or self._thread is None:
            return
        done = asyncio.get_running_loop().create_future()
        self._waiters.append((number, done))
        with self._changed:
            self._hurry = True
            self._changed.notify()
        await done

    def _wake_waiters(self, written: int | None) -> None:
        if written is not None:
            self._written = written
        waiting, self._waiters = self._waiters, []
        for number, done in waiting:
            if written is not None and number > written:
                self._waiters.append((number, done))
            elif not done.done():
                done.set_result(None)

    def _write_batches(self) -> None:
        losses = Losses("log lines", self._dropped)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._forgetting or self._closing)
                # Lines come in bursts; a moment's wait makes one transaction of many. A reader ends the wait.
                self._changed.wait_for(lambda: self._hurry or self._forgetting or self._closing, timeout=_LINGER_S)
                batch, self._pending, self._pending_characters = self._pending, [], 0
                forgetting, self._forgetting = self._forgetting, []
                self._hurry = False
                closing = self._closing
            if batch:
                failure = self._file.append(batch)
                if failure is not None:
                    with self._changed:
                        self._dropped += len(batch)
                losses.tell(self._dropped, failure)
                self._tell(self._wake_waiters, batch[-1][0])
            for namespace, done in forgetting:
                self._tell(_settle, done, self._file.forget(namespace))
            if closing and not batch:
                return

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            # The loop was closed without close(): nobody is left to be told, but the lines are in the file.
            _log.debug("log writer outlived its event loop")


def _settle(done: "asyncio.Future[None]", failure: StoreUnavailable | None) -> None:
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)


class _Follower:
    """The live lines of one reader: bounded, the oldest go first, and their number is told in their place."""

    def __init__(self, key: FunctionKey) -> None:
        self._key = key
        self._lines: collections.deque[Row] = collections.deque()
        self._missed = 0
        self._ended = False
        self._changed = asyncio.Event()

    def put(self, number: int, line: LogLine) -> None:
        if len(self._lines) >= MAX_FOLLOWER_LINES:
            self._lines.popleft()
            self._missed += 1
        self._lines.append((number, line))
        self._changed.set()

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def get(self) -> Row | None:
        """Return the next line, or None when there will be no more."""
        while not self._lines and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if not self._lines:
            return None
        if self._missed:
            number, line = self._lines[0]
            text = f"{self._missed} lines were printed faster than this reader took them"
            self._missed = 0
            return number, LogLine(line.unix_ns, self._key, line.replica, "platform", "", text)
        return self._lines.popleft()


def _tidy(line: LogLine) -> LogLine:
    """Return the line as the file and JSON can hold it: within its limit, without halves of surrogate pairs."""
    if line.text.isascii() and len(line.text) <= MAX_LINE_BYTES:
        return line
    text = line.text.encode("utf-8", "replace")[:MAX_LINE_BYTES].decode("utf-8", "ignore")
    return msgspec.structs.replace(line, text=text)
