"""The connection to nats-server: found, checked, kept up, and taken up anew wherever the server comes back.

Where it is and how it lets us in is in a private file, which a server of this machine writes each time it starts.
Before anything is entrusted to it, it is asked whether it flushes every message before it acknowledges it; its default
does not, and loses what it has acknowledged when it is killed. One that does not is not used, and `why` says so.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from dayfly.model.errors import Unavailable
from dayfly.queue.access import SYSTEM_USER, USER, Access

PATIENCE_S = 5.0
"""How long a step waits for a server that is being started again."""
REQUEST_S = 5.0
JOINED = "joined"
"""The stream that says of several servers that all have what one kept alone; `joining` makes it."""
_PAUSE_S = 0.1
_VARZ = "$SYS.REQ.SERVER.PING.VARZ"
_log = logging.getLogger("dayfly.queue")


class Connection:
    """The connection, over all the server's lives. `prepare` is awaited on each one before it is used.

    It is told how many copies there are to be of each message.
    """

    def __init__(self, access_file: Path, prepare: Callable[[JetStreamContext, int], Awaitable[None]]) -> None:
        self.why = "nats-server has not answered yet"
        """Why there is no connection now."""
        self.reconnects = 0
        self.access: Access | None = None
        """Of the server that was found last."""
        self.copies = 1
        """How many servers keep each message: all of three, so that it outlives any one."""
        self._file = access_file
        self._prepare = prepare
        self._ready = asyncio.Event()
        self._context: JetStreamContext | None = None
        self._client: Client | None = None
        self._closed = asyncio.Event()
        self._asked: set[asyncio.Timeout] = set()

    @property
    def is_up(self) -> bool:
        """Whether there is one now."""
        return self._ready.is_set()

    async def run(self) -> None:
        """Keep it up until cancelled."""
        before = False
        while True:
            client = None
            try:
                client = self._client = await self._connect()
                self.reconnects += before
                before = True
                self._ready.set()
                _log.info("connected to nats-server")
                await self._closed.wait()
                self.why = "the connection to nats-server broke; it is started again by itself"
            except Unavailable as unfit:
                if self.why != str(unfit):
                    self.why = str(unfit)
                    _log.error("nats-server is not used: %s", unfit)
                await asyncio.sleep(unfit.retry_after_s or PATIENCE_S)
            except (OSError, ValueError, TimeoutError, nats.errors.Error, msgspec.MsgspecError) as fault:
                self.why = f"nats-server does not answer ({fault or type(fault).__name__})"
            except Exception as odd:
                # Whatever the client's library meets at a server that is just dying: the next one is another.
                self.why = f"the connection to nats-server failed ({odd!r})"
                _log.exception("the connection to nats-server failed")
            finally:
                self._ready.clear()
                self._context = self._client = None
                for limit in self._asked:
                    limit.reschedule(0.0)
                if client is not None:
                    await close(client)
            await asyncio.sleep(_PAUSE_S)

    async def context(self) -> JetStreamContext:
        """Return it, after waiting for it for PATIENCE_S. Raises Unavailable."""
        if self._context is None or not self._ready.is_set():
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._ready.wait()
            except TimeoutError:
                raise Unavailable(f"The queue is away: {self.why}", retry_after_s=1) from None
        if self._context is None:
            raise Unavailable(f"The queue is away: {self.why}", retry_after_s=1)
        return self._context

    def look(self) -> None:
        """Take the connection for gone if its client does: one that cannot send its last bytes tells nobody."""
        if self._client is not None and self._client.is_closed:
            self._closed.set()

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Bound a question by REQUEST_S, and by the life of the connection. Raises TimeoutError."""
        async with asyncio.timeout(REQUEST_S) as limit:
            self._asked.add(limit)
            try:
                yield
            finally:
                self._asked.discard(limit)

    async def _connect(self) -> Client:
        access = self.access = msgspec.json.decode(self._file.read_bytes(), type=Access)
        system = await dial(access, SYSTEM_USER, asyncio.Event())
        try:
            reply = await system.request(_VARZ, b"", timeout=REQUEST_S)
        finally:
            await close(system)
        varz = msgspec.json.decode(reply.data)
        if why := unfit(varz):
            raise Unavailable(why)
        copies = copies_of(varz)
        closed = self._closed = asyncio.Event()
        client = await dial(access, USER, closed)
        try:
            context = client.jetstream(timeout=REQUEST_S)
            if copies > 1:
                await _check_joined(context)
            await self._prepare(context, copies)
        except BaseException:
            await close(client)
            raise
        self._context, self.copies = context, copies
        return client


def unfit(varz: Any) -> str:
    """Return why a server that says this of itself must not keep calls; nothing when it may."""
    data = varz.get("data", {}) if isinstance(varz, dict) else {}
    config = (data.get("jetstream") or {}).get("config") or {}
    if not config:
        return "it has no JetStream, or does not say so in /varz"
    if config.get("sync_always") is not True:
        return "it acknowledges messages before they are flushed (sync_interval is not `always` in /varz)"
    return ""


def copies_of(varz: Any) -> int:
    """Return how many copies there are to be where a server says this of itself; `unfit` has found no fault with it."""
    return 3 if varz["data"].get("cluster", {}).get("name") else 1


async def _check_joined(context: JetStreamContext) -> None:
    """Raise Unavailable as long as not all servers have what one kept alone: what is written before that is removed."""
    try:
        await context.stream_info(JOINED)
    except NotFoundError:
        raise Unavailable(
            "what one of the queue's servers kept alone is being given to all of them", retry_after_s=1
        ) from None


async def dial(access: Access, user: str, closed: asyncio.Event) -> Client:
    """Return a client that is let in; `closed` is set when it is no more. Raises OSError, nats.errors.Error."""
    *likely, last = access.logins(user)
    for login in likely:
        try:
            return await _log_in(access, login, closed)
        except nats.errors.Error as error:
            if "authorization" not in str(error).lower():
                raise
            closed.clear()
    return await _log_in(access, last, closed)


async def _log_in(access: Access, login: tuple[str, str], closed: asyncio.Event) -> Client:
    async def note() -> None:
        closed.set()

    async def hush(_error: Exception) -> None:
        """What fails is told to whoever asked."""

    client = Client()
    try:
        await client.connect(
            f"nats://{access.host}:{access.port}",
            user=login[0],
            password=login[1],
            allow_reconnect=False,
            # Also of the first try: when it fails, the server may be elsewhere by now, and the file says so.
            max_reconnect_attempts=1,
            reconnect_time_wait=0.05,  # type: ignore[arg-type]  # it is slept for
            connect_timeout=2,
            ping_interval=10,
            closed_cb=note,
            disconnected_cb=note,
            error_cb=hush,
            pending_size=64 * 2**20,
        )
    except BaseException:
        await close(client)
        raise
    return client


async def close(client: Client) -> None:
    """Let go of the connection, whatever state it is in."""
    # However it fails to say goodbye, it is gone for us.
    with contextlib.suppress(OSError, TimeoutError, nats.errors.Error):
        await client.close()
    if client._transport is not None:  # Of an end that failed half-way the socket is left.
        client._transport.close()  # type: ignore[no-untyped-call] # the library says nothing of its own
