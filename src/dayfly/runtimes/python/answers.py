"""What a handler returned, as bytes to send.

| returned | status | content type | body |
|---|---|---|---|
| None | 200 | - | empty |
| str | 200 | text/plain; charset=utf-8 | as UTF-8 |
| bytes, bytearray, memoryview | 200 | application/octet-stream | as is |
| dict with statusCode, or of body and headers alone | as said | as said, or by the body | by these rules |
| generator, iterator, async iterator | 200 | by its first piece | its pieces, chunked, as they come |
| anything else (dict, list, number, dataclass, model …) | 200 | application/json | as JSON |

A header that the handler sets wins over ours; Content-Length, Transfer-Encoding and Connection are always ours.
"""

import http
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

TEXT = b"text/plain; charset=utf-8"
BINARY = b"application/octet-stream"
JSON = b"application/json"
PROBLEM = b"application/problem+json"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_OURS = {"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer"}
_RESPONSE_KEYS = {"statusCode", "headers", "body"}
_NO_BODY = {204, 304}

USED = b"x-dayfly-used"
"""The header that tells the gateway what a call took; no caller sees it."""

Pieces = Iterator[Any] | AsyncIterator[Any]


class Answer(NamedTuple):
    """A status, header lines and a body; the body is bytes, or pieces that are still to come."""

    status: int
    content_type: bytes
    body: bytes | Pieces
    headers: bytes = b""
    """Header lines besides ours, each ended by CR LF."""


def answer(result: Any) -> Answer:
    """Return the answer that `result` means. Raises TypeError or ValueError for what cannot be sent."""
    if type(result) is str:
        return Answer(200, TEXT, result.encode())
    if type(result) is bytes:
        return Answer(200, BINARY, result)
    if type(result) is dict:
        if "statusCode" in result or ("body" in result and result.keys() <= _RESPONSE_KEYS):
            return _response(result)
        return Answer(200, JSON, to_json(result))
    content_type, body = _body(result)
    return Answer(200, content_type, body)


def to_json(value: Any) -> bytes:
    """Return `value` as JSON. Raises TypeError."""
    return msgspec.json.encode(value, enc_hook=_plain)


def head(reply: Answer, *, length: int | None, keep_alive: bool) -> bytes:
    """Return the status line and headers; `length` None means that the body is chunked."""
    kind = b"content-type: %s\r\n" % reply.content_type if reply.content_type else b""
    if reply.status in _NO_BODY:
        size = b""
    else:
        size = b"transfer-encoding: chunked\r\n" if length is None else b"content-length: %d\r\n" % length
    close = b"" if keep_alive else b"connection: close\r\n"
    return b"%s%s%s%s%s\r\n" % (status_line(reply.status), kind, reply.headers, size, close)


def whole(reply: Answer, body: bytes, *, keep_alive: bool, head_only: bool) -> bytes:
    """Return the whole answer as it goes over the wire."""
    if reply.status == 200 and not reply.headers and keep_alive and reply.content_type and not head_only:
        return b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (
            reply.content_type,
            len(body),
            body,
        )
    start = head(reply, length=len(body), keep_alive=keep_alive)
    return start if head_only or reply.status in _NO_BODY else start + body


def quick(result: Any) -> bytes | None:
    """Return a plain result's whole answer as it goes over the wire, None when it takes more than that.

    The same answer that `answer` and `whole` make, in a third of the time; most calls end here.
    """
    kind = type(result)
    if kind is str:
        body = result.encode()
        return b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
    if kind is bytes:
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n%b" % (
            len(result),
            result,
        )
    if kind is dict and "statusCode" not in result and "body" not in result:
        body = to_json(result)
        return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
    return None


def used(cpu_s: float, memory_kib: int = 0) -> bytes:
    """Return what USED says: processor time in microseconds, and the most memory in KiB where it is known."""
    return b"%d %d" % (max(0, cpu_s * 1e6), memory_kib) if memory_kib else b"%d" % max(0, cpu_s * 1e6)


def with_used(reply: Answer | bytes, cpu_s: float) -> Answer | bytes:
    """Return the answer, which says what its call took unless it is a stream; bytes are a whole answer."""
    line = b"%b: %b\r\n" % (USED, used(cpu_s))
    if isinstance(reply, bytes):
        status, end, rest = reply.partition(b"\r\n")
        return status + end + line + rest
    return reply._replace(headers=reply.headers + line) if isinstance(reply.body, bytes) else reply


def piece(value: Any) -> tuple[bytes, bytes]:
    """Return one piece of a stream and the content type it suggests. Raises TypeError."""
    if isinstance(value, str):
        return value.encode(), TEXT
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BINARY
    return to_json(value) + b"\n", b"application/x-ndjson"


def problem(status: int, code: str, detail: str, call_id: str, *, traceback: str = "") -> Answer:
    """Return an error as RFC 9457 tells it, with a traceback for whoever is writing the function."""
    told = {
        "type": f"urn:dayfly:problem:{code}",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "call_id": call_id,
    }
    if traceback:
        told["traceback"] = traceback
    return Answer(status, PROBLEM, msgspec.json.encode(told))


def status_line(status: int) -> bytes:
    """Return the first line of an answer, ended by CR LF."""
    line = _LINES.get(status)
    return line if line is not None else b"HTTP/1.1 %d Unknown\r\n" % status


def header_lines(pairs: Iterable[tuple[str, str]]) -> tuple[bytes, bytes | None]:
    """Return `pairs` as header lines, and the content type among them. Raises ValueError for what is no header."""
    lines: list[bytes] = []
    content_type: bytes | None = None
    for name, value in pairs:
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is not the name of a header")
        if any(mark in value for mark in "\r\n\0"):
            raise ValueError(f"the value of the header {name} holds a line break or NUL")
        if name.lower() == "content-type":
            content_type = value.encode("latin-1", "replace")
        elif name.lower() not in _OURS:
            lines.append(f"{name}: {value}\r\n".encode("latin-1", "replace"))
    return b"".join(lines), content_type


_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus}


def _response(result: dict[str, Any]) -> Answer:
    status = result.get("statusCode", 200)
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if type(status) is not int or not 200 <= status <= 599:
        raise ValueError(f"statusCode: {status!r} must be a number from 200 to 599")
    lines, content_type = header_lines(_pairs(result.get("headers")))
    suggested, body = _body(result.get("body"))
    return Answer(status, suggested if content_type is None else content_type, body, lines)


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    items = headers.items() if isinstance(headers, Mapping) else headers or ()
    for name, value in items:
        for each in value if isinstance(value, (list, tuple)) else (value,):
            yield str(name), str(each)


def _body(result: Any) -> tuple[bytes, bytes | Pieces]:
    if result is None:
        return b"", b""
    if isinstance(result, (str, bytes, bytearray, memoryview)):
        data, kind = piece(result)
        return kind, data
    if isinstance(result, (Iterator, AsyncIterator)):
        return b"", result
    return JSON, to_json(result)


def _plain(value: Any) -> Any:
    """Return what JSON can hold for an object msgspec does not know: models, arrays, numbers of numpy."""
    for name in ("model_dump", "tolist", "isoformat", "__json__"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable) and not isinstance(value, Iterator):
        return list(value)
    raise TypeError(f"a handler may not return {type(value).__name__}: it cannot be written as JSON")
