"""What a source is tried with: a server to kill, a relay whose connections can be cut, a recorder of events."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, cast

from dayfly.events.port import Lost, Source, Undeliverable
from dayfly.model.event import Event

DEADLINE_S, RESTART_S = 90.0, 200.0
WRONG = "wr0ng-and-never-shown"
"""The password of who must not get in."""


class Promises:
    """What a kind of source cannot do is said by the server's module; all else is checked."""

    def __init__(
        self,
        *,
        comes_again: bool = True,
        keeps_id: bool = True,
        waits: bool = True,
        survives: bool = True,
        has_password: bool = True,
        has_tls: bool = True,
        binds: bool = True,
        mends: bool = False,
        held_bytes: int = 0,
        at_once: int = 1,
        is_server: bool = True,
        largest: int = 1024 * 1024,
    ) -> None:
        self.comes_again = comes_again
        """What was not delivered comes again, and what was delivered does not."""
        self.keeps_id = keeps_id
        """What comes again has the id it had."""
        self.waits = waits
        """What is published while no source reads comes later."""
        self.survives = survives
        """The server has its messages still when it was killed and starts again."""
        self.has_password = has_password
        self.has_tls = has_tls
        self.binds = binds
        """A message can be a CloudEvent in binary mode."""
        self.mends = mends
        """It connects again by itself as long as there is a server, and does not tell that a connection was cut."""
        self.held_bytes = held_bytes
        """What may have come over the wire while nothing is delivered; 0 where there is no wire."""
        self.is_server = is_server
        """There is somebody to connect to, who may be away."""
        self.at_once = at_once
        """How many are delivered at the same time."""
        self.largest = largest
        """The largest message in bytes; text alone where it is less than the usual."""


class Rig(Protocol):
    """One subscription of a server, which nobody else has."""

    promises: Promises
    relay: "Relay"

    def source(self) -> Source:
        """Return a source of this subscription, through the relay."""
        ...

    def unwelcome(self) -> Source:
        """Return the same with the password WRONG."""
        ...

    def nowhere(self) -> Source:
        """Return the same at a port where nobody listens."""
        ...

    def secured(self, *, trusting: bool) -> Source:
        """Return the same over TLS, which knows the server's authority or does not."""
        ...

    async def publish(self, *bodies: bytes) -> None:
        """Return once the server has the messages for good."""
        ...

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """Publish a CloudEvent in the binary mode of the server's protocol."""
        ...


class Server(Protocol):
    """A server of the tests' own."""

    def start(self) -> None:
        """Return once it answers; it has what it had before it was killed."""
        ...

    def kill(self) -> None:
        """End it without its having a say, as far as it keeps its promises then."""
        ...

    def close(self) -> None:
        """End it and all that belongs to it."""
        ...

    def rig(self) -> contextlib.AbstractAsyncContextManager[Rig]:
        """Open a subscription."""
        ...


class Relay:
    """A way to a port that can be cut, and that counts what comes from there."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.port = 0
        self.received = 0
        self._ends: set[asyncio.Transport] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        """Listen for as long as it is used."""
        server = await asyncio.get_running_loop().create_server(lambda: _End(self, None), "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await server.wait_closed()

    def cut(self) -> None:
        """Break every connection."""
        for end in list(self._ends):
            end.abort()

    def opened(self, end: asyncio.Transport) -> None:
        """Take note of an end."""
        self._ends.add(end)

    def closed(self, end: asyncio.Transport) -> None:
        """Forget it."""
        self._ends.discard(end)


class _End(asyncio.Protocol):
    """One end of a connection; what it reads goes out by the other, no faster than that takes it."""

    def __init__(self, relay: Relay, other: "_End | None") -> None:
        self.relay = relay
        self.other = other
        self.is_servers = other is not None
        self.transport: asyncio.Transport | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no instances of it
        self.transport.set_write_buffer_limits(high=16_384)
        self.relay.opened(self.transport)
        if self.other is None:
            self._dial = asyncio.ensure_future(self._connect())
        else:
            self.other.joined(self)

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: _End(self.relay, self), "127.0.0.1", self.relay.target
            )
        except OSError:
            assert self.transport is not None
            self.transport.abort()

    def joined(self, other: "_End") -> None:
        """Pass on what came before there was somebody to pass it to."""
        self.other = other
        assert other.transport is not None
        assert self.transport is not None
        if self.transport.is_closing():
            other.transport.abort()
        for data in self._early:
            other.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.is_servers:
            self.relay.received += len(data)
        if self.other is None or self.other.transport is None:
            self._early.append(data)
        else:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        assert self.transport is not None
        self.relay.closed(self.transport)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close() if exc is None else self.other.transport.abort()


class Recorder:
    """Takes what a source delivers."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.is_ready = asyncio.Event()
        self.gate = asyncio.Event()
        """Deliveries wait while it is not set."""
        self.gate.set()
        self.refused: set[bytes] = set()
        self._came = asyncio.Event()

    async def deliver(self, event: Event, /) -> None:
        """Note the event, and wait for the gate."""
        self.events.append(event)
        self._came.set()
        await self.gate.wait()
        if event.data in self.refused:
            raise Undeliverable("nobody takes it")

    async def until(self, count: int) -> list[Event]:
        """Wait until so many have come; return all."""
        while len(self.events) < count:
            self._came.clear()
            await self._came.wait()
        return self.events


@contextlib.asynccontextmanager
async def running(source: Source) -> AsyncIterator[Recorder]:
    """Have the source at work, ready; afterwards it is cancelled."""
    recorder = Recorder()
    task = asyncio.create_task(source.run(recorder.deliver, recorder.is_ready.set))
    ready = asyncio.create_task(recorder.is_ready.wait())
    try:
        await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        yield recorder
    finally:
        ready.cancel()
        task.cancel()
        await asyncio.wait((task, ready))


async def lost(source: Source, recorder: Recorder | None = None) -> str:
    """Run the source until it is lost; return the sentence."""
    recorder = recorder or Recorder()
    try:
        await source.run(recorder.deliver, recorder.is_ready.set)
    except Lost as error:
        return str(error)
    raise AssertionError("the source ended")


def wait_for_port(port: int, alive: "Alive") -> None:
    """Return once somebody listens there."""
    while True:
        if alive.poll() is not None:
            raise AssertionError("the server ended before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return


def wait_until_free(port: int) -> None:
    """Return once nobody listens there any more."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return
        except OSError:  # It dies with our connection in its hands.
            continue


class Alive(Protocol):
    """A process."""

    def poll(self) -> int | None:
        """Return how it ended, or None."""
        ...
