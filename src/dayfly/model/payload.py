"""Payloads of calls: which are kept with the records, as a function's annotations say, and what a kept one is.

| annotation `com.dayfly.record.` | default | meaning |
|---|---|---|
| payloads | off | `off`, `errors` (of calls that failed), `all`, or `sampled:0.01` for such a share of the calls |
| redact | | what is never written down: names of headers, of keys in JSON, in forms and in queries, and paths in JSON \
(`$.card.number`), separated by commas |
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec

PAYLOADS, REDACT = "com.dayfly.record.payloads", "com.dayfly.record.redact"
MAX_REDACTED = 64
_NAME = re.compile(r"[A-Za-z0-9_.~-]{1,100}")
_PATH = re.compile(r"\$(\.[^.\s\[\],$\"']{1,100}){1,16}")
_SHARE = re.compile(r"sampled:(0?\.[0-9]{1,9}|1(\.0{1,9})?)")

Keep = Literal["errors", "all", "sampled"]


class PayloadPolicy(msgspec.Struct, frozen=True, array_like=True):
    """Which calls' payloads are kept, and what of them is not."""

    keep: Keep
    share: float = 1.0
    """Of the calls, where they are sampled."""
    redact: tuple[str, ...] = ()

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> "PayloadPolicy | None":
        """Return the policy that the annotations state, None where nothing is kept. Raises InvalidSpec."""
        text = annotations.get(PAYLOADS, "").strip() or "off"
        redact = _redacted(annotations.get(REDACT, ""))
        if text == "off":
            return None
        if text in ("all", "errors"):
            return cls("all" if text == "all" else "errors", redact=redact)
        match = _SHARE.fullmatch(text)
        if match is None or not float(match[1]):
            raise InvalidSpec(
                f"{PAYLOADS}: {text[:40]!r} must be off, errors, all, or sampled: with a share such as sampled:0.01"
            )
        return cls("sampled", float(match[1]), redact)


class TakenPayload(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A call's payload as a gateway took it, nothing redacted: it is never written anywhere like this."""

    head: bytes
    """The request's line and headers, as the function got them."""
    body: bytes
    body_cut: bool
    """Whether there was more of it."""
    status: int
    answer_lines: bytes
    answer_body: bytes
    answer_cut: bool
    redact: tuple[str, ...]


class CallPayload(msgspec.Struct, frozen=True, kw_only=True):
    """What a call was sent and what it answered, as it is kept. What was redacted reads `[redacted]`."""

    number: int = 0
    """The record's that it belongs to."""
    method: str
    target: str
    """Path and query, as the function got them."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    body_cut: bool = False
    """Whether the body was longer than what is kept of it."""
    redacted: tuple[str, ...] = ()
    """What of the request was redacted: `header NAME`, `query NAME`, `body NAME`, or `body` for all of it."""
    status: int
    answer_headers: tuple[tuple[str, str], ...]
    answer_body: bytes
    answer_cut: bool = False
    redact: tuple[str, ...] = ()
    """What the function's annotation named when the call was made."""


def told_payloads(annotations: Mapping[str, str]) -> PayloadPolicy | None:
    """Return the policy of a function that is deployed: what cannot be read means that nothing is kept."""
    try:
        return PayloadPolicy.from_annotations(annotations)
    except InvalidSpec:
        return None


def _redacted(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    wrong = next((part for part in parts if not (_NAME.fullmatch(part) or _PATH.fullmatch(part))), None)
    if wrong is not None:
        raise InvalidSpec(f"{REDACT}: {wrong[:80]!r} is neither a name nor a path such as $.card.number")
    if len(parts) > MAX_REDACTED:
        raise InvalidSpec(f"{REDACT}: {len(parts)} names are more than {MAX_REDACTED}")
    return tuple(dict.fromkeys(parts))
