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
) -> bytes:
    """Return a whole response that explains an error to a person.

    `headers` are further lines. Without `keep` it says that the connection is closed. `bodiless` is for HEAD.
    """
    text = call_id.decode()
    body = msgspec.json.encode(
        Problem(
            type=f"urn:dayfly:problem:{code}",
            title=http.HTTPStatus(status).phrase,
            status=status,
            detail=detail,
            code=code,
            retryable=status in _RETRYABLE,
            hint=hint,
            call_id=text,
        )
    )
    block = STATUS_LINES[status] + date_line() + headers
    block += b"Content-Type: application/problem+json\r\nContent-Length: %d\r\nX-Call-Id: %b\r\n" % (len(body), call_id)
    if retry_after_s:
        block += b"Retry-After: %d\r\n" % retry_after_s
    if not keep:
        block += b"Connection: close\r\n"
    return block + b"\r\n" + (b"" if bodiless else body)
