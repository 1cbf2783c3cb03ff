"""Routes: addresses of an author's own choosing that lead to functions.

A route has a place, which is a host and a path, and says which methods it takes there and which functions answer. The
places of a host are looked at from the most exact to the least: the whole path, then the longest of the prefixes.

On the host that everybody has, which is none in particular, the platform's own paths come first and are no route's.
"""

import re
from typing import Literal

import msgspec

from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName, parse_function_name, parse_namespace, parse_route_name
from dayfly.model.quantities import parse_duration, parse_memory
from dayfly.model.route_auth import Auth

RouteMode = Literal["create", "update", "upsert"]
ANY_HOST = ""
RESERVED = frozenset(
    ("async-function", "build", "function", "healthz", "hooks", "metrics", "publickey", "readyz", "store", "system")
) | {"ui", "v1"}
"""First segments of paths that are the platform's on the host that everybody has."""
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
MAX_SEGMENTS, MAX_PATH, MAX_TARGETS, MAX_WEIGHT = 32, 1024, 20, 1000
MAX_NAMESPACE_ROUTES = 1000
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_HOST = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_ORIGIN = re.compile(rf"https?://(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_PATH = re.compile(r"(?:/[^/]+)*/|(?:/[^/]+)+")
_UNUSABLE = re.compile(r"[%;\\?#*]")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Target(_Part, frozen=True, kw_only=True):
    """A function that answers, and its share among those of the route."""

    function: str
    weight: int = 1
    """Its share is its weight of the sum of all; 0 for none at the moment."""


class Cors(_Part, frozen=True, kw_only=True):
    """Which other sites' pages may call, and read what is answered."""

    origins: tuple[str, ...]
    """`https://HOST[:PORT]` each, or `*` alone for every site."""
    methods: tuple[str, ...] = ()
    """Those that may be used; empty for those of the route."""
    headers: tuple[str, ...] = ()
    """Those that a page may send, beside the ones that need no permission."""
    expose: tuple[str, ...] = ()
    """Those that a page may read, beside the ones that need no permission."""
    credentials: bool = False
    """Whether pages may send cookies and the like along."""
    max_age: str = "10m"
    """How long a browser may remember it."""

    @property
    def max_age_s(self) -> int:
        """The same in whole seconds."""
        return int(parse_duration(self.max_age))

    def check(self) -> None:
        """Refuse what browsers would not understand, or what would open too much. Raises InvalidSpec."""
        if not 0 < len(self.origins) <= 100:
            raise InvalidSpec("cors.origins: name 1 to 100 of them, or '*'")
        for origin in self.origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise InvalidSpec(f"cors.origins: {origin[:100]!r} is not https://HOST or https://HOST:PORT, or '*'")
        if "*" in self.origins and (len(self.origins) > 1 or self.credentials):
            raise InvalidSpec("cors.origins: '*' stands alone, and excludes credentials: any site could act for a user")
        check_methods("cors.methods", self.methods)
        for name in (*self.headers, *self.expose):
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'+.^_`|~-]{1,100}", name, re.ASCII):
                raise InvalidSpec(f"cors.headers: {name[:60]!r} is not a header's name")
        if len(self.headers) + len(self.expose) > 100:
            raise InvalidSpec("cors.headers: at most 100 headers can be named, with those of cors.expose")
        if _seconds("cors.max_age", self.max_age) > 86_400:
            raise InvalidSpec("cors.max_age: must be at most 24h")


class RateLimit(_Part, frozen=True, kw_only=True):
    """How many calls each client may make in a span of time; what is not used is not saved up beyond one span."""

    calls: int
    window: str = "1m"
    by: str = "client"
    """client: by network address. caller: by who was let in, which needs auth."""

    @classmethod
    def parse(cls, text: str, by: str = "client") -> "RateLimit":
        """Return what `100/1m` means. Raises InvalidSpec."""
        calls, slash, window = text.partition("/")
        if not (calls.isascii() and calls.isdigit() and len(calls) < 10 and slash):
            raise InvalidSpec(f"rate: {text[:40]!r} is not CALLS/TIME; write for example 100/1m")
        limit = cls(calls=int(calls), window=window, by=by)
        limit.check()
        return limit

    @property
    def window_s(self) -> float:
        """The span in seconds."""
        return parse_duration(self.window)

    def check(self) -> None:
        """Refuse what cannot be kept. Raises InvalidSpec."""
        if not 1 <= self.calls <= 1_000_000:
            raise InvalidSpec(f"rate.calls: {self.calls} must be from 1 to 1000000")
        if not 1 <= _seconds("rate.window", self.window) <= 86_400:
            raise InvalidSpec("rate.window: must be from 1s to 24h")
        if self.by not in ("client", "caller"):
            raise InvalidSpec("rate.by: must be client or caller")


class RouteSpec(_Part, frozen=True, kw_only=True):
    """What somebody wants a route to be."""

    name: str
    namespace: str = DEFAULT_NAMESPACE
    host: str = ANY_HOST
    """A host name, or one with `*.` before it, which stands for exactly one label; empty for any host."""
    path: str = "/*"
    """A path, or a prefix that ends with `/*`; `/a/*` takes `/a`, and everything below it."""
    strip: bool = False
    """Whether the function gets the path without the prefix."""
    methods: tuple[str, ...] = ()
    """Empty for all of them. HEAD comes with GET."""
    targets: tuple[Target, ...]
    auth: Auth | None = None
    cors: Cors | None = None
    rate: RateLimit | None = None
    max_body: str = ""
    """The largest body, where that is less than the function takes."""

    @property
    def prefix(self) -> str | None:
        """The prefix without its ending, empty for all paths; None for a whole path."""
        return self.path[:-2] if self.path.endswith("/*") else None

    @property
    def body_bytes(self) -> int:
        """The largest body in bytes; 0 for no limit of the route's own."""
        return parse_memory(self.max_body) if self.max_body else 0

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that it needs."""
        return (self.auth.secret,) if self.auth is not None and self.auth.secret else ()

    def check(self) -> None:
        """Refuse what cannot be kept or would not work. Raises InvalidName, InvalidSpec with the field in the text."""
        parse_route_name(self.name)
        parse_namespace(self.namespace)
        if self.host:
            try:
                parse_host(self.host)
            except InvalidName as error:
                raise InvalidName(f"host: {error.message}") from error
        check_path(self.path)
        if self.host == ANY_HOST and is_reserved(self.path.encode()):
            raise InvalidSpec(
                f"path: {self.path} is the platform's own on every host that is not a route's",
                hint="give the route a host of its own, or another path",
            )
        if self.strip and self.prefix is None:
            raise InvalidSpec("strip: takes a prefix away, so the path must end with /*")
        check_methods("methods", self.methods)
        self._check_targets()
        for part in (self.auth, self.cors, self.rate):
            if part is not None:
                part.check()
        if self.rate is not None and self.rate.by == "caller" and self.auth is None:
            raise InvalidSpec("rate.by: without auth nobody knows who calls; use client")
        try:
            _ = self.body_bytes
        except InvalidSpec as error:
            raise InvalidSpec(f"max_body: {error}") from error

    def _check_targets(self) -> None:
        if not 0 < len(self.targets) <= MAX_TARGETS:
            raise InvalidSpec(f"targets: name 1 to {MAX_TARGETS} functions")
        for target in self.targets:
            try:
                parse_function_name(target.function)
            except InvalidName as error:
                raise InvalidName(f"targets: {error.message}") from error
            if not 0 <= target.weight <= MAX_WEIGHT:
                raise InvalidSpec(f"targets: weight {target.weight} must be from 0 to {MAX_WEIGHT}")
        if not any(target.weight for target in self.targets):
            raise InvalidSpec("targets: one function at least needs a weight above 0")
        if len({target.function for target in self.targets}) < len(self.targets):
            raise InvalidSpec("targets: a function is named twice")


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it is kept."""

    spec: RouteSpec
    created_unix_ms: int
    updated_unix_ms: int

    @property
    def key(self) -> tuple[NamespaceName, str]:
        """Its identity."""
        return NamespaceName(self.spec.namespace), self.spec.name


class RouteStatus(Route, frozen=True, kw_only=True):
    """A route, and what keeps it from working."""

    trouble: str = ""
    """Why its calls are refused; empty when nothing is wrong."""


class HostGrant(msgspec.Struct, frozen=True, kw_only=True):
    """A host that a namespace may use in its routes."""

    host: str
    namespace: NamespaceName


class GrantRequest(_Part, frozen=True, kw_only=True):
    """Whom a host is granted to."""

    namespace: str


def parse_host(text: str) -> str:
    """Return `text` as the host of a route. Raises InvalidName."""
    if not text.isascii():
        raise InvalidName(f"{text[:100]!r} is not a host as it is sent: write it in its ASCII form, xn--…")
    if len(text) > 253 or not _HOST.fullmatch(text) or text.rpartition(".")[2].isdigit():
        raise InvalidName(
            f"{text[:100]!r} is not a host: write HOST.DOMAIN in lower case, or *.DOMAIN, without port or last dot"
        )
    return text


def covers(granted: str, host: str) -> bool:
    """Whether who was granted one host may use the other."""
    return granted == host or (granted.startswith("*.") and host.partition(".")[2] == granted[2:])


def is_reserved(path: bytes) -> bool:
    """Whether a path is the platform's own where the host is nobody's."""
    first, _, rest = path[1:].partition(b"/")
    return first.decode("latin-1") in RESERVED or (first == b"api" and (rest == b"v1" or rest.startswith(b"v1/")))


def check_path(path: str) -> None:
    """Refuse a path that could be read in two ways. Raises InvalidSpec."""
    if not _PATH.fullmatch(path) or len(path) > MAX_PATH or path.count("/") > MAX_SEGMENTS:
        raise InvalidSpec(
            f"path: {path[:100]!r} must begin with /, have no empty segment, and at most {MAX_PATH} characters and"
            f" {MAX_SEGMENTS} segments; a prefix ends with /*"
        )
    body = path.removesuffix("/*")
    if _UNUSABLE.search(body) or not body.isprintable():
        raise InvalidSpec(f"path: {path[:100]!r} holds one of % ; \\ ? # * or something that cannot be printed")
    if {".", ".."} & {*body.split("/")}:
        raise InvalidSpec(f"path: {path[:100]!r} holds '.' or '..' as a segment")


def check_methods(field: str, methods: tuple[str, ...]) -> None:
    """Refuse what is no method. Raises InvalidSpec."""
    if not {*methods} <= METHODS or len({*methods}) < len(methods):
        raise InvalidSpec(f"{field}: must be of {', '.join(sorted(METHODS))}, each once")


def _seconds(field: str, text: str) -> float:
    try:
        return parse_duration(text)
    except InvalidSpec as error:
        raise InvalidSpec(f"{field}: {error}") from error
