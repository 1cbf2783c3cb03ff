"""Which route a request means: the most exact host that has one for its path, the most exact path, then its method.

    hosts       the name itself, then `*.` before what follows its first label, then any
    paths       the whole path, then the longest prefix; a prefix ends where a segment does
    methods     the method, HEAD as GET, then all methods

The path decides for good: where its routes do not take the method, the answer is 405 and never a less exact route, for
what somebody has put under lock must not be open by another method. What a request costs depends on the depth of its
path and not on how many routes there are.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Rule(msgspec.Struct, Generic[T], frozen=True):
    """A path, or a prefix, of one host; its methods; and what it means."""

    path: bytes
    is_prefix: bool
    methods: tuple[bytes, ...]
    value: T


class Found(msgspec.Struct, Generic[T], frozen=True):
    """What was found at a path: a value, or the methods that there are when it is not among them."""

    value: T | None
    allow: tuple[bytes, ...] = ()


class _Methods(Generic[T]):
    __slots__ = ("_by_method", "_of_all")

    def __init__(self) -> None:
        self._by_method: dict[bytes, T] = {}
        self._of_all: T | None = None

    def put(self, rule: Rule[T]) -> None:
        for method in rule.methods:
            self._by_method[method] = rule.value
        if not rule.methods:
            self._of_all = rule.value

    def find(self, method: bytes) -> Found[T]:
        by_method = self._by_method
        value = by_method.get(method)
        if value is None and method == b"HEAD":
            value = by_method.get(b"GET")
        if value is None:
            value = self._of_all
        return Found(value) if value is not None else Found(None, self._allow())

    def _allow(self) -> tuple[bytes, ...]:
        return tuple(sorted({*self._by_method, *((b"HEAD",) if b"GET" in self._by_method else ())}))


class Places(Generic[T]):
    """The routes of one host, ready to be asked."""

    __slots__ = ("_deepest", "_paths", "_prefixes")

    def __init__(self, rules: Iterable[Rule[T]]) -> None:
        self._paths: dict[bytes, _Methods[T]] = {}
        self._prefixes: dict[bytes, _Methods[T]] = {}
        for rule in rules:
            table = self._prefixes if rule.is_prefix else self._paths
            table.setdefault(rule.path, _Methods()).put(rule)
        self._deepest = max((prefix.count(b"/") for prefix in self._prefixes), default=-1)

    def find(self, path: bytes, method: bytes) -> Found[T] | None:
        """Return what is at the path; None when nothing is."""
        methods = self._paths.get(path)
        if methods is None:
            methods = self._longest(path)
        return None if methods is None else methods.find(method)

    def _longest(self, path: bytes) -> _Methods[T] | None:
        parts = path.split(b"/", self._deepest + 1) if self._deepest >= 0 else [path]
        for count in range(min(len(parts) - 1, self._deepest), -1, -1):
            found = self._prefixes.get(b"/".join(parts[: count + 1]))
            if found is not None:
                return found
        return None


def find(hosts: Mapping[bytes, Places[T]], host: bytes, path: bytes, method: bytes) -> Found[T] | None:
    """Return what is at the path of the host, or of the wildcard that stands for it; None when nothing is.

    `hosts` has the places of names and of wildcards such as `*.example.org`, which stand for exactly one label.
    """
    for name in (host, b"*." + host.partition(b".")[2]):
        places = hosts.get(name)
        if places is not None:
            found = places.find(path, method)
            if found is not None:
                return found
    return None
