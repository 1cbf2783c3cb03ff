"""A request whose beginning is remembered reaches the handler as one that is parsed does."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dayfly.gateway.ids import Ids
from dayfly.runtimes.python.calls import Event
from dayfly.runtimes.python.connection import Connection
from dayfly.runtimes.python.repeated import worth_remembering

_TAIL = b"X-Call-Id: %b\r\ntraceparent: 00-%032x-00000000000000ab-01\r\nX-Start-Time: 1764490000000000000\r\n\r\n"
_FORGED = _TAIL % (b"forged", 7)


class _Host:
    draining = False

    def __init__(self) -> None:
        self.begun: list[Event] = []

    def begin(self, _connection: Connection, event: Event) -> None:
        self.begun.append(event)


class _Transport:
    def close(self) -> None:
        raise AssertionError("the connection was closed")

    write = close


def _connection() -> tuple[Connection, _Host]:
    host: Any = _Host()
    connection = Connection(host)
    transport: Any = _Transport()
    connection.transport = transport
    return connection, host


def _seen(event: Event) -> tuple[object, ...]:
    return event.verb, event.target, event.lines, event.body, event.keep_alive, dict(event.headers)


def _parsed(data: bytes) -> list[tuple[object, ...]]:
    """What a connection that remembers nothing makes of the stream: each byte comes by itself."""
    connection, host = _connection()
    for at in range(len(data)):
        connection.data_received(data[at : at + 1])
    return [_seen(event) for event in host.begun]


def _request(start: bytes, call: bytes, number: int, rest: bytes = b"") -> bytes:
    return start + _TAIL % (call, number) + rest


_GET = b"GET /a?b HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n"
_POST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
_CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
_BODY = b"\r\n" + _FORGED
_KINDS: tuple[tuple[bytes, bytes], ...] = (
    (_GET, b""),
    (b"GET / HTTP/1.1\r\nHost: x\r\n", b""),
    (b"HEAD /a?b HTTP/1.1\r\nHost: x\r\n", b""),
    (_GET + b"X-Call-Id: mine\r\n", b""),
    (_POST % 0, b""),
    (_POST % 5, b"hello"),
    (_POST % len(_BODY), _BODY),
    (_POST % len(_GET + _FORGED), _GET + _FORGED),
    (_CHUNKED, b"0\r\n\r\n"),
    (_CHUNKED, b"0\r\n" + _FORGED),
    (_CHUNKED, b"3\r\nabc\r\n0\r\n\r\n"),
)


@st.composite
def _streams(draw: st.DrawFn) -> list[bytes]:
    """A few requests, as often as not alike, cut anywhere or at their ends."""
    kinds = draw(st.lists(st.sampled_from(_KINDS), min_size=1, max_size=3))
    order = draw(st.lists(st.sampled_from(kinds), min_size=2, max_size=6))
    requests = [_request(start, b"call-%d" % number, number, rest) for number, (start, rest) in enumerate(order)]
    if draw(st.booleans()):
        return requests
    stream = b"".join(requests)
    cuts = sorted(draw(st.sets(st.integers(1, len(stream) - 1), max_size=6)))
    ends = {sum(map(len, requests[: at + 1])) for at in range(len(requests) - 1)}
    cuts = sorted({*cuts, *draw(st.sets(st.sampled_from(sorted(ends))))})
    return [stream[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


def _twice(start: bytes, rest: bytes, *, apart: bool, alike: bool) -> list[bytes]:
    heads = [_request(start, b"call-%d" % number, number) for number in ((1, 1) if alike else (1, 2))]
    pieces = [[head, rest] if apart else [head + rest] for head in heads]
    return [piece for pair in pieces for piece in pair if piece]


def _examples() -> Iterator[list[bytes]]:
    for start, rest in _KINDS:
        for apart, alike in itertools.product((False, True), repeat=2):
            yield _twice(start, rest, apart=apart, alike=alike)
    short = _GET + b"X-Call-Id: call-1\r\n\r\n"
    yield [short, _request(_GET, b"call-2", 2)]


@pytest.mark.parametrize("pieces", list(_examples()))
def test_the_same_request_twice_is_read_as_a_parser_reads_it(pieces: list[bytes]) -> None:
    _check(pieces)


@given(_streams())
@example([_request(_GET, b"one", 1) + _request(_GET, b"two", 2), _request(_GET, b"three", 3)])
def test_any_stream_is_read_as_a_parser_reads_it(pieces: list[bytes]) -> None:
    _check(pieces)


def _check(pieces: list[bytes]) -> None:
    connection, host = _connection()
    for piece in pieces:
        connection.data_received(piece)
    assert [_seen(event) for event in host.begun] == _parsed(b"".join(pieces))


def test_a_repeated_request_waits_its_turn_as_any_other() -> None:
    connection, host = _connection()
    connection.data_received(_request(_GET, b"call-1", 1))
    connection.busy = True
    connection.data_received(_request(_GET, b"call-2", 2))
    assert len(host.begun) == 1
    connection.done(True)
    assert [_seen(event) for event in host.begun] == _parsed(
        _request(_GET, b"call-1", 1) + _request(_GET, b"call-2", 2)
    )


def test_what_a_gateway_sends_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, host = _connection()
    ids = Ids()
    sent = [_GET + ids.take()[1] + b"X-Start-Time: 1764490000000000000\r\n\r\n" for _ in range(3)]
    connection.data_received(sent[0])

    def never(_data: bytes) -> None:
        raise AssertionError("it was parsed")

    monkeypatch.setattr(connection, "_parser", type("Parser", (), {"feed_data": staticmethod(never)}))
    for data in sent[1:]:
        connection.data_received(data)
    called = [re.findall(rb"X-Call-Id: (\S+)", data)[0].decode() for data in sent]
    assert [event.headers["x-call-id"] for event in host.begun] == called


def test_a_connection_with_ever_new_requests_seldom_pays_for_remembering() -> None:
    assert [misses for misses in range(1, 200) if worth_remembering(misses)] == [1, 2, 4, 8, 16, 32, 64, 128, 192]
