"""Calls for the console through a gateway's socket: as they are written on the wire, and what became of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dayfly.model.apart import Apart, apart_in
from dayfly.model.direct import MAX_CALLS, DirectAnswer, DirectCall
from dayfly.model.errors import LimitExceeded, NotSupported, Unavailable
from dayfly.model.names import FunctionKey, parse_function_name, parse_namespace
from dayfly.model.table import Endpoint
from dayfly.queue import direct
from dayfly.queue.direct import GatewayCalls

KEY = FunctionKey(parse_namespace("team"), parse_function_name("hello"))
Story = Callable[[GatewayCalls, list[bytes]], Awaitable[None]]


def played(tmp_path: Path, says: bytes, story: Story) -> None:
    """Let the story happen with a gateway that reads one request's head and body and says this."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
        asked.append(head + (await reader.readexactly(int(length[0].split()[1])) if length else b""))
        writer.write(says)
        await writer.drain()
        writer.close()

    async def main() -> None:
        path = tmp_path / "calls-gw0.sock"
        async with await asyncio.start_unix_server(serve, path), asyncio.timeout(60):
            await story(GatewayCalls(lambda: [str(path)], "gateway.test:8080"), asked)

    asyncio.run(main())


async def made(calls: GatewayCalls, call: DirectCall | None = None, body: bytes = b"") -> tuple[DirectAnswer, bytes]:
    return await calls.call(KEY, call or DirectCall(), body, call_id="mine", peer="192.0.2.1")


def test_a_call_is_written_line_by_line(tmp_path: Path) -> None:
    async def story(calls: GatewayCalls, asked: list[bytes]) -> None:
        call = DirectCall(method="PUT", target="/a?b=c", headers=(("X-Mine", "\xe4"), ("Authorization", "Bearer own")))
        answer, body = await made(calls, call, b"abc")
        assert asked == [
            b"PUT /function/hello.team/a?b=c HTTP/1.1\r\nHost: gateway.test:8080\r\nX-Call-Id: mine\r\n"
            b"X-Forwarded-For: 192.0.2.1\r\nX-Dayfly-Trigger: console\r\nX-Mine: \xe4\r\nAuthorization: Bearer own\r\n"
            b"Content-Length: 3\r\n\r\nabc"
        ]
        assert (answer.status, answer.of_function, answer.call_id, body) == (201, True, "mine", b"hello")
        assert ("content-type", "text/plain") in answer.headers
        assert answer.seconds > 0

    says = (
        b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nX-Duration-Seconds: 0.1\r\nContent-Length: 5\r\n\r\nhello"
    )
    played(tmp_path, says, story)


def test_a_call_of_one_replica_says_which_in_its_target(tmp_path: Path) -> None:
    async def story(calls: GatewayCalls, asked: list[bytes]) -> None:
        apart = Apart(endpoint=Endpoint("r1", "unix:/run/\u00e4 b/r1.sock", 3), timeout_s=9.0)
        call = DirectCall(method="GET", target="/a?b=c")
        await calls.call(KEY, call, b"", call_id="mine", peer="192.0.2.1", trigger="replay x", apart=apart)
        line, *lines = asked[0].split(b"\r\n")
        method, target, _ = line.split(b" ")
        assert (method, apart_in(target)) == (b"GET", (apart, b"/function/hello.team/a?b=c"))
        assert b"X-Dayfly-Trigger: replay x" in lines

    played(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", story)


@pytest.mark.parametrize(("method", "length"), [("GET", b""), ("HEAD", b""), ("POST", b"Content-Length: 0\r\n")])
def test_an_empty_body_has_a_length_where_one_is_expected(tmp_path: Path, method: str, length: bytes) -> None:
    async def story(calls: GatewayCalls, asked: list[bytes]) -> None:
        answer, body = await made(calls, DirectCall(method=method))
        assert asked[0].endswith(b"X-Dayfly-Trigger: console\r\n" + length + b"\r\n")
        assert (answer.status, body) == (200, b"" if method == "HEAD" else b"hello")
        assert not answer.of_function, "the gateway did not say how long the function took"

    says = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + (b"" if method == "HEAD" else b"hello")
    played(tmp_path, says, story)


def test_an_answer_that_is_too_large_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MAX_BODY_BYTES", 4)

    async def story(calls: GatewayCalls, _asked: list[bytes]) -> None:
        with pytest.raises(NotSupported, match="answered 5 bytes, and here 4"):
            await made(calls)

    played(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", story)


def test_an_answer_that_breaks_off_may_have_run(tmp_path: Path) -> None:
    async def story(calls: GatewayCalls, _asked: list[bytes]) -> None:
        with pytest.raises(Unavailable, match="The function may have run"):
            await made(calls)

    played(tmp_path, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", story)


def test_a_tenant_takes_no_seats_from_another() -> None:
    calls = GatewayCalls(list, "gateway.test")
    with contextlib.ExitStack() as held:
        for _ in range(MAX_CALLS):
            held.enter_context(calls.seat(KEY.namespace))
        with (
            pytest.raises(LimitExceeded, match="8 calls from the console to functions of team"),
            calls.seat(KEY.namespace),
        ):
            pass
        with calls.seat(parse_namespace("other")):
            pass
    with calls.seat(KEY.namespace):
        pass


def test_without_a_gateway_there_is_no_call(tmp_path: Path) -> None:
    async def main() -> None:
        for found in ([], [str(tmp_path / "calls-gone.sock")]):
            with pytest.raises(Unavailable, match="No gateway"):
                await made(GatewayCalls(lambda found=found: found, "gateway.test"))  # type: ignore[misc] # bound here

    asyncio.run(main())
