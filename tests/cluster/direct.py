"""A way to the double without a network: requests are answered in the caller's own event loop. It has no watches.

A test that writes a thousand objects is some times as fast as over a socket, and on a busy machine many times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import httpx2
from tests.cluster.handler import Handler

if TYPE_CHECKING:
    from tests.cluster.server import Double


class Direct(httpx2.AsyncBaseTransport):
    """The transport of a client of the double, which need not run."""

    def __init__(self, double: Double, gate: Callable[[], Awaitable[None]] | None = None) -> None:
        self._handler = Handler(double)
        self._gate = gate
        """What a request waits for before it is carried out."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer. Raises RemoteProtocolError where the double drops the connection."""
        body = await request.aread()
        if self._gate is not None:
            await self._gate()
        scope = {
            "method": request.method, "path": request.url.path, "query_string": request.url.query,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
        }  # fmt: skip
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        await self._handler(scope, receive, send)
        start, *rest = told
        if not rest:
            raise httpx2.RemoteProtocolError("the double dropped the connection", request=request)
        return httpx2.Response(
            start["status"], headers=start["headers"], content=rest[0]["body"], request=request
        )  # fmt: skip
