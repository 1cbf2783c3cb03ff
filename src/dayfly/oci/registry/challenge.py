"""What a registry asks for in WWW-Authenticate (RFC 9110, 11.6.1; RFC 7235 before it).

A list of challenges, and each a list of parameters, parted by the same commas: what follows a comma is a parameter when
it has a value, else the next scheme. Whatever cannot be read ends the list: what came before it still counts.
"""

import re
from collections.abc import Iterable

import msgspec

MAX_CHARACTERS = 16_384
"""Of a header line, beyond which it is not read."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 — a grammar rule's name
_END = r"[ \t]*(?=,|$)"
_GAP = re.compile(r"[ \t,]*")
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]+|(?=,|$))")
_PARAMETER = re.compile(rf'[ \t,]*({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}(?:[/:]+{_TOKEN})*)){_END}')
_TOKEN68 = re.compile(rf"([A-Za-z0-9._~+/-]+=*){_END}")
_ESCAPED = re.compile(r"\\(.)")


class Challenge(msgspec.Struct, frozen=True):
    """One way of identifying oneself."""

    scheme: str
    """In lower case: `basic`, `bearer`."""
    parameters: dict[str, str] = {}
    """By their names in lower case; of two of a name the first."""
    token: str = ""
    """What stands in the parameters' place with schemes such as Negotiate."""


def parse_challenges(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges of all WWW-Authenticate lines, in their order. Never raises."""
    return tuple(challenge for line in lines for challenge in _parse(line[:MAX_CHARACTERS]))


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """Return the one that is answered: Bearer with a realm, before Basic; None when neither is offered."""
    known = {each.scheme: each for each in reversed(tuple(challenges))}
    bearer = known.get("bearer")
    return bearer if bearer is not None and bearer.parameters.get("realm") else known.get("basic")


def _parse(line: str) -> list[Challenge]:
    found: list[Challenge] = []
    at = _skip(line, 0)
    while (scheme := _SCHEME.match(line, at)) is not None:
        at, token = scheme.end(), ""
        parameters: dict[str, str] = {}
        while (parameter := _PARAMETER.match(line, at)) is not None:
            name, quoted, plain = parameter.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
            at = parameter.end()
        if not parameters and (opaque := _TOKEN68.match(line, at)) is not None:
            token, at = opaque[1], opaque.end()
        found.append(Challenge(scheme[1].lower(), parameters, token))
        if at < len(line) and line[at] != ",":
            break
        at = _skip(line, at)
    return found


def _skip(line: str, at: int) -> int:
    gap = _GAP.match(line, at)
    return gap.end() if gap else at
