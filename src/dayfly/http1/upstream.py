"""The client's side of a connection: one request out, one response in, then the next.

The body of a response whose length is known is counted and handed on unread; the rest is `answer`'s.
"""

import socket
from typing import TYPE_CHECKING

from dayfly.http1.answer import MAX_ANSWER_HEAD, UNTIL_CLOSE, Answer, BadAnswer, Switched
from dayfly.http1.flood import FLOOD_BYTES
from dayfly.http1.head import CHUNKED
from dayfly.http1.parser import HEAD_END
from dayfly.http1.roles import Caller
from dayfly.http1.silence import bear_with, is_silence
from dayfly.http1.wire import JOINED_BYTES, Data, Wire

if TYPE_CHECKING:
    from dayfly.http1.pool import Pool

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_FRESH = -5
"""`left` before the first byte of an answer."""
_PARSED = -4
"""`left` while the answer is parsed: in the head, or in a chunked body."""
_RAW = -3
SILENCE_S = 10.0
"""After so long without an acknowledgement a connection is broken: a function may take its time, its machine not."""
_PARSED_BYTES = 4_096
"""What is read at once beyond this is mostly body."""


class UpstreamConnection(Wire):
    """A connection to one upstream address, owned by a pool."""

    __slots__ = ("_method", "_passing", "_pool", "_read", "answer", "caller", "is_borne_with", "left", "reused")

    def __init__(self, pool: "Pool") -> None:
        super().__init__()
        self._pool = pool
        self.caller: Caller | None = None
        self.answer = Answer(pool.sieve)
        self.reused = False
        """Whether it has carried a response before."""
        self.left = _PARSED
        self.is_borne_with = False
        """Whether the upstream may take what it is sent as slowly as it likes: that is more than the kernels hold."""
        self._method = b""
        self._passing = False
        self._read = 0

    def begin(self, caller: Caller, method: bytes) -> None:
        """Expect the response to a `method` request, for `caller`, who then writes the request."""
        self.caller = caller
        self.left = _FRESH
        self._method = method

    def release(self) -> None:
        """Give the connection back after a complete response, to be used again if it can be."""
        self.caller = None
        if self.answer.spoiled:
            self.close()
            return
        self.reused = True
        if self.is_borne_with:
            self._bear_with(slow=False)
        if not self.reading:
            self.resume()
        pool = self._pool
        if pool.closed:
            self.close()
        else:
            pool.idle.append(self)

    def write_parts(self, head: bytes, body: Data) -> bool:
        """Send `head` and `body`; a large one as slowly as it is taken."""
        if len(body) >= JOINED_BYTES:
            self._bear_with(slow=True)
        return super().write_parts(head, body)

    def spill(self, data: Data) -> None:
        """Send more of a body, or of a tunnel, as slowly as it is taken."""
        if not self.is_borne_with:
            self._bear_with(slow=True)
        super().spill(data)

    def _bear_with(self, *, slow: bool) -> None:
        self.is_borne_with = slow
        if self.transport is not None and (sock := self.transport.get_extra_info("socket")).family in _INTERNET:
            bear_with(sock, slow=slow, after_s=SILENCE_S)

    def drop(self) -> None:
        """Close without a word to the caller."""
        self.caller = None
        self.answer.spoiled = True
        self.abort()

    def break_off(self, why: str) -> None:
        """Close now and tell the caller."""
        caller = self.caller
        self.drop()
        if caller is not None:
            caller.upstream_lost(why, False)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a body that ends with its connection; any other response is broken off."""
        self.transport = None
        self.answer.spoiled = True
        self.answer.leave()
        self._pool.forget(self)
        if exc is not None and is_silence(exc):
            self._pool.mute()
        caller, self.caller = self.caller, None
        if caller is None:
            return
        if self.left == UNTIL_CLOSE and exc is None:
            caller.answer(b"", True)
        else:
            caller.upstream_lost(str(exc) if exc else "it closed the connection", True)

    def pause_writing(self) -> None:
        """Tell the caller that the upstream takes less than it is sent."""
        self.writable = False
        if self.caller is not None:
            self.caller.upstream_pace(False)

    def resume_writing(self) -> None:
        """Tell the caller that the upstream has caught up."""
        self.writable = True
        if self.caller is not None:
            self.caller.upstream_pace(True)

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        caller = self.caller
        left = self.left
        if caller is None:
            # Bytes that answer no request: whatever they are, the next response could not be told from them.
            self.drop()
        elif left == _FRESH:
            answer = self.answer
            known = answer.known
            if known and data.startswith(known) and self._method != b"HEAD":
                # The warm path: the same head as the one before.
                size = len(known)
                left = answer.length - len(data) + size
                if left == 0 and answer.length < JOINED_BYTES:
                    caller.whole(answer, data[size:])
                    return
                if left >= 0:
                    self._begin_counted(caller, memoryview(data)[len(known) :])
                    return
            self.left = _PARSED
            self._passing = False
            answer.begin(self._method)
            self._parse(caller, data, True)
        elif left == _PARSED:
            self._parse(caller, data, False)
        elif left > 0:
            self._take_counted(caller, data)
        else:
            caller.answer(data, False)

    def take_flood(self, data: memoryview) -> None:
        """Take a piece of a large body."""
        if self.caller is not None:
            self._take_counted(self.caller, data)

    def _take_counted(self, caller: Caller, data: Data) -> None:
        data = self._count(self.left, data)
        complete = self.left == 0
        if complete and self.flooding:
            self.end_flood()
        caller.answer(data, complete)

    def _count(self, expected: int, data: Data) -> Data:
        left = expected - len(data)
        if left < 0:
            self.answer.spoiled = True
            data = data[:left]
            left = 0
        self.left = left
        return data

    def _parse(self, caller: Caller, data: bytes, first: bool) -> None:
        answer, fed = self.answer, len(data)
        try:
            if len(data) > _PARSED_BYTES and not answer.status:
                # The parser would copy the body that came along. It gets the head only.
                end = data.find(HEAD_END) + len(HEAD_END)
                if len(HEAD_END) <= end < len(data):
                    fed = end
                    answer.feed(data[:end])
                    fed, body = len(data), answer.take_body()
                    if answer.status and not answer.complete and answer.length > 0 and not body:
                        answer.leave()
                        if first and not answer.interims:
                            answer.remember(data, end)
                        self._begin_counted(caller, memoryview(data)[end:])
                        return
                    answer.feed(data[end:])
                    self._act(caller, body + answer.take_body(), len(data))
                    return
            answer.feed(data)
            if first and answer.complete and answer.length > 0 and not answer.interims:
                answer.remember(data, len(data) - answer.length)
        except BadAnswer as fault:
            self.break_off(f"what it answered cannot be passed on: {fault}")
        except Switched as switch:
            self.left = _RAW
            self._pass_interims(caller)
            caller.switched(self, switch.rest + data[fed:])
        else:
            self._act(caller, answer.take_body(), len(data))

    def _act(self, caller: Caller, body: bytes, nbytes: int) -> None:
        answer = self.answer
        if answer.interims:
            self._pass_interims(caller)
        if not answer.status:
            self._read += nbytes
            if self._read > MAX_ANSWER_HEAD:
                self.break_off(f"what it answered cannot be passed on: its headers exceed {MAX_ANSWER_HEAD} bytes")
        elif self._passing:
            if body or answer.complete:
                self._read = 0
                caller.answer(body, answer.complete)
            else:
                self._read += nbytes
                if self._read > MAX_ANSWER_HEAD:
                    # A chunk's extension or a trailer without an end, which the parser would keep.
                    self.break_off(f"its body's framing exceeds {MAX_ANSWER_HEAD} bytes")
        elif answer.complete or answer.length == CHUNKED:
            self._passing = True
            self._read = 0
            if answer.complete and 0 < answer.length < JOINED_BYTES:
                caller.whole(answer, body)
            else:
                caller.answered(answer, body, answer.complete)
        else:
            # From here the parser would only copy.
            answer.leave()
            self._begin_counted(caller, body)

    def _pass_interims(self, caller: Caller) -> None:
        interims, self.answer.interims = self.answer.interims, []
        for status, lines in interims:
            caller.interim(status, lines)

    def _begin_counted(self, caller: Caller, body: Data) -> None:
        self._read = 0
        if self.answer.length == UNTIL_CLOSE:
            self.left = UNTIL_CLOSE
            caller.answered(self.answer, body, False)
            return
        body = self._count(self.answer.length, body)
        if self.left >= FLOOD_BYTES:
            self.begin_flood()
        caller.answered(self.answer, body, self.left == 0)
