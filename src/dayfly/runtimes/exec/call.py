"""One call of an `exec` function: its program, its answer, and its lines in the log.

`mode` among the function's variables says how program and answer are joined:

| mode | answer | when the program fails | log |
|---|---|---|---|
| classic (default) | what it printed, once it has ended | 500: the reason, and what it printed | `Forking fprocess.`, `Wrote N Bytes - Duration: 0.001234s` |
| serializing | the same, the program begins when the whole body is there | 500: the reason | `POST / - 200 OK - ContentLength: 12B (0.0049s)` |
| streaming | piece by piece, as it prints | 500 before the first piece, broken off after it | the same |
"""  # noqa: E501 - a table

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration
from dayfly.runtimes.exec import request
from dayfly.runtimes.exec.child import Child, Receive, Sink
from dayfly.runtimes.lines import Lines
from dayfly.runtimes.python import answers, failures, output
from dayfly.runtimes.python.handler import Message, Refused

if TYPE_CHECKING:
    from dayfly.runtimes.exec.watchdog import Watchdog

Send = Callable[[Message], Awaitable[None]]

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"


class Call:
    """A program at work on one request."""

    def __init__(self, watchdog: "Watchdog", scope: Message, send: Send) -> None:
        context = output.current.get()
        self._id = context.call_id if context is not None else ""
        self._watchdog = watchdog
        self._settings = watchdog.settings
        self._scope = scope
        self._send = send
        self._began = time.monotonic()
        self._timeout_s = _timeout_s(scope, watchdog.timeout_s)
        self._errors = Lines(watchdog.pipe, "e", self._id)
        self._printed = bytearray()
        self._size = 0
        self._head_sent = False
        self._used = b""

    async def run(self, receive: Receive) -> None:
        """Start the program and answer with what comes of it. Raises Refused, and what `send` raises."""
        settings = self._settings
        if settings.marshal_request or settings.mode == "serializing":
            receive = await self._whole(receive)
        if settings.mode == "classic":
            self._say("Forking fprocess.")
        try:
            async with asyncio.timeout(self._timeout_s):
                code = await self._execute(receive, self._stream if settings.mode == "streaming" else self._keep)
        except TimeoutError:
            self._say(f"limit: {self._overdue}; its program was ended")
            raise Refused(
                504, "timeout", f"{self._overdue}. Raise `timeout` of the function if it needs longer."
            ) from None
        except asyncio.CancelledError:
            why = f"limit: {self._overdue}" if self._took_s >= self._timeout_s else "the caller went away"
            self._say(f"{why}; its program was ended")
            raise
        await self._answer(code)

    async def _execute(self, receive: Receive, take: Sink) -> int:
        watchdog, settings = self._watchdog, self._settings
        environ = watchdog.environ
        if settings.cgi_headers:
            environ = {**environ, **request.variables(self._scope)}
        try:
            child = Child(watchdog.argv, watchdog.folder, environ, call_id=self._id, combine=settings.combine_output)
        except OSError as error:
            raise self._not_started(error) from None
        watchdog.living.add(child)
        try:
            take_all = settings.mode != "streaming"
            return await child.run(receive, take, self._log, watchdog.living, take_all=take_all)
        finally:
            if child.cpu_s >= 0:
                self._used = answers.used(child.cpu_s, child.memory_kib)
            watchdog.living.discard(child)
            self._errors.end()

    def _not_started(self, error: OSError) -> Refused:
        limit = failures.reason_of(error)
        if limit:
            self._say(f"limit: {failures.TOLD[limit]}")
            return Refused(500, limit, f"the function hit a limit: {failures.TOLD[limit]}")
        hint = "; is the interpreter there that its first line names?" if isinstance(error, FileNotFoundError) else ""
        self._say(f"{self._watchdog.argv[0]} could not be started: {error.strerror}{hint}")
        return Refused(500, "function_failed", "its program could not be started; its log says why under this call id")

    async def _answer(self, code: int) -> None:
        mode = self._settings.mode
        if code:
            self._say(_told(code) + ("; the answer was broken off" if self._head_sent else ""))
            if self._head_sent:
                raise Refused(500, "function_failed", _told(code))
            printed = bytes(self._printed) if mode == "classic" else b""
            await self._respond(500, TEXT, f"{_told(code)}\n".encode() + printed)
        elif mode == "streaming":
            await self._stream(b"", more=False)
        else:
            suggested = request.content_type(self._scope) or TEXT if mode == "classic" else BINARY
            await self._respond(200, self._settings.content_type or suggested, bytes(self._printed))
        self._say_done(code)

    async def _respond(self, status: int, content_type: str, body: bytes) -> None:
        await self._start(status, content_type)
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, content_type: str) -> None:
        self._head_sent = True
        headers = [(b"content-type", content_type.encode("latin-1", "replace"))]
        headers += [(answers.USED, self._used)] if self._used else []
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _keep(self, data: bytes) -> None:
        self._printed += data
        self._size += len(data)

    async def _stream(self, data: bytes, *, more: bool = True) -> None:
        if not self._head_sent:
            await self._start(200, self._settings.content_type or BINARY)
        self._size += len(data)
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def _log(self, data: bytes) -> None:
        self._errors.take(data)

    async def _whole(self, receive: Receive) -> Receive:
        """Return what hands over the request's body in one piece, marshalled if that is asked for."""
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        marshal = self._settings.marshal_request
        whole = request.marshalled(self._scope, bytes(body)) if marshal else bytes(body)

        async def once() -> Message:
            return {"type": "http.request", "body": whole, "more_body": False}

        return once

    def _say_done(self, code: int) -> None:
        """Say what the watchdog that has this mode says at a call's end."""
        if self._settings.write_debug:
            lines = Lines(self._watchdog.pipe, "o", self._id)
            lines.take(bytes(self._printed))
            lines.end()
        if self._settings.mode == "classic":
            self._say(f"Wrote {self._size} Bytes - Duration: {self._took_s:f}s")
        else:
            target = self._scope["raw_path"].decode("latin-1")  # as sent: decoded, it could hold a line's end
            status = "500 Internal Server Error" if code else "200 OK"
            size = f"ContentLength: {self._size}B ({self._took_s:.4f}s)"
            self._say(f"{self._scope['method']} {target} - {status} - {size}")

    def _say(self, text: str) -> None:
        self._watchdog.pipe.line("p", self._id, text)

    @property
    def _took_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def _overdue(self) -> str:
        return f"the call ran for {self._took_s:.1f} s, its timeout is {self._timeout_s:g} s"


def _told(code: int) -> str:
    """Return how a program ended, in Go's words."""
    return f"exit status {code}" if code >= 0 else f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"


def _timeout_s(scope: Message, most_s: float) -> float:
    """Return how long the call may take: as the function says, or shorter where the caller asks for that."""
    try:
        asked_s = parse_duration(request.timeout_text(scope))
    except InvalidSpec:  # absent, or meant for somebody else
        return most_s
    return min(asked_s, most_s) if asked_s > 0 else most_s
