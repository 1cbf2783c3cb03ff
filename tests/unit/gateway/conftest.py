"""A rig: a real gateway on loopback between raw clients, a control plane that is played, and replicas by script."""

import asyncio
import contextlib
import functools
import shutil
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

from dayfly.gateway.memory import Memory
from dayfly.gateway.process import GatewaySettings, serve
from dayfly.http1.limits import Limits
from dayfly.model.route_entry import RouteEntry
from dayfly.model.table import Delta, Demand, Endpoint, Entry, Hello, Load, Report, Snapshot, ToControl, ToGateway

DEADLINE_S = 60.0
_LENGTH = struct.Struct(">I")

Script = Callable[["Conversation"], Awaitable[None]]


class Answer(msgspec.Struct):
    """A response as a client saw it."""

    status: int
    headers: dict[str, str]
    body: bytes

    def problem(self) -> dict[str, Any]:
        """Return the body as the problem it must be."""
        assert self.headers["content-type"] == "application/problem+json"
        told = msgspec.json.decode(self.body)
        assert told["status"] == self.status
        assert told["call_id"] == self.headers["x-call-id"]
        return told  # type: ignore[no-any-return]


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """Return the first line and the headers, names in lower case; equal names are joined by a comma."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = f"{headers[name.lower()]},{value}" if name.lower() in headers else value
    return lines[0], headers


async def read_body(reader: asyncio.StreamReader, headers: dict[str, str], *, until_close: bool) -> bytes:
    """Return a whole body; trailers go into `headers` as `trailer NAME`. Raises IncompleteReadError."""
    if headers.get("transfer-encoding") == "chunked":
        content = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            content += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        while trailer := (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1"):
            name, _, value = trailer.partition(": ")
            headers[f"trailer {name.lower()}"] = value
        return content
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read() if until_close else b""


class Client:
    """A raw connection to the gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)

    async def answer(self, *, head_only: bool = False) -> Answer:
        """Return the next response."""
        line, headers = await read_head(self.reader)
        status = int(line.split(" ")[1])
        bodiless = head_only or status < 200 or status in (204, 304)
        body = b"" if bodiless else await read_body(self.reader, headers, until_close=True)
        return Answer(status, headers, body)

    async def ask(
        self, target: str, *lines: str, method: str = "GET", body: bytes = b"", host: str = "h"
    ) -> Answer:  # fmt: skip
        """Send a request and return its response."""
        head = [f"{method} {target} HTTP/1.1", f"Host: {host}", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        return await self.answer(head_only=method == "HEAD")

    async def closed(self) -> bool:
        """Wait for the connection's end; returns whether nothing came before it."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Conversation:
    """One connection to a scripted replica."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.line = ""
        self.headers: dict[str, str] = {}
        self.body = b""

    async def head(self) -> str:
        """Read a request's head; returns its first line, empty at the connection's end."""
        try:
            self.line, self.headers = await read_head(self.reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.line = ""
        return self.line

    async def request(self) -> str:
        """Read a whole request; returns its first line, empty at the connection's end."""
        if await self.head():
            self.body = await read_body(self.reader, self.headers, until_close=False)
        return self.line

    def send(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)

    def reply(self, body: bytes = b"ok", *lines: str, status: int = 200) -> None:
        """Send a response with a known length."""
        head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", *lines, f"Content-Length: {len(body)}"))
        self.send(head.encode() + b"\r\n" + body)


class Replica:
    """A scripted server on a unix socket: `script` runs for each connection."""

    def __init__(self, path: Path, script: Script) -> None:
        self.path = path
        self.address = f"unix:{path}"
        self.script = script
        self.connections = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, str(self.path), backlog=1000)

    async def stop(self) -> None:
        """Stop as a killed process does: every connection is gone, and nobody listens."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.path.unlink(missing_ok=True)
        for writer in list(self._writers):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        self.connections += 1
        try:
            await self.script(Conversation(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.close()


def _answers(report: int, load: Load) -> bool:
    return load.id == report


class Rig:
    """The gateway under test and everything around it."""

    def __init__(self, folder: Path, settings: dict[str, Any], limits: Limits) -> None:
        settings.setdefault("drain_s", 5)
        if settings.pop("queue", False):
            settings["queue_socket"] = str(folder / "queue")
        self.folder = folder
        self.settings = GatewaySettings(
            name="gw0",
            api_socket=str(folder / "api"),
            console_socket=str(folder / "console"),
            metrics_socket=str(folder / "metrics"),
            link_socket=str(folder / "link"),
            limits=limits,
            **settings,
        )
        self.stop = asyncio.Event()
        self.heard: list[ToControl] = []
        self.entries: tuple[Entry, ...] = ()
        self.routes: tuple[RouteEntry, ...] = ()
        self.confirms = False
        self.port = 0
        self.console_port = 0
        self._reports = 0
        self._changed = asyncio.Condition()
        self.link: asyncio.StreamWriter | None = None
        self._control: asyncio.Server | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "Rig":
        """Begin to play the control plane's link."""
        await self.open_link()
        self._stack.push_async_callback(self.close_link)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything."""
        self.stop.set()
        await self._stack.aclose()

    # The control plane.

    async def open_link(self) -> None:
        """Listen for gateways."""
        self._control = await asyncio.start_unix_server(self._speak, str(self.folder / "link"))

    async def close_link(self) -> None:
        """Go away, as a killed control plane does."""
        if self._control is not None:
            self._control.close()
            self._control = None
            (self.folder / "link").unlink(missing_ok=True)
        if self.link is not None:
            self.link.transport.abort()
            self.link = None
        await asyncio.sleep(0)

    async def _speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.link = writer
        decoder: msgspec.msgpack.Decoder[ToControl] = msgspec.msgpack.Decoder(ToControl)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
                message = decoder.decode(await reader.readexactly(size))
                if isinstance(message, Hello):
                    self.tell(Snapshot(1, self.entries, "openfaas-fn", self.routes, self.confirms))
                async with self._changed:
                    self.heard.append(message)
                    self._changed.notify_all()
        writer.close()

    def tell(self, message: ToGateway) -> None:
        """Send the gateway a message."""
        assert self.link is not None
        data = msgspec.msgpack.encode(message)
        self.link.write(_LENGTH.pack(len(data)) + data)

    async def hear(self, kind: type[ToControl], when: Callable[[Any], bool] = lambda _: True) -> Any:
        """Return the first message of a kind, already heard or to come, that `when` is true of."""
        async with self._changed:
            while True:
                for message in self.heard:
                    if isinstance(message, kind) and when(message):
                        return message
                await self._changed.wait()

    async def demand(self, function: str = "f.openfaas-fn") -> Demand:
        """Wait for the gateway to ask for a replica."""
        found = await self.hear(Demand, lambda demand: demand.function == function)
        assert isinstance(found, Demand)
        return found

    async def load(self, when: Callable[[Load], bool]) -> Load:
        """Ask for reports until one that `when` is true of; unlike the gateway's own they hold every function."""
        while True:
            self._reports += 1
            asked = self._reports
            self.tell(Report(asked))
            found = await self.hear(Load, functools.partial(_answers, asked))
            assert isinstance(found, Load)
            if found.functions and when(found):
                return found
            await asyncio.sleep(0.01)

    # The rest.

    @staticmethod
    def entry(*replicas: Replica | str, name: str = "f", **fields: Any) -> Entry:
        """Return the entry of a function with these replicas."""
        addresses = [replica if isinstance(replica, str) else replica.address for replica in replicas]
        endpoints = tuple(Endpoint(f"r{number}", address, 1) for number, address in enumerate(addresses))
        return Entry(name=name, namespace="openfaas-fn", endpoints=endpoints, **fields)

    @staticmethod
    def route(path: str = "/*", *, name: str = "r", host: str = "", to: str = "f", **fields: Any) -> RouteEntry:
        """Return a route to a function."""
        targets = fields.pop("targets", ((f"{to}.openfaas-fn", 1),))
        return RouteEntry(name=name, namespace="openfaas-fn", host=host, path=path, targets=targets, **fields)

    async def reroute(self, *routes: RouteEntry, gone: tuple[str, ...] = ()) -> None:
        """Have the gateway take routes over; returns once it has."""
        self.tell(Delta(2, routes=routes, unrouted=gone))
        await self.heard_all()

    async def heard_all(self) -> None:
        """Return once the gateway has taken in all that it was told."""
        self._reports += 1
        asked = self._reports
        self.tell(Report(asked))
        await self.hear(Load, functools.partial(_answers, asked))

    @staticmethod
    def delta(*entries: Entry) -> Delta:
        """Return the news of `entries`."""
        return Delta(2, entries)

    @staticmethod
    async def echo(conversation: Conversation) -> None:
        """Answer every request with its body, and with what was asked in a header."""
        while await conversation.request():
            conversation.reply(conversation.body or b"empty", f"X-Line: {conversation.line}")

    async def serve(
        self,
        *entries: Entry,
        tls: ssl.SSLContext | None = None,
        inner: socket.socket | None = None,
        memory: Memory | None = None,
    ) -> None:
        """Start the gateway with a table of `entries`."""
        self.entries = entries
        public, console = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
        self.port, self.console_port = public.getsockname()[1], console.getsockname()[1]
        ready = asyncio.Event()
        task = asyncio.create_task(
            serve(
                self.settings,
                public=public,
                console=console,
                metrics=None,
                inner=inner,
                tls=tls,
                stop=self.stop,
                on_ready=ready.set,
                memory=memory,
            )
        )
        self.gateway = task

        async def end() -> None:
            self.stop.set()
            await task

        self._stack.push_async_callback(end)
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait((waiting, task), return_when=asyncio.FIRST_COMPLETED)
        assert ready.is_set()

    async def replica(self, script: Script, name: str = "r1") -> Replica:
        """Start a scripted replica."""
        replica = Replica(self.folder / name, script)
        await replica.start()
        self._stack.push_async_callback(replica.stop)
        return replica

    @contextlib.asynccontextmanager
    async def client(self, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[Client]:
        """Connect to the gateway."""
        host = "localhost" if tls is not None else None
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port or self.port, ssl=tls, server_hostname=host, limit=1 << 20
        )
        try:
            yield Client(reader, writer)
        finally:
            writer.transport.abort()


Play = Callable[..., None]


@pytest.fixture(params=["uvloop", "asyncio"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    """Return what runs a scenario with a rig, on each event loop."""
    folder = Path(tempfile.mkdtemp(prefix="dfgw"))

    def run(scenario: Callable[[Rig], Awaitable[None]], *, limits: Limits | None = None, **settings: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(DEADLINE_S), Rig(folder, settings, limits or Limits()) as rig:
                await scenario(rig)

        if request.param == "uvloop":
            uvloop.run(main())
        else:
            asyncio.run(main())

    yield run
    shutil.rmtree(folder, ignore_errors=True)
