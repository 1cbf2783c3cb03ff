"""One connection, one call at a time, timed with the monotonic clock: the latency that a lone caller sees.

A blocking socket and a request prepared beforehand keep our own share of a call small and the same for every side.
The generators of `loads` cannot do this: wrk's histogram rounds and h2load tells no percentiles.
"""

import socket
import time
from pathlib import Path

_CHUNK = 1 << 18


class CallFailed(Exception):
    """The answer was no success, or the connection ended before it was whole."""


class Connection:
    """A keep-alive connection to a TCP port on loopback or to a unix socket. Use it as a context manager."""

    def __init__(self, address: int | Path, timeout_s: float = 30) -> None:
        if isinstance(address, Path):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout_s)
            self._socket.connect(str(address))
        else:
            self._socket = socket.create_connection(("127.0.0.1", address), timeout=timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def call(self, request: bytes) -> bytes:
        """Send the request and return the answer's body. Raises CallFailed, TimeoutError."""
        self._socket.sendall(request)
        data = self._socket.recv(_CHUNK)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(data)
        whole = end + 4 + content_length(data[:end])
        while len(data) < whole:
            data += self._more(data)
        if data[9:12] != b"200":
            raise CallFailed(data[:400].decode(errors="replace"))
        return data[end + 4 :]

    def _more(self, data: bytes) -> bytes:
        more = self._socket.recv(_CHUNK)
        if not more:
            raise CallFailed(f"the connection ended after {len(data)} bytes of the answer")
        return more


def get(path: str) -> bytes:
    """Return a GET request for `path`."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def content_length(head: bytes) -> int:
    """Return the length that an answer's head states. Raises CallFailed when it states none."""
    at = head.lower().find(b"\r\ncontent-length:")
    if at < 0:
        raise CallFailed(f"an answer without content-length: {head[:200]!r}")
    return int(head[at + 17 :].partition(b"\r\n")[0])


def timed_calls(connection: Connection, request: bytes, calls: int) -> list[float]:
    """Return how long each of `calls` calls took, in milliseconds. Raises CallFailed, TimeoutError."""
    clock, call = time.perf_counter_ns, connection.call
    taken = []
    for _ in range(calls):
        before = clock()
        call(request)
        taken.append((clock() - before) / 1e6)
    return taken


def first_call(address: int | Path, request: bytes, timeout_s: float = 60) -> float:
    """Return the milliseconds from opening a connection to the whole answer. Raises CallFailed, TimeoutError."""
    before = time.perf_counter_ns()
    with Connection(address, timeout_s) as connection:
        connection.call(request)
        return (time.perf_counter_ns() - before) / 1e6
