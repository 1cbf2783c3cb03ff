"""Where a source of events is: hosts and ports that the control plane connects to, and what else a source names."""

import ipaddress
import re

import msgspec

from dayfly.model.egress import is_name
from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

_ENDPOINT = re.compile(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]+)(:(?P<port>[0-9]{1,5}))?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
MAX_NAMES, MAX_ENDPOINTS = 100, 20


class Endpoint(msgspec.Struct, frozen=True):
    """A host, which is a name or an address, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """`HOST:PORT`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(field: str, text: str, port: int) -> Endpoint:
    """Return what `HOST` or `HOST:PORT` means; `port` is the usual one. Raises InvalidSpec."""
    match = _ENDPOINT.fullmatch(text)
    if match is None or not 1 <= int(match["port"] or port) <= 65_535:
        raise InvalidSpec(f"{field}: {text[:100]!r} is not HOST or HOST:PORT, without a scheme")
    host = match["host"].strip("[]").lower()
    if match["host"].startswith("[") or not is_name(host):
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError:
            raise InvalidSpec(f"{field}: {host[:100]!r} is neither a host's name nor an address") from None
    return Endpoint(host, int(match["port"] or port))


def check_endpoints(field: str, texts: tuple[str, ...], port: int) -> None:
    """Refuse what names no hosts, or too many. Raises InvalidSpec."""
    check_names(field, texts, most=MAX_ENDPOINTS)
    for text in texts:
        parse_endpoint(field, text, port)


def check_names(
    field: str, texts: tuple[str, ...], *, least: int = 1, most: int = MAX_NAMES, most_length: int = 1000
) -> None:
    """Refuse too few or too many of them, and what cannot be a name. Raises InvalidSpec."""
    if not least <= len(texts) <= most:
        raise InvalidSpec(f"{field}: has {len(texts)} entries; {least} to {most} can be given")
    for text in texts:
        if not 0 < len(text.encode()) <= most_length or not text.isprintable():
            raise InvalidSpec(f"{field}: {text[:80]!r} is empty, unprintable or longer than {most_length}")


def check_words(**texts: str) -> None:
    """Refuse what has more than letters, digits, dots, dashes and underscores; empty is fine. Raises InvalidSpec."""
    for field, text in texts.items():
        if text and not _WORD.fullmatch(text):
            raise InvalidSpec(f"source.{field}: {text[:80]!r} may have letters, digits, '.', '_' and '-', at most 249")


def check_span(field: str, text: str, least_s: float, most_s: float) -> None:
    """Refuse what is no span of time, too short or too long. Raises InvalidSpec."""
    try:
        seconds = parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{field}: {error}") from error
    if not least_s <= seconds <= most_s:
        raise InvalidSpec(f"{field}: {text} must be from {least_s:g} s to {most_s:g} s")
