"""Witnesses: how other parsers read the bytes of requests that our engine accepted.

A request that two parsers read differently is the root of request smuggling. Each witness tells what it reads as the
same plain data, so that opinions can be compared: llhttp in its strict mode, through httptools, h11,
which shares no code with it, and the replica's own host, which is what reads a request behind the gateway.
"""

import re
from collections.abc import Callable
from typing import Any

import h11
import httptools
import msgspec

from dayfly.runtimes.python.calls import Request
from dayfly.runtimes.python.connection import Connection
from fuzz.engine import Transport

CHUNKED = -1
AMBIGUOUS = -2


class Seen(msgspec.Struct, frozen=True):
    """A request, as somebody read it."""

    method: bytes
    target: bytes
    host: bytes
    length: int
    """What the headers say of the body: its bytes, CHUNKED, 0 without a word, AMBIGUOUS for more than one."""
    body: bytes


class Unreadable(Exception):
    """The witness refuses the bytes."""


Framing = tuple[bytes, int]


def framing_of(headers: list[tuple[bytes, bytes]]) -> Framing:
    """Return what headers say of whom a request is for and where it ends."""
    found: dict[bytes, list[bytes]] = {b"host": [], b"content-length": [], b"transfer-encoding": []}
    for name, value in headers:
        found.get(name.lower(), []).append(value.strip(b" \t"))
    lengths, codings = found[b"content-length"], found[b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        return b",".join(found[b"host"]), AMBIGUOUS
    length = (
        int(lengths[0])
        if lengths
        else CHUNKED
        if [each.lower() for each in codings] == [b"chunked"]
        else 0
        if not codings
        else AMBIGUOUS
    )
    return b",".join(found[b"host"]), length


_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class _Llhttp:
    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.parser: Any = None
        self.on_message_begin()

    def on_message_begin(self) -> None:
        self.url = self._body = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._framing: Framing = (b"", 0)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        # Trailers come through the same callback, later.
        self._framing = framing_of(self._headers)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.seen.append(Seen(self.parser.get_method(), self.url, *self._framing, self._body))


def llhttp(data: bytes) -> list[Seen]:
    """Return the whole requests that llhttp reads in `data`. Raises Unreadable."""
    witness = _Llhttp()
    while data:
        witness.parser = httptools.HttpRequestParser(witness)
        try:
            witness.parser.feed_data(data)
        except httptools.HttpParserUpgrade as switch:
            # It stops after the head of a request that offers an upgrade. We go on: the offer may not be taken up.
            end = switch.args[0]
            if witness.seen[-1].length:
                # httptools passes over the body of such a request, which llhttp itself would read.
                witness.seen.pop()
                start = data.rfind(b" %b HTTP/1." % witness.url, 0, end)
                data = witness.parser.get_method() + _UPGRADE.sub(b"\r\nX-Offer:", data[start:end]) + data[end:]
            else:
                data = data[end:]
            continue
        except httptools.HttpParserError as fault:
            raise Unreadable(str(fault)) from None
        break
    return witness.seen


def h11s(data: bytes) -> list[Seen]:
    """Return the whole requests that h11 reads in `data`. Raises Unreadable."""
    seen: list[Seen] = []
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            connection.receive_data(data)
            request, body = connection.next_event(), b""
            if not isinstance(request, h11.Request):
                break
            while isinstance(event := connection.next_event(), h11.Data):
                body += bytes(event.data)
        except h11.RemoteProtocolError as fault:
            raise Unreadable(str(fault)) from None
        if not isinstance(event, h11.EndOfMessage):
            break
        seen.append(Seen(request.method, request.target, *framing_of(list(request.headers)), body))
        data = connection.trailing_data[0]
    return seen


class _Host:
    """As much of a replica's host as its connection speaks to."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.draining = False
        self.seen: list[Seen] = []

    def begin(self, connection: Connection, request: Request) -> None:
        """Note a call and answer it at once."""
        self.seen.append(Seen(request.verb, request.target, *framing_of(request.lines), request.body))
        connection.busy = True
        connection.done(request.keep_alive)


def replica(data: bytes) -> list[Seen]:
    """Return the whole requests that a Python replica's host reads in `data`. Raises Unreadable."""
    host: Any = _Host()
    connection = Connection(host)
    transport = _Wire(connection)
    connection.connection_made(transport)  # type: ignore[arg-type]  # a transport by its methods
    connection.data_received(data)
    if transport.wrote:
        raise Unreadable(transport.wrote.decode("latin-1"))
    return host.seen  # type: ignore[no-any-return]  # ours, but passed as anything above


class _Wire(Transport):
    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol)
        self.wrote = b""

    def write(self, data: bytes) -> None:
        self.wrote += data


WITNESSES: dict[str, Callable[[bytes], list[Seen]]] = {"llhttp": llhttp, "h11": h11s, "replica": replica}
