"""The zygotes of this machine as a provider sees them: one to start replicas from, and older ones that still have some.

A zygote cannot be exchanged under its replicas. So when another version takes over, or a zygote is told to leave, one
of the next generation is started beside it, and the older one goes with its last replica. Each generation has a socket
of its own in the same folder, `zygote-GENERATION.sock`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from dayfly.model.errors import Unavailable
from dayfly.providers.local.link import ZygoteLink
from dayfly.runtimes.python import wire

_log = logging.getLogger("dayfly.providers.local")

CONNECT_S = 10.0
"""How long to wait for a zygote that starts, in seconds."""
RETRY_S = (0.02, 0.05, 0.1)

OnMessage = Callable[["Zygote", wire.FromZygote, list[int]], None]


class Zygote:
    """One zygote and the connection to it. `stale` is one that replicas are no longer started from."""

    def __init__(self, path: Path, *, stale: bool, on_message: OnMessage, on_lost: Callable[["Zygote"], None]) -> None:
        self.path = path
        self.stale = stale
        self._on_message = on_message
        self._on_lost = on_lost
        self._link: ZygoteLink | None = None
        self._connected = asyncio.Event()
        self._cut = asyncio.Event()
        self._recovering: asyncio.Future[None] | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect, and stay connected unless it is stale. Raises Unavailable when it does not serve us in CONNECT_S."""
        if self.stale:
            self._connect()
        else:
            self._keeper = asyncio.create_task(self._keep_connected())
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()
        except TimeoutError:
            await self.close()
            raise Unavailable(
                f"no zygote serves us at {self.path} after {CONNECT_S:g}s: it did not start, or another"
                " control plane is connected to it"
            ) from None

    async def close(self) -> None:
        """Disconnect; its replicas keep running. Idempotent."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if self._link is not None:
            self._link.close()
            self._link = None
        self._connected.clear()

    async def recover(self) -> None:
        """Have it name every replica it has; returns once all were named. Raises Unavailable."""
        link = self.link
        if self._recovering is None:
            self._recovering = asyncio.get_running_loop().create_future()
            link.send(wire.Recover())
        await asyncio.shield(self._recovering)

    @property
    def link(self) -> ZygoteLink:
        """The connection. Raises Unavailable while there is none."""
        if self._link is None or not self._connected.is_set():
            raise Unavailable("the Python runtime's zygote is not running; it is restarted, try again")
        return self._link

    async def await_link(self) -> ZygoteLink:
        """Return the connection, waiting CONNECT_S for a zygote that is being restarted. Raises Unavailable."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                await self._connected.wait()
        return self.link

    def _connect(self) -> None:
        self._link = ZygoteLink.connect(self.path, self._heard, self._lost)

    async def _keep_connected(self) -> None:
        attempt = 0
        while True:
            try:
                self._cut.clear()
                self._connect()
                await self._cut.wait()
                attempt = 0
            except Unavailable as error:
                _log.debug("%s", error)
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    def _heard(self, message: wire.FromZygote, fds: list[int]) -> None:
        match message:
            case wire.Hello():
                self._connected.set()
            case wire.Recovered():
                if self._recovering is not None:
                    self._recovering.set_result(None)
                self._recovering = None
            case _:
                self._on_message(self, message, fds)

    def _lost(self) -> None:
        self._link = None
        self._connected.clear()
        self._cut.set()
        if self._recovering is not None and not self._recovering.done():
            self._recovering.set_exception(Unavailable("the zygote ended while its replicas were asked for"))
            self._recovering.exception()  # there may be nobody left who waits
        self._recovering = None
        self._on_lost(self)


def others(path: Path) -> Iterator[Path]:
    """Yield the sockets of other generations beside the one at `path`."""
    for each in sorted(path.parent.glob("zygote-*.sock")):
        if each != path:
            yield each
