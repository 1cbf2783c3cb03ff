"""Answers: JSON made of our structs, and streams of lines that end when the client goes."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


def json_answer(value: Any, status: int = 200) -> Response:
    """Return `value`, structs or lists of them, as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


Watch = Callable[[Callable[[], None]], Callable[[], None]]
"""Takes what to call when the answer must end, and returns what ends the watch."""


class Lines(Response):
    """A body sent line by line, each as soon as it is there, until they end, the client goes, or `watch` cuts them off.

    The source is closed then, whichever it was.
    """

    def __init__(self, lines: AsyncGenerator[bytes, None], *, media_type: str, watch: Watch) -> None:
        super().__init__(media_type=media_type)
        del self.headers["content-length"]
        self._lines = lines
        self._watch = watch

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines until they end, nobody reads, or they must not be read any more."""
        cut = asyncio.Event()
        unwatch = self._watch(cut.set)
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        cutting = asyncio.ensure_future(cut.wait())
        try:
            await asyncio.wait((sending, leaving, cutting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            unwatch()
            cut_off = cutting.done() and not leaving.done() and not sending.done()
            for task in (leaving, cutting, sending):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        if cut_off:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._lines) as lines:
            async for line in lines:
                await send({"type": "http.response.body", "body": line, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
