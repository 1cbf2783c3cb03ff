"""What the gateway tells a caller itself, with no function and no control plane asked."""

from typing import TYPE_CHECKING

from dayfly.gateway.ids import call_id
from dayfly.gateway.problems import problem
from dayfly.gateway.refusals import Refusal
from dayfly.http1.answer import Answer
from dayfly.http1.exchange import Exchange
from dayfly.http1.head import RequestHead
from dayfly.http1.server import ServerConnection

if TYPE_CHECKING:
    from dayfly.gateway.listener import Listener


class Told(Exchange):
    """One request answered with a problem; `lines` are further headers."""

    __slots__ = ("_gateway", "_lines", "_refusal")

    def __init__(
        self, connection: ServerConnection, head: RequestHead, gateway: "Listener", refusal: Refusal, lines: bytes
    ) -> None:
        super().__init__(connection, head)
        self._gateway = gateway
        self._refusal = refusal
        self._lines = lines

    def admit(self) -> None:
        """Answer."""
        refusal = self._refusal
        keep = self.head.keep_alive and self.complete and not self._gateway.draining
        response = problem(
            refusal.status, refusal.code, refusal.detail, call_id=call_id(self._gateway.ids.take()), hint=refusal.hint,
            headers=self._lines, keep=keep, bodiless=self.head.method == b"HEAD",
        )  # fmt: skip
        self.reply(refusal.status, response, keep=keep)

    def response_lines(self, answer: Answer) -> bytes:
        """Return an upstream's headers; there is no upstream."""
        return answer.lines

    def finished(self, status: int, now: float) -> None:
        """Nothing is counted."""
