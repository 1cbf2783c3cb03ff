"""The judgement of request heads, by tables and by generated ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.http1.head import CHUNKED, RequestHead, judge
from dayfly.http1.refusal import Refusal

HOST = (b"Host", b"example.org")


def judged(
    *headers: tuple[bytes, bytes], method: bytes = b"GET", target: bytes = b"/", version: bytes = b"HTTP/1.1"
) -> RequestHead:
    return judge(method, target, version, [HOST, *headers])


def refused(*headers: tuple[bytes, bytes], **line: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        judged(*headers, **line)
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        [(b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")],
        [(b"Content-Length", b"3"), (b"Content-Length", b"3")],
        [(b"Content-Length", b"3"), (b"content-length", b"4")],
        [(b"Content-Length", b"3, 3")],
        [(b"Content-Length", b"+3")],
        [(b"Content-Length", b"-3")],
        [(b"Content-Length", b"0x3")],
        [(b"Content-Length", b"3_0")],
        [(b"Content-Length", b"3 ")],
        [(b"Content-Length", b"")],
        [(b"Content-Length", b"\xb2")],
        [(b"Content-Length", b"1234567890123456789")],
        [(b"Transfer-Encoding", b"gzip, chunked")],
        [(b"Transfer-Encoding", b"chunked, chunked")],
        [(b"Transfer-Encoding", b"chunked, identity")],
        [(b"Transfer-Encoding", b"identity")],
        [(b"Transfer-Encoding", b"xchunked")],
        [(b"Transfer-Encoding", b"chunked;q=1")],
        [(b"Transfer-Encoding", b"")],
        [(b"Transfer-Encoding", b"\x0bchunked")],
        [(b"Transfer-Encoding", b"chunked"), (b"Transfer-Encoding", b"chunked")],
        [(b"Host", b"example.org")],
        [(b"Content_Length", b"3")],
        [(b"Transfer_Encoding", b"chunked")],
        [(b"transfer_encoding", b"chunked")],
        [(b"Host_", b"x"), (b"Content-Length ", b"3")],
        [(b"Connection", b"close, Content-Length")],
        [(b"Connection", b"Host")],
        [(b"Connection", b"keep-alive"), (b"Connection", b"Transfer-Encoding")],
        [(b"Connection", b"authorization")],
        [(b"X Y", b"1")],
        [(b"X:", b"1")],
        [(b"", b"1")],
        [(b"X\x00", b"1")],
        [(b"X\xc3\xa9", b"1")],
        [(b"X", b"a\x00b")],
        [(b"X", b"a\rb")],
        [(b"X", b"a\nb")],
        [(b"X", b"a\x7fb")],
        [(b"X", b"a\x1bb")],
    ],
)
def test_headers_that_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    assert refused(*headers).status == 400


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"a b",
        b"a,b",
        b"a/b",
        b"user@a",
        b"a:b",
        b"a:",
        b"a:123456",
        b"[::1",
        b"::1",
        b"a\tb",
        b"http://a",
        b"a?b",
        b"a#b",
        b"-a",
        b"%61",
        b"\xc3\xa9",
        b"a\\b",
    ],
)
def test_hosts_that_are_refused(host: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        judge(b"GET", b"/", b"HTTP/1.1", [(b"Host", host)])
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "host", [b"a", b"A.example.org", b"a:80", b"127.0.0.1:8080", b"[::1]", b"[::1]:8080", b"a_b.c"]
)
def test_hosts_that_pass(host: bytes) -> None:
    assert judge(b"GET", b"/", b"HTTP/1.1", [(b"Host", host)]).host == host


def test_host_is_needed_from_http_1_1_only() -> None:
    with pytest.raises(Refusal, match="Host"):
        judge(b"GET", b"/", b"HTTP/1.1", [])
    assert judge(b"GET", b"/", b"HTTP/1.0", []).host == b""


@pytest.mark.parametrize(
    "target",
    [
        b"",
        b"*",
        b"http://example.org/",
        b"example.org:443",
        b"a",
        b"//\x00",
        b"/a b",
        b"/a#b",
        b"/\xff",
        b"/\x7f",
        b"/a\tb",
        b"/a\r",
    ],
)
def test_targets_that_are_refused(target: bytes) -> None:
    assert refused(target=target).status == 400


@pytest.mark.parametrize("method", [b"", b"get", b"GE T", b"GET,", b"CONNECT", b"G\xc9T", b"-GET", b"GET1"])
def test_methods_that_are_refused(method: bytes) -> None:
    assert refused(method=method).status == 400


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PROPFIND", b"M-SEARCH"])
def test_methods_that_pass(method: bytes) -> None:
    assert judged(method=method).method == method


@pytest.mark.parametrize(
    ("version", "status"),
    [
        (b"HTTP/2.0", 505),
        (b"HTTP/0.9", 505),
        (b"HTTP/9.9", 505),
        (b"HTTP/1.2", 505),
        (b"HTTP/1.10", 400),
        (b"http/1.1", 400),
        (b"RTSP/1.0", 400),
        (b"ICE/1.0", 400),
        (b"", 400),
    ],
)
def test_versions_that_are_refused(version: bytes, status: int) -> None:
    assert refused(version=version).status == status


def test_transfer_encoding_does_not_exist_in_http_1_0() -> None:
    assert refused((b"Transfer-Encoding", b"chunked"), version=b"HTTP/1.0").status == 400


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([], 0),
        ([(b"Content-Length", b"0")], 0),
        ([(b"content-LENGTH", b"17")], 17),
        ([(b"Content-Length", b"007")], 7),
        ([(b"Transfer-Encoding", b"chunked")], CHUNKED),
        ([(b"transfer-encoding", b"Chunked")], CHUNKED),
    ],
)
def test_length(headers: list[tuple[bytes, bytes]], length: int) -> None:
    assert judged(*headers, method=b"POST").length == length


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        (b"HTTP/1.1", None, True),
        (b"HTTP/1.1", b"close", False),
        (b"HTTP/1.1", b"Keep-Alive, CLOSE", False),
        (b"HTTP/1.0", None, False),
        (b"HTTP/1.0", b"keep-alive", True),
        (b"HTTP/1.0", b"x, Keep-Alive ", True),
    ],
)
def test_keep_alive(version: bytes, connection: bytes | None, keep: bool) -> None:
    headers = [] if connection is None else [(b"Connection", connection)]
    assert judged(*headers, version=version).keep_alive is keep


def test_hop_by_hop_headers_and_those_named_in_connection_end_here() -> None:
    head = judged(
        (b"Connection", b"X-Gone, te"),
        (b"Connection", b"X-Too"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Proxy-Authorization", b"secret"),
        (b"TE", b"trailers"),
        (b"Trailer", b"X"),
        (b"Upgrade", b"h2c"),
        (b"HTTP2-Settings", b"AAA"),
        (b"x-gone", b"1"),
        (b"X-TOO", b"1"),
        (b"X_Underscore", b"1"),
        (b"X-Stays", b"1"),
        (b"Accept", b"*/*"),
        (b"Accept", b"text/plain"),
    )
    assert head.headers == [(b"X-Stays", b"1"), (b"Accept", b"*/*"), (b"Accept", b"text/plain")]


@pytest.mark.parametrize(
    ("protocol", "headers", "line", "upgrade"),
    [
        (b"websocket", [(b"Connection", b"keep-alive, Upgrade")], {}, b"websocket"),
        (b"websocket", [], {}, b""),
        (b"websocket", [(b"Connection", b"close")], {}, b""),
        (b"websocket", [(b"Connection", b"Upgrade")], {"version": b"HTTP/1.0"}, b""),
        (b"websocket", [(b"Connection", b"Upgrade")], {"method": b"POST"}, b""),
        (b"websocket", [(b"Connection", b"Upgrade"), (b"Content-Length", b"3")], {}, b""),
        (b"h2c", [(b"Connection", b"Upgrade")], {}, b""),
        (b"H2C", [(b"Connection", b"Upgrade, HTTP2-Settings")], {}, b""),
        (b"websocket, h2c", [(b"Connection", b"Upgrade")], {}, b""),
    ],
)
def test_upgrade(protocol: bytes, headers: list[tuple[bytes, bytes]], line: dict[str, bytes], upgrade: bytes) -> None:
    assert judged((b"Upgrade", protocol), *headers, **line).upgrade == upgrade


def test_expectations() -> None:
    assert judged((b"Expect", b"100-Continue"), (b"Content-Length", b"3")).expects
    assert not judged((b"Expect", b"100-continue")).expects
    assert not judged((b"Expect", b"100-continue"), (b"Content-Length", b"3"), version=b"HTTP/1.0").expects
    assert refused((b"Expect", b"payment")).status == 417


names = st.from_regex(rb"[A-Za-z][A-Za-z0-9_-]{0,20}", fullmatch=True)
values = st.binary(max_size=20)
framing_names = st.sampled_from(
    [
        b"Host",
        b"Content-Length",
        b"content_length",
        b"Transfer-Encoding",
        b"TRANSFER_ENCODING",
        b"Connection",
        b"Upgrade",
    ]
)
framing_values = st.sampled_from([b"a", b"3", b"chunked", b"close", b"3,3", b"x-a", b"", b"websocket", b"host"])


@given(st.lists(st.tuples(names | framing_names, values | framing_values), max_size=8), st.sampled_from([b"0", b"1"]))
def test_what_is_accepted_has_one_meaning(headers: list[tuple[bytes, bytes]], minor: bytes) -> None:
    try:
        head = judge(b"POST", b"/", b"HTTP/1." + minor, headers)
    except Refusal:
        return
    lower = [name.lower() for name, _ in headers]
    assert not (b"content-length" in lower and b"transfer-encoding" in lower)
    for single in (b"content-length", b"transfer-encoding", b"host"):
        assert lower.count(single) <= 1
    assert not any(
        b"_" in name and name.replace(b"_", b"-") in (b"content-length", b"transfer-encoding") for name in lower
    )
    assert (head.length == CHUNKED) == (b"transfer-encoding" in lower)
    for name, value in head.headers:
        assert b"_" not in name
        assert name.lower() not in (b"host", b"content-length", b"transfer-encoding", b"connection", b"upgrade")
        assert not any((byte < 32 and byte != 9) or byte == 127 for byte in value)
