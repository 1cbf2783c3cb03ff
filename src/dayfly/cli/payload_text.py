"""Payloads of calls as text for people: heads as HTTP has them, JSON indented, and what is no text by its digest."""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dayfly.model.payload import CallPayload

_LEFT_OUT = "(what follows was not kept: see payload_bytes of DAYFLY_RECORDS)"


def payload_text(payload: "CallPayload") -> str:
    """Return what a call was sent and what it answered."""
    sent = [f"{payload.method} {payload.target}", *header_lines(payload.headers), ""]
    sent += body_lines(payload.body, cut=payload.body_cut)
    answered = [f"HTTP {payload.status}", *header_lines(payload.answer_headers), ""]
    answered += body_lines(payload.answer_body, cut=payload.answer_cut)
    return "\n".join(["Request:", *(f"  {line}".rstrip() for line in sent), "", "Answer:"]
                     + [f"  {line}".rstrip() for line in answered])  # fmt: skip


def header_lines(headers: "Iterable[tuple[str, str]]") -> list[str]:
    """Return headers as lines."""
    return [f"{name}: {value}" for name, value in headers]


def body_lines(body: bytes, *, cut: bool = False) -> list[str]:
    """Return a body as lines: JSON with a member a line, text as it is, else its size and SHA-256."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if "\0" in text or (body and not text):
        lines = [f"({len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()})"]
    else:
        lines = _indented(text).splitlines()
    return [*lines, _LEFT_OUT] if cut else lines


def _indented(text: str) -> str:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
