"""Listeners: what the gateway serves on each of its addresses."""

import asyncio
import contextlib
import logging
import resource
import time

from dayfly.gateway import route_refusals
from dayfly.gateway.admission import Lane, Seat
from dayfly.gateway.call import FunctionCall
from dayfly.gateway.cors import requested_method
from dayfly.gateway.ids import Ids, call_id
from dayfly.gateway.keyed import KeyedCall, KeyedRoutedCall
from dayfly.gateway.passage import Passage
from dayfly.gateway.plan import Plan
from dayfly.gateway.problems import problem
from dayfly.gateway.rates import Buckets
from dayfly.gateway.readiness import TARGET, Readiness
from dayfly.gateway.route_plan import RoutePlan, WrongMethod
from dayfly.gateway.routed import RoutedCall
from dayfly.gateway.routes import route
from dayfly.gateway.state import State
from dayfly.gateway.submission import Queue, Submission
from dayfly.gateway.told import Told
from dayfly.http1.body import HINT
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
"""How long answers that are written may take to leave, once nothing else is left to wait for."""
_LAST_REQUEST_S = 10.0
"""The longest that idle connections are kept while draining; it is a thirtieth of the time for that."""
_FUNCTIONS_LIMIT = "It is the function's own limit max_body, or that of its namespace (quota body), whichever is less."
_QUEUES_LIMIT = "It is the queue's limit body_bytes; the operator can raise it in DAYFLY_QUEUE_LIMITS."
NO_QUEUE = Queue(None, "this gateway was given no queue")
_ROUTES_LIMIT = "It is the limit max_body of the route."
_LOOPBACK = (b"127.", b"::1", b"::ffff:127.")

Meaning = Plan | RoutePlan | WrongMethod | bool
"""What a request asks for; False where it is no function."""


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

    @property
    def known(self) -> bool:
        """Whether all has come that the answers depend on."""
        return True

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
        return self._own(connection, head)

    def refusal(self, refusal: Refusal) -> bytes:
        """Return the response that says why a request was refused."""
        return problem(
            refusal.status, refusal.code, refusal.text, call_id=call_id(self.ids.take()), hint=refusal.hint, keep=False
        )

    async def drain(self, seconds: float) -> None:
        """Let requests under way finish for up to `seconds`, then close what is left.

        Meanwhile further requests on open connections are answered, with `Connection: close`. A client may be about to
        send one on a connection that looks idle, and would not know whether it was carried out if the connection ended
        just then: so idle ones are kept for a moment too.
        """
        self.draining = True
        deadline = self._loop.time() + seconds
        if self._connections:
            await _within(min(seconds / 30, _LAST_REQUEST_S), self._empty)
        if not self._calm():
            self._quiet.clear()
            await _within(deadline - self._loop.time(), self._quiet)
        for connection in list(self._connections):
            if connection.receiver is None:
                connection.close()
            else:
                connection.abort()
        if self._connections:
            await _within(_FLUSH_S, self._empty)
        for connection in list(self._connections):
            connection.abort()
        self.sweep.close()

    def _own(self, connection: ServerConnection, head: RequestHead) -> Receiver:
        """Take a request that is for no function."""
        connection.body_limit = self.control_body_bytes
        connection.body_hint = HINT
        if head.target == TARGET:
            return Readiness(connection, head, self)
        return Passage(connection, head, self, self.control)

    def _calm(self) -> bool:
        return all(connection.receiver is None for connection in self._connections)


async def _within(seconds: float, event: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


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
        queue: Queue = NO_QUEUE,
    ) -> None:
        super().__init__(loop, limits, control, control_body_bytes, secure)
        self.queue = queue
        self._state = state
        self.lanes = state.table.lanes
        """Functions by the name in the path."""
        self.records = state.records
        self._rules = state.rules
        self.buckets = Buckets()
        """What the clients of rate-limited routes have left."""
        state.on_rules.append(self._forget)

    @property
    def known(self) -> bool:
        """Whether the routing table has ever come, on which calls depend."""
        return self._state.table.known

    def open(self, connection: ServerConnection, head: RequestHead) -> Receiver:
        """Take a request. Raises Refusal for a path that is not beyond doubt."""
        plan = head.plan
        if plan is None:
            plan = head.plan = self._plan(head, connection.peer)
        if plan.__class__ is not Plan:
            return self._other(connection, head, plan)
        if head.length:
            self._bound(connection, plan)
        if plan.queued:
            return KeyedCall(connection, head, self, plan) if plan.keyed else Submission(connection, head, self, plan)
        return FunctionCall(connection, head, self, plan)

    def _plan(self, head: RequestHead, peer: bytes) -> Meaning:
        """Return what a request means: a function by its name, or by a route; False for the control plane's."""
        asked = requested_method(head) if head.method == b"OPTIONS" else b""
        found = self._rules.at_host(head, asked or head.method) if self._rules.hosts else None
        if found is None:
            target = route(head.target)
            if target is not None:
                return Plan(head, target, peer, self.secure)
            found = self._rules.at_any_host(head, asked or head.method)
        if found is None:
            return False
        if found.value is None:
            return WrongMethod(found.allow)
        return RoutePlan(head, found.value, peer, self.secure, asks=bool(asked))

    def _other(self, connection: ServerConnection, head: RequestHead, plan: Meaning) -> Receiver:
        if isinstance(plan, RoutePlan):
            call = (KeyedRoutedCall if plan.plans[0].keyed else RoutedCall)(connection, head, self, plan)
            if head.length:
                self._bound(connection, call.plan, plan.rule.body_bytes)
            return call
        if isinstance(plan, WrongMethod):
            lines = b"Allow: %b\r\n" % b", ".join(plan.allow)
            return Told(connection, head, self, route_refusals.wrong_method(head.method, plan.allow), lines)
        return self._own(connection, head)

    def _forget(self) -> None:
        """Have every request's meaning found anew: routes have changed."""
        for connection in self._connections:
            connection.known_raw = b""

    def _bound(self, connection: ServerConnection, plan: Plan, of_route: int = 0) -> None:
        """Bound the body by the function's limit, the route's, the queue's, or ours, whichever is the strictest."""
        lane = self.lanes.get(plan.name)
        most, ours, hint = lane.entry.body_bytes if lane is not None else 0, self.limits.body_bytes, HINT
        if plan.queued and self.queue.body_bytes < ours:
            ours, hint = self.queue.body_bytes, _QUEUES_LIMIT
        is_theirs = 0 < most < ours
        connection.body_limit = most if is_theirs else ours
        connection.body_hint = _FUNCTIONS_LIMIT if is_theirs else hint
        if 0 < of_route < connection.body_limit:
            connection.body_limit, connection.body_hint = of_route, _ROUTES_LIMIT

    def demand(self, lane: Lane) -> None:
        """Ask the control plane for a replica."""
        self._state.demand(lane)

    def suspect(self, lane: Lane, seat: Seat) -> None:
        """Leave an endpoint out for now."""
        self._state.suspect(lane, seat)

    def ask_why(self, call: FunctionCall, seat: Seat) -> None:
        """Have the call told why its replica is gone."""
        self._state.ask_why(call, seat)

    def pool(self, address: str) -> Pool:
        """Return new connections to a replica."""
        return self._state.make_pool(address)
