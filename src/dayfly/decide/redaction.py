"""Redaction: what of a call's payload is taken out before it is written down.

Names are those of headers, and of keys in JSON, in forms and in queries, wherever they are and however they are
written; `$.card.number` is one place in JSON, and lists on the way to it are gone through. A body that may hold such a
key but cannot be read (JSON that is broken or was cut, a packed body, text that mentions a name) is left out as a
whole: what is kept by mistake can never be taken back.
"""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_plus

from dayfly.model.payload import CallPayload, TakenPayload

REDACTED = "[redacted]"
ALWAYS = frozenset(
    (
        "authorization", "cookie", "idempotency-key", "proxy-authorization", "set-cookie", "x-api-key", "x-auth-token",
        "x-hub-signature", "x-hub-signature-256",
    )
)  # fmt: skip
"""Headers that are redacted whatever a function's author says."""
_FORM = "application/x-www-form-urlencoded"

Headers = tuple[tuple[str, str], ...]


def kept(taken: TakenPayload) -> CallPayload:
    """Return what may be written down of a payload."""
    line, _, lines = taken.head.partition(b"\r\n")
    method, target = (part.decode("latin-1") for part in line.split(b" ")[:2])
    path, mark, query = target.partition("?")
    query, in_query = _form(query, _names(taken.redact))
    headers, in_headers = redacted_headers(headers_of(lines), taken.redact)
    body, in_body = redacted_body(taken.body, headers_of(lines), taken.redact)
    answer_lines = headers_of(taken.answer_lines)
    return CallPayload(
        method=method,
        target=path + mark + query,
        headers=headers,
        body=body,
        body_cut=taken.body_cut,
        redacted=(
            *(f"header {name}" for name in in_headers), *(f"query {name}" for name in in_query),
            *(f"body {name}".strip() for name in in_body),
        ),
        status=taken.status,
        answer_headers=redacted_headers(answer_lines, taken.redact)[0],
        answer_body=redacted_body(taken.answer_body, answer_lines, taken.redact)[0],
        answer_cut=taken.answer_cut,
        redact=taken.redact,
    )  # fmt: skip


def headers_of(lines: bytes) -> Headers:
    """Return the headers in serialised lines, names in lower case."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n") if line)
    return tuple((name.decode("latin-1").lower(), value.strip().decode("latin-1")) for name, _, value in pairs)


def redacted_headers(headers: Headers, redact: Iterable[str]) -> tuple[Headers, tuple[str, ...]]:
    """Return the headers, and the names of those that were redacted."""
    names = ALWAYS | _names(redact)
    found = dict.fromkeys(name for name, _ in headers if name.lower() in names)
    return tuple((name, REDACTED if name in found else value) for name, value in headers), tuple(found)


def redacted_body(body: bytes, headers: Headers, redact: Iterable[str]) -> tuple[bytes, tuple[str, ...]]:
    """Return the body, and what of it was redacted; `("",)` when all of it was."""
    redact = tuple(redact)
    if not redact or not body:
        return body, ()
    told = {name: value.lower() for name, value in headers}
    if told.get("content-encoding", "identity") != "identity":
        return REDACTED.encode(), ("",)
    try:
        read = json.loads(body)
        search = _Search(redact)
        told_again = search.cleared(read, "$")
        if not search.found and not _mentions(body, redact):
            return body, ()
        return json.dumps(told_again, ensure_ascii=False).encode(), tuple(search.found)
    except (ValueError, RecursionError):
        pass
    if told.get("content-type", "").startswith(_FORM) and not body.lstrip().startswith((b"{", b"[")):
        text, names = _form(body.decode("latin-1"), _names(redact))
        return text.encode("latin-1"), names
    return (REDACTED.encode(), ("",)) if _mentions(body, redact) else (body, ())


class _Search:
    """Goes through JSON; `found` are the places that were redacted."""

    def __init__(self, redact: Iterable[str]) -> None:
        self._names = _names(redact)
        self._paths = {each.lower() for each in redact if each.startswith("$.")}
        self.found: dict[str, None] = {}

    def cleared(self, value: Any, at: str) -> Any:
        """Return the value without what is not for anybody."""
        if isinstance(value, list):
            return [self.cleared(each, at) for each in value]
        if not isinstance(value, dict):
            return value
        return {name: self._member(name, each, f"{at}.{name}") for name, each in value.items()}

    def _member(self, name: str, value: Any, at: str) -> Any:
        if name.lower() in self._names or at.lower() in self._paths:
            self.found[at] = None
            return REDACTED
        return self.cleared(value, at)


def _names(redact: Iterable[str]) -> frozenset[str]:
    return frozenset(each.lower() for each in redact if not each.startswith("$."))


def _form(text: str, names: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Return a form or a query, and the names in it that were redacted."""
    found: dict[str, None] = {}
    parts = text.split("&")
    for at, part in enumerate(parts):
        name, mark, _ = part.partition("=")
        if mark and unquote_plus(name).lower() in names:
            found[unquote_plus(name)] = None
            parts[at] = f"{name}={REDACTED}"
    return "&".join(parts), tuple(found)


def _mentions(body: bytes, redact: Iterable[str]) -> bool:
    """Whether a body may speak of what is to be redacted: by its name, in whichever width, or in JSON's escapes."""
    plain = body.replace(b"\0", b"").lower()
    return b"\\u" in plain or any(each.lower().rpartition(".")[2].encode() in plain for each in redact)
