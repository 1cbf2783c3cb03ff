"""Mutations: good requests, damaged at random but by a seed, so that every run can be had again.

The seeds are requests as clients send them, and a few as attackers do. A mutant is a seed after one to four damages:
a bit flipped, a byte or a telling word put in, a piece doubled, dropped, or replaced by a piece of another seed.
"""

import random
from collections.abc import Iterator

_H = b"Host: h\r\n"
_GET = b"GET /function/canary HTTP/1.1\r\n" + _H
_POST = b"POST /function/canary HTTP/1.1\r\n" + _H
_CHUNKED = _POST + b"Transfer-Encoding: chunked\r\n\r\n"

SEEDS: tuple[bytes, ...] = (
    _GET + b"\r\n",
    _GET + b"Accept: */*\r\nUser-Agent: x/1\r\n\r\n",
    _GET + b"Connection: close\r\n\r\n",
    _GET + b"Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n",
    _GET + b"Cookie: a=b; c=d\r\nAuthorization: Basic eDp5\r\n\r\n",
    _GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    _GET + b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Call-Id: abc\r\n\r\n",
    _GET + b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00\r\ntracestate: a=b\r\n\r\n",
    b"GET /function/canary/a/b?c=%20&d HTTP/1.1\r\nHost: example.org:8080\r\n\r\n",
    b"GET /function/canary HTTP/1.0\r\n\r\n",
    b"GET /function/canary HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD /function/canary HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    b"OPTIONS /function/canary HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    b"DELETE /function/canary/1 HTTP/1.1\r\nHost: h\r\n\r\n",
    _POST + b"Content-Length: 5\r\n\r\nhello",
    _POST + b"Content-Length: 0\r\n\r\n",
    _POST + b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"a": [1, 2]}',
    _POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    _CHUNKED + b"1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n",
    _CHUNKED + b"3;name=value\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    _GET + b"\r\n" + _GET + b"\r\n",
    _POST + b"Content-Length: 5\r\n\r\nhello" + _GET + b"\r\n",
    _CHUNKED + b"5\r\nhello\r\n0\r\n\r\n" + _POST + b"Content-Length: 1\r\n\r\na",
    _GET + b"\r\n" + _POST + b"Content-Length: 50\r\n\r\n" + b"x" * 50 + _GET + b"Connection: close\r\n\r\n",
    b"GET /system/functions HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /system/functions HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
)
"""Thirty, most of them calls of the function `canary`."""

_WORDS: tuple[bytes, ...] = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b" ", b"\t", b"\x0b", b":", b",", b";", b"0", b"-", b"+", b"\xff",
    b"0\r\n\r\n", b"\r\n ", b" :", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"Host: i\r\n", b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Content_Length: 3\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"chunked", b"GET / HTTP/1.1\r\n",
    b"Upgrade: h2c\r\n", b"Connection: Upgrade\r\n", b"Trailer: X\r\n", b"TE: trailers\r\n", b"ffffffff", b"X: y\r\n",
)  # fmt: skip


def mutate(seed: bytes, dice: random.Random) -> bytes:
    """Return `seed` after one to four damages."""
    data = bytearray(seed)
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        at, to = sorted((dice.randrange(len(data) + 1), dice.randrange(len(data) + 1)))
        to = min(to, at + 40)
        kind = dice.randrange(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            data[at:at] = bytes((dice.randrange(256),))
        elif kind == 2:
            data[at:at] = dice.choice(_WORDS)
        elif kind == 3:
            data[at:at] = data[at:to]
        elif kind == 4:
            del data[at:to]
        elif kind == 5:
            del data[at:]
        else:
            other = dice.choice(SEEDS)
            start = dice.randrange(len(other))
            data[at:to] = other[start : start + dice.randrange(1, 60)]
    return bytes(data)


def mutations(count: int, seed: int) -> Iterator[bytes]:
    """Yield so many mutants, always the same ones for the same `seed`."""
    dice = random.Random(seed)  # noqa: S311 - chance to be had again, nothing secret
    for _ in range(count):
        yield mutate(dice.choice(SEEDS), dice) or b"\x00"
