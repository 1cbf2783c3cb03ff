"""The process: its listeners, what it passes to the control plane, its limits, and how it ends."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dayfly.http1.limits import Limits

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig


def test_everything_else_goes_to_the_control_plane(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                told = f"{conversation.line} {conversation.headers['x-forwarded-for']}"
                conversation.reply(
                    told.encode() + conversation.body, "Server: u", "WWW-Authenticate: Basic", status=401
                )

        await rig.serve()
        await rig.replica(script, "api")
        async with rig.client() as client:
            answer = await client.ask("/system/functions?a=b", "X-Forwarded-For: 6.6.6.6", method="PUT", body=b" x")
            assert (answer.status, answer.body) == (401, b"PUT /system/functions?a=b HTTP/1.1 127.0.0.1 x")
            assert answer.headers["www-authenticate"] == "Basic"
            assert "server" not in answer.headers
            assert (await client.ask("/function")).status == 401

    play(scenario)


def test_a_larger_body_may_go_to_the_control_plane_only(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        await rig.replica(rig.echo, "api")
        async with rig.client() as client:
            assert (await client.ask("/v1/bundles/a", method="PUT", body=b"a" * 2000)).status == 200
            assert (await client.ask("/function/f", method="POST", body=b"a" * 2000)).status == 413
        async with rig.client() as client:
            assert (await client.ask("/v1/bundles/a", method="PUT", body=b"a" * 3001)).status == 413

    play(scenario, limits=Limits(body_bytes=1000), control_body_bytes=3000)


def test_the_console_has_its_own_socket(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica))

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(b"console " + conversation.line.encode())

        await rig.replica(script, "console")
        async with rig.client(rig.console_port) as client:
            assert (await client.ask("/function/f")).body == b"console GET /function/f HTTP/1.1"
        assert replica.connections == 0

    play(scenario)


def test_without_a_control_plane_calls_go_on(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            answer = await client.ask("/system/functions", method="POST", body=b"x")
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert answer.problem()["code"] == "control_plane_away"
            assert (await client.ask("/function/f")).status == 200
            api = await rig.replica(rig.echo, "api")
            assert (await client.ask("/system/functions")).status == 200
            await api.stop()
            assert (await client.ask("/system/functions")).status == 503

    play(scenario)


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 502)])
def test_only_reading_is_repeated_on_a_connection_that_was_closed(play: "Play", method: str, status: int) -> None:
    async def scenario(rig: "Rig") -> None:
        answered = 0

        async def script(conversation: "Conversation") -> None:
            nonlocal answered
            await conversation.request()
            answered += 1
            conversation.reply()
            await conversation.request()

        api = await rig.replica(script, "api")
        await rig.serve()
        async with rig.client() as client:
            assert (await client.ask("/a")).status == 200
            assert (await client.ask("/b", method=method)).status == status
        assert (answered, api.connections) == ((2, 2) if method == "GET" else (1, 1))

    play(scenario)


def test_a_function_is_never_called_twice(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.reply()
            await conversation.request()

        replica = await rig.replica(script)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            assert (await client.ask("/function/f")).status == 200
            assert (await client.ask("/function/f")).status == 502
        assert replica.connections == 1

    play(scenario)


def test_a_connection_that_died_while_it_was_idle_is_replaced(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            for _ in range(3):
                assert (await client.ask("/function/f", method="POST", body=b"x")).status == 200
                await replica.stop()
                await replica.start()
        assert replica.connections == 3

    play(scenario)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /function/f HTTP/1.1\r\n\r\n", 400),
        (b"GET /function/f HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
        (b"GET /function/f HTTP/1.1\nHost: h\n\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /function/f HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 40_000, 431),
        (b"GET /function/f HTTP/1.1\r\nHost: h\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET /function/f?" + b"a" * 9_000, 414),
        (b"GET /function/f HTTP/2.0\r\n\r\n", 505),
        (b"POST /function/f HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n", 417),
    ],
)
def test_what_is_refused_ends_its_connection_and_reaches_nobody(play: "Play", raw: bytes, status: int) -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            client.send(raw)
            answer = await client.answer()
            answer.problem()
            assert (answer.status, answer.headers["connection"]) == (status, "close")
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await client.closed()

    play(scenario)


def test_one_blank_line_before_a_request_is_let_pass(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            client.send(b"\r\nGET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await client.answer()).status == 200
            client.send(b"\r\n\r\nGET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await client.answer()).status == 400

    play(scenario)


def test_slow_headers_slow_bodies_and_idle_connections_end(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as silent, rig.client() as heading, rig.client() as feeding, rig.client() as idle:
            heading.send(b"GET /function/f HTTP/1.1\r\nHos")
            feeding.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\na")
            assert (await idle.ask("/function/f")).status == 200
            late = await heading.answer()
            assert (late.status, late.problem()["code"]) == (408, "header_timeout")
            slow = await feeding.answer()
            assert (slow.status, slow.problem()["code"]) == (408, "body_timeout")
            assert await silent.closed()
            assert await idle.closed()

    play(scenario, limits=Limits(header_timeout_s=1.0, body_window_s=1.0, idle_s=1.0, linger_s=0.3))


def test_a_client_that_takes_nothing_is_dropped(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            while True:
                conversation.send(b"a" * 65_536)
                await conversation.writer.drain()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            await rig.load(lambda load: 499 in load.functions[0].codes)

    play(scenario, limits=Limits(send_stall_s=0.3, answer_bytes=0))


def test_connections_are_bounded(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        begun = asyncio.Semaphore(0)

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            begun.release()
            if "again" in conversation.line:
                conversation.reply()
            await conversation.head()

        # Whoever has a request stays, although its deadline is the next.
        await rig.serve(rig.entry(await rig.replica(script), timeout_s=15))
        async with rig.client() as first, rig.client() as second:
            for client in (first, second):
                client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
                await begun.acquire()
            async with rig.client() as third:
                assert await third.closed()
        while True:
            async with rig.client() as again:
                again.send(b"GET /function/f/again HTTP/1.1\r\nHost: h\r\n\r\n")
                if await again.reader.read(12) == b"HTTP/1.1 200":
                    break

    play(scenario, limits=Limits(connections=2, header_timeout_s=60))


def test_a_new_connection_is_made_room_for(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with contextlib.AsyncExitStack() as stack:
            proven = await stack.enter_async_context(rig.client())
            assert (await proven.ask("/function/f")).status == 200
            slow = [await stack.enter_async_context(rig.client()) for _ in range(3)]
            for client in slow:
                client.send(b"GET /function/f HTTP/1.1\r\n")
            for number in range(3):
                # Full. Who is slow goes, in the order they came; who was served and rests stays.
                assert (await (await stack.enter_async_context(rig.client())).ask("/function/f")).status == 200
                assert await slow[number].closed()
            assert (await proven.ask("/function/f")).status == 200

    play(scenario, limits=Limits(connections=4, header_timeout_s=10, idle_s=75))


def test_draining_finishes_what_is_under_way(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                if conversation.line.startswith("GET /slow"):
                    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nbe")
                    await go.wait()
                    conversation.send(b"gun!")
                else:
                    conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as busy, rig.client() as idle:
            assert (await idle.ask("/function/f")).headers.get("connection") is None
            asked = asyncio.create_task(busy.ask("/function/f/slow"))
            await rig.load(lambda load: load.functions[0].inflight == 1)
            rig.stop.set()
            while True:
                answer = await idle.ask("/function/f")
                assert answer.status == 200
                if answer.headers.get("connection") == "close":
                    break
            assert await idle.closed()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", rig.port)
            assert not rig.gateway.done()
            go.set()
            assert (await asked).body == b"begun!"
            await rig.gateway

    # Longer than the scenario may take: it must end because the last answer was given, not because time was up.
    play(scenario, drain_s=60)


def test_a_request_that_was_on_its_way_when_draining_began_is_answered(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.gateway.listener._LAST_REQUEST_S", 30.0)

    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as idle:
            assert (await idle.ask("/function/f")).headers.get("connection") is None
            rig.stop.set()
            # Nothing is under way, and yet the connection is not cut off.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(idle.closed(), 0.1)
            answer = await idle.ask("/function/f")
            assert (answer.status, answer.headers.get("connection")) == (200, "close")
            await rig.gateway

    play(scenario, drain_s=900)


def test_draining_ends_at_last(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            await conversation.request()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            await rig.load(lambda load: load.functions[0].inflight == 1)
            rig.stop.set()
            await rig.gateway
            assert await client.closed()

    play(scenario, drain_s=0.2)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program makes the test's certificate")
def test_tls(play: "Play", tmp_path: Path) -> None:
    server, client_context = _contexts(tmp_path)

    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(conversation.headers["x-forwarded-proto"].encode() + conversation.body)

        await rig.serve(rig.entry(await rig.replica(script)), tls=server)
        body = bytes(range(256)) * 4_000
        async with rig.client(tls=client_context) as client:
            assert (await client.ask("/function/f", method="POST", body=body)).body == b"https" + body
            assert (await client.ask("/function/f")).body == b"https"
            client.send(b"nonsense")
            assert (await client.answer()).status == 400

    play(scenario)


def _contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(key), "-out", str(certificate))
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *curve, *subject, *files], check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cafile=certificate)
