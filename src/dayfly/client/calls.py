"""The API's calls without their transport: what to send, and how to read what comes back.

Both clients carry these out and add nothing but waiting, so that the API is written down once. A name is checked before
it becomes part of a path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from dayfly.client.bundle import Bundle
from dayfly.client.faults import error_from_reply
from dayfly.model.errors import InternalError, InvalidRequest
from dayfly.model.function import FunctionSpec
from dayfly.model.names import FunctionKey, NamespaceName, parse_bundle_digest, parse_secret_name
from dayfly.model.rollout import Canary
from dayfly.model.secret import KeyRotation, SecretMode, SecretStatus, check_secret
from dayfly.model.status import (
    BundleReceipt,
    FunctionStatus,
    PlatformInfo,
    RevisionStatus,
    RollbackRequest,
    ScaleRequest,
)
from dayfly.model.usage import Usage

T = TypeVar("T")
S = TypeVar("S")
JSON = "application/json"


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
    headers: tuple[tuple[str, str], ...] = ()
    is_function: bool = False
    """Whether somebody else's code gets it, so that the credential stays away."""

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


def reads(kind: type[S]) -> Callable[[Reply], S]:
    """Return the reading of a reply whose body is this as JSON."""
    return lambda reply: msgspec.json.decode(reply.body, type=kind)


def nothing(_: Reply) -> None:
    """Read nothing of a reply."""


def health() -> Call[bool]:
    """Whether the gateway and the control plane behind it answer."""
    return Call("GET", "/healthz", lambda reply: reply.status == 200, expected=(200, 502, 503, 504))


def info() -> Call[PlatformInfo]:
    """The installation."""
    return Call("GET", "/v1/info", reads(PlatformInfo))


def list_functions(namespace: NamespaceName) -> Call[list[FunctionStatus]]:
    """A namespace's functions, sorted by name."""
    read = reads(list[FunctionStatus])
    path = f"/v1/namespaces/{namespace}/functions"
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda status: status.spec.name))


def get_usage(namespace: NamespaceName) -> Call[Usage]:
    """What a namespace's functions do and use."""
    return Call("GET", f"/v1/namespaces/{namespace}/usage", reads(Usage))


def get_function(key: FunctionKey) -> Call[FunctionStatus]:
    """One function."""
    return Call("GET", _path(key), reads(FunctionStatus))


def deploy(spec: FunctionSpec, canary: Canary | None) -> Call[FunctionStatus]:
    """Make the function what the spec says, new or not; with a canary after a trial."""
    spec.check()
    return Call(
        "PUT",
        _path(spec.key),
        reads(FunctionStatus),
        query=_canary_query(canary) if canary is not None else (),
        content=msgspec.json.encode(spec),
        content_type=JSON,
    )


def remove(key: FunctionKey) -> Call[None]:
    """Take the function away."""
    return Call("DELETE", _path(key), nothing, expected=(200, 202, 204))


def scale(key: FunctionKey, replicas: int | None) -> Call[FunctionStatus]:
    """Set the number of replicas by hand, or give it back to the scaler with None."""
    if replicas is not None and replicas < 0:
        raise InvalidRequest(f"replicas: {replicas} must be 0 or more")
    body = msgspec.json.encode(ScaleRequest(replicas))
    return Call(
        "POST", _path(key, "/scale"), reads(FunctionStatus), content=body, content_type=JSON, expected=(200, 202)
    )


def rollback(key: FunctionKey, to: int | None, canary: Canary | None) -> Call[FunctionStatus]:
    """Let an earlier revision serve again; None for the one before, or to end a rollout under way."""
    if to is not None and to < 1:
        raise InvalidRequest(f"revision: {to} must be 1 or more; revisions are numbered from 1")
    if canary is not None:
        canary.check()
    body = msgspec.json.encode(RollbackRequest(to, canary))
    return Call("POST", _path(key, "/rollback"), reads(FunctionStatus), content=body, content_type=JSON)


def promote(key: FunctionKey) -> Call[FunctionStatus]:
    """Let a canary under way take over now."""
    return Call("POST", _path(key, "/promote"), reads(FunctionStatus))


def list_revisions(key: FunctionKey) -> Call[list[RevisionStatus]]:
    """The function's revisions, oldest first."""
    read = reads(list[RevisionStatus])
    path = _path(key, "/revisions")
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda revision: revision.number))


def get_build_log(key: FunctionKey) -> Call[str]:
    """What the installation of the function's dependencies printed; empty where there was none."""
    return Call("GET", _path(key, "/build-log"), lambda reply: reply.body.decode("utf-8", "replace"))


def has_bundle(digest: str, namespace: NamespaceName) -> Call[bool]:
    """Whether the namespace has this bundle already."""
    path = f"/v1/namespaces/{namespace}/bundles/{parse_bundle_digest(digest)}"
    return Call("HEAD", path, lambda reply: reply.status == 200, expected=(200, 404))


def put_bundle(bundle: Bundle, namespace: NamespaceName) -> Call[BundleReceipt]:
    """Upload a bundle."""
    path = f"/v1/namespaces/{namespace}/bundles/{bundle.digest}"
    return Call("PUT", path, reads(BundleReceipt), content=bundle.data, content_type="application/gzip")


def list_secrets(namespace: NamespaceName) -> Call[list[SecretStatus]]:
    """A namespace's secrets, sorted by name."""
    read = reads(list[SecretStatus])
    path = f"/v1/namespaces/{namespace}/secrets"
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda secret: secret.name))


def put_secret(name: str, namespace: NamespaceName, content: bytes, mode: SecretMode) -> Call[SecretStatus]:
    """Write a secret."""
    check_secret(name, content)
    return Call(
        "PUT",
        _secret_path(name, namespace),
        reads(SecretStatus),
        query=(("mode", mode),),
        content=content,
        content_type="application/octet-stream",
    )


def remove_secret(name: str, namespace: NamespaceName, *, force: bool) -> Call[None]:
    """Take a secret away."""
    query = (("force", "true"),) if force else ()
    return Call("DELETE", _secret_path(name, namespace), nothing, query=query, expected=(204,))


def rotate_key() -> Call[KeyRotation]:
    """Encrypt all secrets anew under a new key."""
    return Call("POST", "/v1/secrets/rotate-key", reads(KeyRotation))


def logs(key: FunctionKey, *, since: str, tail: int, follow: bool, instance: str) -> Call[None]:
    """A function's log as a stream of lines; `client.log_lines` reads them."""
    query = [("since", since)] if since else []
    query += [("tail", str(tail))] if tail >= 0 else []
    query += [("instance", instance)] if instance else []
    query += [("follow", "true")] if follow else []
    return Call("GET", _path(key, "/logs"), nothing, query=tuple(query), expected=(200,))


def function_path(key: FunctionKey, path: str = "", *, queued: bool = False) -> str:
    """Return the path at which a function is called, or a call to it queued, `path` being the rest below it.

    Raises InvalidRequest.
    """
    check_path(path)
    return f"/{'async-' if queued else ''}function/{key.name}.{key.namespace}" + (
        f"/{path.removeprefix('/')}" if path else ""
    )


def check_path(path: str) -> None:
    """Refuse a path that a request's line could not carry as it is. Raises InvalidRequest."""
    if any(ord(letter) < 33 or ord(letter) > 126 for letter in path) or "?" in path or "#" in path:
        raise InvalidRequest(f"path: {path[:80]!r} must be percent-encoded, and have no query of its own")


def _path(key: FunctionKey, rest: str = "") -> str:
    return f"/v1/namespaces/{key.namespace}/functions/{key.name}{rest}"


def _secret_path(name: str, namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}/secrets/{parse_secret_name(name)}"


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
