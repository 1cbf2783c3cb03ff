"""Webhooks: what others send when something has happened on their side, as events.

The signature is over the body as it came, and is judged before a byte of it is read as anything else. A delivery that
comes again, by its sender's own count, is the same event and calls nothing again.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from dayfly.decide.signatures import key_of, read_signed, verify
from dayfly.model.errors import Unauthenticated, Unavailable
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_source import WebhookSource

LEAST_KEY, MOST_KEYS = 16, 10
TYPE = "com.dayfly.webhook"
_MOST_NAME = 200
_IDS = {"github": "x-github-delivery", "standard-webhooks": "webhook-id", "plain": "x-delivery-id"}
"""The headers that number deliveries; of Stripe and Slack it is a member of the body."""
Headers = Mapping[str, Sequence[str]]


def keys_of(source: WebhookSource, content: bytes | None) -> list[bytes]:
    """Return the keys in the secret. Raises Unavailable when there are none that are any good."""
    try:
        lines = [line.strip() for line in (content or b"").decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        lines = []
    keys = [key_of(source.scheme, line) for line in lines]
    if not 0 < len(keys) <= MOST_KEYS or any(len(key) < LEAST_KEY for key in keys):
        raise Unavailable(
            f"Nobody can be let in: the secret {source.secret} must hold 1 to {MOST_KEYS} keys of {LEAST_KEY}"
            " characters or more, one a line"
        )
    return keys


def check_signature(
    source: WebhookSource, keys: Sequence[bytes], headers: Headers, body: bytes, *, now_s: float
) -> None:
    """Return when the body was signed with one of the keys. Raises Unauthenticated."""
    signed = read_signed(source.scheme, source.header, headers)
    if signed is None:
        raise Unauthenticated(f"The signature of {source.scheme} is missing, there twice, or not one")
    why = verify(signed, body, keys, now_s=now_s, window_s=source.window_s)
    if why:
        raise Unauthenticated(why)


def challenge_of(source: WebhookSource, body: bytes) -> str:
    """Return what Slack wants to hear before it sends events to an address; nothing for any other body."""
    if source.scheme != "slack":
        return ""
    told = _members(body)
    return _text(told.get("challenge")) if told.get("type") == "url_verification" else ""


def event_of(spec: TriggerSpec, source: WebhookSource, headers: Headers, body: bytes) -> Event:
    """Return what a delivery tells of."""
    told = _members(body) if source.scheme in ("stripe", "slack", "standard-webhooks") else {}
    subject, kind = "", ""
    if source.scheme == "github":
        subject = _header(headers, "x-github-event")
        kind = f"com.github.{subject}" if subject else ""
    elif source.scheme == "slack":
        inner = told.get("event")
        name = _text(inner.get("type")) if isinstance(inner, dict) else ""
        kind = f"com.slack.{name}" if name else ""
    else:
        name = _text(told.get("type"))
        kind = f"com.stripe.{name}" if name and source.scheme == "stripe" else name
    return Event(
        id=_id(source, headers, told) or _id_of_signed(source, headers, body),
        source=f"/hooks/{spec.namespace}/{spec.name}",
        type=kind or TYPE,
        subject=subject,
        content_type=_header(headers, "content-type"),
        data=body,
    )


def _id(source: WebhookSource, headers: Headers, told: Mapping[str, Any]) -> str:
    if source.scheme in _IDS:
        found = _header(headers, _IDS[source.scheme])
    else:
        found = _text(told.get("id" if source.scheme == "stripe" else "event_id"))
    return found


def _id_of_signed(source: WebhookSource, headers: Headers, body: bytes) -> str:
    """Return an id for a delivery that has no number: where the time was signed too, the same if it is replayed."""
    signed = read_signed(source.scheme, source.header, headers)
    if signed is None or signed.time_s is None:
        return str(uuid.uuid4())
    return hashlib.sha256(signed.before + body).hexdigest()


def _members(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _header(headers: Headers, name: str) -> str:
    values = headers.get(name, ())
    return _text(values[0].strip()) if len(values) == 1 else ""


def _text(value: Any) -> str:
    """Return a short text that prints, or none."""
    return value if isinstance(value, str) and len(value) <= _MOST_NAME and value.isprintable() else ""
