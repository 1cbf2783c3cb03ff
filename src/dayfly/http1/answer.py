"""Answers: what an upstream's response says, and the status lines we write ourselves.

llhttp reads heads and chunked bodies. Its callbacks only take notes; what they noted is acted upon after the parser has
returned, because acting may put the very same connection to its next use.
"""

import http

import httptools

from dayfly.http1.date import date_line_until
from dayfly.http1.framing import TRAILER_BYTES, TRAILER_COUNT
from dayfly.http1.head import CHUNKED, Header, RequestHead
from dayfly.http1.sieve import ASIDE, CODING, CONNECTION, DATE, LENGTH, PASS, TRAILER, UPGRADE, Sieve
from dayfly.http1.trailers import announced, may_trail

UNTIL_CLOSE = -2
"""The length of a body that ends when the connection does."""
MAX_ANSWER_HEAD = 65_536
"""Bytes of a response's head; a function that writes more of it has run wild."""
_MAX_INTERIMS = 16
_REMEMBERED_BYTES = 1_024

STATUS_LINES: list[bytes] = [b"HTTP/1.1 %d \r\n" % status for status in range(1000)]
"""Status lines by status, with our own reason phrases: the upstream's is free text that nobody needs."""
for _status in http.HTTPStatus:
    STATUS_LINES[_status] = b"HTTP/1.1 %d %b\r\n" % (_status, _status.phrase.encode())


def framing_lines(answer: "Answer", request: RequestHead, keep: bool) -> bytes:
    """Return the end of the head that goes to the caller: where the body ends, and whether the connection stays."""
    block = b""
    if answer.length > 0:
        block = b"Content-Length: %d\r\n" % answer.length
    elif answer.length == 0:
        if answer.stated and answer.status != 204:
            block = b"Content-Length: %b\r\n" % answer.stated
    elif request.minor:
        block = b"Transfer-Encoding: chunked\r\n"
        if answer.announced and request.takes_trailers:
            block += b"Trailer: %b\r\n" % answer.announced
    if not keep:
        block += b"Connection: close\r\n"
    elif not request.minor:
        block += b"Connection: keep-alive\r\n"
    return block + b"\r\n"


class BadAnswer(Exception):
    """What came from upstream is not an HTTP/1.x response that can be passed on."""


class Switched(Exception):
    """The response is a well-formed 101; `rest` is what came after it."""

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


class Answer:
    """The response on one upstream connection; used again for the next one.

    A function often answers with the same head again. `known` is the last head that was followed by a counted body;
    while the next response begins with the same bytes, what was noted of it still holds, and nothing is parsed, which
    saves 2 of 8 us a call.
    """

    __slots__ = (
        "_body",
        "_head_only",
        "_named",
        "_parser",
        "_sieve",
        "_trailer_bytes",
        "announced",
        "aside",
        "closing",
        "complete",
        "dated",
        "interims",
        "known",
        "length",
        "lines",
        "opening",
        "opening_until",
        "spoiled",
        "stated",
        "status",
        "trailers",
        "upgrade",
    )

    def __init__(self, sieve: Sieve) -> None:
        self._sieve = sieve
        self._parser: httptools.HttpResponseParser | None = None
        self._head_only = False
        self._named = b""
        self._body = b""
        self.status = 0
        """0 until the head is complete."""
        self.lines = b""
        """The headers that pass, serialised."""
        self.aside = b""
        """The value of the header that the sieve keeps aside."""
        self.length = UNTIL_CLOSE
        """Body bytes that follow the head, CHUNKED or UNTIL_CLOSE."""
        self.stated = b""
        """Content-Length as given, also where no body follows (HEAD, 304)."""
        self.upgrade = b""
        self.dated = False
        """Whether a Date is among the headers."""
        self.announced = b""
        """The names of trailers that are announced and may pass."""
        self.trailers: list[Header] = []
        """What came after a chunked body and may pass."""
        self._trailer_bytes = 0
        self.known = b""
        self.opening = self.closing = b""
        """The beginning and the end of the head that goes to the caller, kept while the known one is; see `open`."""
        self.opening_until = 0.0
        self.complete = False
        self.spoiled = False
        """Whether the connection must not carry another request."""
        self.interims: list[tuple[int, bytes]] = []
        """Status and header lines of the 1xx responses that came before."""

    def begin(self, method: bytes) -> None:
        """Expect the response to a `method` request, which is not like the one before."""
        self._head_only = method == b"HEAD"
        self.status = 0
        self.lines = self.aside = b""
        self.length = UNTIL_CLOSE
        self.stated = b""
        self.known = b""
        self.opening_until = 0.0
        self.announced = b""
        self.dated = False
        self.complete = False
        if self.trailers:
            self.trailers = []
        self._trailer_bytes = 0
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def remember(self, data: bytes, end: int) -> None:
        """Note that the head just read is `data[:end]`, if the next one may be compared with it."""
        if end <= _REMEMBERED_BYTES and not self.spoiled:
            self.known = data[:end]

    def open(self, now: float) -> None:
        """Make `opening` and `closing` of a counted answer, to be used until `opening_until`, when Date is another."""
        date, until = date_line_until(now)
        self.opening = STATUS_LINES[self.status] + (b"" if self.dated else date) + self.lines
        self.opening_until = until
        self.closing = b"%b\r\n\r\n" % self.stated

    def feed(self, data: bytes) -> None:
        """Read `data`. Raises BadAnswer, Switched."""
        parser = self._parser
        if parser is None:
            self.spoiled = True
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade as switch:
            self.leave()
            self.spoiled = True
            raise Switched(data[switch.args[0] :]) from None
        except httptools.HttpParserError as fault:
            self.leave()
            self.spoiled = True
            # A complete response with rubbish behind it is still one; anything else is not.
            if not self.complete:
                raise BadAnswer(str(fault.__context__ or fault)) from None

    def take_body(self) -> bytes:
        """Return what of the body was read since the last time."""
        body, self._body = self._body, b""
        return body

    def leave(self) -> None:
        """Read no more of this response here; the next one gets a parser that is not amid a message."""
        self._parser = None

    # Called by the parser.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header, or a trailer."""
        if self.status:
            self._note_trailer(name, value)
            return
        kind = self._sieve[name]
        if kind in (PASS, DATE):
            self.dated |= kind == DATE
            self.lines += b"%b: %b\r\n" % (name, value)
        elif kind == LENGTH:
            self.length = int(value)
            self.stated = b"%d" % self.length
        elif kind == CODING:
            if value.strip(b" \t").lower() != b"chunked":
                raise BadAnswer("its Transfer-Encoding is not chunked")
            self.length = CHUNKED
        elif kind == CONNECTION:
            self._named += b"," + value
        elif kind == UPGRADE:
            self.upgrade = value
        elif kind == TRAILER:
            self.announced = announced(value)
        elif kind == ASIDE:
            self.aside = value

    def _note_trailer(self, name: bytes, value: bytes) -> None:
        self._trailer_bytes += len(name) + len(value)
        if len(self.trailers) >= TRAILER_COUNT or self._trailer_bytes > TRAILER_BYTES:
            raise BadAnswer(f"its trailers are more than {TRAILER_COUNT} or longer than {TRAILER_BYTES} bytes")
        if self._sieve[name] == PASS and may_trail(name.lower()):
            self.trailers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Note that the head has ended."""
        parser = self._parser
        if self.complete or parser is None:
            raise BadAnswer("it answered twice")
        status = parser.get_status_code()
        if status < 200 and status != 101:
            self._note_interim(status)
            return
        if status > 599 or (status == 101 and not parser.should_upgrade()):
            raise BadAnswer(f"its status is {status}")
        if len(self.lines) > MAX_ANSWER_HEAD:
            raise BadAnswer(f"its headers are longer than {MAX_ANSWER_HEAD} bytes")
        self.status = status
        if self._named:
            self._drop_named()
        if not parser.should_keep_alive():
            self.spoiled = True
        if self._head_only or status == 204 or status == 304:
            self.length = 0
            self.complete = True
            self._parser = None

    def on_body(self, body: bytes) -> None:
        """Note a piece of the body."""
        if self.complete:
            self.spoiled = True
        else:
            self._body = self._body + body if self._body else body

    def on_message_complete(self) -> None:
        """Note the message's end."""
        if self.status:
            self.complete = True

    def _note_interim(self, status: int) -> None:
        if len(self.interims) >= _MAX_INTERIMS:
            raise BadAnswer("it sends interim responses without end")
        if status > 100:
            self.interims.append((status, self.lines))
        self.lines = self.aside = self.stated = self._named = self.announced = b""
        self.length = UNTIL_CLOSE
        self.dated = False

    def _drop_named(self) -> None:
        named = {token.strip(b" \t").lower() for token in self._named.split(b",")}
        lines = self.lines.split(b"\r\n")[:-1]
        self.lines = b"".join([line + b"\r\n" for line in lines if line.partition(b":")[0].lower() not in named])
        self._named = b""
