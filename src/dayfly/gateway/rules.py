"""Rules: routes as a gateway uses them, made ready once, and found by host, path and method."""

import logging
import random
from collections.abc import Callable, Iterable

import msgspec

from dayfly.decide.paths import host_name, plain_path
from dayfly.decide.places import Found, Places, Rule, find
from dayfly.decide.shares import Shares
from dayfly.gateway.gates import BasicGate, Gate, KeyGate
from dayfly.gateway.signature_gate import SignatureGate
from dayfly.http1.head import RequestHead
from dayfly.http1.refusal import malformed
from dayfly.model.errors import InvalidSpec
from dayfly.model.route import is_reserved
from dayfly.model.route_entry import AuthEntry, RouteEntry

_log = logging.getLogger("dayfly.gateway")
_GATES: dict[str, Callable[[AuthEntry, str], Gate]] = {
    "key": lambda auth, _: KeyGate(auth),
    "basic": BasicGate,
    "jwt": lambda auth, _: _token_gate(auth),
}


def _token_gate(auth: AuthEntry) -> Gate:
    # Here, because it brings a library of cryptography, a third of what a gateway loads; few have such a route.
    from dayfly.gateway.token_gate import TokenGate

    return TokenGate(auth)


class RouteRule:
    """One route."""

    __slots__ = (
        "closed", "credential_headers", "depth", "entry", "functions", "gate", "path", "prefix_line", "shares",
        "signatures",
    )  # fmt: skip

    def __init__(self, entry: RouteEntry) -> None:
        self.entry = entry
        self.functions = [name.encode() for name, _ in entry.targets]
        """By the names in the table of functions."""
        self.shares = Shares([weight for _, weight in entry.targets])
        self.path = entry.path.removesuffix("/*").encode()
        self.depth = self.path.count(b"/")
        """Segments that are taken away from a path where the route strips."""
        self.prefix_line = b"X-Forwarded-Prefix: %b\r\n" % self.path if entry.strip and self.path.isascii() else b""
        self.gate: Gate | None = None
        """Who is let through; None for everybody, or where bodies are signed."""
        self.signatures: SignatureGate | None = None
        self.closed = bool(entry.trouble) or not self._set_gate(entry)
        """Whether nobody gets through, as nobody can be checked."""
        self.credential_headers = _credential_headers(entry.auth) if entry.auth is not None else ()
        """Headers that pages of other sites may send, as the route asks for them."""

    def pick(self) -> int:
        """Return the position of the function for one call."""
        return self.shares.pick(random.getrandbits(32)) if len(self.functions) > 1 else 0

    def tail(self, target: bytes) -> bytes:
        """Return the path that the function gets, with the query, untouched but for what is stripped."""
        if not self.entry.strip:
            return target
        path, mark, query = target.partition(b"?")
        rest = path.split(b"/", self.depth + 1)[self.depth + 1 :]
        return b"/" + b"".join(rest) + mark + query

    def place(self) -> Rule["RouteRule"]:
        """Return where it is found."""
        methods = tuple(method.encode() for method in self.entry.methods)
        return Rule(self.path, self.is_prefix, methods, self)

    def _set_gate(self, entry: RouteEntry) -> bool:
        """Make ready what checks callers; False when it is not known here, or no good."""
        auth = entry.auth
        if auth is None:
            return True
        try:
            if auth.kind == "hmac":
                self.signatures = SignatureGate(auth) if auth.shared else None
            elif auth.kind in _GATES:
                self.gate = _GATES[auth.kind](auth, entry.name)
        except (InvalidSpec, msgspec.MsgspecError, LookupError) as error:
            _log.warning("route closed route=%s reason=%s", entry.key, error)
        return self.gate is not None or self.signatures is not None

    @property
    def body_bytes(self) -> int:
        """The largest body; 0 for no limit of the route's own. What is signed is held in memory."""
        sizes = (self.entry.body_bytes, self.entry.auth.body_bytes if self.entry.auth is not None else 0)
        return min(filter(None, sizes), default=0)

    @property
    def is_prefix(self) -> bool:
        """Whether it takes all that is below its path."""
        return self.entry.path.endswith("/*")


class Rules:
    """All routes. What changes at one host is made ready anew for that host alone."""

    def __init__(self) -> None:
        self.hosts: dict[bytes, Places[RouteRule]] = {}
        """Those of named hosts and of wildcards."""
        self.anywhere: Places[RouteRule] | None = None
        """Those of every other host."""
        self._by_host: dict[str, dict[str, RouteRule]] = {}
        self._host_of: dict[str, str] = {}

    def reset(self, entries: Iterable[RouteEntry]) -> None:
        """Take all routes over."""
        self.__init__()  # type: ignore[misc] # nothing refers to what was there
        self.change(entries, ())

    def change(self, changed: Iterable[RouteEntry], removed: Iterable[str]) -> None:
        """Take changes over; `removed` are `name.namespace`."""
        touched = {self._take(key) for key in removed}
        for entry in changed:
            touched.add(self._take(entry.key))
            self._by_host.setdefault(entry.host, {})[entry.key] = RouteRule(entry)
            self._host_of[entry.key] = entry.host
            touched.add(entry.host)
        for host in touched - {None}:
            self._make_ready(host or "")

    def at_host(self, head: RequestHead, method: bytes) -> Found[RouteRule] | None:
        """Return the route that a request means at the host that it names; None when there is none.

        Raises Refusal (400) for a path that two readers could understand in two ways, at a host that has routes.
        """
        name = host_name(head.host)
        if name not in self.hosts and b"*." + name.partition(b".")[2] not in self.hosts:
            return None
        return find(self.hosts, name, _path(head.target), method)

    def at_any_host(self, head: RequestHead, method: bytes) -> Found[RouteRule] | None:
        """Return the route that a request means at any host. The platform's own paths are none. Raises Refusal."""
        path = head.target.partition(b"?")[0]
        if self.anywhere is None or is_reserved(path):
            return None
        path = _path(path)
        return None if is_reserved(path) else self.anywhere.find(path, method)

    def _take(self, key: str) -> str | None:
        host = self._host_of.pop(key, None)
        if host is not None:
            del self._by_host[host][key]
        return host

    def _make_ready(self, host: str) -> None:
        rules = self._by_host.get(host, {})
        places = Places(rule.place() for rule in rules.values()) if rules else None
        if not host:
            self.anywhere = places
        elif places is not None:
            self.hosts[host.encode()] = places
        else:
            self.hosts.pop(host.encode(), None)
        if not rules:
            self._by_host.pop(host, None)


def _credential_headers(auth: AuthEntry) -> tuple[str, ...]:
    if auth.kind == "hmac" or auth.header:
        return (auth.header,)
    return ("Authorization", "X-Api-Key") if auth.kind == "key" else ("Authorization",)


def _path(target: bytes) -> bytes:
    path = plain_path(target.partition(b"?")[0])
    if path is None:
        raise malformed(
            "The path holds an encoded slash or control byte, a backslash, ';', '.', '..', an empty segment or a broken"
            " escape, which a route's function could read as another path.",
            "A function that needs such paths is called at /function/NAME.",
        )
    return path
