"""What of an upstream's bytes becomes an answer."""

import pytest

from dayfly.http1.answer import UNTIL_CLOSE, Answer, BadAnswer, Switched
from dayfly.http1.head import CHUNKED
from dayfly.http1.sieve import Sieve

CHUNKED_BODY = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"


def fed(raw: bytes, method: bytes = b"GET") -> Answer:
    answer = Answer(Sieve(lambda name: name == b"server"))
    answer.begin(method)
    answer.feed(raw)
    return answer


def test_an_answer() -> None:
    answer = fed(b"HTTP/1.1 200 Fine\r\nServer: x\r\nX-A: 1\r\nContent-Length: 5\r\nKeep-Alive: 5\r\n\r\nhello")
    assert (answer.status, answer.length, answer.stated, answer.complete) == (200, 5, b"5", True)
    assert answer.lines == b"X-A: 1\r\n"
    assert answer.take_body() == b"hello"
    assert not answer.spoiled


def test_every_cut_gives_the_same() -> None:
    raw = (
        b"HTTP/1.1 201 Created\r\nX-A: 1\r\nX-B: two\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: x\r\n\r\n"
    )
    for at in range(1, len(raw)):
        answer = Answer(Sieve(lambda _: False))
        answer.begin(b"GET")
        answer.feed(raw[:at])
        answer.feed(raw[at:])
        assert (answer.status, answer.length, answer.complete) == (201, CHUNKED, True)
        assert answer.lines == b"X-A: 1\r\nX-B: two\r\n"
        assert answer.take_body() == b"abc"


def test_headers_named_in_connection_end_here() -> None:
    answer = fed(b"HTTP/1.1 200 OK\r\nx-gone: 1\r\nConnection: X-Gone, close\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n")
    assert answer.lines == b"X-B: 2\r\n"
    assert answer.spoiled


def test_a_connection_is_used_for_one_answer_after_another() -> None:
    answer = fed(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 1\r\n\r\na")
    answer.take_body()
    answer.begin(b"GET")
    assert (answer.status, answer.lines, answer.complete) == (0, b"", False)
    answer.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.lines, answer.complete, answer.spoiled) == (404, b"", True, False)


@pytest.mark.parametrize(("status", "method"), [(200, b"HEAD"), (304, b"GET"), (204, b"GET")])
def test_answers_without_a_body(status: int, method: bytes) -> None:
    length = b"" if status == 204 else b"Content-Length: 7\r\n"
    answer = fed(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, length), method)
    assert (answer.complete, answer.length) == (True, 0)
    answer.begin(b"GET")
    answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
    assert answer.complete


def test_a_body_where_none_may_be_spoils_the_connection() -> None:
    answer = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"HEAD")
    assert answer.spoiled


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    answer = fed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert (answer.length, answer.complete, answer.spoiled) == (UNTIL_CLOSE, False, True)
    assert fed(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").spoiled


def test_interim_answers_come_first() -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"
    raw += b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    answer = fed(raw)
    assert answer.interims == [(103, b"Link: a\r\n")]
    assert (answer.status, answer.lines, answer.complete) == (200, b"", True)


def test_interim_answers_must_end() -> None:
    with pytest.raises(BadAnswer, match="interim"):
        fed(b"HTTP/1.1 102 Processing\r\n\r\n" * 20)


def test_a_switch_of_protocols() -> None:
    with pytest.raises(Switched) as caught:
        fed(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nraw")
    assert caught.value.rest == b"raw"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: a\n\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00\r\n\r\n",
        b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 X\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/9.1 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"nonsense",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_cannot_be_passed_on(raw: bytes) -> None:
    with pytest.raises(BadAnswer):
        fed(raw)


def test_trailers_that_may_pass_are_kept() -> None:
    answer = fed(CHUNKED_BODY + b"X-Sum: 1\r\nServer: a\r\nDate: b\r\nX_Y: c\r\nX-Sum: 2\r\n\r\n")
    assert answer.complete
    assert answer.trailers == [(b"X-Sum", b"1"), (b"X-Sum", b"2")]
    assert answer.lines == b""
    answer.begin(b"GET")
    assert answer.trailers == []


@pytest.mark.parametrize("trailers", [b"X: a\r\n" * 33, b"X: " + b"a" * 9_000 + b"\r\n"])
def test_trailers_are_bounded(trailers: bytes) -> None:
    with pytest.raises(BadAnswer, match="trailers"):
        fed(CHUNKED_BODY + trailers + b"\r\n")


def test_what_follows_a_complete_answer_spoils_the_connection_only() -> None:
    answer = fed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert (answer.complete, answer.spoiled, answer.take_body()) == (True, True, b"a")


def test_a_head_is_remembered_only_where_it_may_be() -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 1\r\n\r\na"
    answer = fed(raw)
    answer.remember(raw, len(raw) - 1)
    assert answer.known == raw[:-1]
    answer.begin(b"GET")
    assert answer.known == b""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
    answer = fed(closing)
    answer.remember(closing, len(closing) - 1)
    assert answer.known == b""
