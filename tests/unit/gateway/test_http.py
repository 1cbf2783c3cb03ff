"""What a call may carry besides its body, and what it may not: trailers, streams, sizes, tunnels, dates."""

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from tests.unit.gateway.conftest import read_head

from dayfly.http1.limits import Limits
from dayfly.model.table import Load

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Answer, Conversation, Play, Rig

CHUNKED_200 = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
ASKS_FOR_TRAILERS = ("TE: trailers", "Connection: TE")


def test_trailers_of_a_request_reach_the_function(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[dict[str, str]] = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append(conversation.headers)
                conversation.reply(conversation.body)

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(
                b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Host\r\n\r\n"
                b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nAuthorization: a\r\nX-Forwarded-For: b\r\nX-Call-Id: c\r\n"
                b"X-Sum2: 2\r\n\r\n"
            )
            assert (await client.answer()).body == b"abc"
            # A body whose trailers end in another piece, and one without any on the same connection.
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n")
            await asyncio.sleep(0.05)
            client.send(b"X-Sum: 3\r\n\r\n")
            assert (await client.answer()).body == b"abc"
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
            await client.answer()
        found = [{k[8:]: v for k, v in headers.items() if k.startswith("trailer ")} for headers in seen]
        assert found == [{"x-sum": "1", "x-sum2": "2"}, {"x-sum": "3"}, {}]
        assert seen[0]["trailer"] == "X-Sum"
        assert all("authorization" not in headers for headers in seen)

    play(scenario)


def test_trailers_that_speak_of_framing_are_refused(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        calls = 0

        async def script(conversation: "Conversation") -> None:
            nonlocal calls
            while await conversation.request():
                calls += 1
                conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script)))
        for name in ("Content-Length", "transfer-encoding", "Host", "Content_Length"):
            async with rig.client() as client:
                head = "POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                client.send(f"{head}3\r\nabc\r\n0\r\n{name}: 3\r\n\r\n".encode())
                answer = await client.answer()
                assert (answer.status, answer.problem()["code"]) == (400, "invalid_request")
                assert await client.closed()
        assert calls == 0

    play(scenario)


@pytest.mark.parametrize(
    "lines",
    [
        ASKS_FOR_TRAILERS,
        (),
        ("TE: trailers",),
        ("TE: trailers", "Connection: keep-alive"),
        ("TE: gzip", "Connection: TE"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_trailers_of_an_answer_reach_who_asked_for_them(play: "Play", lines: tuple[str, ...], at_once: bool) -> None:
    async def scenario(rig: "Rig") -> None:
        asked: list[dict[str, str]] = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                asked.append(conversation.headers)
                conversation.send(CHUNKED_200 + b"Trailer: X-Sum, Content-Length\r\n\r\n3\r\nabc\r\n")
                if not at_once:
                    await asyncio.sleep(0.05)
                conversation.send(
                    b"0\r\nX-Sum: 1\r\nHost: evil\r\nSet-Cookie: a=b\r\nX-Accel-Redirect: /\r\nX_Y: 1\r\n\r\n"
                )

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            for _ in range(2):
                answer = await client.ask("/function/f", *lines)
                assert answer.body == b"abc"
                trailers = {k: v for k, v in answer.headers.items() if k.startswith("trailer")}
                wanted = lines == ASKS_FOR_TRAILERS
                assert trailers == ({"trailer": "X-Sum", "trailer x-sum": "1"} if wanted else {})
                assert asked[-1].get("te") == ("trailers" if wanted else None)
                assert asked[-1].get("connection") == ("TE" if wanted else None)

    play(scenario)


def test_old_clients_get_no_trailers(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(CHUNKED_200 + b"\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")
            await conversation.request()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.0\r\nTE: trailers\r\nConnection: TE\r\n\r\n")
            assert (await client.reader.read()).endswith(b"\r\n\r\nabc")

    play(scenario)


@pytest.mark.parametrize(
    "rest", [b"3\r\nabc\r\n0\r\nX: ", b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 40, b"3;", b"3\r\nabc\r\n0\r\nX"]
)
def test_an_answers_framing_may_not_grow_without_end(play: "Play", rest: bytes) -> None:
    async def scenario(rig: "Rig") -> None:
        gone = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(CHUNKED_200 + b"\r\n" + rest)
            try:
                while True:
                    conversation.send(b"y" * 65_536)
                    await conversation.writer.drain()
            finally:
                gone.set()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert len(await client.reader.read()) < 1_000
            await gone.wait()

    play(scenario)


async def read_piece(conversation: "Conversation | asyncio.StreamReader", wanted: bytes) -> None:
    """Read until the piece has come."""
    assert isinstance(conversation, asyncio.StreamReader)
    assert (await conversation.readuntil(wanted)).endswith(wanted)


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        ("text/event-stream", [b"data: one\n\n", b": beat\n\n", b"data: two\n\n"]),
        ("application/x-ndjson", [b'{"n": 1}\n', b'{"n": 2}\n', b'{"n": 3}\n']),
    ],
)
@pytest.mark.parametrize("coding", ["chunked", "until close", "counted"])
def test_what_a_function_streams_arrives_as_it_comes(play: "Play", kind: str, pieces: list[bytes], coding: str) -> None:
    async def scenario(rig: "Rig") -> None:
        read = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            length = f"Content-Length: {sum(map(len, pieces))}\r\n" if coding == "counted" else ""
            framing = "Transfer-Encoding: chunked\r\n" if coding == "chunked" else length
            conversation.send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{framing}\r\n".encode())
            for piece in pieces:
                conversation.send(b"%x\r\n%b\r\n" % (len(piece), piece) if coding == "chunked" else piece)
                # The next piece is only sent once the client has this one.
                await read.wait()
                read.clear()
            if coding == "chunked":
                conversation.send(b"0\r\n\r\n")

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            _, headers = await read_head(client.reader)
            assert headers["content-type"] == kind
            for piece in pieces:
                await read_piece(client.reader, piece)
                read.set()
            if coding != "counted":
                assert await client.reader.readuntil(b"0\r\n\r\n")

    play(scenario)


def test_a_streamed_request_arrives_as_it_comes(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.head()
            for number in range(3):
                await read_piece(conversation.reader, b"piece %d\r\n" % number)
                arrived.set()
            await read_piece(conversation.reader, b"0\r\n\r\n")
            conversation.reply()

        arrived = asyncio.Event()
        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            for number in range(3):
                client.send(b"7\r\npiece %d\r\n" % number)
                await arrived.wait()
                arrived.clear()
            client.send(b"0\r\n\r\n")
            assert (await client.answer()).status == 200

    play(scenario)


def test_answers_are_bounded(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                if "announced" in conversation.line:
                    conversation.reply(b"a" * 100_001)
                elif "fits" in conversation.line:
                    conversation.reply(b"a" * 100_000)
                elif "closes" in conversation.line:
                    conversation.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"a" * 50_000)
                    await asyncio.sleep(0.05)  # so that it is another piece to the gateway
                    conversation.send(b"a" * 60_000)
                    return
                elif "head" in conversation.line:
                    conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n")
                else:
                    conversation.send(CHUNKED_200 + b"\r\n")
                    while True:
                        conversation.send(b"4000\r\n" + b"a" * 16_384 + b"\r\n")
                        await asyncio.sleep(0.01)

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            assert len((await client.ask("/function/f/fits")).body) == 100_000
            refused = await client.ask("/function/f/announced")
            assert (refused.status, refused.problem()["code"]) == (502, "answer_too_large")
            assert "100001 bytes" in refused.problem()["detail"]
            assert "answer_bytes" in refused.problem()["hint"]
            assert (await client.ask("/function/f/head", method="HEAD")).headers["content-length"] == "5000000"
        for target in ("endless", "closes"):
            async with rig.client() as client:
                client.send(f"GET /function/f/{target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                got = await client.reader.read()
                assert 0 < len(got) < 120_000
                assert not got.endswith(b"0\r\n\r\n")
        await rig.load(lambda load: counted(load) == {200: 2, 502: 3} and not load.functions[0].inflight)

    play(scenario, limits=Limits(answer_bytes=100_000))


def counted(load: Load) -> dict[int, int]:
    """Return the calls of the only function that have ended, by status."""
    return {status: figures[0] for status, figures in load.functions[0].codes.items()}


async def upgraded(conversation: "Conversation", protocol: str) -> None:
    """Accept an upgrade."""
    await conversation.head()
    assert conversation.headers["upgrade"] == protocol
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    conversation.send(head.encode())


@pytest.mark.parametrize("protocol", ["websocket", "x-shell/2"])
def test_a_tunnel_that_carries_nothing_is_closed(play: "Play", protocol: str) -> None:
    async def scenario(rig: "Rig") -> None:
        ended = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await upgraded(conversation, protocol)
            while data := await conversation.reader.read(100):
                conversation.send(data)
            ended.set()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            answer = await client.ask("/function/f", "Connection: Upgrade", f"Upgrade: {protocol}")
            assert (answer.status, answer.headers["upgrade"]) == (101, protocol)
            # Each way counts as life, for longer than the limit.
            began = asyncio.get_running_loop().time()
            while asyncio.get_running_loop().time() < began + 2.0:
                client.send(b"beat")
                assert await client.reader.readexactly(4) == b"beat"
                await asyncio.sleep(0.1)
            assert await client.closed()
            await ended.wait()
        await rig.load(lambda load: counted(load) == {101: 1} and load.functions[0].inflight == 0)

    play(scenario, limits=Limits(tunnel_idle_s=1.5))


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"])
@pytest.mark.parametrize("size", [10, 5_000, 300_000])
def test_what_comes_with_the_switch_of_protocols_is_not_lost(play: "Play", before: bytes, size: int) -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.head()
            head = b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            conversation.send(before + head + b"a" * size + b"end")
            await conversation.reader.read()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            assert (await client.answer()).status == (103 if before else 101)
            if before:
                assert (await client.answer()).status == 101
            assert await client.reader.readexactly(size + 3) == b"a" * size + b"end"

    play(scenario)


@pytest.mark.parametrize("slow", ["client", "replica"])
def test_a_tunnel_holds_back_the_faster_side(play: "Play", slow: str) -> None:
    async def scenario(rig: "Rig") -> None:
        size, sent, go = 48 << 20, 0, asyncio.Event()

        async def pour(writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            while sent < size:
                writer.write(b"a" * 65_536)
                await writer.drain()
                sent += 65_536

        async def script(conversation: "Conversation") -> None:
            await upgraded(conversation, "websocket")
            if slow == "client":
                await pour(conversation.writer)
            else:
                await go.wait()
                await conversation.reader.readexactly(size)
                conversation.send(b"all")
            await conversation.reader.read()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            answer = await client.ask("/function/f", "Connection: Upgrade", "Upgrade: websocket")
            assert answer.status == 101
            client.writer.transport.set_write_buffer_limits(1)
            if slow == "client":
                client.writer.transport.pause_reading()  # type: ignore[attr-defined]
            pouring = asyncio.create_task(pour(client.writer) if slow == "replica" else asyncio.sleep(0))
            before = -1
            while sent != before or not sent:
                before = sent
                await asyncio.sleep(0.2)
            assert sent < size // 2
            go.set()
            if slow == "client":
                client.writer.transport.resume_reading()  # type: ignore[attr-defined]
                assert len(await client.reader.readexactly(size)) == size
            else:
                assert await client.reader.readexactly(3) == b"all"
            await pouring

    play(scenario)


def test_connect_is_refused(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        for target in ("h:443", "/function/f"):
            async with rig.client() as client:
                client.send(f"CONNECT {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
                answer = await client.answer()
                assert answer.status == 400
                assert "CONNECT" in answer.problem()["detail"]
                assert await client.closed()

    play(scenario)


def test_every_answer_has_one_date(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                dated = ("Date: Thu, 01 Jan 1970 00:00:00 GMT",) if "dated" in conversation.line else ()
                conversation.reply(b"a" * 20_000 if "large" in conversation.line else b"a", *dated)

        def ours(answer: "Answer") -> bool:
            return bool(re.fullmatch(r"\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT", answer.headers["date"]))

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            for target in ("/function/f", "/function/f", "/function/f/large", "/function/missing", "/healthz"):
                assert ours(await client.ask(target)), target
            for target in ("/function/f/dated", "/function/f/dated", "/function/f/dated-large"):
                assert (await client.ask(target)).headers["date"] == "Thu, 01 Jan 1970 00:00:00 GMT"
            client.send(b"GET /\xff HTTP/1.1\r\n\r\n")
            assert ours(await client.answer())

    play(scenario)
