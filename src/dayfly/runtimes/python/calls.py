"""One call, as a handler sees it: the event that came and the context it came in.

Most handlers read the body and little else, so everything that costs something to make (headers, query, call id) is
made when it is first asked for. `__getattr__` runs only for a slot that is still empty.
"""

import time
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dayfly.model.replica import StartOrder

RawHeaders = list[tuple[bytes, bytes]]


class Request:
    """What came over the wire, as it was sent."""

    __slots__ = ("body", "keep_alive", "lines", "target", "verb")

    def __init__(self, verb: bytes, target: bytes, lines: RawHeaders, body: bytes, keep_alive: bool) -> None:
        self.verb = verb
        self.target = target
        self.lines = lines
        self.body = body
        self.keep_alive = keep_alive

    def header(self, name: bytes) -> bytes:
        """Return the first value of the header `name` (in lower case), or nothing."""
        for key, value in self.lines:
            if key.lower() == name:
                return value
        return b""


class Headers(Mapping[str, str]):
    """Request headers; names in any case. A header sent several times is one value, joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, raw: RawHeaders) -> None:
        self._values: dict[str, tuple[str, str]] = {}
        for key, value in raw:
            name, text = key.decode("latin-1"), value.decode("latin-1")
            before = self._values.get(name.lower())
            if before is not None:
                text = f"{before[1]}{'; ' if name.lower() == 'cookie' else ', '}{text}"
            self._values[name.lower()] = (name, text)

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class Query(Mapping[str, str]):
    """Query parameters; `query["a"]` is the first value of `a`, `getlist` returns all."""

    __slots__ = ("_values",)

    def __init__(self, text: str) -> None:
        self._values = urllib.parse.parse_qs(text, keep_blank_values=True)

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, name: str) -> list[str]:
        """Return every value of the parameter in the order sent; none when it is absent."""
        return list(self._values.get(name, ()))

    def __repr__(self) -> str:
        return f"Query({self._values!r})"


class Event(Request):
    """The request: `body` (bytes), `headers`, `method`, `query` and `path`, which begins with a slash."""

    __slots__ = ("headers", "method", "path", "query")

    headers: Headers
    method: str
    path: str
    query: Query

    def __getattr__(self, name: str) -> Any:
        if name == "headers":
            self.headers = Headers(self.lines)
        elif name == "method":
            self.method = self.verb.decode("ascii")
        elif name == "path":
            self.path = split_target(self.target)[0]
        elif name == "query":
            self.query = Query(split_target(self.target)[1])
        else:
            raise AttributeError(f"event has no {name!r}; it has body, headers, method, query, path, text and json()")
        return object.__getattribute__(self, name)

    @property
    def text(self) -> str:
        """The body as text. Raises UnicodeDecodeError."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body decoded from JSON. Raises ValueError."""
        return msgspec.json.decode(self.body)


class Facts:
    """What is the same for every call of one replica."""

    __slots__ = ("_code_dir", "_source", "function", "hostname", "namespace", "tells_all", "timeout_s")

    def __init__(self, order: StartOrder) -> None:
        self.function: str = order.key.name
        self.namespace: str = order.key.namespace
        self.hostname = ""
        self.timeout_s = order.timeout_s
        self.tells_all = order.debug is not None
        """Whether callers are told tracebacks: there is only one, who is writing the function."""
        self._code_dir = order.code_dir
        self._source = order.debug.source if order.debug is not None else ""

    def as_author_knows_it(self, text: str) -> str:
        """Return a traceback with the files where their author has them, as far as that was said."""
        return text.replace(self._code_dir, self._source) if self._source else text


class Context:
    """Where the call runs and how long it may take."""

    __slots__ = ("_began", "_facts", "_request", "call_id", "partial")

    call_id: str
    """The call's id, the same in logs and in the answer's X-Call-Id."""
    partial: dict[str, str] | None

    def __init__(self, facts: Facts, request: Request, began: float) -> None:
        self._facts = facts
        self._request = request
        self._began = began
        self.partial = None

    def __getattr__(self, name: str) -> Any:
        if name != "call_id":
            raise AttributeError(
                f"context has no {name!r}; it has hostname, call_id, function, namespace, timeout_s and remaining_s"
            )
        self.call_id = self._request.header(b"x-call-id").decode("latin-1") or str(uuid.uuid4())
        return self.call_id

    def header(self, name: bytes) -> bytes:
        """Return the first value of the request's header `name` (in lower case), or nothing."""
        return self._request.header(name)

    @property
    def facts(self) -> Facts:
        """What is the same for every call of the replica."""
        return self._facts

    @property
    def hostname(self) -> str:
        """The replica's name."""
        return self._facts.hostname

    @property
    def function(self) -> str:
        """The function's name."""
        return self._facts.function

    @property
    def namespace(self) -> str:
        """The function's namespace."""
        return self._facts.namespace

    @property
    def timeout_s(self) -> float:
        """How long one call may take, in seconds."""
        return self._facts.timeout_s

    @property
    def remaining_s(self) -> float:
        """Seconds left before the caller is told that the call took too long; never negative."""
        return max(0.0, self._began + self._facts.timeout_s - time.monotonic())


def is_probe(target: bytes) -> bool:
    """Whether a request is for the host and not for the handler."""
    return target.partition(b"?")[0] in (b"/_/health", b"/_/ready")


def split_target(target: bytes) -> tuple[str, str]:
    """Return a request target's path, percent-decoded, and its query as sent."""
    path, _, query = target.partition(b"?")
    return urllib.parse.unquote(path.decode("latin-1")) or "/", query.decode("latin-1")
