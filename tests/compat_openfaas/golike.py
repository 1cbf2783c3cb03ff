"""How a client written in Go decodes an answer: what it would fail on, or dereference and die of, is an error here.

Go takes no fraction for an integer, nothing but text as a map's value, no empty text for a time. It does take `null`
for anything, and follows the nil pointer later, so that there is none anywhere. Members that a type does not have are
passed over, as Go does it.
"""

import datetime
import json
import re
from collections.abc import Callable, Mapping

Check = Callable[[str, object], None]
"""Raises NotLikeGo for a value that stands at a place and is not what should stand there."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class NotLikeGo(AssertionError):
    """A client in Go cannot read this."""


class _Fraction(float):
    """A number that was written with a point or an exponent."""


def decode(data: bytes, check: Check) -> object:
    """Return the one JSON document in `data`, if a client in Go can read it."""
    value: object = json.loads(
        data.decode(), parse_float=_Fraction, object_pairs_hook=_members, parse_constant=_constant
    )
    check("$", value)
    return value


def string(where: str, value: object) -> None:
    """A text."""
    if not isinstance(value, str):
        raise NotLikeGo(f"{where}: {value!r} is no string")


def filled(where: str, value: object) -> None:
    """A text with something in it."""
    string(where, value)
    if not value:
        raise NotLikeGo(f"{where} is empty")


def unsigned(where: str, value: object) -> None:
    """A whole number, written as one, not negative."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 64:
        raise NotLikeGo(f"{where}: {value!r} is no uint64")


def number(where: str, value: object) -> None:
    """Any number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise NotLikeGo(f"{where}: {value!r} is no number")


def boolean(where: str, value: object) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise NotLikeGo(f"{where}: {value!r} is no bool")


def time(where: str, value: object) -> None:
    """A time as RFC 3339 writes it; an empty text is none."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise NotLikeGo(f"{where}: {value!r} is no RFC 3339 time")
    datetime.datetime.fromisoformat(value)


def array(of: Check) -> Check:
    """A list."""

    def check(where: str, value: object) -> None:
        if not isinstance(value, list):
            raise NotLikeGo(f"{where}: {value!r} is no array")
        for at, each in enumerate(value):
            of(f"{where}[{at}]", each)

    return check


def texts(where: str, value: object) -> None:
    """A map of texts."""
    if not isinstance(value, dict):
        raise NotLikeGo(f"{where}: {value!r} is no map")
    for name, each in value.items():
        string(f"{where}.{name}", each)


def struct(needed: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these members; what is optional is absent where there is nothing to say, never null or empty."""
    known = {**needed, **(optional or {})}

    def check(where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise NotLikeGo(f"{where}: {value!r} is no object")
        missing = [name for name in needed if name not in value]
        if missing:
            raise NotLikeGo(f"{where} lacks {missing}")
        for name, member in value.items():
            if name in known:
                known[name](f"{where}.{name}", member)
            if name not in needed and member in ({}, [], "", None):
                raise NotLikeGo(f"{where}.{name} is there and says nothing")

    return check


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotLikeGo(f"a member occurs twice among {[name for name, _ in pairs]}")
    return found


def _constant(text: str) -> None:
    raise NotLikeGo(f"{text} is not JSON")


RESOURCES = struct({}, {"memory": filled, "cpu": filled})
FUNCTION = struct(
    {"name": filled, "image": filled, "namespace": filled, "labels": texts, "annotations": texts},
    {
        "invocationCount": number, "replicas": unsigned, "availableReplicas": unsigned, "createdAt": time,
        "envProcess": filled, "envVars": texts, "constraints": array(string), "secrets": array(filled),
        "limits": RESOURCES, "requests": RESOURCES, "readOnlyRootFilesystem": boolean,
        "usage": struct({"cpu": number, "totalMemoryBytes": number}),
    },
)  # fmt: skip
FUNCTIONS = array(FUNCTION)
SECRETS = array(struct({"name": filled, "namespace": filled}))
NAMESPACES = array(filled)
NAMESPACE = struct({"name": filled, "annotations": texts, "labels": texts})
_VERSION = struct({"release": filled, "sha": filled}, {"commit_message": filled})
INFO = struct(
    {
        "provider": struct({"provider": filled, "orchestration": filled, "version": _VERSION}),
        "version": _VERSION,
        "arch": filled,
    }
)
LOG_LINE = struct({"name": filled, "namespace": string, "instance": string, "timestamp": time, "text": string})
