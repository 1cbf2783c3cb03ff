"""Direct calls: one call through whichever gateway is there, made now, its answer held whole."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from dayfly.model.apart import Apart
from dayfly.model.direct import MAX_BODY_BYTES, MAX_CALLS, DirectAnswer, DirectCall
from dayfly.model.errors import LimitExceeded, NotSupported, Unavailable
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.queue.asking import Lost, Sockets, Unreached
from dayfly.queue.ledger import headers_of

_TRIM_S = 15.0


class GatewayCalls:
    """Calls functions by the inner sockets of the gateways; `found` says where those are now.

    `host` is what functions are told that they were called at.
    """

    def __init__(self, found: Callable[[], Iterable[str]], host: str) -> None:
        self._gateways = Sockets(found, MAX_BODY_BYTES)
        self._host = host
        self._taken: Counter[NamespaceName] = Counter()

    @contextlib.contextmanager
    def seat(self, namespace: NamespaceName) -> Iterator[None]:
        """Hold one of the few places that a namespace has for such calls. Raises LimitExceeded when none is free."""
        if self._taken[namespace] >= MAX_CALLS:
            raise LimitExceeded(
                f"{MAX_CALLS} calls from the console to functions of {namespace} are under way already",
                hint="Wait for one to end, or call the function at its own address",
                retry_after_s=1,
            )
        self._taken[namespace] += 1
        try:
            yield
        finally:
            self._taken[namespace] -= 1
            if not self._taken[namespace]:
                del self._taken[namespace]

    async def call(
        self,
        key: FunctionKey,
        call: DirectCall,
        body: bytes,
        *,
        call_id: str,
        peer: str,
        trigger: str = "console",
        apart: Apart | None = None,
    ) -> tuple[DirectAnswer, bytes]:
        """Make the call, which has been checked, and return its answer and that one's body.

        It goes to whichever replica serves, or to the one `apart`. Raises Unavailable, NotSupported.
        """
        target = f"/function/{key}{call.target}"
        if apart is not None:
            target = apart.target(target)
        head = self._head(target, call, len(body), call_id, peer, trigger)
        began = time.monotonic()
        try:
            whole = await self._gateways.ask(head, body, call.method.encode())
        except Unreached as away:
            raise Unavailable("No gateway takes the call at the moment") from away
        except Lost as lost:
            raise Unavailable(f"No whole answer came: {lost}. The function may have run") from lost
        if whole.size > MAX_BODY_BYTES:
            raise NotSupported(
                f"The function answered {whole.size} bytes, and here {MAX_BODY_BYTES} are the most",
                hint="Call it at its own address, which has no such limit",
            )
        headers = tuple(headers_of(whole.lines))
        answer = DirectAnswer(
            status=whole.status,
            headers=headers,
            call_id=call_id,
            seconds=round(time.monotonic() - began, 6),
            of_function=any(name == "x-duration-seconds" for name, _ in headers),
        )
        return answer, whole.body

    async def run(self) -> None:
        """Close connections that nobody needs, for as long as the process serves."""
        while True:
            await asyncio.sleep(_TRIM_S)
            self._gateways.trim()

    def _head(self, target: str, call: DirectCall, size: int, call_id: str, peer: str, trigger: str) -> bytes:
        lines = [
            f"{call.method} {target} HTTP/1.1",
            f"Host: {self._host}",
            f"X-Call-Id: {call_id}",
            f"X-Forwarded-For: {peer}",
            f"X-Dayfly-Trigger: {trigger}",
            *(f"{name}: {value}" for name, value in call.headers),
        ]
        if size or call.method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {size}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
