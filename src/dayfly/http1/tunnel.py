"""Tunnels: what an accepted upgrade turns a call into, bytes both ways until either side ends it."""

import time
from collections.abc import Callable

from dayfly.http1.answer import Answer
from dayfly.http1.server import ServerConnection
from dayfly.http1.upstream import UpstreamConnection
from dayfly.http1.wire import Data


class Tunnel:
    """Joins a client and an upstream that have both left HTTP. `ended` is called once, when both sides are closed.

    A tunnel that carries nothing for `limits.tunnel_idle_s`, either way, is closed: nobody else would, when the peer's
    machine has vanished.
    """

    __slots__ = ("_client", "_ended", "_last", "_upstream")

    def __init__(self, client: ServerConnection, upstream: UpstreamConnection, ended: Callable[[], None]) -> None:
        self._client = client
        self._upstream: UpstreamConnection | None = upstream
        self._ended = ended
        self._last = 0.0

    def begin(self, rest: bytes) -> None:
        """Take over both connections; `rest` came from upstream after its head."""
        assert self._upstream is not None
        self._upstream.caller = self
        if rest:
            self._client.write(rest)
        self._last = time.monotonic()
        self._client.tunnel(self)
        if not self._client.writable:
            self._upstream.pause()
        self._client.due(self._last + self._client.limits.tunnel_idle_s)

    def start(self, first: bytes, complete: bool) -> None:
        """Never called: a tunnel takes over a request that has started."""

    def body(self, data: Data, _complete: bool) -> None:
        """Pass the client's bytes on."""
        upstream = self._upstream
        self._last = time.monotonic()
        if upstream is not None:
            upstream.spill(data)

    def cut(self, _status: int) -> bool:
        """End the tunnel because the client is gone."""
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.caller = None
            upstream.close()
            self._ended()
        return True

    def client_pace(self, writable: bool) -> None:
        """Let the upstream wait for the client."""
        if self._upstream is not None:
            if writable:
                self._upstream.resume()
            else:
                self._upstream.pause()

    def expired(self) -> None:
        """Close both ends if nothing has passed for so long, else look again later."""
        ends_at = self._last + self._client.limits.tunnel_idle_s
        if time.monotonic() < ends_at:
            self._client.due(ends_at)
            return
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.drop()
        self._client.receiver = None
        self._client.abort()
        self._ended()

    def answer(self, data: Data, _complete: bool) -> None:
        """Pass the upstream's bytes on."""
        self._last = time.monotonic()
        self._client.spill(data)

    def upstream_lost(self, _why: str, _left: bool) -> None:
        """End the tunnel because the upstream is gone, after the client has had what came before."""
        self._upstream = None
        self._client.receiver = None
        self._client.close()
        self._ended()

    def upstream_pace(self, writable: bool) -> None:
        """Let the client wait for the upstream."""
        if writable:
            self._client.resume()
        else:
            self._client.pause()

    def connected(self, upstream: UpstreamConnection) -> None:
        """Never called: the connection is there."""

    def unreachable(self, fault: OSError) -> None:
        """Never called: the connection is there."""

    def interim(self, status: int, lines: bytes) -> None:
        """Never called: HTTP is over."""

    def switched(self, upstream: UpstreamConnection, rest: bytes) -> None:
        """Never called: HTTP is over."""

    def whole(self, answer: Answer, body: bytes) -> None:
        """Never called: HTTP is over."""

    def answered(self, answer: Answer, first: Data, complete: bool) -> None:
        """Never called: HTTP is over."""
