"""Problems: the gateway's own errors, as application/problem+json."""

import http

import msgspec

from dayfly.http1.answer import STATUS_LINES
from dayfly.http1.date import date_line
from dayfly.model.status import Problem

_RETRYABLE = frozenset((408, 429, 502, 503, 504))


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    call_id: bytes,
    hint: str = "",
    retry_after_s: int = 0,
    headers: bytes = b"",
    keep: bool = True,
    bodiless: bool = False,
    plain: bool = False,
) -> bytes:
    """Return a whole response that explains an error to a person.

    `headers` are further lines. Without `keep` it says that the connection is closed. `bodiless` is for HEAD, `plain`
    for clients that expect `detail` as a line of text.
    """
    kind = b"text/plain" if plain else b"application/problem+json"
    body = (detail + "\n").encode() if plain else _document(status, code, detail, hint, call_id)
    block = STATUS_LINES[status] + date_line() + headers
    block += b"Content-Type: %b\r\nContent-Length: %d\r\nX-Call-Id: %b\r\n" % (kind, len(body), call_id)
    if retry_after_s:
        block += b"Retry-After: %d\r\n" % retry_after_s
    if not keep:
        block += b"Connection: close\r\n"
    return block + b"\r\n" + (b"" if bodiless else body)


def _document(status: int, code: str, detail: str, hint: str, call_id: bytes) -> bytes:
    return msgspec.json.encode(
        Problem(
            type=f"urn:dayfly:problem:{code}",
            title=http.HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            code=code,
            retryable=status in _RETRYABLE,
            hint=hint,
            call_id=call_id.decode(),
        )
    )
