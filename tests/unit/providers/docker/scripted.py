"""An engine that is played: a unix socket that answers what a test wrote down, and notes what it was asked."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

DEADLINE_S = 60.0
VERSION = {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}
INFO = {
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
}


class Asked(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Said(msgspec.Struct, frozen=True):
    """One answer; with `more`, its body goes on for as long as that says."""

    status: int = 200
    content: bytes = b""
    more: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


Answer = Said | dict[str, Any] | list[Any] | None
Play = Callable[[Asked], Answer]


class ScriptedEngine:
    """Answers by `answers`, from `METHOD /path` without the version; what is not there is 404."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer | Play] = {"GET /version": VERSION, "GET /info": INFO}
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        """Go away, with every connection."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()
            self._server = None
        self.path.unlink(missing_ok=True)

    def calls(self) -> list[str]:
        """What it was asked, but for the introductions."""
        return [str(each) for each in self.asked if each.path not in ("/version", "/info")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                answer = self.answers.get(str(asked), Said(404, b'{"message":"no such thing"}'))
                await _write(writer, answer(asked) if callable(answer) else answer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode().split(" ")
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    path = parts.path
    if path.startswith("/v1."):
        path = "/" + path.split("/", 2)[2]
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return Asked(method, path, query, headers, body)


async def _write(writer: asyncio.StreamWriter, answer: Answer) -> None:
    said = answer if isinstance(answer, Said) else Said(200, json.dumps(answer).encode() if answer is not None else b"")
    head = f"HTTP/1.1 {said.status} X\r\nContent-Type: application/json\r\n"
    if said.more is None:
        writer.write(f"{head}Content-Length: {len(said.content)}\r\n\r\n".encode() + said.content)
        await writer.drain()
        return
    writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
    await piece(writer, said.content)
    await said.more(writer)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def piece(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write a piece of a body that goes on."""
    if data:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    await writer.drain()


@contextlib.asynccontextmanager
async def scripted() -> AsyncIterator[ScriptedEngine]:
    """A played engine that listens."""
    with tempfile.TemporaryDirectory(prefix="dfe") as folder:
        engine = ScriptedEngine(Path(folder) / "engine.sock")
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario, but not for ever."""
    asyncio.run(asyncio.wait_for(scenario, DEADLINE_S))


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.01)
