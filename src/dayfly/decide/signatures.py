"""Signatures of webhooks: HMAC-SHA256 over a body, as those who send webhooks write it into headers.

| scheme | header | signed |
|---|---|---|
| github | `X-Hub-Signature-256: sha256=HEX` | the body |
| stripe | `Stripe-Signature: t=SECONDS,v1=HEX` | `SECONDS.BODY` |
| slack | `X-Slack-Signature: v0=HEX`, `X-Slack-Request-Timestamp: SECONDS` | `v0:SECONDS:BODY` |
| standard-webhooks | `Webhook-Signature: v1,BASE64`, `Webhook-Id`, `Webhook-Timestamp: SECONDS` | `ID.SECONDS.BODY` |
| plain | `X-Signature: HEX`, also with `sha256=` before it | the body |

Sources: the documentation of GitHub, Stripe and Slack; Standard Webhooks 1.0. A header that is there twice is none.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

HEADERS = {
    "github": "x-hub-signature-256",
    "stripe": "stripe-signature",
    "slack": "x-slack-signature",
    "standard-webhooks": "webhook-signature",
    "plain": "x-signature",
}
MOST_SIGNATURES = 10
_HEX = re.compile(rb"[0-9a-f]{64}")
_SECONDS = re.compile(rb"[0-9]{1,12}")


class Signed(msgspec.Struct, frozen=True):
    """What the headers of a request say of its signature."""

    before: bytes
    """What was signed before the body."""
    given: tuple[bytes, ...]
    """The signatures, of which one must be right: hexadecimal."""
    time_s: int | None = None
    """When it was made, in Unix time, where the scheme says so."""


def read_signed(scheme: str, header: str, headers: Mapping[str, Sequence[str]]) -> Signed | None:
    """Return what the headers say, None when that is no signature of the scheme.

    `headers` has names in lower case; `header` is the name where it is not the scheme's own.
    """
    value = _one(headers, (header or HEADERS[scheme]).lower())
    if scheme == "stripe":
        stamp, given = read_stripe(value)
        return _timed(stamp, b"%b." % stamp, given)
    if scheme == "slack":
        stamp = _one(headers, "x-slack-request-timestamp")
        return _timed(stamp, b"v0:%b:" % stamp, read_hex(value, b"v0="))
    if scheme == "standard-webhooks":
        stamp, name = _one(headers, "webhook-timestamp"), _one(headers, "webhook-id")
        given = [_hex_of(part[3:]) for part in value.split(b" ") if part.startswith(b"v1,")]
        return _timed(stamp, b"%b.%b." % (name, stamp), [each for each in given if each]) if name else None
    given = read_hex(value, b"sha256=")
    return Signed(b"", tuple(given)) if given else None


def verify(signed: Signed, body: bytes, keys: Iterable[bytes], *, now_s: float, window_s: float) -> str:
    """Return why the body is not what was signed by one of the keys, in time; nothing when it is."""
    good = False
    for key in keys:
        expected = hmac.new(key, signed.before + body, hashlib.sha256).hexdigest().encode()
        for given in signed.given:
            good |= hmac.compare_digest(expected, given)
    if not good:
        return "The signature is not that of this body by a key that is known here."
    if signed.time_s is not None and abs(now_s - signed.time_s) > window_s:
        return f"The signature was not made within {window_s:g} s of now."
    return ""


def sign_standard(key: bytes, name: str, time_s: int, body: bytes) -> dict[str, str]:
    """Return the headers with which Standard Webhooks signs a body that is called `name`."""
    digest = hmac.new(key, b"%b.%d.%b" % (name.encode(), time_s, body), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"Webhook-Id": name, "Webhook-Timestamp": str(time_s), "Webhook-Signature": signature}


def key_of(scheme: str, text: str) -> bytes:
    """Return the key that a line of a secret means: of Standard Webhooks' `whsec_…` what it encodes, else the line."""
    if scheme == "standard-webhooks" and text.startswith("whsec_"):
        try:
            return base64.b64decode(text.removeprefix("whsec_"), validate=True) or text.encode()
        except (binascii.Error, ValueError):
            return text.encode()
    return text.encode()


def read_hex(value: bytes, before: bytes) -> list[bytes]:
    """Return the one signature in a header, in a list; none when it is none."""
    text = value.removeprefix(before)
    return [text] if _HEX.fullmatch(text) else []


def read_stripe(value: bytes) -> tuple[bytes, list[bytes]]:
    """Return the time and the signatures in Stripe's header; no signature when it is none."""
    parts = [part.strip().partition(b"=") for part in value.split(b",")]
    stamps = [text for name, _, text in parts if name == b"t"]
    signatures = [text for name, _, text in parts if name == b"v1" and _HEX.fullmatch(text)]
    return (stamps[0], signatures) if len(stamps) == 1 and _SECONDS.fullmatch(stamps[0]) else (b"", [])


def _timed(stamp: bytes, before: bytes, given: Sequence[bytes]) -> Signed | None:
    if not _SECONDS.fullmatch(stamp) or not 0 < len(given) <= MOST_SIGNATURES:
        return None
    return Signed(before, tuple(given), int(stamp))


def _one(headers: Mapping[str, Sequence[str]], name: str) -> bytes:
    values = headers.get(name, ())
    return values[0].strip().encode("latin-1", errors="replace") if len(values) == 1 else b""


def _hex_of(text: bytes) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw.hex().encode() if len(raw) == hashlib.sha256().digest_size else b""
