"""Callbacks: where they may go, whatever is written, and what they carry (threat T9)."""

import asyncio
import contextlib
import errno
import ipaddress
import threading
from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.unit.queue.conftest import play

from dayfly.model.errors import InvalidRequest
from dayfly.model.queued import Result
from dayfly.queue import callback
from dayfly.queue.callback import Callbacks, callback_head, parse_callback
from dayfly.runtimes.jail.egress import lookups
from dayfly.runtimes.jail.egress.dial import Streams
from dayfly.runtimes.jail.egress.lookups import Lookups
from dayfly.runtimes.jail.egress.policy import Address

RESULT = Result(
    id="c1", function="echo.openfaas-fn", state="done", attempts=1, accepted_unix_ms=1, finished_unix_ms=2, status=201,
    seconds=0.25, body=b"out",
    lines=b"Content-Type: text/x\r\nX-Call-Id: forged\r\nDate: x\r\ncontent-length: 9\r\nX-Function-Name: forged\r\n",
)  # fmt: skip
HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "0.0.0", "0", "2130706433", "017700000001", "0177.0.0.1", "0x7f.1", "0x7f000001",
    "127.0.0.1.", "localhost", "LOCALHOST", "localhost.", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[0:0:0:0:0:ffff:7f00:1]", "①②⑦.⓪.⓪.①", "127。0。0。1",
    "169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "100.100.100.200", "192.0.0.192",
    "metadata.google.internal", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fe80::1]", "[fc00::1]",
    "224.0.0.1", "255.255.255.255", "127.0.0.1%00.example.com", "example.com%40127.0.0.1", "127.0.0.1%2eexample.com",
]  # fmt: skip
URLS = [
    "", "x", "/x", "//127.0.0.1/", "http:", "http://", "http:///x", "http:127.0.0.1", "ftp://127.0.0.1/",
    "file:///etc/passwd", "gopher://127.0.0.1/", "unix:///run/x", "javascript:1", "http://a b/", "http://127.0.0.1:x/",
    "http://127.0.0.1:99999/", "http://user:pw@127.0.0.1/", "http://@127.0.0.1/", "http://x\\@127.0.0.1/",
    "http://127.0.0.1\r\nHost: x/", "http://[::1/", "http://ex\u00e4mple/", "http://" + "a" * 3000,
]  # fmt: skip


class Canary:
    """A server on loopback that nobody should reach."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.connections = 0
        self.reply = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Canary"]:
        """Listen."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[-1].split(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
        writer.write(self.reply)
        writer.close()


def test_whatever_is_written_loopback_and_private_addresses_are_not_reached() -> None:
    async def story() -> None:
        async with Canary().serving() as canary:
            deliver = Callbacks(("public",))
            for host in HOSTS:
                url = f"http://{host}:{canary.port}/"
                with contextlib.suppress(InvalidRequest):
                    parse_callback(url)
                assert await deliver(url, RESULT), url
            for url in URLS:
                assert await deliver(url.replace("127.0.0.1", f"127.0.0.1:{canary.port}", 1), RESULT), url
            assert canary.connections == 0
            assert await Callbacks((f"127.0.0.1:{canary.port}",))(f"http://127.0.0.1:{canary.port}/", RESULT) == ""
            assert canary.connections == 1  # so the canary would have sung

    play(story())


@pytest.mark.parametrize("url", URLS)
def test_what_is_no_callback_url_is_refused_when_it_comes(url: str) -> None:
    with pytest.raises(InvalidRequest, match="X-Callback-Url"):
        parse_callback(url)


def test_a_name_that_changes_its_mind_is_looked_up_once_and_the_address_judged_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is public when it is judged, and would be loopback if it were looked up again for the connection."""

    async def story() -> None:
        async with Canary().serving() as canary:
            looked_up: list[str] = []
            dialled: list[tuple[str, int]] = []
            answers = iter(["93.184.215.14", "127.0.0.1"])

            def changing(name: str, _port: int) -> list[Address]:
                looked_up.append(name)
                return [ipaddress.ip_address(next(answers))]

            async def connect(host: str, port: int) -> Streams:
                dialled.append((host, port))
                raise OSError(errno.ENETUNREACH, "nothing leaves this test")

            monkeypatch.setattr(asyncio, "open_connection", connect)
            deliver = Callbacks(("public",), lookups=Lookups(changing))
            why = await deliver(f"http://rebind.example.com:{canary.port}/", RESULT)
            assert "93.184.215.14" in why
            assert looked_up == ["rebind.example.com"]
            assert dialled == [("93.184.215.14", canary.port)]
            assert "127.0.0.1 is an address of this machine" in await deliver(
                f"http://rebind.example.com:{canary.port}/", RESULT
            )
            assert (len(dialled), canary.connections) == (1, 0)

    play(story())


def test_a_resolver_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "LOOKUP_S", 0.05)
    answer = threading.Event()

    def hang(*_: object) -> list[Address]:
        answer.wait()
        return []

    async def story() -> None:
        why = await Callbacks(("public",), lookups=Lookups(hang))("http://hook.example.com/", RESULT)
        assert why == "hook.example.com cannot be looked up: no resolver answers within 0.05s"
        answer.set()

    play(story())


def test_a_redirect_is_not_followed() -> None:
    async def story() -> None:
        async with Canary().serving() as canary, Canary().serving() as inner:
            canary.reply = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{inner.port}/\r\n\r\n".encode()
            allow = (f"127.0.0.1:{canary.port}", f"127.0.0.1:{inner.port}")
            why = await Callbacks(allow)(f"http://127.0.0.1:{canary.port}/", RESULT)
            assert "302" in why
            assert inner.connections == 0

    play(story())


def test_it_carries_the_answer_and_what_only_we_may_say() -> None:
    async def story() -> None:
        async with Canary().serving() as canary:
            deliver = Callbacks(("127.0.0.0/8",))
            assert await deliver(f"http://127.0.0.1:{canary.port}/hook?a=b", RESULT) == ""
            head, _, body = canary.requests[0].partition(b"\r\n\r\n")
            assert body == b"out"
            assert head.decode().split("\r\n") == [
                "POST /hook?a=b HTTP/1.1",
                f"Host: 127.0.0.1:{canary.port}",
                "Connection: close",
                "Content-Type: text/x",
                "X-Call-Id: c1",
                "X-Function-Name: echo.openfaas-fn",
                "X-Function-Status: 201",
                "X-Duration-Seconds: 0.250000",
                "X-Dayfly-Depth: 0",
                "Content-Length: 3",
            ]

    play(story())


def test_a_function_that_was_never_reached_has_the_status_503() -> None:
    result = Result(
        id="c1", function="f.n", state="dead", attempts=1, accepted_unix_ms=1, finished_unix_ms=2, reason="gone"
    )
    assert b"X-Function-Status: 503\r\n" in callback_head(parse_callback("http://example.com"), result)


def test_a_callback_is_as_deep_as_the_call_was() -> None:
    lines = RESULT.lines + b"x-dayfly-depth: 0\r\n"
    head = callback_head(parse_callback("http://example.com"), msgspec.structs.replace(RESULT, lines=lines, depth=3))
    assert [line for line in head.split(b"\r\n") if b"depth" in line.lower()] == [b"X-Dayfly-Depth: 3"]


@pytest.mark.parametrize(
    ("reply", "told"),
    [(b"HTTP/1.1 500 X\r\n\r\n", "500"), (b"nonsense\r\n", "HTTP"), (b"", "HTTP"), (b"HTTP/1.1 404 X\r\n\r\n", "404")],
)
def test_only_a_2xx_is_a_delivery(reply: bytes, told: str) -> None:
    async def story() -> None:
        async with Canary().serving() as canary:
            canary.reply = reply
            assert told in await Callbacks(("127.0.0.1",))(f"http://127.0.0.1:{canary.port}/", RESULT)

    play(story())


def test_one_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "TIMEOUT_S", 0.05)

    async def story() -> None:
        async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await gone.wait()
            writer.close()

        gone = asyncio.Event()
        server = await asyncio.start_server(hang, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert "did not answer" in await Callbacks(("127.0.0.1",))(f"http://127.0.0.1:{port}/", RESULT)
            gone.set()

    play(story())


def test_https_needs_a_certificate_that_is_good() -> None:
    async def story() -> None:
        async def no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(no_tls, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            assert await Callbacks(("127.0.0.1",))(f"http://127.0.0.1:{port}/", RESULT) == ""
            assert await Callbacks(("127.0.0.1",))(f"https://127.0.0.1:{port}/", RESULT)

    play(story())
