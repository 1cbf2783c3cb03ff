"""`GET /readyz`: whether this gateway should be sent new calls, for whatever spreads them over several.

The gateway answers itself, since the control plane may be away while calls go on. It is not ready before it has had a
routing table, and once it drains; `/healthz` asks the control plane.
"""

from typing import TYPE_CHECKING

from dayfly.gateway.ids import call_id
from dayfly.gateway.problems import problem
from dayfly.http1.answer import STATUS_LINES, Answer
from dayfly.http1.exchange import Exchange
from dayfly.http1.head import RequestHead
from dayfly.http1.server import ServerConnection

if TYPE_CHECKING:
    from dayfly.gateway.listener import Listener

TARGET = b"/readyz"
_READY = STATUS_LINES[200] + b"Content-Type: text/plain\r\nCache-Control: no-store\r\nContent-Length: 3\r\n"


class Readiness(Exchange):
    """One question whether the gateway is ready, answered at once."""

    __slots__ = ("_gateway",)

    def __init__(self, connection: ServerConnection, head: RequestHead, gateway: "Listener") -> None:
        super().__init__(connection, head)
        self._gateway = gateway

    def admit(self) -> None:
        """Answer."""
        bodiless = self.head.method == b"HEAD"
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        if self._gateway.draining or not self._gateway.known:
            why = "finishes its calls and goes" if self._gateway.draining else "has no routing table yet"
            ident = call_id(self._gateway.ids.take())
            detail = f"This gateway {why}."
            response = problem(503, "not_ready", detail, call_id=ident, retry_after_s=1, keep=keep, bodiless=bodiless)
            self.reply(503, response, keep=keep)
            return
        closing = b"" if keep else b"Connection: close\r\n"
        self.reply(200, _READY + closing + b"\r\n" + (b"" if bodiless else b"OK\n"), keep=keep)

    def response_lines(self, answer: Answer) -> bytes:
        """Return an upstream's headers; there is no upstream."""
        return answer.lines

    def finished(self, status: int, now: float) -> None:
        """Nothing is counted."""
