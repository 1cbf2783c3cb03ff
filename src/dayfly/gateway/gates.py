"""Gates: who is let through to a route's function, by what a request's head says.

A gate says either who it is, in headers that a client cannot send itself, or why not. The credential that it looked at
does not reach the function, which is somebody's code and needs none of it.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple, Protocol
from urllib.parse import quote

from dayfly.decide.attempts import Attempts
from dayfly.gateway.refusals import Refusal
from dayfly.http1.head import RequestHead
from dayfly.model.route_entry import AuthEntry, KnownKey

_VISIBLE = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
_MOST_SUBJECT = 1000


class Admitted(NamedTuple):
    """Somebody who is let through."""

    subject: str
    """Who it is; empty when nobody said."""
    lines: bytes
    """What the function is told of it, as header lines."""


class Denied(NamedTuple):
    """Somebody who is not."""

    refusal: Refusal
    lines: bytes = b""
    """Further headers of the answer."""


class Gate(Protocol):
    """Judges requests by their heads."""

    def takes_away(self, head: RequestHead) -> frozenset[bytes]:
        """Return the names of the headers that do not reach the function, in lower case."""

    def check(self, head: RequestHead, peer: str, now: float, unix_s: float) -> Admitted | Denied:
        """Judge a request that came from `peer` at `now` on the monotonic and at `unix_s` on the wall clock."""


def admitted(kind: bytes, subject: str, more: bytes = b"") -> Admitted:
    """Return who is let through. A subject is text from outside: what is not visible ASCII goes on as %XX."""
    line = b"X-Dayfly-Subject: %b\r\n" % quote(subject[:_MOST_SUBJECT], safe=_VISIBLE).encode() if subject else b""
    return Admitted(subject, b"X-Dayfly-Auth: %b\r\n%b%b" % (kind, line, more))


def unauthenticated(detail: str, hint: str, challenge: bytes) -> Denied:
    """Return the refusal of a request without a good credential."""
    refusal = Refusal(401, "unauthenticated", detail, hint)
    return Denied(refusal, b"WWW-Authenticate: %b\r\nCache-Control: no-store\r\n" % challenge if challenge else b"")


def values(head: RequestHead, name: bytes) -> list[bytes]:
    """Return all values of a header; `name` is in lower case."""
    return [value for each, value in head.headers if each.lower() == name]


def scheme_value(head: RequestHead, scheme: bytes) -> bytes | None:
    """Return what follows the scheme in the one Authorization header; None for another scheme, none, or several."""
    given = values(head, b"authorization")
    if len(given) != 1:
        return None
    name, _, rest = given[0].partition(b" ")
    return rest.strip() if name.lower() == scheme else None


def known(keys: tuple[KnownKey, ...], text: bytes) -> KnownKey | None:
    """Return the key that this is. Every one is compared whole, so that time tells nothing."""
    digest, found = hashlib.sha256(text).digest(), None
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


class KeyGate:
    """Lets through who has one of the keys."""

    def __init__(self, auth: AuthEntry) -> None:
        self._keys = auth.keys
        self._header = auth.header.lower().encode()
        place = f"in the header {auth.header}" if auth.header else "as `Authorization: Bearer KEY` or `X-Api-Key: KEY`"
        self._hint = f"Give it {place}."
        self._challenge = b"" if auth.header else b"Bearer"

    def takes_away(self, head: RequestHead) -> frozenset[bytes]:
        """The header that the key is in."""
        if self._header:
            return frozenset((self._header,))
        return frozenset((b"x-api-key",) if values(head, b"x-api-key") else (b"authorization",))

    def check(self, head: RequestHead, peer: str, now: float, unix_s: float) -> Admitted | Denied:
        """Judge by the key."""
        del peer, now, unix_s
        given = values(head, self._header or b"x-api-key")
        key = given[0] if len(given) == 1 else None
        if not given and not self._header:
            key = scheme_value(head, b"bearer")
        found = known(self._keys, key) if key else None
        if found is None:
            return unauthenticated("This route takes a key, and none that it knows came.", self._hint, self._challenge)
        return admitted(b"key", found.name)


class BasicGate:
    """Lets through who has one of the names and its password; a peer that was wrong too often waits."""

    def __init__(self, auth: AuthEntry, realm: str) -> None:
        self._keys = auth.keys
        self._challenge = b'Basic realm="%b", charset="UTF-8"' % realm.encode()
        self._attempts = Attempts()

    def takes_away(self, head: RequestHead) -> frozenset[bytes]:
        """The header that the password is in."""
        del head
        return frozenset((b"authorization",))

    def check(self, head: RequestHead, peer: str, now: float, unix_s: float) -> Admitted | Denied:
        """Judge by the name and the password."""
        del unix_s
        wait_s = self._attempts.wait_s(peer, now)
        if wait_s:
            refusal = Refusal(
                429,
                "too_many_attempts",
                "Too many wrong passwords came from this address.",
                retry_after_s=int(wait_s) + 1,
            )
            return Denied(refusal)
        given = scheme_value(head, b"basic")
        login = _decoded(given) if given else None
        found = known(self._keys, login) if login else None
        if found is None:
            if given:
                self._attempts.failed(peer, now)
            return unauthenticated(
                "This route takes a name and a password, and none that it knows came.", "", self._challenge
            )
        return admitted(b"basic", found.name)


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
