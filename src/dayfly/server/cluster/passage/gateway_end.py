"""The gateway's end: unix sockets as on one machine, each connection to which goes to the control plane over TLS.

The sockets are there while the control plane is: a gateway that finds none serves with the routing table that it has,
and tells callers of the API that nobody answers, just as on one machine.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path

import msgspec

from dayfly.model.errors import ConfigError, Unavailable
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.cluster.passage.wire import (
    CHANNELS,
    CONNECT_S,
    GO,
    INNER,
    PRESENCE,
    PULSE_S,
    SILENCE_S,
    YES,
    End,
    greeting,
    keep_alive,
    pulse,
    splice,
)

PARKED = 4
"""Connections kept open ahead of calls that the control plane makes."""
AGAIN_S = (0.1, 2.0)
"""First and longest pause before the control plane is looked for again."""
_log = logging.getLogger("dayfly.server")


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """Where the control plane is, and how it lets us in."""

    host: str
    port: int
    name: str
    """The host that its certificate must be for."""
    token: str
    gateway: str
    """Who we are."""


class GatewayEnd:
    """Keeps the sockets in `run_dir`, and takes calls from the control plane to the socket `inner`."""

    def __init__(
        self,
        way: Way,
        tls: ssl.SSLContext,
        run_dir: Path,
        inner: Path,
        *,
        pulse_s: float = PULSE_S,
        silence_s: float = SILENCE_S,
        on_change: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._way = way
        self._tls = tls
        self._run_dir = run_dir
        self._inner = inner
        self._pulse_s, self._silence_s = pulse_s, silence_s
        self._on_change = on_change
        self._jobs: set[asyncio.Task[None]] = set()

    def renew(self, token: str) -> None:
        """Come with this token from now on."""
        self._way = msgspec.structs.replace(self._way, token=token)

    async def run(self) -> None:
        """Keep it up until cancelled."""
        pause = AGAIN_S[0]
        while True:
            try:
                end = await self._reach(PRESENCE)
                pause = AGAIN_S[0]
                try:
                    await self._be_present(end)
                finally:
                    end[1].close()
            except ConfigError as error:
                _log.error("the control plane does not let us in: %s", error)
            except Unavailable as away:
                _log.info("the control plane is away: %s", away)
            await asyncio.sleep(pause)
            pause = min(2 * pause, AGAIN_S[1])

    async def _be_present(self, end: End) -> None:
        servers: list[asyncio.Server] = []
        parking = [asyncio.create_task(self._park()) for _ in range(PARKED)]
        try:
            for channel in CHANNELS:
                servers.append(await self._open(channel))  # noqa: PERF401 - those before must be closed if one fails
            self._on_change(True)
            _log.info("the control plane is there")
            await pulse(end, self._pulse_s, self._silence_s)
        finally:
            self._on_change(False)
            for server in servers:
                server.close()
            for channel in CHANNELS:
                (self._run_dir / f"{channel}.sock").unlink(missing_ok=True)
            jobs = [*parking, *self._jobs]
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _open(self, channel: str) -> asyncio.Server:
        async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._kept(self._carry(channel, (reader, writer)), writer)

        listener = bind_private(self._run_dir / f"{channel}.sock")
        try:
            return await asyncio.start_unix_server(visited, sock=listener)
        except asyncio.CancelledError:
            listener.close()
            raise

    async def _carry(self, channel: str, local: End) -> None:
        await splice(local, await self._reach(channel))

    async def _park(self) -> None:
        """Keep a connection open for a call from the control plane; while one is under way, the next."""
        while True:
            try:
                end = await self._reach(INNER)
            except (Unavailable, ConfigError):
                await asyncio.sleep(AGAIN_S[0])
                continue
            try:
                called = await end[0].read(1) == GO
            except OSError:
                called = False
            except asyncio.CancelledError:
                end[1].close()
                raise
            if called:
                asyncio.create_task(self._kept(self._answer(end), end[1]))  # noqa: RUF006 - `_kept` holds it
            else:
                end[1].close()

    async def _answer(self, end: End) -> None:
        await splice(end, await asyncio.open_unix_connection(self._inner))

    async def _kept(self, job: Coroutine[None, None, None], writer: asyncio.StreamWriter) -> None:
        """Do the job, unless the control plane goes; then the connection ends with it."""
        task = asyncio.current_task()
        assert task is not None
        self._jobs.add(task)
        try:
            await job
        except (Unavailable, ConfigError, OSError) as fault:
            _log.debug("a connection through the passage ended reason=%s", fault)
        except asyncio.CancelledError:
            pass  # nobody awaits this task; its connection is closed below
        finally:
            self._jobs.discard(task)
            writer.close()

    async def _reach(self, channel: str) -> End:
        """Return a connection to the channel. Raises Unavailable; ConfigError when we are not let in."""
        way = self._way
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(
                    way.host, way.port, ssl=self._tls, server_hostname=way.name
                )
                keep_alive(writer)
                writer.write(greeting(way.token, channel, way.gateway))
                answer = await reader.readexactly(1)
        except ssl.SSLCertVerificationError as error:
            raise ConfigError(f"its certificate is not this installation's: {error.verify_message}") from error
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            if writer is not None:
                writer.close()
            raise Unavailable(f"{way.host}:{way.port}: {error or type(error).__name__}") from error
        except asyncio.CancelledError:
            if writer is not None:
                writer.close()
            raise
        if answer != YES:
            writer.close()
            raise ConfigError("it refuses our token", hint="both must have the same Secret dayfly-internal")
        return reader, writer
