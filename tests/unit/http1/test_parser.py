"""What of raw bytes becomes a request."""

import pytest

from dayfly.http1.head import RequestHead
from dayfly.http1.limits import Limits
from dayfly.http1.parser import check_beginning, parse_request
from dayfly.http1.refusal import Refusal

LIMITS = Limits(target_bytes=100, header_count=4, header_bytes=400)


def parsed(raw: bytes) -> RequestHead:
    return parse_request(raw, LIMITS)


def test_a_request() -> None:
    head = parsed(b"POST /a?b=%20 HTTP/1.1\r\nHost: h\r\nX-A:  one \r\nContent-Length:5\r\n\r\n")
    assert (head.method, head.target, head.minor, head.length) == (b"POST", b"/a?b=%20", 1, 5)
    assert head.headers == [(b"X-A", b"one")]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n\tb\r\n\r\n",
        b"GET / HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\t: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX: a\x01b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nnocolon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nX\xe9: y\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
        b"GET /\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1 x\r\nHost: h\r\n\r\n",
        b"get / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"PRI * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / RTSP/1.0\r\nHost: h\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: , chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: y\r\n\r\n",
    ],
)
def test_what_is_refused(raw: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        parsed(raw)
    assert caught.value.status == 400


def test_newer_versions_are_named() -> None:
    with pytest.raises(Refusal) as caught:
        parsed(b"PRI / HTTP/2.0\r\n\r\n")
    assert caught.value.status == 505


def test_an_upgrade_does_not_confuse_the_parser() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert parsed(raw).upgrade == b"websocket"


def test_limits() -> None:
    line = b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    many = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: 1\r\n" * 4 + b"\r\n"
    long = b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 400 + b"\r\n\r\n"
    for raw, status in ((line, 414), (many, 431), (long, 431)):
        with pytest.raises(Refusal) as caught:
            parsed(raw)
        assert caught.value.status == status
        assert "limit" in caught.value.hint
    assert parsed(b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: 1\r\n" * 3 + b"\r\n").headers == [(b"X", b"1")] * 3


@pytest.mark.parametrize("data", [b"\x16\x03\x01", b"\n", b" GET", b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nA: b\n\n"])
def test_a_hopeless_beginning_is_refused_before_its_end(data: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        check_beginning(data, LIMITS)
    assert caught.value.status == 400


def test_every_beginning_of_a_good_request_is_waited_for() -> None:
    raw = b"POST /a HTTP/1.1\r\nHost: h\r\nX-A: one\r\n\r\n"
    for end in range(1, len(raw)):
        check_beginning(raw[:end], LIMITS)


def test_an_endless_beginning_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        check_beginning(b"GET /" + b"a" * 200, LIMITS)
    assert caught.value.status == 414
    with pytest.raises(Refusal) as caught:
        check_beginning(b"GET / HTTP/1.1\r\nX: " + b"a" * 400, LIMITS)
    assert caught.value.status == 431
