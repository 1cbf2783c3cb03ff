"""The gateway process: its settings, and `serve`, which runs it from the first listener to the last byte."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine

import msgspec

from dayfly.gateway.headers import ends_from_control
from dayfly.gateway.inner import InnerListener
from dayfly.gateway.link import Link
from dayfly.gateway.listener import Listener, PublicListener
from dayfly.gateway.memory import Memory
from dayfly.gateway.records import Records
from dayfly.gateway.state import State
from dayfly.gateway.submission import Queue
from dayfly.http1.limits import Limits
from dayfly.http1.pool import Pool
from dayfly.http1.sieve import Sieve
from dayfly.model.depth import DEFAULT_MAX_DEPTH

_BACKLOG = 4_096
_FIRST_TABLE_S = 10.0
"""How long calls wait for a gateway that has no table yet: on a busy machine the control plane takes seconds to begin,
and only one that is away for longer is worth telling callers of."""
_NEWER_TABLE_S = 0.5
"""The same where it knows what an earlier life served."""
_CONTROL_TRIM_S = 2.0
"""The control plane's server closes connections that were idle for 5 s; ours are closed well before."""
_TRIM_EVERY = 15
_log = logging.getLogger("dayfly.gateway")


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one gateway process needs to know. Paths are those of unix sockets."""

    name: str
    api_socket: str
    console_socket: str
    metrics_socket: str
    link_socket: str
    limits: Limits = Limits()
    control_body_bytes: int = 68_157_440
    """Largest body passed to the control plane, 65 MiB: code bundles have up to 64 MiB. It has limits of its own."""
    queue_socket: str = ""
    """Empty when this installation has no queue."""
    queue_missing: str = "this gateway was given no queue"
    """Why it has none."""
    queue_body_bytes: int = 1_048_576
    queue_accepts_unknown: bool = False
    records_per_second: int = 0
    """Calls of one function that are recorded in a second, and failed ones besides; 0 for none."""
    payload_bytes: int = 0
    """What is kept of a body at most, where a function has its payloads kept; 0 for nothing."""
    max_depth: int = DEFAULT_MAX_DEPTH
    """How many calls of functions may lead from one to the next."""
    drain_s: float = 30.0
    """How long calls under way may go on once the process is told to stop."""


async def serve(
    settings: GatewaySettings,
    *,
    public: socket.socket,
    console: socket.socket | None,
    metrics: socket.socket | None,
    inner: socket.socket | None = None,
    tls: ssl.SSLContext | None,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    drain_s: Callable[[], float] | None = None,
    memory: Memory | None = None,
) -> None:
    """Serve until `stop` is set, then drain and return. The sockets are bound; `tls` is for the public one.

    `inner` is where the queue calls functions, and the control plane replicas apart.

    `drain_s` is asked then how many seconds calls under way may go on; without it the settings say so.

    `memory` is what an earlier life was told, and where the next finds what this one is.

    `on_ready` is called when all listeners accept, which waits for the first routing table, but not for long, and not
    at all once `stop` is set: then it is not called.
    """
    loop = asyncio.get_running_loop()
    state = State(loop, settings.max_depth, Records(settings.records_per_second, settings.payload_bytes))
    link = Link(settings.link_socket, settings.name, state, memory)
    remembered = memory.recall() if memory is not None else None
    if remembered is not None:
        state.remember(remembered)
    sieve = Sieve(ends_from_control)
    controls = [
        Pool(f"unix:{path}", sieve) for path in (settings.api_socket, settings.console_socket, settings.metrics_socket)
    ]
    limits, size = settings.limits, settings.control_body_bytes
    queue = _queue(settings)
    listeners: list[tuple[Listener, socket.socket, ssl.SSLContext | None]] = [
        (PublicListener(loop, limits, controls[0], size, tls is not None, state, queue), public, tls)
    ]
    if inner is not None:
        wider = msgspec.structs.replace(
            limits, header_bytes=2 * limits.header_bytes, header_count=2 * limits.header_count
        )
        listeners.append((InnerListener(loop, wider, controls[0], size, False, state), inner, None))
    for pool, sock in zip(controls[1:], (console, metrics), strict=True):
        if sock is not None:
            listeners.append((Listener(loop, limits, pool, size, False), sock, None))
    pools = [*controls, *filter(None, (queue.pool,))]
    async with _running(link.run(), link.report(), link.record(), _trim(state, pools)):
        await _either(state.ready, stop, _FIRST_TABLE_S if remembered is None else _NEWER_TABLE_S)
        if stop.is_set():  # nobody was let in yet
            for _, sock, _ in listeners:
                sock.close()
            return
        servers = [
            await loop.create_server(listener.connection, sock=sock, ssl=context, backlog=_BACKLOG)
            for listener, sock, context in listeners
        ]
        on_ready()
        await stop.wait()
        seconds = settings.drain_s if drain_s is None else drain_s()
        _log.info("draining seconds=%g", seconds)
        for server in servers:
            server.close()
        await asyncio.gather(*(listener.drain(seconds) for listener, _, _ in listeners))
        state.report()
        link.hand_over()
    for pool in pools:
        pool.close()
    state.close()


async def _either(ready: asyncio.Event, stop: asyncio.Event, patience_s: float) -> None:
    """Return once there is a table or the process is told to stop, and after `patience_s` in any case."""
    waiting = [asyncio.create_task(event.wait()) for event in (ready, stop)]
    try:
        await asyncio.wait(waiting, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def _queue(settings: GatewaySettings) -> Queue:
    # What the queue answers is ours, so that all of it passes.
    pool = Pool(f"unix:{settings.queue_socket}", Sieve(lambda _name: False)) if settings.queue_socket else None
    return Queue(pool, settings.queue_missing, settings.queue_body_bytes, settings.queue_accepts_unknown)


@contextlib.asynccontextmanager
async def _running(*jobs: Coroutine[None, None, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _trim(state: State, controls: list[Pool]) -> None:
    turn = 0
    while True:
        await asyncio.sleep(_CONTROL_TRIM_S)
        for pool in controls:
            pool.trim()
        turn += 1
        if turn % _TRIM_EVERY == 0:
            state.trim()
