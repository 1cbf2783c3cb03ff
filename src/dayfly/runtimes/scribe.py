"""What a process's children say on standard error, passed on as lines of one form to its own.

Each child writes to a pipe of its own. Nothing here waits: whoever uses it waits for `reads` and `writes` among what
else it waits for, and calls `turn`. While standard error takes nothing, pipes are left alone, so that children are held
up as they would be if they wrote there themselves, and memory stays bounded. A line that is too long is cut, lines of
a child that floods are left out and counted, and what has no end yet when a child is gone is a line all the same.
"""

import contextlib
import fcntl
import os
import select
import time
from collections.abc import Callable, Container
from types import TracebackType

from dayfly.runtimes.log_event import NATS, Event, event, json_line, read_line, text_of

MOST_BYTES = 64 * 1024
"""The longest line."""
_AT_ONCE = 64 * 1024
_AT_LAST = 16
"""How many pieces are read of a child that is gone: more than its pipe holds, though not for ever."""
_PIPE_BYTES = 256 * 1024
"""What a child may say while nobody looks: for a moment, as when another version is tried."""
_PENDING_BYTES = 256 * 1024
_MOST_PENDING_BYTES = 4 * _PENDING_BYTES
_ATOMIC = 4096
"""What a descriptor that is ready takes without waiting."""
_RATE, _BURST = 200, 5_000
"""Lines a second that a child may say for long, and at once."""
_LAST_MS = 1000
QUIET = frozenset((NATS,))
"""Who says at the start much that is for nobody: as text, only what is worse is passed on."""


class Feed:
    """One child's pipe, and the line that has no end yet."""

    def __init__(self, process: str, fd: int) -> None:
        os.set_blocking(fd, False)
        self.process = process
        self.fd = fd
        self._rest = b""
        self._over = 0
        self._room = float(_BURST)
        self._filled_s = time.monotonic()
        self._left_out = 0

    def read(self) -> list[str] | None:
        """Return the lines of the next piece, and the last one when the pipe has ended; None when there is nothing."""
        try:
            data = os.read(self.fd, _AT_ONCE)
        except BlockingIOError:
            return None
        if not data:
            os.close(self.fd)
            self.fd = -1
            return self.rest()
        *whole, rest = data.split(b"\n")
        lines = []
        for each in whole:
            self._add(each)
            lines += self.rest(even_empty=True)
        self._add(rest)
        return lines

    def rest(self, *, even_empty: bool = False) -> list[str]:
        """Return what has no end as a line; nothing where there is nothing, or too much was said."""
        over, self._over = self._over, 0
        raw, self._rest = self._rest, b""
        if not raw and not even_empty:
            return []
        if self._is_spent():
            self._left_out += 1
            return []
        cut = f" … {over} more bytes of this line are left out" if over else ""
        return [raw.decode("utf-8", "replace").removesuffix("\r") + cut]

    def account(self) -> int:
        """Return how many lines were left out, once there is room for saying so, and begin anew."""
        if not self._left_out or self._is_spent():
            return 0
        left_out, self._left_out = self._left_out, 0
        return left_out

    def _add(self, piece: bytes) -> None:
        room = MOST_BYTES - len(self._rest)
        self._rest += piece[:room]
        self._over += max(0, len(piece) - room)

    def _is_spent(self) -> bool:
        now_s = time.monotonic()
        self._room = min(_BURST, self._room + (now_s - self._filled_s) * _RATE)
        self._filled_s = now_s
        if self._room < 1:
            return True
        self._room -= 1
        return False


class Scribe:
    """Writes down what all children say, and what their parent says as `process` itself.

    `keep` gets each event as a line of JSON, whatever the form of what goes to standard error.
    """

    def __init__(self, process: str, form: str, keep: Callable[[str], None] = lambda _line: None, fd: int = 2) -> None:
        self._process = process
        self._is_json = form == "json"
        self._keep = keep
        self._fd = fd
        self._feeds: list[Feed] = []
        self._pending = bytearray()

    def listen(self, process: str) -> tuple[Feed, int]:
        """Return a new feed and its writing end, which is closed by the caller once the child has it."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # an account may have only so much in pipes
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        return self.adopt(process, reader), writer

    def adopt(self, process: str, fd: int) -> Feed:
        """Take on a pipe that an earlier life has read."""
        os.set_inheritable(fd, False)
        self._feeds.append(Feed(process, fd))
        return self._feeds[-1]

    @property
    def reads(self) -> list[int]:
        """What to wait for: the pipes, and none while standard error is behind."""
        return [] if len(self._pending) > _PENDING_BYTES else [feed.fd for feed in self._feeds]

    @property
    def writes(self) -> list[int]:
        """Standard error, while something waits to be written there."""
        return [self._fd] if self._pending else []

    def turn(self, woken: Container[int]) -> None:
        """Take in what the pipes of these numbers have, and write what can be written."""
        for feed in [feed for feed in self._feeds if feed.fd in woken]:
            self._take(feed)
        self._write()

    def say(self, text: str, level: str = "info") -> None:
        """Write down what the parent says."""
        self._put(self._said(text, level), f"dayfly: {text}")
        self._write()

    def last_words(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write down what the parent dies of; as `sys.excepthook`."""
        import traceback  # for this alone, and then once

        self.say("".join(traceback.format_exception(kind, error, trace)).rstrip(), "critical")
        self._write(_LAST_MS)

    def aside(self, text: str) -> str:
        """Return a text as it is written elsewhere than to the log, and kept nowhere: it may hold a password."""
        return json_line(self._said(text)) if self._is_json else text

    def flush(self, feed: Feed | None = None) -> None:
        """Take in all that there is now, of one child or of all, with what has no end yet, and write it."""
        for each in [feed] if feed else list(self._feeds):
            for _ in range(_AT_LAST):
                if not self._take(each):
                    break
            self._lines(each, each.rest())
        self._write(_LAST_MS)

    def _said(self, text: str, level: str = "info") -> Event:
        return event(time.time_ns() // 1_000_000, level, self._process, "dayfly.server", text)

    def _take(self, feed: Feed) -> bool:
        """Read a piece of a pipe; return whether there may be more."""
        if feed.fd < 0:
            return False
        lines = feed.read()
        self._lines(feed, lines or [])
        if feed.fd < 0:
            self._feeds.remove(feed)
        return lines is not None

    def _lines(self, feed: Feed, lines: list[str]) -> None:
        now_ms = time.time_ns() // 1_000_000
        for line in lines:
            self._put(read_line(line, feed.process, now_ms), line)
        if left_out := feed.account():
            text = f"{left_out} lines of {feed.process} are left out: it said more than {_RATE} in a second for long"
            self.say(text, "warning")

    def _put(self, said: Event, line: str) -> None:
        made = json_line(said)
        self._keep(made)
        if len(self._pending) > _MOST_PENDING_BYTES:
            return
        if self._is_json:
            line = made
        elif said["process"] in QUIET:
            if said["level"] in ("debug", "info"):
                return
            line = text_of(said)
        self._pending += line.encode("utf-8", "replace") + b"\n"

    def _write(self, patience_ms: int = 0) -> None:
        """Write what is taken without waiting; drop it where nobody reads, which is no reason to stop."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        while self._pending and poll.poll(patience_ms):
            try:
                del self._pending[: os.write(self._fd, self._pending[:_ATOMIC])]
            except BlockingIOError:
                return
            except OSError:
                self._pending.clear()
