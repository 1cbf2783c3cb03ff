"""Listeners: what the gateway serves on each of its addresses."""

import asyncio
import contextlib
import logging
import resource
import time

from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.call import FunctionCall
from dayfly.gateway.ids import Ids, call_id
from dayfly.gateway.passage import Passage
from dayfly.gateway.plan import Plan
from dayfly.gateway.problems import problem
from dayfly.gateway.routes import route
from dayfly.gateway.state import State
from dayfly.http1.head import RequestHead
from dayfly.http1.limits import Limits
from dayfly.http1.pool import Pool
from dayfly.http1.refusal import Refusal
from dayfly.http1.roles import Receiver
from dayfly.http1.server import ServerConnection
from dayfly.http1.sweep import NEVER, Sweep

_log = logging.getLogger("dayfly.gateway")
_SAY_EVERY_S = 60.0
_FLUSH_S = 2.0
_LINGER_S = 2.0
"""How long a drain waits for the next request on a connection that has none."""
"""How long answers that are written may take to leave, once nothing else is left to wait for."""
_LOOPBACK = (b"127.", b"::1", b"::ffff:127.")


class Listener:
    """Passes every request to one socket of the control plane: what the console and the metrics address need."""

    share = 0.05
    """Connections for each file that the process may have open. Each may need a second one to where it is passed on;
    with those of all three listeners a process stays below its limit."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, control: Pool, control_body_bytes: int, secure: bool
    ) -> None:
        self.limits = limits
        self.sweep = Sweep(loop)
        self.draining = False
        self.secure = secure
        self.ids = Ids()
        self.control = control
        self.control_body_bytes = control_body_bytes
        self._loop = loop
        self._connections: set[ServerConnection] = set()
        self._peers: dict[bytes, int] = {}
        self._most = limits.connections or int(resource.getrlimit(resource.RLIMIT_NOFILE)[0] * self.share)
        self._say_again_at = 0.0
        self._quiet = asyncio.Event()
        self._empty = asyncio.Event()

    def connection(self) -> ServerConnection:
        """Return the protocol of a new connection."""
        return ServerConnection(self, self._loop)

    def made(self, connection: ServerConnection) -> bool:
        """Note a new connection; returns whether it may stay.

        When there is no room, whichever connection waits for a request and would be closed next makes it: those that
        are slow with their headers first, then those idle for longest. A flood of them keeps nobody else out.
        """
        self._connections.add(connection)
        self._peers[connection.peer] = count = self._peers.get(connection.peer, 0) + 1
        near = connection.peer.startswith(_LOOPBACK) or not connection.peer
        if not near and count > self.limits.connections_per_peer:
            return False
        if len(self._connections) > self._most:
            self._say_full()
            waiting = [each for each in self._connections if each.receiver is None]
            least = min(waiting, key=lambda each: each.deadline)
            if least is connection:
                return False
            least.deadline = NEVER  # it is only gone after this turn of the loop, and must not be chosen twice
            least.abort()
        return True

    def _say_full(self) -> None:
        now = time.monotonic()
        if now >= self._say_again_at:
            self._say_again_at = now + _SAY_EVERY_S
            _log.warning("all %d connections are taken (a share of `ulimit -n`); idle ones are closed", self._most)

    def lost(self, connection: ServerConnection) -> None:
        """Note that a connection is gone."""
        self._connections.discard(connection)
        left = self._peers.get(connection.peer, 1) - 1
        if left > 0:
            self._peers[connection.peer] = left
        else:
            self._peers.pop(connection.peer, None)
        # Every answer given while draining ends its connection, so this is where the last one is noticed.
        if self.draining and self._calm():
            self._quiet.set()
        if self.draining and not self._connections:
            self._empty.set()

    def open(self, connection: ServerConnection, head: RequestHead) -> Receiver:
        """Take a request."""
        connection.body_limit = self.control_body_bytes
        return Passage(connection, head, self, self.control)

    def refusal(self, refusal: Refusal) -> bytes:
        """Return the response that says why a request was refused."""
        return problem(
            refusal.status, refusal.code, refusal.text, call_id=call_id(self.ids.take()), hint=refusal.hint, keep=False
        )

    async def drain(self, seconds: float) -> None:
        """Let requests under way finish for up to `seconds`, then close what is left.

        Meanwhile further requests on open connections are answered, with `Connection: close`. Connections without one
        are left open for a moment: to close them at once would cut off requests that are already on their way.
        """
        self.draining = True
        if self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LINGER_S, seconds)):
                    await self._empty.wait()
        if not self._calm():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._quiet.wait()
        for connection in list(self._connections):
            if connection.receiver is None:
                connection.close()
            else:
                connection.abort()
        if self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FLUSH_S):
                    await self._empty.wait()
        for connection in list(self._connections):
            connection.abort()
        self.sweep.close()

    def _calm(self) -> bool:
        return all(connection.receiver is None for connection in self._connections)


class PublicListener(Listener):
    """Serves functions, and passes the rest to the control plane."""

    share = 0.375

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        control: Pool,
        control_body_bytes: int,
        secure: bool,
        state: State,
    ) -> None:
        super().__init__(loop, limits, control, control_body_bytes, secure)
        self._state = state
        self.lanes = state.table.lanes
        """Functions by the name in the path."""

    @property
    def known(self) -> bool:
        """Whether the routing table has ever come."""
        return self._state.table.known

    def open(self, connection: ServerConnection, head: RequestHead) -> Receiver:
        """Take a request. Raises Refusal for a path that is not beyond doubt."""
        plan = head.plan
        if plan is None:
            target = route(head.target)
            plan = head.plan = False if target is None else Plan(head, target, connection.peer, self.secure)
        if plan is False:
            connection.body_limit = self.control_body_bytes
            return Passage(connection, head, self, self.control)
        connection.body_limit = self.limits.body_bytes
        return FunctionCall(connection, head, self, plan)

    def demand(self, lane: Lane) -> None:
        """Ask the control plane for a replica."""
        self._state.demand(lane)

    def suspect(self, lane: Lane, seat: Seat) -> None:
        """Leave an endpoint out for now."""
        self._state.suspect(lane, seat)
