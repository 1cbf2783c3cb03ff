"""A pod's output as log lines, followed while it runs and read to its end when it has ended.

A pod of code has an agent, which numbers its lines and knows to which call each belongs. An image's lines are known by
the time that the container's runtime put before them.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dayfly.model.errors import DayflyError
from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes.house import RETRY_S, House
from dayfly.providers.log_rate import PAUSE_S, LogRate
from dayfly.providers.pod import lines

_log = logging.getLogger("dayfly.providers.kubernetes")

LAST_WORDS_S = 5.0
"""How long the cluster may take to give what a pod printed before its end."""


class Output:
    """Reads what a pod prints; lines go to `house.on_log`. Follows until the container ends or `stop`."""

    def __init__(self, house: House, order: StartOrder) -> None:
        self._house = house
        self._order = order
        self._pod = ""
        self._ended = asyncio.Event()
        """Set once the last line was read."""
        self._ending = self._is_closed = False
        self._task: asyncio.Task[None] | None = None

    def follow(self, pod: str) -> None:
        """Read on from now, unless it was read to its end."""
        self._pod = pod
        if not self._is_closed and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._follow())

    async def finish(self) -> None:
        """Read what the pod, which has ended, still said."""
        self._ending = True
        if self._task is not None:
            waits = asyncio.ensure_future(self._ended.wait())
            await asyncio.wait([waits, self._task], timeout=LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED)
            if not waits.done() and not self._task.done():
                self.tell(f"log: what it printed last could not be read within {LAST_WORDS_S:g}s")
            waits.cancel()
        await self.stop()

    async def stop(self) -> None:
        """Read no more. Idempotent."""
        self._is_closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def tell(self, text: str) -> None:
        """Put a line of the platform's own into the log."""
        self.put(time.time_ns(), "platform", text)

    def put(self, unix_ns: int, stream: str, text: str, call_id: str = "") -> None:
        """Hand a line on."""
        self._house.on_log(LogLine(unix_ns, self._order.key, self._order.replica, stream, call_id, text))

    def take(self, line: bytes) -> None:
        """Take a line of the pod's log."""
        raise NotImplementedError

    def resumption(self) -> dict[str, str]:
        """Return from where on it is to be read, as parameters for the API."""
        raise NotImplementedError

    async def pause(self) -> None:
        """Wait, where it prints more than it may."""

    async def _follow(self) -> None:
        attempt = 0
        while not self._ended.is_set():
            try:
                async with contextlib.aclosing(self._lines()) as found:
                    async for line in found:
                        attempt = 0
                        self.take(line)
                        await self.pause()
                if self._ending:
                    return
            except DayflyError as error:  # not there yet, not any more, or the API is away: asked again
                _log.debug("the output of %s cannot be read now: %s", self._pod, error)
                if self._ending and attempt:
                    return
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _lines(self) -> Any:
        return self._house.log_of(self._pod, follow=True, **self.resumption())


class AgentOutput(Output):
    """The output of a pod that has an agent. `on_read` is told the number of each line that was handed on."""

    def __init__(self, house: House, order: StartOrder, on_read: Callable[[int], None]) -> None:
        super().__init__(house, order)
        self.read = 0
        self._on_read = on_read

    def resumption(self) -> dict[str, str]:
        """All that there is: its lines say which are known."""
        return {}

    def take(self, line: bytes) -> None:
        """Hand a line on that is new."""
        match lines.parse(line):
            case lines.Printed() as printed if printed.number > self.read:
                self.read = printed.number
                self.put(printed.unix_ns, printed.stream, printed.text[:MAX_LINE_BYTES], printed.call_id)
                self._on_read(printed.number)
            case lines.Ended():
                self._ended.set()
            case None:
                _log.info("%s printed: %s", self._pod, line[:300].decode(errors="replace"))

    async def catch_up(self, pod: str) -> None:
        """Read what a pod said last whose replica ended while nobody followed it. Raises DayflyError."""
        said: list[lines.Printed] = []
        async with contextlib.aclosing(self._house.log_of(pod, follow=False)) as found:
            async for line in found:
                match lines.parse(line):
                    case lines.Printed() as printed:
                        said.append(printed)
                    case lines.Ended() as ended:
                        self.read = ended.read
        for printed in said:
            if printed.number > self.read:
                self.put(printed.unix_ns, printed.stream, printed.text[:MAX_LINE_BYTES], printed.call_id)


class PlainOutput(Output):
    """The output of an image's container."""

    def __init__(self, house: House, order: StartOrder, read_ns: int = 0) -> None:
        super().__init__(house, order)
        self.read_ns = read_ns
        self._rate = LogRate(order.log_rate_bytes)

    def resumption(self) -> dict[str, str]:
        """From the second of the last line on: the API knows no finer time."""
        since = {"sinceTime": _stamp(self.read_ns)} if self.read_ns else {}
        return {"timestamps": "true", **since}

    def take(self, line: bytes) -> None:
        """Hand a line on that is new, if it may still log."""
        unix_ns, text = split_time(line)
        if unix_ns and unix_ns <= self.read_ns:
            return
        self.read_ns = unix_ns or self.read_ns
        self._rate.fill()
        if self._rate.is_spent:
            self._rate.drop(1)
            return
        if account := self._rate.account():
            self.tell(account)
        self._rate.spend(len(line))
        for start in range(0, len(text) or 1, MAX_LINE_BYTES):
            self.put(unix_ns or time.time_ns(), "stdout", text[start : start + MAX_LINE_BYTES])

    async def pause(self) -> None:
        """Leave the rest unread for a while when it prints more than it may."""
        if self._rate.is_spent and not self._ending:
            await asyncio.sleep(PAUSE_S)


def split_time(line: bytes) -> tuple[int, str]:
    """Return the time, in nanoseconds since 1970, that stands before a line, and its text; 0 when there is none."""
    stamp, _, text = line.partition(b" ")
    try:
        whole, _, fraction = stamp.decode("ascii").rstrip("Z").partition(".")
        seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
        return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0")), text.decode(errors="replace")
    except ValueError:
        return 0, line.decode(errors="replace")


def _stamp(unix_ns: int) -> str:
    return datetime.fromtimestamp(unix_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
