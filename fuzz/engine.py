"""The engine without a network: what our server side makes of a client's bytes, told as plain data.

A real `ServerConnection` is fed through a transport that only takes notes. So what is read here is read by the very
code that faces the network, and a storm of millions of byte sequences needs no socket.
"""

import collections
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from dayfly.http1.flood import Flood
from dayfly.http1.head import RequestHead
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.http1.server import ServerConnection
from dayfly.http1.wire import Data

Admit = Callable[[ServerConnection, bytes], None]


class Accepted(msgspec.Struct):
    """A request that was accepted whole."""

    head: RequestHead
    body: bytes
    end: int
    """How many of the client's bytes were used up with it."""
    trailers: bytes = b""


class Verdict(msgspec.Struct):
    """What became of a client's bytes."""

    accepted: list[Accepted]
    status: int
    """Of the refusal that ended the connection; 0 without one."""
    closed: bool
    """Whether no further request is possible."""
    busy: bool
    """Whether more bytes are needed to complete a request that has begun."""


class Transport:
    """A transport that takes notes."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.closing = False

    def get_extra_info(self, name: str) -> Any:
        """Say that this is not TLS, and nobody's socket."""
        return self if name == "socket" else None

    def fileno(self) -> int:
        """Return no descriptor."""
        return -1

    def write(self, _data: bytes) -> None:
        """Send into the void."""

    def writelines(self, _data: Sequence[Data]) -> None:
        """Send into the void."""

    def write_eof(self) -> None:
        """Half-close, which nobody sees."""

    def can_write_eof(self) -> bool:
        """Whether it is TCP."""
        return True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closing

    def close(self) -> None:
        """Close."""
        self.closing = True

    abort = close

    def pause_reading(self) -> None:
        """Stop, which the feeder does not heed: what it has, the engine must keep."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        """Return how much waits to be sent."""
        return 0

    def set_protocol(self, protocol: Any) -> None:
        """Hand what comes to another protocol."""
        self.protocol = protocol


class Reader:
    """A listener that notes what it is asked, and answers every request at once."""

    def __init__(self, limits: Limits, admit: Admit | None) -> None:
        self.limits = limits
        self._admit = admit
        self.sweep: Any = self
        self.draining = False
        self.accepted: list[Accepted] = []
        self.status = 0
        self.jobs: collections.deque[Callable[[], None]] = collections.deque()
        self.fed = 0

    def add(self, _member: object) -> None:
        """Have no deadlines."""

    discard = add

    def made(self, _connection: ServerConnection) -> bool:
        """Let everybody in."""
        return True

    def lost(self, _connection: ServerConnection) -> None:
        """Mind nobody."""

    def call_soon(self, job: Callable[[], None]) -> None:
        """Play the event loop."""
        self.jobs.append(job)

    def open(self, connection: ServerConnection, head: RequestHead) -> "Note":
        """Take a request."""
        if self._admit is not None:
            self._admit(connection, head.target)
        return Note(self, connection, head)

    def refusal(self, refusal: Refusal) -> bytes:
        """Note a refusal."""
        self.status = refusal.status
        return b"refused"


class Note:
    """A request being noted."""

    def __init__(self, reader: Reader, connection: ServerConnection, head: RequestHead) -> None:
        self._reader = reader
        self._connection = connection
        self._head = head
        self._body = b""

    def start(self, first: bytes, complete: bool) -> None:
        """Begin."""
        self.body(first, complete)

    def body(self, data: Data, complete: bool) -> None:
        """Take more of the body; answer once it is whole."""
        self._body += bytes(data)
        if complete:
            connection = self._connection
            # The engine keeps what it has not used, and nothing else says how much that is.
            end = self._reader.fed - len(connection._held)
            self._reader.accepted.append(Accepted(self._head, self._body, end))
            connection.finish(time.monotonic(), self._head.keep_alive)

    def cut(self, _status: int) -> bool:
        """Forget the request; its answer has not begun."""
        return False

    def client_pace(self, _writable: bool) -> None:
        """Never called: nothing is written."""

    def expired(self) -> None:
        """Never called: nothing is due."""


def read(pieces: Sequence[bytes], limits: Limits | None = None, admit: Admit | None = None) -> Verdict:
    """Return what the engine makes of a connection's bytes that arrive in these pieces.

    `admit` is asked about every request's target before it is taken; it may raise Refusal.
    """
    reader = Reader(limits or Limits(), admit)
    loop: Any = reader
    connection = ServerConnection(reader, loop)
    transport: Any = Transport(connection)
    connection.connection_made(transport)
    for piece in pieces:
        reader.fed += len(piece)
        _deliver(transport, piece)
        while reader.jobs:
            reader.jobs.popleft()()
    busy = bool(connection._held) or connection.receiver is not None
    return Verdict(reader.accepted, reader.status, transport.closing or connection._lingering, busy)


def _deliver(transport: Transport, data: bytes) -> None:
    while data and not transport.closing:
        protocol = transport.protocol
        if not isinstance(protocol, Flood):
            protocol.data_received(data)
            return
        room = protocol.get_buffer(-1)
        size = min(len(room), len(data))
        room[:size] = data[:size]
        protocol.buffer_updated(size)
        data = data[size:]
