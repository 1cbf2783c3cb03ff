"""The API's calls without their transport: what to send, and how to read what comes back.

Both clients carry these out and add nothing but waiting, so that the API is written down once. A name is checked before
it becomes part of a path.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from dayfly.client.bundle import Bundle
from dayfly.client.faults import error_from_reply
from dayfly.model.errors import InternalError, InvalidRequest
from dayfly.model.function import FunctionSpec
from dayfly.model.log import LogLine
from dayfly.model.names import (
    FunctionKey,
    parse_bundle_digest,
    parse_function_key,
    parse_function_name,
    parse_namespace,
)
from dayfly.model.rollout import Canary
from dayfly.model.status import (
    BundleReceipt,
    FunctionStatus,
    PlatformInfo,
    RevisionStatus,
    RollbackRequest,
    ScaleRequest,
)

T = TypeVar("T")
S = TypeVar("S")
_JSON = "application/json"
_MAX_LOG_LINE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete HTTP reply, header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request of the API and the reading of its reply."""

    method: str
    path: str
    read: Callable[[Reply], T]
    query: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    content_type: str = ""
    expected: tuple[int, ...] = (200, 201)
    """Statuses that `read` understands besides; any other becomes an error."""

    def finish(self, reply: Reply) -> T:
        """Return what the reply says. Raises the error that it stands for, InternalError when it is unreadable."""
        if reply.status not in self.expected:
            if reply.status < 400:
                raise InternalError(
                    f"{self.method} {self.path} was answered with {reply.status}, which the API never does."
                )
            headers = reply.headers
            raise error_from_reply(
                reply.status, headers.get("content-type", ""), reply.body, headers.get("retry-after", "")
            )
        try:
            return self.read(reply)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            hint = "Is this a Dayfly gateway, and is its version near the client's?"
            raise InternalError(
                f"The reply to {self.method} {self.path} cannot be read: {error}.", hint=hint
            ) from error


def find_key(name: str, namespace: str = "") -> FunctionKey:
    """Return the key of `NAME`, or of `NAME.NAMESPACE` where no namespace is given beside it. Raises InvalidName."""
    if namespace:
        return FunctionKey(parse_namespace(namespace), parse_function_name(name))
    return parse_function_key(name)


def health() -> Call[bool]:
    """Whether the gateway and the control plane behind it answer."""
    return Call("GET", "/healthz", lambda reply: reply.status == 200, expected=(200, 502, 503, 504))


def info() -> Call[PlatformInfo]:
    """The installation."""
    return Call("GET", "/v1/info", _reads(PlatformInfo))


def list_namespaces() -> Call[list[str]]:
    """The namespaces' names, sorted."""
    return Call("GET", "/v1/namespaces", _reads(list[str]))


def list_functions(namespace: str) -> Call[list[FunctionStatus]]:
    """A namespace's functions, sorted by name."""
    read = _reads(list[FunctionStatus])
    path = f"/v1/namespaces/{parse_namespace(namespace)}/functions"
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda status: status.spec.name))


def get_function(key: FunctionKey) -> Call[FunctionStatus]:
    """One function."""
    return Call("GET", _path(key), _reads(FunctionStatus))


def deploy(spec: FunctionSpec, canary: Canary | None) -> Call[FunctionStatus]:
    """Make the function what the spec says, new or not; with a canary after a trial."""
    spec.check()
    return Call(
        "PUT",
        _path(spec.key),
        _reads(FunctionStatus),
        query=_canary_query(canary) if canary is not None else (),
        content=msgspec.json.encode(spec),
        content_type=_JSON,
    )


def remove(key: FunctionKey) -> Call[None]:
    """Take the function away."""
    return Call("DELETE", _path(key), _nothing, expected=(200, 202, 204))


def scale(key: FunctionKey, replicas: int | None) -> Call[FunctionStatus]:
    """Set the number of replicas by hand, or give it back to the scaler with None."""
    if replicas is not None and replicas < 0:
        raise InvalidRequest(f"replicas: {replicas} must be 0 or more")
    body = msgspec.json.encode(ScaleRequest(replicas))
    return Call(
        "POST", _path(key, "/scale"), _reads(FunctionStatus), content=body, content_type=_JSON, expected=(200, 202)
    )


def rollback(key: FunctionKey, to: int | None, canary: Canary | None) -> Call[FunctionStatus]:
    """Let an earlier revision serve again; None for the one before, or to end a rollout under way."""
    if to is not None and to < 1:
        raise InvalidRequest(f"revision: {to} must be 1 or more; revisions are numbered from 1")
    if canary is not None:
        canary.check()
    body = msgspec.json.encode(RollbackRequest(to, canary))
    return Call("POST", _path(key, "/rollback"), _reads(FunctionStatus), content=body, content_type=_JSON)


def promote(key: FunctionKey) -> Call[FunctionStatus]:
    """Let a canary under way take over now."""
    return Call("POST", _path(key, "/promote"), _reads(FunctionStatus))


def list_revisions(key: FunctionKey) -> Call[list[RevisionStatus]]:
    """The function's revisions, oldest first."""
    read = _reads(list[RevisionStatus])
    path = _path(key, "/revisions")
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda revision: revision.number))


def get_build_log(key: FunctionKey) -> Call[str]:
    """What the installation of the function's dependencies printed; empty where there was none."""
    return Call("GET", _path(key, "/build-log"), lambda reply: reply.body.decode("utf-8", "replace"))


def has_bundle(digest: str) -> Call[bool]:
    """Whether the platform holds this bundle already."""
    path = f"/v1/bundles/{parse_bundle_digest(digest)}"
    return Call("HEAD", path, lambda reply: reply.status == 200, expected=(200, 404))


def put_bundle(bundle: Bundle) -> Call[BundleReceipt]:
    """Upload a bundle."""
    path = f"/v1/bundles/{bundle.digest}"
    return Call("PUT", path, _reads(BundleReceipt), content=bundle.data, content_type="application/gzip")


def logs(key: FunctionKey, *, since: str, tail: int, follow: bool, instance: str) -> Call[None]:
    """A function's log as a stream of lines; `LogLines` reads them."""
    query = [("since", since)] if since else []
    query += [("tail", str(tail))] if tail >= 0 else []
    query += [("instance", instance)] if instance else []
    query += [("follow", "true")] if follow else []
    return Call("GET", _path(key, "/logs"), _nothing, query=tuple(query), expected=(200,))


class LogLines:
    """Log lines out of a stream that arrives in pieces.

    Lines end at a newline only: text may hold other characters that end a line elsewhere.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[LogLine]:
        """Yield the lines that are complete with this piece. Raises InternalError for what is none."""
        *whole, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _MAX_LOG_LINE:
            raise InternalError("The log stream has a line of more than 1 MiB, which the API never sends.")
        for line in whole:
            yield from _log_line(line)

    def finish(self) -> Iterator[LogLine]:
        """Yield what is left when the stream has ended."""
        yield from _log_line(self._rest)


def function_path(key: FunctionKey, path: str = "") -> str:
    """Return the path at which a function is called, `path` being the rest below it. Raises InvalidRequest."""
    if any(ord(letter) < 33 or ord(letter) > 126 for letter in path) or "?" in path or "#" in path:
        raise InvalidRequest(f"path: {path[:80]!r} must be percent-encoded, and have no query of its own")
    return f"/function/{key.name}.{key.namespace}" + (f"/{path.removeprefix('/')}" if path else "")


def _path(key: FunctionKey, rest: str = "") -> str:
    return f"/v1/namespaces/{key.namespace}/functions/{key.name}{rest}"


def _canary_query(canary: Canary) -> tuple[tuple[str, str], ...]:
    canary.check()
    return (
        ("canary", str(canary.weight)),
        ("canary_window", canary.window),
        ("canary_errors", str(canary.errors)),
        ("canary_p95", str(canary.p95)),
        ("canary_calls", str(canary.calls)),
        ("canary_promote", str(canary.promote).lower()),
    )


def _reads(kind: type[S]) -> Callable[[Reply], S]:
    return lambda reply: msgspec.json.decode(reply.body, type=kind)


def _log_line(line: bytes) -> Iterator[LogLine]:
    if not line.strip():
        # Blank lines keep a quiet stream alive.
        return
    try:
        yield msgspec.json.decode(line, type=LogLine)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InternalError(f"A line of the log stream cannot be read: {error}.") from error


def _nothing(_: Reply) -> None:
    return None
