"""Hosts that whoever calls a function may have its answers posted to, read from the function's annotation (threat T9).

`com.dayfly.callback.allow: hooks.example.com,*.example.org:8443,http://gateway.internal:8080` lists them, as a
function's own `allow` is written. An entry is good for https; with `http://` before it for http too.
"""

import ipaddress
from collections.abc import Mapping

import msgspec

from dayfly.model.egress import Grant, parse_grant
from dayfly.model.errors import InvalidSpec

ANNOTATION = "com.dayfly.callback.allow"
MAX_HOSTS = 32
_PLAIN = "http://"
_SECURE = "https://"
_KINDS = frozenset(("host", "below", "addresses"))


class CallbackHosts(msgspec.Struct, frozen=True, array_like=True):
    """Where any caller's callbacks may go; nowhere when nothing is listed."""

    listed: tuple[str, ...] = ()

    @classmethod
    def from_annotations(cls, annotations: Mapping[str, str]) -> "CallbackHosts":
        """Return what the annotation lists. Raises InvalidSpec."""
        listed = tuple(part.strip() for part in annotations.get(ANNOTATION, "").split(",") if part.strip())
        if len(listed) > MAX_HOSTS:
            raise InvalidSpec(f"{ANNOTATION}: {len(listed)} hosts are more than {MAX_HOSTS}")
        for text in listed:
            _grant(text)
        return cls(listed)

    @classmethod
    def told(cls, annotations: Mapping[str, str]) -> "CallbackHosts":
        """Return what a function that is deployed lists: what cannot be read lists nothing."""
        try:
            return cls.from_annotations(annotations)
        except InvalidSpec:
            return cls()

    def have(self, host: str, port: int, *, secure: bool) -> bool:
        """Whether one of them is this; `secure` says whether it is asked by https."""
        return any((secure or text.startswith(_PLAIN)) and _fits(_grant(text), host, port) for text in self.listed)


def _grant(text: str) -> Grant:
    try:
        grant = parse_grant(text.removeprefix(_PLAIN).removeprefix(_SECURE))
    except InvalidSpec:
        grant = Grant("public")
    if grant.kind not in _KINDS:
        raise InvalidSpec(f"{ANNOTATION}: {text[:80]!r} is none of HOST, HOST:PORT, *.DOMAIN, ADDRESS, http://HOST")
    return grant


def _fits(grant: Grant, host: str, port: int) -> bool:
    host = host.lower()
    if grant.port not in (0, port):
        return False
    if grant.kind == "below":
        return host.endswith("." + grant.host)
    if grant.kind == "host":
        return host == grant.host
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(grant.host)
    except ValueError:
        return False
