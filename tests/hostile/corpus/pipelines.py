"""Several requests on one connection: where one ends and the next begins, and what ends the connection."""

from tests.hostile.corpus.case import PATH, POISON, chunked, cut_off, get, post, refused, served
from tests.hostile.corpus.lengths import MUST_DIE, TREQS

PIPE, CLOSE = "RFC 9112 9.3.2", "RFC 9112 9.6"

CASES = [
    served("five-at-once", PIPE, POISON * 5, 5),
    served("hundred-at-once", PIPE, POISON * 100, 100),
    served("mixed", PIPE, post(b"Content-Length: 3\r\n", b"abc") + chunked(b"1\r\na\r\n0\r\n\r\n") + get(b""), 3),
    served("empty-line-between", "RFC 9112 2.2", post(b"Content-Length: 3\r\n", b"abc") + b"\r\n" + POISON, 2),
    cut_off("two-empty-lines-between", "RFC 9112 2.2", post(b"Content-Length: 3\r\n", b"abc") + b"\r\n\r\n" + POISON),
    cut_off("lf-between", "RFC 9112 2.2", post(b"Content-Length: 3\r\n", b"abc") + b"\n" + POISON),
    cut_off("body-longer-than-said", "RFC 9112 6.3", post(b"Content-Length: 3\r\n", b"abcd" + POISON)),
    cut_off(
        "then-smuggled-both", TREQS, get(b"") + post(b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", POISON)
    ),
    cut_off("then-two-lengths", TREQS, get(b"") + post(b"Content-Length: 0\r\nContent-Length: 48\r\n", POISON)),
    cut_off("then-other-version", TREQS, get(b"") + b"GET " + PATH + b" HTTP/2.0\r\nHost: h\r\n\r\n", status=505),
    cut_off("then-connect", TREQS, get(b"") + b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n" + POISON),
    cut_off("then-a-response", "response-queue poisoning", get(b"") + b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    cut_off("then-half-a-request", PIPE, get(b"") + POISON[:30], status=408),
    served("close-then-poison", CLOSE, get(b"Connection: close\r\n", POISON), closed=True),
    served("close-in-a-list-then-poison", CLOSE, get(b"Connection: x, CLOSE\r\n", POISON), closed=True),
    served("close-and-keep-alive", CLOSE, get(b"Connection: keep-alive, close\r\n", POISON), closed=True),
    served(
        "close-in-a-second-line", CLOSE, get(b"Connection: keep-alive\r\nConnection: close\r\n", POISON), closed=True
    ),
    served(
        "close-with-body-then-poison",
        CLOSE,
        post(b"Connection: close\r\nContent-Length: 1\r\n", b"a" + POISON),
        closed=True,
    ),
    served("old-then-poison", "RFC 9112 9.3", b"GET " + PATH + b" HTTP/1.0\r\n\r\n" + POISON, closed=True),
    served(
        "old-keep-alive", "RFC 9112 C.2.2", b"GET " + PATH + b" HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + POISON, 2
    ),
    served("old-without-host", "RFC 1945", b"GET " + PATH + b" HTTP/1.0\r\n\r\n", closed=True),
    served(
        "old-with-body", "RFC 1945 7.2.2", post(b"Content-Length: 3\r\n", b"abc" + POISON, b"HTTP/1.0"), closed=True
    ),
    served("old-without-length", "RFC 1945 7.2.2", post(b"", POISON, b"HTTP/1.0"), closed=True),
    served(
        "old-with-expect",
        "RFC 9110 10.1.1",
        post(b"Expect: 100-continue\r\nContent-Length: 1\r\n", b"a", b"HTTP/1.0"),
        closed=True,
    ),
    served("expect-without-body", "RFC 9110 10.1.1", get(b"Expect: 100-continue\r\n", POISON), 2),
    served(
        "expect-with-body-at-once",
        f"{MUST_DIE}, Expect",
        post(b"Expect: 100-continue\r\nContent-Length: %d\r\n" % len(POISON), POISON),
    ),
    served("expect-mixed-case", "RFC 9110 10.1.1", post(b"Expect: 100-Continue\r\nContent-Length: 1\r\n", b"a")),
    served(
        "expect-chunked",
        f"{MUST_DIE}, Expect",
        post(b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + POISON),
        2,
    ),
    refused(
        "expect-and-early-poison",
        f"{MUST_DIE}, 0.CL by Expect",
        post(b"Expect: 100-continue\r\nContent-Length: 500\r\n", POISON),
        408,
    ),
    refused(
        "expect-with-control", f"{MUST_DIE}, Expect", post(b"Expect: \x01100-continue\r\nContent-Length: 1\r\n", b"a")
    ),
    refused(
        "expect-blank-before-colon",
        f"{MUST_DIE}, Expect",
        post(b"Expect : 100-continue\r\nContent-Length: 1\r\n", b"a"),
    ),
    served(
        "head-with-body",
        "RFC 9110 9.3.2",
        b"HEAD " + PATH + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + POISON,
        2,
    ),
    served(
        "options-with-body",
        "CVE-2025-32094 (Akamai)",
        b"OPTIONS " + PATH + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + POISON,
        2,
    ),
    served(
        "delete-with-poison-body",
        "RFC 9110 9.3.5",
        b"DELETE " + PATH + b" HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(POISON) + POISON,
    ),
    served("trace-is-a-function's-matter", "RFC 9110 9.3.8", b"TRACE " + PATH + b" HTTP/1.1\r\nHost: h\r\n\r\n"),
]
