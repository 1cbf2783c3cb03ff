"""A registry in memory, on a real socket of the test's own loop, that can be told what to do wrong.

It keeps blobs, uploads and manifests as the protocol has them. A `Fault` takes the place of what it would have done
with the next request that fits; each is used once, in their order.
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import queue
import re
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, unquote

import msgspec

from dayfly.oci.registry.endpoint import Endpoint
from dayfly.oci.registry.session import Session


class Seen(msgspec.Struct):
    """A request, as far as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


class Reply(msgspec.Struct):
    """What is answered."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""


class Fault(msgspec.Struct):
    """What goes wrong with one request. `path` is searched for in the request's."""

    method: str
    path: str
    reply: Reply | None = None
    cut_request_after: int = -1
    """How many bytes of the body are taken before the connection ends; they are kept."""
    cut_answer_after: int = -1
    """How many bytes of the answer's body are sent before the connection ends; the request was carried out."""
    change: Callable[[Reply], Reply] | None = None


@contextlib.contextmanager
def in_thread() -> "Iterator[Double]":
    """Give a registry that serves in a thread, for what has a loop of its own."""
    made: queue.Queue[tuple[Double, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def serve() -> None:
        async with Double() as double:
            end = asyncio.Event()
            made.put((double, asyncio.get_running_loop(), end))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    double, loop, end = made.get(timeout=60)
    try:
        yield double
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(60)


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def refused(status: int, code: str, message: str = "no", **headers: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    return Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


class Double:
    """The registry, as an async context."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self._numbers = itertools.count()
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.challenge = ""
        """What WWW-Authenticate says to requests without `authorization`; empty lets everybody in."""
        self.authorization = ""
        self.headers: dict[str, str] = {}
        """What every start of an upload says besides."""
        self.port = 0
        self.slept: list[float] = []
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._tasks.values():
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def session(self, **options: object) -> Session:
        """A session whose pauses take no time and are written down."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        login = options.pop("login", None)
        endpoint = options.pop("endpoint", None) or Endpoint(name="registry.test", host=self.host)
        return Session(endpoint, login, sleep=sleep, spread=lambda: 1.0, **options)  # type: ignore[arg-type]  # loose, for tests

    def asked(self, method: str, path: str = "") -> list[Seen]:
        """The requests of a method in whose path this is found."""
        return [each for each in self.seen if each.method == method and re.search(path, each.path)]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                while await self._one(reader, writer):
                    pass
            finally:
                writer.close()
                self._tasks.pop(task, None)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection goes on."""
        first = await reader.readexactly(1)
        if first == b"\x16":  # somebody says hello by TLS, which nobody here speaks
            return False
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        method, target, _ = line.split(" ")
        path, _, query = target.partition("?")
        headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
        assert "transfer-encoding" not in headers
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        seen = Seen(method, unquote(path), asked, headers)
        self.seen.append(seen)
        fault = self._fault(seen)
        size = int(headers.get("content-length", "0"))
        if fault is not None and fault.cut_request_after >= 0:
            seen.body = await reader.readexactly(fault.cut_request_after)
            self._keep_part(seen)
            writer.transport.abort()
            return False
        seen.body = await reader.readexactly(size)
        reply = fault.reply if fault is not None and fault.reply is not None else self._answer(seen)
        if fault is not None and fault.change is not None:
            reply = fault.change(reply)
        body = b"" if method == "HEAD" else reply.body
        lines = {"Content-Length": str(len(reply.body)), **reply.headers}
        text = f"HTTP/1.1 {reply.status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        if fault is not None and fault.cut_answer_after >= 0:
            writer.write(text.encode() + b"\r\n" + body[: fault.cut_answer_after] if fault.cut_answer_after else b"")
            await writer.drain()
            return False
        writer.write(text.encode() + b"\r\n" + body)
        await writer.drain()
        return True

    def _fault(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.method == seen.method and re.search(fault.path, seen.path):
                self.faults.remove(fault)
                return fault
        return None

    def _keep_part(self, seen: Seen) -> None:
        if (upload := seen.path.rpartition("/")[2]) in self.uploads:
            self.uploads[upload] += seen.body

    def _answer(self, seen: Seen) -> Reply:
        if self.challenge and seen.headers.get("authorization") != self.authorization:
            return refused(401, "UNAUTHORIZED", WWW_Authenticate=self.challenge)
        if seen.path == "/v2/":
            return Reply(200)
        for pattern, answer in (
            (r"/v2/(.+)/blobs/uploads/(.*)", self._upload),
            (r"/v2/(.+)/blobs/(sha256:.+)", self._blob),
            (r"/v2/(.+)/manifests/(.+)", self._manifest),
        ):
            if (match := re.fullmatch(pattern, seen.path)) is not None:
                return answer(seen, match[1], match[2])
        return refused(404, "NOT_FOUND")

    def _blob(self, seen: Seen, repository: str, digest: str) -> Reply:
        data = self.blobs.get((repository, digest))
        if data is None:
            return refused(404, "BLOB_UNKNOWN")
        wanted = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", ""))
        if wanted is None:
            return Reply(200, {}, data)
        start = int(wanted[1])
        return Reply(206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}, data[start:])

    def _manifest(self, seen: Seen, repository: str, selector: str) -> Reply:
        if seen.method == "PUT":
            digest = digest_of(seen.body)
            for name in (selector, digest):
                self.manifests[repository, name] = seen.headers["content-type"], seen.body
            return Reply(201, {"Docker-Content-Digest": digest})
        found = self.manifests.get((repository, selector))
        if found is None:
            return refused(404, "MANIFEST_UNKNOWN")
        kind, data = found
        return Reply(200, {"Content-Type": kind, "Docker-Content-Digest": digest_of(data)}, data)

    def _upload(self, seen: Seen, repository: str, upload: str) -> Reply:
        if seen.method == "POST":
            if (found := self.blobs.get((seen.query.get("from", ""), seen.query.get("mount", "")))) is not None:
                self.blobs[repository, digest_of(found)] = found
                return Reply(201)
            upload = f"upload-{next(self._numbers)}"
            self.uploads[upload] = bytearray()
            return self._so_far(202, repository, upload, self.headers)
        if upload not in self.uploads:
            return refused(404, "BLOB_UPLOAD_UNKNOWN")
        have = self.uploads[upload]
        if seen.method == "GET":
            return self._so_far(204, repository, upload)
        if seen.method == "PATCH":
            start = int(seen.headers["content-range"].partition("-")[0])
            if start != len(have):
                return refused(416, "RANGE_INVALID")
            have += seen.body
            return self._so_far(202, repository, upload)
        have += seen.body
        data = bytes(self.uploads.pop(upload))
        if digest_of(data) != seen.query["digest"]:
            return refused(400, "DIGEST_INVALID")
        self.blobs[repository, digest_of(data)] = data
        return Reply(201, {"Docker-Content-Digest": digest_of(data)})

    def _so_far(self, status: int, repository: str, upload: str, more: dict[str, str] | None = None) -> Reply:
        reached = max(0, len(self.uploads[upload]) - 1)
        where = f"/v2/{repository}/blobs/uploads/{upload}"
        return Reply(status, {"Location": where, "Range": f"0-{reached}", **(more or {})})
