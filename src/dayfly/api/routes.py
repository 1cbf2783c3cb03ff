"""Routes that say who may use them and whose things they are about, and the router that finds them.

Every route states its access and its scope where it is defined; one that does not cannot be written (threats T1 and
T2). The router
works on the bytes of the path as they came: a literal segment matches only itself, without percent-decoding, case
folding or cleaning, so that no second spelling of a path exists that authentication and routing could read differently.
A parameter is one segment, decoded once; its handler makes a name of it or refuses it.
"""

import dataclasses
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, get_args
from urllib.parse import unquote_to_bytes

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.scope import WORDS, Place, Scope
from dayfly.api.services import Services
from dayfly.model.access import OPEN, Access

Method = Literal["GET", "POST", "PUT", "DELETE", "HEAD"]
ErrorForm = Literal["problem", "plain", "prometheus"]
"""problem: problem+json. plain: one line of text, as OpenFaaS's clients print it. prometheus: as Prometheus' API."""
Handler = Callable[[Services, Request], Awaitable[Response]]
_READING = ("GET", "HEAD")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Route:
    """One method of one path. Compared by identity: being exempt from authentication is a property of the object."""

    method: Method
    path: str
    access: Access
    scope: Scope
    summary: str
    handler: Handler
    request: Any = None
    """The struct that decodes the body; `bytes` for a body taken as it is."""
    takes: str = "application/octet-stream"
    """The media type of a body taken as it is."""
    query: type[msgspec.Struct] | None = None
    """The struct that decodes the query string."""
    response: Any = None
    """What the answer's JSON is made of, or None for an answer without JSON."""
    media_type: str = "application/json"
    statuses: tuple[int, ...] = (200,)
    errors: ErrorForm = "problem"
    streams: bool = False
    """Whether the answer may never end; such a route answers no HEAD."""
    is_call: bool = False
    """Whether it changes nothing that should be, whatever its method: a question, or a call of a function."""
    heeds: bool = False
    """Whether a public route refuses a credential that is wrong: nobody needs one, but who sends one is told."""

    def __post_init__(self) -> None:
        """Refuse a route that does not say what it is."""
        if self.access not in get_args(Access) or not self.path.startswith("/") or not self.summary:
            raise ValueError(f"{self.method} {self.path}: a route needs an access of {get_args(Access)} and a summary")
        known = self.scope in WORDS if isinstance(self.scope, str) else isinstance(self.scope, Place)
        if not known or (self.scope == "open") != (self.access in OPEN):
            raise ValueError(f"{self.method} {self.path}: a route needs a scope, open only without credential")
        if isinstance(self.scope, Place) and not {*self.scope.parameters} <= {*self.parameters}:
            raise ValueError(f"{self.method} {self.path}: its path has none of {self.scope.parameters}")

    @property
    def is_change(self) -> bool:
        """Whether it is told of in the audit log. Who may only look, or call, changes nothing that should be."""
        return self.method not in _READING and self.access not in ("public", "look", "invoke") and not self.is_call

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


class Routes:
    """The routes of one resource; its decorator is how a handler becomes reachable."""

    def __init__(self, *, errors: ErrorForm = "problem") -> None:
        self._errors = errors
        self._all: list[Route] = []

    def route(
        self,
        method: Method,
        path: str,
        *,
        access: Access,
        scope: Scope,
        summary: str,
        request: Any = None,
        takes: str = "application/octet-stream",
        query: type[msgspec.Struct] | None = None,
        response: Any = None,
        media_type: str = "application/json",
        statuses: tuple[int, ...] = (200,),
        streams: bool = False,
        heeds: bool = False,
        is_call: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Return a decorator that adds the handler.

        Raises TypeError without an access or a scope, ValueError for a wrong one.
        """

        def add(handler: Handler) -> Handler:
            self._all.append(
                Route(
                    method=method, path=path, access=access, scope=scope, summary=summary, handler=handler,
                    request=request, takes=takes, query=query, response=response, media_type=media_type,
                    statuses=statuses,
                    errors=self._errors, streams=streams, heeds=heeds, is_call=is_call,
                )
            )  # fmt: skip
            return handler

        return add

    def __iter__(self) -> Iterator[Route]:
        """The routes in the order they were defined."""
        return iter(self._all)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What a path and a method mean."""

    route: Route | None
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    at_path: tuple[Route, ...] = ()
    """All routes of the path; none when the path is unknown."""

    @property
    def open(self) -> bool:
        """Whether no credential is needed for an answer: the route asks for none, or there is nothing to guard."""
        if self.route is not None:
            return self.route.access in OPEN
        return all(route.access in OPEN for route in self.at_path)

    @property
    def allow(self) -> str:
        """The value of an Allow header for the path."""
        methods = {str(route.method) for route in self.at_path} | {"OPTIONS"}
        if any(route.method == "GET" and not route.streams for route in self.at_path):
            methods.add("HEAD")
        return ", ".join(sorted(methods))


class Router:
    """Finds the route for a request's line. Raises ValueError when two routes claim the same line."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._by_length: dict[int, dict[tuple[str, ...], list[Route]]] = {}
        for route in self.routes:
            shape = tuple("{}" if part.startswith("{") else part for part in route.path.split("/"))
            same = self._by_length.setdefault(len(shape), {}).setdefault(shape, [])
            if any(other.method == route.method for other in same):
                raise ValueError(f"{route.method} {route.path} is routed twice")
            same.append(route)

    def find(self, method: str, raw_path: bytes) -> Found:
        """Return what the request's line means."""
        try:
            parts = raw_path.decode("ascii").split("/")
        except UnicodeDecodeError:
            return Found(None)
        for shape, routes in self._by_length.get(len(parts), {}).items():
            values = _match(shape, parts)
            if values is not None:
                return _choose(method, tuple(routes), values)
        return Found(None)


def _match(shape: tuple[str, ...], parts: list[str]) -> list[str] | None:
    values = []
    for wanted, part in zip(shape, parts, strict=True):
        if wanted == "{}" and part:
            values.append(part)
        elif wanted != part:
            return None
    try:
        return [unquote_to_bytes(value).decode() for value in values]
    except UnicodeDecodeError:
        return None


def _choose(method: str, routes: tuple[Route, ...], values: list[str]) -> Found:
    for route in routes:
        if route.method == method:
            return Found(route, dict(zip(route.parameters, values, strict=True)), routes)
    if method == "HEAD":
        got = _choose("GET", routes, values)
        if got.route and not got.route.streams:
            return got
    return Found(None, {}, routes)
