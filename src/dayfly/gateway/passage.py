"""A passage: a request that is for the control plane, handed to its unix socket."""

from typing import TYPE_CHECKING

from dayfly.gateway.headers import ClientHeaders, depth_line
from dayfly.gateway.ids import call_id
from dayfly.gateway.plan import request_prefix
from dayfly.gateway.problems import problem
from dayfly.http1.answer import Answer
from dayfly.http1.exchange import SAFE_METHODS, Exchange
from dayfly.http1.head import RequestHead
from dayfly.http1.pool import Pool
from dayfly.http1.server import ServerConnection

if TYPE_CHECKING:
    from dayfly.gateway.listener import Listener


class Passage(Exchange):
    """One request to the control plane. It has no deadline: logs are followed for hours."""

    __slots__ = ("_gateway", "_headers", "_ident", "_to")

    def __init__(self, connection: ServerConnection, head: RequestHead, gateway: "Listener", to: Pool) -> None:
        super().__init__(connection, head)
        self._gateway = gateway
        self._to = to
        self._headers = ClientHeaders(head.headers)
        line, lines = gateway.ids.take()
        if self._headers.call_id:
            line = lines = b"X-Call-Id: %b\r\n" % self._headers.call_id
        self._ident = line, lines

    def admit(self) -> None:
        """Send it."""
        self.forward(self._to)

    def request_head(self) -> bytes:
        """Return the head to send to the control plane."""
        head, connection, headers = self.head, self.connection, self._headers
        # What a function begins here, a flow or an event, counts as if it had called.
        lines = headers.lines + depth_line(headers.depth) if headers.depth else headers.lines
        prefix = request_prefix(head, head.target, lines, connection.peer, self._gateway.secure)
        return prefix + self._ident[1] + b"\r\n"

    def response_lines(self, answer: Answer) -> bytes:
        """Return the control plane's headers, and as which call it knows the request."""
        return answer.lines + self._ident[0]

    def repeatable(self) -> bool:
        """Whether it only reads: that does no harm when it is done twice."""
        return self.head.method in SAFE_METHODS

    def failed(self, why: str, _left: bool, /) -> None:
        """Say that the control plane is away."""
        if self.written:
            status, code = 502, "control_plane_lost"
            detail = f"The control plane took the request but gave no answer: {why}. It may have been carried out."
        else:
            status, code = 503, "control_plane_away"
            detail = "The control plane does not answer at the moment. Calls of functions go on meanwhile."
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        response = problem(
            status,
            code,
            detail,
            call_id=call_id(self._ident),
            hint="It is restarted by itself; try again in a moment.",
            retry_after_s=1,
            keep=keep,
            bodiless=self.head.method == b"HEAD",
        )
        self.reply(status, response, keep=keep)

    def finished(self, status: int, now: float) -> None:
        """Nothing is counted."""
