"""What a changing request is about, for the audit log: what it is called, and what of the desired state to look at.

An action is `NOUN.VERB`, read from the route: `PUT …/triggers/{name}` is `trigger.put`, `POST …/triggers/{name}/pause`
is `trigger.pause`, `POST …/silences` is `silence.create`. OpenFaaS's routes name what they are about in their bodies,
and have the names of our own.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request

from dayfly.api.decoding import MAX_JSON_BYTES, noted_body, read_body
from dayfly.api.routes import Route
from dayfly.api.scope import noted_namespace, principal_of
from dayfly.api.services import Services
from dayfly.decide.audit_chain import differences
from dayfly.model.audit import Change
from dayfly.model.errors import DayflyError
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.query import SavedQuerySpec

_IN_NAMESPACE = "/v1/namespaces/{namespace}"
_VERBS = {"POST": "create", "PUT": "put", "DELETE": "remove"}
_BODY_NAMES = ("service", "functionName", "serviceName", "name")
"""Where OpenFaaS's documents say what they are about."""
_DIALECT = {
    "/system/functions": "function",
    "/system/scale-function/{name}": "function",
    "/system/secrets": "secret",
    "/system/namespace/": "namespace",
    "/system/namespace/{namespace}": "namespace",
    "/system/namespace/{name}": "namespace",
}
_ASKED = {"function.scale", "function.rollback", "flow-run-approval.create"}
"""Actions whose small JSON bodies are told: they say what was wanted, and hold nobody's data."""
_MAX_ASKED, _MAX_NAME, _MAX_TARGET = 4_096, 63, 300
Look = Callable[[Services, NamespaceName, str], Awaitable[Any]]


class Subject(NamedTuple):
    """What a request is about."""

    action: str
    namespace: NamespaceName | str
    target: str
    noun: str

    async def look(self, services: Services) -> Any:
        """Return the desired state of it as plain data; None where there is none, or nothing to be looked at."""
        look = _LOOKS.get(self.noun)
        if look is None:
            return None
        try:
            return msgspec.to_builtins(await look(services, NamespaceName(self.namespace), self.target))
        except DayflyError:
            return None

    def asked(self, request: Request) -> tuple[Change, ...]:
        """Return what the request's body asked for, where that is all there is to tell."""
        body = noted_body(request)
        if self.action not in _ASKED or not body or len(body) > _MAX_ASKED:
            return ()
        try:
            return differences(None, {"asked": msgspec.json.decode(body)})
        except msgspec.DecodeError:
            return ()


def action_of(route: Route) -> str:
    """Return what the route does, as `NOUN.VERB`."""
    if route.path in _DIALECT:
        verb = "scale" if "scale" in route.path else _VERBS[route.method]
        return f"{_DIALECT[route.path]}.{'put' if verb == 'create' else verb}"
    parts = [part for part in route.path.split("/")[1:] if part]
    if parts[:1] in (["v1"], ["system"]):
        parts = parts[1:]
    if parts[:2] == ["namespaces", "{namespace}"] and len(parts) > 2:
        parts = parts[2:]
    words = [part for part in parts if not part.startswith("{")]
    may_end_in_verb = (route.method == "POST" and not words[-1].endswith("s")) or words[-1] == "budget"
    ends_in_verb = len(words) > 1 and not parts[-1].startswith("{") and may_end_in_verb
    verb = words.pop() if ends_in_verb else _VERBS.get(route.method, route.method.lower())
    return f"{'-'.join(map(_one_of, words))}.{verb}"


async def subject_of(route: Route, request: Request) -> Subject:
    """Return what a request is about, which was let in. Raises PayloadTooLarge."""
    namespace = _owner(request) if route.scope == "visible" else noted_namespace(request)
    parameters = dict(request.path_params)
    if namespace or _IN_NAMESPACE in route.path:
        namespace = parameters.pop("namespace", "") or namespace
    target = "/".join(parameters.values())
    noun = _DIALECT.get(route.path, "")
    if noun and not target:
        target = _named(await read_body(request, MAX_JSON_BYTES * 2))
    if noun == "namespace":
        namespace, target = namespace or target, ""
    action = action_of(route)
    if noun == "function":
        target = target.partition(".")[0]
    return Subject(action, namespace[:_MAX_NAME], target[:_MAX_TARGET], noun or action.partition(".")[0])


def _owner(request: Request) -> str:
    """Return whose thing is meant where no path names a namespace; who is good for one means no other's."""
    own = principal_of(request).namespace
    return own or ("" if "query" in request.path_params else request.query_params.get("namespace", ""))


def _one_of(words: str) -> str:
    """Return what one of several is called."""
    return words.removesuffix("ies") + "y" if words.endswith("ies") else words.removesuffix("s")


def _named(body: bytes) -> str:
    try:
        told = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    names = (told.get(name) for name in _BODY_NAMES) if isinstance(told, dict) else ()
    return next((name for name in names if isinstance(name, str) and name), "")


async def _function(services: Services, namespace: NamespaceName, name: str) -> Any:
    revisions = await services.plane.revisions(FunctionKey(namespace, FunctionName(name)))
    standing = {str(each.number): each.role for each in revisions if each.role != "kept"}
    found = {"revisions": standing, "spec": services.plane.newest(FunctionKey(namespace, FunctionName(name))).spec}
    specs = (each.spec for each in services.budgets.all())
    own = {spec.name: spec for spec in specs if (spec.namespace, spec.function) == (namespace, name)}
    return found | ({"budgets": own} if own else {})


async def _trigger(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.triggers.get(namespace, name).spec


async def _route(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.routes.get(namespace, name).spec


async def _budget(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.budgets.get(namespace, name).spec


async def _flow(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.flows.get(namespace, name).spec


async def _namespace(services: Services, namespace: NamespaceName, _name: str) -> Any:
    return services.namespaces.get(namespace)


async def _token(services: Services, namespace: NamespaceName, _name: str) -> Any:
    return {each.id: each for each in services.tokens.listed(namespace or None)}


async def _secret(services: Services, namespace: NamespaceName, name: str) -> Any:
    """Return that it is there, and which version of it: a value that was replaced shows by that alone."""
    known = (each for each in services.secrets.in_namespace(namespace) if each.name == name)
    return next(({"version": each.version} for each in known), None)


async def _host(services: Services, _namespace: NamespaceName, _name: str) -> Any:
    return {f"{each.host} for {each.namespace}": True for each in services.routes.granted()}


async def _alert_rule(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.alerts.rule(namespace, name).rule


async def _alert_receiver(services: Services, namespace: NamespaceName, name: str) -> Any:
    """Return the receiver, and when its secret was given: one that was replaced shows by that it differs alone."""
    status = services.alerts.receiver(namespace, name)
    given = {"secret_given": status.secret_unix_ms} if status.has_secret else {}
    return msgspec.to_builtins(status.receiver) | given


async def _alert_silence(services: Services, namespace: NamespaceName, _name: str) -> Any:
    return {each.id: each for each in services.alerts.silences(namespace or None)}


async def _report(services: Services, namespace: NamespaceName, name: str) -> Any:
    return services.reports.get(namespace, name).report


async def _query(services: Services, namespace: NamespaceName, name: str) -> Any:
    saved = services.saved_queries.get(namespace or None, name)
    return SavedQuerySpec(sql=saved.sql, note=saved.note)


_LOOKS: dict[str, Look] = {
    "function": _function,
    "trigger": _trigger,
    "route": _route,
    "flow": _flow,
    "budget": _budget,
    "namespace": _namespace,
    "token": _token,
    "secret": _secret,
    "host": _host,
    "alert-rule": _alert_rule,
    "alert-receiver": _alert_receiver,
    "alert-silence": _alert_silence,
    "report": _report,
    "query": _query,
}
