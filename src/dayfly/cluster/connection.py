"""A connection to a cluster's API: objects are read, written and watched, and foreign errors stop here.

The credential comes from a kubeconfig file or, in a pod, from its service account, whose token is read anew when the
API does not take it any more. Nothing is tried twice here: whoever asked knows whether that is safe.
"""

import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx2
import msgspec
from lightkube.config.client_adapter import ConnectionParams
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError as ForeignConfigError

from dayfly.cluster.kinds import MANAGER, Kind, Object, name_of, namespace_of
from dayfly.cluster.refusals import Answer, refusal, unreachable
from dayfly.model.errors import ConfigError

TIMEOUT_S = 10.0
"""How long a request may wait: for a connection, and for each part of the answer."""
PAGE = 500
"""Objects asked for at a time, as kubectl does."""
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
"""As many as it takes: each log that is followed, and each watch, has one for as long as it lasts."""
ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""What has the kernel ask whether the other side is there: a watch of a server that is gone without a word would listen
for minutes, and this finds out in 30 seconds."""
PatchKind = Literal["merge", "json", "strategic", "apply"]
_EXEC_VERSIONS = ("client.authentication.k8s.io/v1alpha1", "client.authentication.k8s.io/v1beta1")
"""Ways in which a credential plugin may be asked that the client knows."""
_PATCHES: dict[PatchKind, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class Listing(msgspec.Struct, frozen=True):
    """Objects as they were at one moment, and that moment's name."""

    items: list[Object]
    version: str


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _Meta
    items: list[Object] = []


_LIST = msgspec.json.Decoder(_List)
_OBJECT = msgspec.json.Decoder(Object)


class Connection:
    """The API at one place with one credential. All methods raise StoreUnavailable when it gives no answer.

    Whatever is refused is raised as `refusals` says. Use it within one event loop, and close it.
    """

    def __init__(
        self, config: SingleConfig, *, namespaces: tuple[str, ...] = (), timeout_s: float = TIMEOUT_S,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:  # fmt: skip
        self.namespaces = namespaces
        """The only ones that it may look into, and so all for it; empty for all there are."""
        self.server = config.cluster.server
        self.namespace = config.namespace
        """The one that the kubeconfig's context names, or the pod's own."""
        self._timeout_s = timeout_s
        # Many may wait for a connection that is free; each request has its time once it has one.
        timeout = httpx2.Timeout(timeout_s, pool=None)
        params = ConnectionParams(timeout=timeout, trust_env=False)
        # It is declared for a client that blocks; ours does not.
        params.transport = cast("httpx2.BaseTransport | None", transport)
        try:
            given = params.httpx_params(config)
            verify = given.pop("verify")
            if transport is None:
                given["transport"] = httpx2.AsyncHTTPTransport(
                    verify=verify, limits=_LIMITS, socket_options=ALIVE, trust_env=False
                )
            self._client = httpx2.AsyncClient(**given)
        except (ForeignConfigError, OSError, ssl.SSLError, ValueError) as error:
            raise ConfigError(f"the cluster's credential cannot be used: {error}") from error

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close. Idempotent."""
        await self._client.aclose()

    async def get(self, kind: Kind, name: str, namespace: str = "", *, sub: str = "") -> Object:
        """Return the object. Raises NotFound."""
        return await self._do("GET", kind.path(namespace, name, sub))

    async def list(self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "") -> Listing:
        """Return the objects of a namespace or, with none named, of all, that match selectors. Raises Expired.

        Where all are several lists, together they are of no one moment, and their version is empty.
        """
        if namespace or not self.namespaces or not kind.is_namespaced:
            return await self._list(kind, namespace, labels, fields)
        lists = [await self._list(kind, each, labels, fields) for each in self.namespaces]
        return Listing([item for each in lists for item in each.items], "" if len(lists) > 1 else lists[0].version)

    async def _list(self, kind: Kind, namespace: str, labels: str, fields: str) -> Listing:
        params = _selecting(labels, fields) | {"limit": str(PAGE)}
        items: list[Object] = []
        while True:
            page = _LIST.decode(await self._ask("GET", kind.path(namespace), params))
            items += page.items
            if not page.metadata.continue_:
                # Items of a built-in kind come without it.
                typed = {"apiVersion": kind.api_version, "kind": kind.name}
                return Listing([{**typed, **item} for item in items], page.metadata.resource_version)
            params["continue"] = page.metadata.continue_

    async def create(self, kind: Kind, obj: Object) -> Object:
        """Create the object and return it as it is kept. Raises AlreadyThere."""
        return await self._do("POST", kind.path(namespace_of(obj)), {"fieldManager": MANAGER}, obj)

    async def replace(self, kind: Kind, obj: Object, *, sub: str = "") -> Object:
        """Replace the object that was read, or its `status` or `scale`. Raises NotFound; Changed if it is another."""
        path = kind.path(namespace_of(obj), name_of(obj), sub)
        return await self._do("PUT", path, {"fieldManager": MANAGER}, obj)

    async def patch(
        self, kind: Kind, name: str, patch: Any, namespace: str = "", *, how: PatchKind = "merge", sub: str = "",
        force: bool = False,
    ) -> Object:  # fmt: skip
        """Change the object and return it; a `resourceVersion` or `uid` in the patch guards it.

        Raises NotFound, and Changed when the object is another or somebody else's field is applied.
        What is applied is created when it is not there; `force` takes fields from others who applied them.
        """
        params = {"fieldManager": MANAGER} | ({"force": "true"} if force else {})
        return await self._do("PATCH", kind.path(namespace, name, sub), params, patch, _PATCHES[how])

    async def delete(
        self, kind: Kind, name: str, namespace: str = "", *, uid: str = "", version: str = "",
        grace_s: int | None = None, orphan: bool = False,
    ) -> None:  # fmt: skip
        """Delete the object; what it owns goes with it unless `orphan`. Raises NotFound, Changed when it is another."""
        guards = {"uid": uid, "resourceVersion": version}
        options: Object = {
            "apiVersion": "v1", "kind": "DeleteOptions",
            "propagationPolicy": "Orphan" if orphan else "Background",
        }  # fmt: skip
        if any(guards.values()):
            options["preconditions"] = {name: value for name, value in guards.items() if value}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        await self._ask("DELETE", kind.path(namespace, name), {}, options)

    async def delete_all(self, kind: Kind, namespace: str, *, labels: str = "", fields: str = "") -> None:
        """Delete the objects of a namespace that match selectors."""
        await self._ask("DELETE", kind.path(namespace), _selecting(labels, fields))

    async def ask(self, path: str) -> Object:
        """Return what is at a path that belongs to no kind, as `/version`. Raises NotFound."""
        return await self._do("GET", path)

    async def lines(
        self, kind: Kind, namespace: str, since: str, *, labels: str = "", fields: str = "", timeout_s: int,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        """Yield the lines of a watch that begins at a version, until the server ends it; see `watch`."""
        params = _selecting(labels, fields) | {
            "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since, "timeoutSeconds": str(timeout_s),
        }  # fmt: skip
        path = kind.path(namespace)
        # A server that is gone without a word must not be waited for longer than it said it would answer.
        timeout = httpx2.Timeout(self._timeout_s, read=timeout_s + self._timeout_s)
        try:
            async with self._client.stream("GET", path, params=params, timeout=timeout) as response:
                if response.status_code != 200:
                    raise refusal(_answer(f"a watch of {path}", response, await response.aread()))
                async for line in response.aiter_lines():
                    if line:
                        yield line.encode()
        except (httpx2.HTTPError, OSError, ForeignConfigError) as error:
            raise unreachable(f"a watch of {path}", self.server, error) from error

    async def stream(self, path: str, params: Mapping[str, str]) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a text, such as a pod's log, as they come, however long that takes. Raises NotFound."""
        try:
            timeout = httpx2.Timeout(self._timeout_s, read=None)
            async with self._client.stream("GET", path, params=dict(params), timeout=timeout) as response:
                if response.status_code != 200:
                    raise refusal(_answer(f"GET {path}", response, await response.aread()))
                rest = b""
                async for data in response.aiter_bytes():
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        yield line
                if rest:
                    yield rest
        except (httpx2.HTTPError, OSError, ForeignConfigError) as error:
            raise unreachable(f"GET {path}", self.server, error) from error

    async def _do(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Any = None,
        kind: str = "application/json",
    ) -> Object:  # fmt: skip
        return _OBJECT.decode(await self._ask(method, path, params, body, kind))

    async def _ask(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: Any = None,
        kind: str = "application/json",
    ) -> bytes:  # fmt: skip
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Accept": "application/json"} | ({} if content is None else {"Content-Type": kind})
        try:
            response = await self._client.request(
                method, path, params=dict(params or {}), content=content, headers=headers
            )
        except (httpx2.HTTPError, OSError, ForeignConfigError) as error:
            raise unreachable(f"{method} {path}", self.server, error) from error
        if response.status_code >= 400:
            raise refusal(_answer(f"{method} {path}", response, response.content))
        return response.content


def from_kubeconfig(path: Path, context: str = "") -> SingleConfig:
    """Return what a kubeconfig file says of a context, the current one when none is named. Raises ConfigError."""
    try:
        found = KubeConfig.from_file(path).get(context or None)
    except Exception as error:  # a file of any content goes through a parser and a client that raise what they like
        raise ConfigError(f"the kubeconfig {path} cannot be used: {error}", hint="name one with KUBECONFIG") from error
    if found is None:
        raise ConfigError(f"the kubeconfig {path} has no current context", hint="kubectl config use-context NAME")
    plugin = found.user.exec if found.user is not None else None
    if plugin is not None and plugin.apiVersion not in _EXEC_VERSIONS:
        raise ConfigError(
            f"the kubeconfig {path} logs in by the program {plugin.command} in the way {plugin.apiVersion}, of which"
            f" Dayfly's own connection knows only {' and '.join(_EXEC_VERSIONS)}",
            hint="what runs kubectl (dayfly install, login, doctor) can use it; else name a kubeconfig with a token, as"
            " `kubectl create token` makes",
        )
    return found


def from_service_account(folder: Path = Path(SERVICE_ACCOUNT)) -> SingleConfig:
    """Return what a pod knows of its cluster. Raises ConfigError outside a pod."""
    try:
        found = KubeConfig.from_service_account(folder).get()
    except (ForeignConfigError, OSError, KeyError) as error:
        raise ConfigError(
            f"this is no pod with a service account's token: {error}",
            hint="name a kubeconfig with KUBECONFIG, or set automountServiceAccountToken in the pod",
        ) from error
    assert found is not None
    return found


def _selecting(labels: str, fields: str) -> dict[str, str]:
    given = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in given.items() if value}


def _answer(what: str, response: httpx2.Response, body: bytes) -> Answer:
    after = response.headers.get("retry-after", "")
    return Answer(what, response.status_code, body, float(after) if after.isdigit() else 0.0)
