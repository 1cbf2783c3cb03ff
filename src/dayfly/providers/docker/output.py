"""One container's output as log lines, followed while it runs and read to its end when it has ended.

The engine keeps the output in a file of bounded size, and gives it from any time on. Up to where it was read is kept in
the container's folder with each piece, so that the next control plane goes on where this one was cut off. What is
printed faster than anybody may log is left in the engine, unread, for a while.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable

from dayfly.model.errors import Unavailable
from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.replica import StartOrder
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.providers.docker.folders import Folder
from dayfly.providers.docker.frames import Frames, Resumption, split_time
from dayfly.providers.log_rate import PAUSE_S, LogRate

_log = logging.getLogger("dayfly.providers.docker")

LAST_WORDS_S = 5.0
"""How long the engine may take to give what a container printed before its end."""


class Output:
    """Reads what the container of `order` prints; lines go to `on_log`."""

    def __init__(self, order: StartOrder, folder: Folder, on_log: Callable[[LogLine], None]) -> None:
        self._order = order
        self._folder = folder
        self._on_log = on_log
        self._rate = LogRate(order.log_rate_bytes)
        self._cursor = folder.cursor
        self._hurry = False
        self._task: asyncio.Task[None] | None = None

    def tell(self, text: str) -> None:
        """Put a line of the platform's own into the log."""
        self._line(time.time_ns(), "platform", text)

    def follow(self, engine: Engine, container: str) -> None:
        """Read on from now, until the container ends, the engine goes or `stop`. Nothing when it is read already."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._read(engine, container, follow=True))

    async def finish(self, engine: Engine, container: str) -> None:
        """Read what the container, which has ended, still said."""
        self._hurry = True
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                if self._task is not None:
                    await asyncio.wait([self._task])
                await self._read(engine, container, follow=False)
        except TimeoutError:
            self.tell(f"log: what it printed last could not be read within {LAST_WORDS_S:g}s")
        if account := self._rate.account():
            self.tell(account)
        await self.stop()

    async def stop(self) -> None:
        """Read no more. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _read(self, engine: Engine, container: str, *, follow: bool) -> None:
        resumed = Resumption(self._cursor)
        query = {"stdout": True, "stderr": True, "timestamps": True, "follow": follow, "since": self._cursor.since}
        frames = Frames()
        try:
            async with engine.stream("GET", f"/containers/{container}/logs", query=query) as pieces:
                async for piece in pieces:
                    self._take(frames, piece, resumed)
                    if self._rate.is_spent and not self._hurry:
                        await asyncio.sleep(PAUSE_S)
        except (Refusal, Unavailable) as error:
            # The engine is asked again when it is back; a container that it has forgotten has nothing to say.
            _log.info("%s: the output of replica %s cannot be read: %s", self._order.key, self._order.replica, error)

    def _take(self, frames: Frames, piece: bytes, resumed: Resumption) -> None:
        self._rate.fill()
        for stream, content in frames.feed(piece):
            unix_ns, text = split_time(content)
            if resumed.is_known(unix_ns):
                continue
            self._cursor = self._cursor.after(unix_ns)
            if self._rate.is_spent:
                self._rate.drop(1)
                continue
            if account := self._rate.account():
                self.tell(account)
            self._rate.spend(len(content))
            for start in range(0, len(text) or 1, MAX_LINE_BYTES):
                self._line(unix_ns or time.time_ns(), stream, text[start : start + MAX_LINE_BYTES])
        self._folder.move_cursor(self._cursor)

    def _line(self, unix_ns: int, stream: str, text: str) -> None:
        self._on_log(LogLine(unix_ns, self._order.key, self._order.replica, stream, "", text))
