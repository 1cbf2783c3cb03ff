"""One request to the double: who asks, for what, what befalls it, and the answer."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
import yaml
from tests.cluster import access, decoding, patches
from tests.cluster.discovery import discovered, table
from tests.cluster.faults import Seen
from tests.cluster.objects import scale_of
from tests.cluster.resources import MAX_BODY_BYTES, Object, Refused, Resource, fields_match, labels_match
from tests.cluster.watching import disconnected, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cluster.server import Double

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SHOWN_WHEN_DELETED = ("pods", "services", "serviceaccounts", "persistentvolumeclaims", "resourcequotas")
"""Kinds of which the last state is told when an object is gone at once; of others it is only told that it is."""
_REASONS = {429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}


class Made(dict[str, Any]):
    """An object that was created by being applied."""


class Handler:
    """The ASGI application."""

    def __init__(self, double: Double) -> None:
        self._double = double
        self._snapshots: dict[str, tuple[int, list[Object]]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        method, path, query = scope["method"], scope["path"], scope["query_string"].decode()
        body = b""
        while (message := await receive()).get("more_body") or message.get("body"):
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        fault = self._double.fault_for(method, path)
        if self._double.away or (fault is not None and fault.drop == "before"):
            await _drop(send)
            return
        if fault is not None and fault.drop == "never":
            await disconnected(receive)
            return
        try:
            user = self._double.tokens.get(headers.get("authorization", "").removeprefix("Bearer "))
            parsed = _parsed(body, headers.get("content-type", ""))
            self._double.seen.append(Seen(method, path, query, user.name if user else "", parsed))
            if fault is not None and fault.status:
                text = f"the double was told to answer {fault.status}"
                raise Refused(fault.status, _REASONS.get(fault.status, ""), text, retry_after_s=fault.retry_after_s)
            if len(body) > MAX_BODY_BYTES:
                text = f"Request entity too large: limit is {MAX_BODY_BYTES}"
                raise Refused(413, "RequestEntityTooLarge", text)
            params = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
            if user is not None and (passed_on := self._double.beside(path, params)) is not None:
                self._permit(user, _passed_on(path))
                await _pass_on(passed_on, receive, send)
                return
            answer = self._answer(method, path, params, headers, parsed, user)
            if isinstance(answer, tuple):
                await watch(self._double, *answer, params, receive, send)
                return
        except Refused as error:
            await _refuse(send, error)
            return
        if fault is not None and fault.drop == "after":
            await _drop(send)
        else:
            await _send(send, 201 if method == "POST" or isinstance(answer, Made) else 200, answer)

    def _answer(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        headers: dict[str, str],
        body: Any,
        user: access.User | None,
    ) -> Object | tuple[Resource, str]:
        if user is None:
            raise Refused(401, "Unauthorized", "Unauthorized")
        if method == "GET" and (found := discovered(self._double, path)) is not None:
            return found
        group, version, namespace, plural, name, sub = _place(path)
        if plural == "selfsubjectaccessreviews":
            asked = body["spec"]["resourceAttributes"]
            words = ("verb", "group", "resource", "namespace", "name", "subresource")
            deed = access.Deed(*(asked.get(word, "") for word in words))
            return {**body, "status": {"allowed": access.may(self._double.registry, user, deed)}}
        is_watch = method == "GET" and not name and params.get("watch") in ("true", "1")
        verb = "watch" if is_watch else "list" if method == "GET" and not name else _VERBS[method]
        verb = "deletecollection" if method == "DELETE" and not name else verb
        # Who may ask is looked at before whether there is such a kind.
        self._permit(user, access.Deed(verb, group, plural, namespace, name, sub))
        resource = self._double.registry.find(group, version, plural)
        if sub and sub not in resource.subresources:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if headers.get("content-type") == patches.APPLY and not self._is_there(resource, namespace, name):
            self._permit(user, access.Deed("create", group, plural, namespace))
        if is_watch:
            return resource, namespace
        result = self._carry_out(verb, resource, namespace, name, sub, params, headers, body)
        return (
            table(resource, result) if "as=Table" in headers.get("accept", "") and verb in ("get", "list") else result
        )

    def _permit(self, user: access.User, deed: access.Deed) -> None:
        """Note that somebody used a right. Raises Refused where they have none."""
        if not access.may(self._double.registry, user, deed):
            raise deed.refused(user)
        self._double.deeds.setdefault(user.name, set()).add(deed)

    def _is_there(self, resource: Resource, namespace: str, name: str) -> bool:
        try:
            self._double.registry.get(resource, namespace, name)
        except Refused:
            return False
        return True

    def _carry_out(
        self, verb: str, resource: Resource, namespace: str, name: str, sub: str,
        params: dict[str, str], headers: dict[str, str], body: Any,
    ) -> Object:  # fmt: skip
        registry, dry = self._double.registry, params.get("dryRun") == "All"
        if verb in ("create", "update", "patch"):
            decoding.check(resource, verb, sub, body, params.get("fieldValidation", ""))
        manager = params.get("fieldManager") or headers.get("user-agent", "unknown").partition("/")[0]
        match verb:
            case "get":
                found = registry.get(resource, namespace, name)
                return scale_of(resource, found) if sub == "scale" else found
            case "list":
                return self._list(resource, namespace, params)
            case "create":
                return registry.create(resource, namespace, body, manager=manager, dry=dry)
            case "update":
                given = {**body, "metadata": {"name": name, **body.get("metadata", {})}}
                if (other := given["metadata"]["name"]) != name:
                    text = f"the name of the object ({other}) does not match the name on the URL ({name})"
                    raise Refused(400, "BadRequest", text)
                return registry.update(resource, namespace, given, sub, manager=manager, dry=dry)
            case "patch":
                kind = headers.get("content-type", "").partition(";")[0]
                if kind == patches.APPLY and not params.get("fieldManager"):
                    causes = [{"field": "fieldManager", "message": "Required value: is required for apply patch"}]
                    text = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {causes[0]["message"]}'
                    raise Refused(422, "Invalid", text, causes=causes)
                with registry.lock:
                    is_new = kind == patches.APPLY and not self._is_there(resource, namespace, name)
                    after = registry.patch(
                        resource, namespace, name, kind, body, sub,
                        manager=manager, force=params.get("force") == "true", dry=dry,
                    )  # fmt: skip
                return Made(after) if is_new else after
            case "delete":
                options = body or {key: params[key] for key in ("propagationPolicy",) if key in params}
                if "gracePeriodSeconds" in params:
                    options = {**options, "gracePeriodSeconds": int(params["gracePeriodSeconds"])}
                with registry.lock:
                    last = registry.delete(resource, namespace, name, options)
                    if resource.name in _SHOWN_WHEN_DELETED or self._is_there(resource, namespace, name):
                        return last
                return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                        "details": {"name": name, "kind": resource.plural}}  # fmt: skip
        with registry.lock:
            found = self._list(resource, namespace, params | {"limit": ""})
            for each in found["items"]:
                registry.delete(resource, each["metadata"].get("namespace", ""), each["metadata"]["name"], body or {})
        return found

    def _list(self, resource: Resource, namespace: str, params: dict[str, str]) -> Object:
        registry = self._double.registry
        with registry.lock:
            if token := params.get("continue"):
                if token not in self._snapshots:
                    raise Refused(400, "BadRequest", "continue key is not valid: invalid continue token")
                version, items = self._snapshots[token]
                if version < registry.floor:
                    text = "The provided continue parameter is too old to display a consistent list result."
                    raise Refused(410, "Expired", text)
            else:
                version = registry.version
                items = [
                    each for each in registry.all(resource, namespace)
                    if labels_match(params.get("labelSelector", ""), each["metadata"].get("labels") or {})
                    and fields_match(params.get("fieldSelector", ""), each, resource)
                ]  # fmt: skip
        limit = int(params.get("limit") or 0) or len(items)
        page, rest = items[:limit], items[limit:]
        meta: Object = {"resourceVersion": str(version)}
        if rest:
            token = base64.b64encode(f"{version}:{id(rest)}:{len(rest)}".encode()).decode()
            self._snapshots[token] = version, rest
            meta["continue"] = token
            if not params.get("labelSelector") and not params.get("fieldSelector"):
                meta["remainingItemCount"] = len(rest)
        if not resource.custom:
            page = [{key: each[key] for key in each if key not in ("apiVersion", "kind")} for each in page]
        return {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": meta, "items": page}


def _place(path: str) -> tuple[str, str, str, str, str, str]:
    """Return group, version, namespace, plural, name and subresource."""
    parts = path.strip("/").split("/")
    group, parts = ("", parts[1:]) if parts[0] == "api" else (parts[1] if len(parts) > 1 else "", parts[2:])
    version, parts = (parts[0], parts[1:]) if parts else ("", [])
    namespace = ""
    if len(parts) > 2 and parts[0] == "namespaces" and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    plural, name, sub, *more = [*parts, "", "", ""]
    if not plural or any(more):
        raise Refused(404, "NotFound", "the server could not find the requested resource")
    return group, version, namespace, plural, name, sub


def _parsed(body: bytes, kind: str) -> Any:
    try:
        if "yaml" in kind and not body.startswith(b"{"):
            return yaml.safe_load(body)
        return msgspec.json.decode(body) if body else {}
    except (ValueError, yaml.YAMLError) as error:
        raise Refused(400, "BadRequest", f"the body of the request could not be read: {error}") from error


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


def _passed_on(path: str) -> access.Deed:
    """Return which right it takes to be passed on to a kubelet: a pod's log, or whatever a node answers."""
    parts = path.strip("/").split("/")
    if parts[2] == "nodes":
        return access.Deed("get", "", "nodes", "", parts[3], "proxy")
    return access.Deed("get", "", "pods", parts[3], parts[5], "log")


async def _pass_on(pieces: AsyncIterator[bytes], receive: Any, send: Any) -> None:
    """Send what a kubelet answers, until who asked is gone. Raises Refused before the first piece."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        begun = False
        while True:
            following = asyncio.ensure_future(_next(pieces))
            await asyncio.wait([following, gone], return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.wait([following])
                return
            piece = following.result()
            if not begun:
                await send(start)
                begun = True
            if piece is None:
                await send({"type": "http.response.body", "body": b""})
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        gone.cancel()


async def _refuse(send: Any, error: Refused) -> None:
    if not error.text:
        await _send(send, error.code, error.status, error.retry_after_s)
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": error.code, "headers": headers})
    await send({"type": "http.response.body", "body": error.text.encode()})


async def _send(send: Any, status: int, body: Object, retry_after_s: int = 0) -> None:
    data = msgspec.json.encode(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
    if retry_after_s:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def _drop(send: Any) -> None:
    # A server that promised a body and sends none has its connection closed by uvicorn.
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000000")]})
    await asyncio.sleep(0)
