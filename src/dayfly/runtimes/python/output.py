"""What a function prints, as lines that know their stream and their call.

A replica's descriptors 1 and 2 are one pipe. Python's `sys.stdout` and `sys.stderr` are ours and write framed lines:

    RS stream time-in-ns-as-hex SP call-id US text LF           (RS is 0x1e, US is 0x1f, stream is o, e, p or x)

Whatever else writes to the descriptors (a subprocess, a C library) writes plain lines, read as stdout with no call. A
function can forge a frame and so mislabel its own lines, nobody else's. Stream p is the platform's own word about the
function, x the reason why a start failed, its text with LF as US.

The pipe never blocks for ever: a line that finds it full waits for at most 0.1 s, is then dropped and counted, and
so are those after it, without waiting, until there is room again; then one line tells how many were lost. Only the
reason why a start failed waits longer, as the process ends after it.
"""

import contextvars
import io
import os
import select
import sys
import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dayfly.model.log import MAX_LINE_BYTES

if TYPE_CHECKING:
    from dayfly.runtimes.python.calls import Context

FULL_WAIT_S = 0.1
LAST_WORD_S = 10.0
"""How long a full pipe is waited for to say why a start failed: whoever reads it may pause, or be slow."""
STREAMS = {"o": "stdout", "e": "stderr", "p": "platform", "x": "failure"}

current: contextvars.ContextVar["Context | None"] = contextvars.ContextVar("dayfly_call", default=None)
"""The call that the running code works for."""


_framed = True


class LogPipe:
    """The writing end; framed lines in, without ever blocking for long."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self._dropped = 0
        self._broken = False

    def line(self, stream: str, call_id: str, text: str) -> None:
        """Write one line, cut into pieces of at most MAX_LINE_BYTES."""
        data = text.encode("utf-8", "replace")
        head = b"\x1e%s%x %s\x1f" % (stream.encode(), time.time_ns(), call_id.encode("ascii", "replace"))
        if not _framed:
            head, data = b"", data.replace(b"\x1f", b"\n")
        with self._lock:
            for start in range(0, len(data) or 1, MAX_LINE_BYTES):
                self._write(head + data[start : start + MAX_LINE_BYTES] + b"\n", self._patience_s(stream))

    def _patience_s(self, stream: str) -> float:
        if STREAMS[stream] == "failure":  # The process ends after it, and nothing else says why.
            return LAST_WORD_S
        return 0 if self._dropped else FULL_WAIT_S

    def _write(self, frame: bytes, patience_s: float) -> None:
        if self._dropped:
            lost = b"\x1ep%x \x1f%d lines were lost because the log was not read in time\n"
            frame = lost % (time.time_ns(), self._dropped) + frame
        if self._broken:  # the rest of a line was lost: begin a new one
            frame = b"\n" + frame
        deadline = time.monotonic() + patience_s
        left = memoryview(frame)
        while left:
            try:
                left = left[os.write(self._fd, left) :]
            except BlockingIOError:
                wait = deadline - time.monotonic()
                if wait <= 0:
                    break
                _wait_for_room(self._fd, wait)
            except OSError:  # nobody will ever read again
                break
        if left:
            self._broken = self._broken or len(left) < len(frame)
            self._dropped += 1
        else:
            self._broken, self._dropped = False, 0


class Output(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a function: text in, framed lines out.

    Unfinished lines are kept apart for each call, so that calls that overlap do not mix within a line.
    """

    def __init__(self, pipe: LogPipe, stream: str, fd: int) -> None:
        self._pipe = pipe
        self._stream = stream
        self._fd = fd
        self._partial = ""
        self.buffer = _Bytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute in the stubs, read-only in fact
        """The encoding of what `buffer` takes."""
        return "utf-8"

    def write(self, text: str) -> int:
        """Take `text`; whole lines go to the log at once."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        call = current.get()
        if "\n" not in text:
            self._keep(call, self._kept(call) + text)
            return len(text)
        *lines, rest = (self._kept(call) + text).split("\n")
        call_id = call.call_id if call is not None else ""
        for line in lines:
            self._pipe.line(self._stream, call_id, line)
        self._keep(call, rest)
        return len(text)

    def end_call(self, call: "Context") -> None:
        """Log what the call left without a line end."""
        partial = call.partial.pop(self._stream, "") if call.partial else ""
        if partial:
            self._pipe.line(self._stream, call.call_id, partial)

    def writable(self) -> bool:
        """Whether this can be written: yes."""
        return True

    def isatty(self) -> bool:
        """Whether this is a terminal: no."""
        return False

    def fileno(self) -> int:
        """Return the descriptor, for what writes past Python."""
        return self._fd

    def _kept(self, call: "Context | None") -> str:
        if call is None:
            return self._partial
        return call.partial.get(self._stream, "") if call.partial else ""

    def _keep(self, call: "Context | None", text: str) -> None:
        if len(text) > MAX_LINE_BYTES:
            self._pipe.line(self._stream, call.call_id if call is not None else "", text)
            text = ""
        if call is None:
            self._partial = text
        elif text or call.partial:
            call.partial = {**(call.partial or {}), self._stream: text}


class _Bytes(io.RawIOBase):
    """`sys.stdout.buffer`: bytes in, the same lines out."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._output.fileno()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._output.write(view.tobytes().decode("utf-8", "replace"))
        return view.nbytes


def install(fd: int) -> LogPipe:
    """Make `fd` the descriptors 1 and 2 and Python's stdout and stderr. Keeps `fd` open."""
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    pipe = LogPipe(1)
    sys.stdout = sys.__stdout__ = Output(pipe, "o", 1)  # type: ignore[assignment,misc]  # a TextIO in all but name
    sys.stderr = sys.__stderr__ = Output(pipe, "e", 2)  # type: ignore[assignment,misc] # a stand-in with the methods that are used
    return pipe


def plain() -> None:
    """Write lines without their frames from now on: nobody is there who reads them."""
    global _framed
    _framed = False


def end_call(call: "Context") -> None:
    """Log what the call printed without a line end. Called once for each call that printed such a thing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Output):
            stream.end_call(call)


def parse_line(line: bytes) -> tuple[str, int, str, str]:
    """Return a raw log line's stream, time in ns (0 when unknown), call id and text."""
    if line[:1] == b"\x1e":
        head, mark, text = line[1:].partition(b"\x1f")
        stamp, space, call_id = head[1:].partition(b" ")
        stream = STREAMS.get(head[:1].decode("ascii", "replace"))
        if mark and space and stream and _is_hex(stamp):
            return stream, int(stamp, 16), call_id.decode("ascii", "replace"), text.decode("utf-8", "replace")
    return "stdout", 0, "", line.decode("utf-8", "replace")


def failure_text(lines: Iterable[str]) -> str:
    """Return `lines` as the text of one failure frame."""
    return "\x1f".join(lines)


def _is_hex(stamp: bytes) -> bool:
    return 0 < len(stamp) <= 16 and all(digit in b"0123456789abcdef" for digit in stamp)


def _wait_for_room(fd: int, wait_s: float) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    poll.poll(wait_s * 1000)
