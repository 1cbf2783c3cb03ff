"""The front: the queue's process as gateways and the control plane see it, HTTP on a unix socket of this account.

POST /call/NAME.NAMESPACE/PATH    a call to be accepted: 202 once it is on the disk
ANY  /direct/NAME.NAMESPACE/PATH  a call with a key whose caller waits: the function's answer
POST /ask                         a question of the control plane
"""

import asyncio
import http
import logging
import time

import msgspec

from dayfly.http1.answer import STATUS_LINES
from dayfly.http1.body import HINT
from dayfly.http1.head import RequestHead
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.http1.server import ServerConnection
from dayfly.http1.sweep import Sweep
from dayfly.http1.wire import Data
from dayfly.model.errors import DayflyError, InternalError, NotFound, Unavailable
from dayfly.model.queued import Result
from dayfly.model.status import Problem
from dayfly.queue import questions, submission
from dayfly.queue.clock import Clock
from dayfly.queue.connection import PATIENCE_S
from dayfly.queue.desk import Desk
from dayfly.queue.questions import Figures, Question
from dayfly.queue.submission import read_submission
from dayfly.queue.vouching import Vouching

_ASK_BYTES = 4 * 2**20
_BODILESS = frozenset((204, 304))
_ANSWER_HINT = "The answer to a call with a key is kept up to answer_bytes, in DAYFLY_QUEUE_LIMITS."
_log = logging.getLogger("dayfly.queue")
_QUESTION: "msgspec.msgpack.Decoder[Question]" = msgspec.msgpack.Decoder(Question)


class Front:
    """Answers what comes in on the socket."""

    def __init__(self, desk: Desk, vouching: Vouching, body_bytes: int, clock: Clock) -> None:
        loop = asyncio.get_running_loop()
        # What a gateway lets pass comes with what it adds; its own limits are the ones that callers are told of.
        self.limits = Limits(
            header_bytes=submission.HEAD_BYTES, header_count=256, target_bytes=16_384, body_bytes=body_bytes
        )
        self.sweep = Sweep(loop)
        self.draining = False
        self.loaded = asyncio.Event()
        """Set once the desk knows of every call there is; until then all have to wait."""
        self._desk = desk
        self._vouching = vouching
        self._clock = clock
        self._loop = loop
        self._connections: set[ServerConnection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection(self) -> ServerConnection:
        """Return the protocol of a new connection."""
        return ServerConnection(self, self._loop)

    def made(self, connection: ServerConnection) -> bool:
        """Note a new connection; all may stay."""
        self._connections.add(connection)
        return True

    def lost(self, connection: ServerConnection) -> None:
        """Note that a connection is gone."""
        self._connections.discard(connection)

    def open(self, connection: ServerConnection, head: RequestHead) -> "Reception":
        """Take a request."""
        is_question = head.target == questions.PATH
        connection.body_limit = _ASK_BYTES if is_question else self.limits.body_bytes
        connection.body_hint = HINT
        return Reception(self, connection, head)

    def refusal(self, refusal: Refusal) -> bytes:
        """Return the response that says why a request was refused."""
        return _problem(refusal.status, refusal.code, refusal.text, refusal.hint, close=True)

    def begin(self, reception: "Reception") -> None:
        """Have a request answered that is complete."""
        task = self._loop.create_task(self._answer(reception))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def leave(self) -> None:
        """Take no more: connections end with the answers that are still to come, and the others now."""
        self.draining = True
        for connection in list(self._connections):
            if connection.receiver is None:
                connection.close()

    async def close(self) -> None:
        """Answer what has come, then close every connection."""
        self.leave()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=1.0)
        for connection in list(self._connections):
            connection.close()
        self.sweep.close()

    async def _answer(self, reception: "Reception") -> None:
        call_id = next((value for name, value in reception.head.headers if name == b"X-Call-Id"), b"").decode("latin-1")
        try:
            response = await self._respond(reception.head, reception.content)
        except DayflyError as error:
            after_s = max(1, round(error.retry_after_s)) if error.retryable else 0
            response = _problem(error.status, error.code, error.message, error.hint, after_s=after_s, call_id=call_id)
        except Exception:
            # The border of the process: what nobody foresaw is our bug, and must not end the process.
            _log.exception("bug in the queue target=%s", ascii(reception.head.target[:200]))
            response = _problem(500, InternalError.code, "The queue failed; its log says why", call_id=call_id)
        reception.reply(response)

    async def _respond(self, head: RequestHead, body: bytes) -> bytes:
        await self._loaded()
        if head.target.startswith(submission.PATH):
            given = await self._vouching.check(read_submission(head, body, self._clock.unix_ms()), head)
            call = await self._desk.nobodys(given.call) if given.named else given.call
            call_id = await self._desk.submit(call, given.request, given.key, given.digest)
            return b"HTTP/1.1 202 Accepted\r\nX-Call-Id: %b\r\nContent-Length: 0\r\n\r\n" % call_id.encode()
        if head.target.startswith(submission.DIRECT_PATH):
            given = read_submission(head, body, self._clock.unix_ms())
            call = await self._desk.nobodys(given.call) if given.named else given.call
            return _answer(*await self._desk.answer(call, given.request, given.key, given.digest))
        if head.target != questions.PATH:
            raise NotFound("There is nothing here")
        answer = questions.encode(await self._told(_QUESTION.decode(body)))
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)

    async def _loaded(self) -> None:
        if self.loaded.is_set():
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.loaded.wait()
        except TimeoutError:
            raise Unavailable("The queue is away: it waits for its store", retry_after_s=1) from None

    async def _told(self, question: Question) -> object:
        desk = self._desk
        match question:
            case questions.Status(call_id, wait_s):
                return await desk.status(call_id, wait_s)
            case questions.Changed(call_id, seen, wait_s):
                return await desk.changed(call_id, seen, wait_s)
            case questions.Cancel(call_id):
                return await desk.cancel(call_id)
            case questions.Listed(namespaces, state, function, limit):
                return desk.listed(namespaces, state, function, limit)
            case questions.Redrive(call_ids):
                return await desk.redrive(call_ids)
            case questions.Purge(call_ids):
                return await desk.purge(call_ids)
            case questions.Ended(position, wait_s, body_bytes):
                return await desk.ended(position, wait_s, body_bytes)
            case questions.AskFigures():
                is_up, reconnects = desk.health()
                return Figures(tuple(desk.figures()), is_up, reconnects)


class Reception:
    """One request being taken in, and answered when it is complete."""

    def __init__(self, front: Front, connection: ServerConnection, head: RequestHead) -> None:
        self.head = head
        self.content = b""
        self._front = front
        self._connection: ServerConnection | None = connection
        self._parts: list[bytes] = []

    def start(self, first: bytes, complete: bool) -> None:
        """Begin."""
        self.body(first, complete)

    def body(self, data: Data, complete: bool) -> None:
        """Take more of the body."""
        if data:
            self._parts.append(bytes(data))
        if complete:
            self.content = b"".join(self._parts)
            self._parts.clear()
            self._front.begin(self)

    def cut(self, status: int) -> bool:
        """Nobody waits for the answer any more; what was begun is carried out."""
        del status
        self._connection = None
        return False

    def client_pace(self, writable: bool) -> None:
        """Answers are small."""

    def expired(self) -> None:
        """There is no deadline."""

    def reply(self, response: bytes) -> None:
        """Write the answer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.write(response)
            connection.finish(time.monotonic(), self.head.keep_alive)


def _answer(result: Result, is_replay: bool) -> bytes:
    """Return what came of a direct call, as its function's answer."""
    if result.state == "cancelled":
        return _problem(
            409, "cancelled", f"The call {result.id} with this Idempotency-Key was cancelled.", call_id=result.id
        )
    if not result.status:
        detail = f"The call with this Idempotency-Key was cut off, and may have run: {result.reason}"
        return _problem(
            502, "cut_off", detail, "It is not repeated; with another key it is another call.", call_id=result.id
        )
    if result.dropped_bytes:
        detail = f"The function has answered {result.status}, with {result.dropped_bytes} bytes; so many are not kept."
        return _problem(502, "answer_too_large", detail, _ANSWER_HINT, call_id=result.id)
    block = STATUS_LINES[result.status] + result.lines + (b"Idempotency-Replayed: true\r\n" if is_replay else b"")
    if result.status not in _BODILESS:
        block += b"Content-Length: %d\r\n" % len(result.body)
    return block + b"\r\n" + result.body


def _problem(
    status: int, code: str, detail: str, hint: str = "", *, after_s: int = 0, close: bool = False, call_id: str = ""
) -> bytes:
    title = http.HTTPStatus(status).phrase
    body = msgspec.json.encode(
        Problem(
            type=f"urn:dayfly:problem:{code}", title=title, status=status, detail=detail, code=code,
            retryable=after_s > 0, hint=hint, call_id=call_id,
        )
    )  # fmt: skip
    block = STATUS_LINES[status] + b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n" % len(body)
    block += b"Retry-After: %d\r\n" % after_s if after_s else b""
    block += b"Connection: close\r\n" if close else b""
    return block + b"\r\n" + body
