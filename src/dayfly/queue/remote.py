"""The queue from another process: what the control plane's API stands on."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dayfly.model.errors import InvalidRequest, NotSupported, Unavailable
from dayfly.model.names import new_call_id
from dayfly.model.queued import CallStatus
from dayfly.model.status import Problem
from dayfly.queue import questions
from dayfly.queue.asking import Lost, Socket, Unreached, Whole
from dayfly.queue.ledger import headers_of
from dayfly.queue.questions import Ending, Figures, Question, error_of
from dayfly.queue.submission import HEAD_BYTES, PATH, PLATFORM, Terms

_VALUE = re.compile(r"[\x20-\x7e]*")
_ANSWER_BYTES = 64 * 2**20
T = TypeVar("T")


class RemoteQueue:
    """Asks the queue's process. `missing` says why this installation has none. All methods raise what the desk does."""

    def __init__(self, socket: Path, missing: str = "") -> None:
        self.missing = missing
        self._socket = Socket(str(socket), _ANSWER_BYTES)

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        """Return how a call stands, at the latest after `wait_s`."""
        return await self._ask(questions.Status(call_id, wait_s), CallStatus)

    async def changed(self, call_id: str, seen: CallStatus, wait_s: float) -> CallStatus:
        """Return how a call stands once that is not what was seen."""
        return await self._ask(questions.Changed(call_id, seen, wait_s), CallStatus)

    async def cancel(self, call_id: str) -> CallStatus:
        """Let a call be over."""
        return await self._ask(questions.Cancel(call_id), CallStatus)

    async def submit(
        self, function: str, terms: Terms, *, key: str, headers: Mapping[str, str], body: bytes = b""
    ) -> str:
        """Have a call accepted, once for its key, and return its id. `headers` are the platform's own.

        Raises InvalidRequest for a value that is no header's: it would be read as further headers, or as a question;
        and for more of them than the queue reads, of which another try would make no less.
        """
        for name, value in headers.items():
            if not _VALUE.fullmatch(value):
                raise InvalidRequest(f"{name}: must be printable ASCII")
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")
        head = b"POST %b%b/ HTTP/1.1\r\nHost: queue\r\nX-Call-Id: %b\r\nIdempotency-Key: %b\r\n" % (
            PATH, function.encode(), new_call_id().encode(), key.encode("ascii"),
        )  # fmt: skip
        head += b"X-Dayfly-Scope: %b\r\nX-Dayfly-Terms: %b\r\n%bContent-Length: %d\r\n\r\n" % (
            PLATFORM.encode(), msgspec.json.encode(terms), lines, len(body),
        )  # fmt: skip
        if len(head) > HEAD_BYTES:
            raise InvalidRequest(f"The call's headers have {len(head)} bytes; the queue reads {HEAD_BYTES} at most")
        whole = await self._send(head, body, 202)
        told = dict(headers_of(whole.lines))
        return told["x-call-id"]

    async def listed(
        self, namespaces: Iterable[str] | None, state: str = "", function: str = "", limit: int = 100
    ) -> list[CallStatus]:
        """Return calls in the queue, the oldest first."""
        seen = None if namespaces is None else tuple(namespaces)
        return await self._ask(questions.Listed(seen, state, function, limit), list[CallStatus])

    async def redrive(self, call_ids: Iterable[str]) -> int:
        """Let these dead calls begin anew; return how many did."""
        return await self._ask(questions.Redrive(tuple(call_ids)), int)

    async def purge(self, call_ids: Iterable[str]) -> int:
        """Let go of these dead calls; return how many went."""
        return await self._ask(questions.Purge(tuple(call_ids)), int)

    async def ended(self, position: int, wait_s: float, body_bytes: int) -> list[Ending]:
        """Return what came of calls since the position, once there is anything or after `wait_s`."""
        return await self._ask(questions.Ended(position, wait_s, body_bytes), list[Ending])

    async def figures(self) -> Figures:
        """Return the figures; of a queue that is away, that it is."""
        try:
            return await self._ask(questions.AskFigures(), Figures)
        except (NotSupported, Unavailable):
            return Figures((), False)

    def close(self) -> None:
        """Close what is idle."""
        self._socket.close()

    async def _ask(self, question: Question, kind: type[T]) -> T:
        body = questions.encode(question)
        head = b"POST %b HTTP/1.1\r\nHost: queue\r\nContent-Length: %d\r\n\r\n" % (questions.PATH, len(body))
        whole = await self._send(head, body, 200)
        answer: Any = msgspec.msgpack.decode(whole.body, type=kind)
        return answer  # type: ignore[no-any-return] # it was decoded as just that

    async def _send(self, head: bytes, body: bytes, good: int) -> Whole:
        if self.missing:
            raise NotSupported(f"Calls cannot be queued here: {self.missing}")
        try:
            whole = await self._socket.ask(head, body)
        except (Unreached, Lost) as away:
            raise Unavailable(f"The queue does not answer: {away}", retry_after_s=1) from None
        if whole.status != good:
            raise error_of(msgspec.json.decode(whole.body, type=Problem))
        return whole
