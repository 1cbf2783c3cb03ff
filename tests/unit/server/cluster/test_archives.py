"""Archives from elsewhere: only from where one may, only what its checksum says, and only so much of it."""

import asyncio
import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from dayfly.build.tar import ArchiveLimits, TarReader
from dayfly.cluster.records import Archive
from dayfly.model.errors import DayflyError, InvalidRequest, InvalidSpec, PayloadTooLarge, Unavailable
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.server.cluster.archives import Archives

KEY = FunctionKey(NamespaceName("team"), FunctionName("hello"))
LIMITS = ArchiveLimits(compressed_bytes=20_000, unpacked_bytes=50_000, entries=5)


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        archive.mkdir("pkg")
        for name, content in files:
            archive.writestr(name, content)
    return target.getvalue()


def tarred(*files: tuple[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return target.getvalue()


def inside(bundle: bytes) -> dict[str, bytes]:
    """Return what a bundle holds, as whoever unpacks it reads it."""
    reader = TarReader(io.BytesIO(bundle), ArchiveLimits())
    return {each.name: b"".join(reader.content()) for each in reader.entries()}


def inline(content: bytes, *, allow: tuple[str, ...] = ()) -> bytes:
    archive = Archive(data=base64.b64encode(content).decode(), sha256=hashlib.sha256(content).hexdigest())
    return asyncio.run(Archives(allow, limits=LIMITS).bundle(KEY, archive))


def fetched(
    answers: Callable[[str, int], bytes], content: bytes = b"", allow: str = "127.0.0.1", path: str = "/a"
) -> bytes:
    """Return the bundle from a server that answers so to a path and its own port."""

    async def visited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        port = writer.get_extra_info("sockname")[1]
        writer.write(answers(head.split(b" ")[1].decode(), port))
        await writer.drain()
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(visited, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}"
            archive = Archive(url=url, sha256=hashlib.sha256(content).hexdigest())
            return await Archives((allow,), limits=LIMITS).bundle(KEY, archive)

    return asyncio.run(main())


def answer(content: bytes, head: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {head}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


GOOD = gzip.compress(tarred(("handler.py", b"x")), mtime=0)


def test_each_kind_of_archive_becomes_a_bundle() -> None:
    assert inline(GOOD) == GOOD
    assert inside(inline(tarred(("handler.py", b"x")))) == {"handler.py": b"x"}
    assert inside(inline(zipped(("handler.py", b"x"), ("pkg/a.py", b"y")))) == {"handler.py": b"x", "pkg/a.py": b"y"}


@pytest.mark.parametrize(
    "said",
    [
        answer(GOOD),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(GOOD), GOOD),
        b"HTTP/1.0 200 OK\r\n\r\n" + GOOD,
    ],
)
def test_however_a_server_sends_it_is_taken(said: bytes) -> None:
    assert fetched(lambda _path, _port: said, GOOD) == GOOD


def test_redirects_are_followed_and_judged() -> None:
    def leads(to: str) -> Callable[[str, int], bytes]:
        head = "302 Found\r\nLocation: "
        return lambda path, port: answer(b"", head + to.format(port=port)) if path == "/a" else answer(GOOD)

    assert fetched(leads("/b"), GOOD) == GOOD
    assert fetched(leads("http://127.0.0.1:{port}/b"), GOOD) == GOOD
    for away in ("http://169.254.169.254/", "http://10.0.0.1/", "http://[::1]/"):
        with pytest.raises(InvalidSpec, match="may not be fetched"):
            fetched(leads(away), GOOD)
    with pytest.raises(InvalidRequest, match="absolute"):
        fetched(leads("file:///etc/passwd"), GOOD)
    with pytest.raises(InvalidSpec, match="more than 5 times"):
        fetched(lambda _path, _port: answer(b"", "302 Found\r\nLocation: /a"), GOOD)


def test_what_is_in_the_cluster_is_not_fetched() -> None:
    with pytest.raises(InvalidSpec, match="may not be fetched"):
        fetched(lambda _path, _port: answer(GOOD), GOOD, allow="public")


@pytest.mark.parametrize(
    ("said", "kind", "told"),
    [
        (answer(GOOD[:-1]), InvalidSpec, "has the sha256"),
        (answer(GOOD).replace(b"Length: ", b"Length: 9"), Unavailable, "IncompleteRead"),
        (answer(b"", "404 Not Found"), InvalidSpec, "answered 404"),
        (answer(b"", "503 Busy"), Unavailable, "answered 503"),
        (b"nothing like HTTP\r\n\r\n", Unavailable, "cannot be fetched"),
        (b"", Unavailable, "cannot be fetched"),
        (answer(b"x" * 200_000), PayloadTooLarge, "larger than the 20000"),
    ],
)
def test_what_is_not_what_was_promised_is_refused(said: bytes, kind: type[DayflyError], told: str) -> None:
    with pytest.raises(kind, match=told):
        fetched(lambda _path, _port: said, GOOD)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"#!/bin/sh", "no tar file"),
        (zipped(*((f"{each}", b"") for each in range(6))), "more than 5 files"),
        (zipped(("bomb", b"\0" * 60_000)), "larger than 50000"),
        (zipped(("a", b"x"))[:-30], "cannot be read"),
        (zipped(("a", b"hello" * 9), method=zipfile.ZIP_STORED).replace(b"hello", b"jello"), "cannot be read"),
    ],
)
def test_archives_that_are_none_are_refused(content: bytes, told: str) -> None:
    with pytest.raises(InvalidSpec, match=told):
        inline(content)
    with pytest.raises(InvalidSpec, match="no base64"):
        asyncio.run(Archives(()).bundle(KEY, Archive(data="no base64!", sha256="0" * 64)))
