"""Roles: what the parts of the engine expect of each other.

Data that is a memoryview is a view of a buffer that is used again: it must be used up before the method returns.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from dayfly.http1.answer import Answer
    from dayfly.http1.head import RequestHead
    from dayfly.http1.limits import Limits
    from dayfly.http1.refusal import Refusal
    from dayfly.http1.server import ServerConnection
    from dayfly.http1.sweep import Sweep
    from dayfly.http1.upstream import UpstreamConnection
    from dayfly.http1.wire import Data


class Receiver(Protocol):
    """What takes a request and answers it."""

    def start(self, first: "bytes", complete: bool, /) -> None:
        """Begin, with as much of the body as came along; `complete` when that is all of it."""

    def body(self, data: "Data", complete: bool, /) -> None:
        """Take more of the body."""

    def cut(self, status: int, /) -> bool:
        """Give the request up; returns whether its answer has begun already. `status` is what the caller is told."""

    def client_pace(self, writable: bool, /) -> None:
        """Slow down or go on, as the client does or does not take what it is sent."""

    def expired(self) -> None:
        """The deadline set with `due` has passed."""


class Repeater(Receiver, Protocol):
    """A receiver that has answered a request without a body, and keeps nothing of it."""

    def repeat(self) -> None:
        """Answer the same request, which has come once more."""


class Application(Protocol):
    """What a listener serves."""

    limits: "Limits"
    sweep: "Sweep"
    draining: bool
    """Whether connections are to be closed after the answer under way."""

    def made(self, connection: "ServerConnection", /) -> bool:
        """Note a new connection; returns whether it may stay."""

    def lost(self, connection: "ServerConnection", /) -> None:
        """Note that a connection is gone."""

    def open(self, connection: "ServerConnection", head: "RequestHead", /) -> Receiver:
        """Return what takes this request; may set the connection's `body_limit` and `body_hint`. Raises Refusal."""

    def refusal(self, refusal: "Refusal", /) -> bytes:
        """Return the whole response, head and body, that says why; it must say `Connection: close`."""


class Caller(Protocol):
    """What sent a request upstream and takes its response."""

    def connected(self, upstream: "UpstreamConnection", /) -> None:
        """A connection was made for this caller."""

    def unreachable(self, fault: OSError, /) -> None:
        """No connection could be made."""

    def interim(self, status: int, lines: bytes, /) -> None:
        """A response of 102 to 199, and its headers."""

    def switched(self, upstream: "UpstreamConnection", rest: bytes, /) -> None:
        """A response of 101; `rest` came after its head."""

    def answered(self, answer: "Answer", first: "Data", complete: bool, /) -> None:
        """The final response's head, with as much of its body as came along."""

    def whole(self, answer: "Answer", body: bytes, /) -> None:
        """As `answered`, for an answer with a counted body that is all there and short."""

    def answer(self, data: "Data", complete: bool, /) -> None:
        """More of the response's body."""

    def upstream_lost(self, why: str, left: bool, /) -> None:
        """The connection is gone before the response was complete.

        `left` says that the other end ended it; else we did, for what it sent.
        """

    def upstream_pace(self, writable: bool, /) -> None:
        """Slow down or go on, as the upstream takes what it is sent."""
