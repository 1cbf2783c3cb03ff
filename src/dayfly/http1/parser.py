"""The parser: llhttp's view of a request's head, judged.

llhttp sees one complete head at a time and nothing else; bodies are framed by `framing`. A fresh parser for each head
costs 0.3 us and has no state that one request could leave for the next.
"""

import httptools

from dayfly.http1.head import Header, RequestHead, judge_headers, judge_line
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal, malformed

HEAD_END = b"\r\n\r\n"

_ALL_BUT_CONTROL = bytes(set(range(256)) - set(range(32)) - {127} | {9, 10, 13})
_STARTS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")


class _Collector:
    __slots__ = ("headers",)

    def __init__(self) -> None:
        self.headers: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        # llhttp leaves blanks at a value's end where they were.
        self.headers.append((name, value.rstrip(b" \t")))


def check_beginning(data: bytes, limits: Limits) -> None:
    """Refuse the beginning of a head that cannot become a good one, before its end has come.

    Without this, a request that ends its lines with bare line feeds would only be refused by the header timeout.
    """
    if data[0] not in _STARTS:
        raise malformed("The request does not begin with a method.")
    if data.translate(None, _ALL_BUT_CONTROL):
        raise malformed("The request holds a control byte.")
    breaks = data.count(b"\r\n")
    if data.count(b"\n") != breaks or data.count(b"\r") != breaks + data.endswith(b"\r"):
        raise malformed("A line of the request does not end with CR LF.")
    line = data.find(b"\r\n")
    _check_sizes(line if line >= 0 else len(data), len(data), limits)
    if line >= 0:
        _split_line(data[:line])


def parse_request(raw: bytes, limits: Limits) -> RequestHead:
    """Return the request whose head is exactly `raw`, with its empty line. Raises Refusal."""
    end = raw.find(b"\r\n")
    if end + 40 > limits.target_bytes or len(raw) > limits.header_bytes:
        _check_sizes(end, len(raw), limits)
    # Before llhttp reads it, because of what llhttp would only refuse in general terms.
    method, target, minor = _split_line(raw[:end])
    collector = _Collector()
    try:
        httptools.HttpRequestParser(collector).feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as fault:
        raise malformed(f"The request is malformed: {fault}.") from None
    headers = collector.headers
    if len(headers) > limits.header_count:
        raise Refusal(
            431,
            "headers_too_large",
            f"The request has more than {limits.header_count} headers.",
            "The operator can raise the gateway's limit header_count.",
        )
    return judge_headers(method, target, minor, headers)


def _split_line(line: bytes) -> tuple[bytes, bytes, int]:
    words = line.split(b" ")
    if len(words) != 3:
        raise malformed("The request line is not METHOD TARGET VERSION with one blank between them.")
    method, target, version = words
    return method, target, judge_line(method, target, version)


def _check_sizes(line: int, head: int, limits: Limits) -> None:
    if line > limits.target_bytes + 40:
        raise Refusal(
            414,
            "target_too_long",
            f"The request target is longer than {limits.target_bytes} bytes.",
            "The operator can raise the gateway's limit target_bytes.",
        )
    if head > limits.header_bytes:
        raise Refusal(
            431,
            "headers_too_large",
            f"The request line and headers are longer than {limits.header_bytes} bytes.",
            "The operator can raise the gateway's limit header_bytes.",
        )
