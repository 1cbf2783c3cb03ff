"""Which namespace a request is about: said by its route, found before its handler runs, and found once.

A handler never looks for a namespace itself. It asks `namespace_of`, which is what the guard judged; so there is no
second reading of a path, a query or a body that could come to another tenant (threat T2). What the places of a request
name must agree. Where none of them names one it is the credential's own namespace, and the default one for a credential
that is good for all: a token of one namespace can mean no other.
"""

from typing import Literal, get_args

import msgspec
from starlette.requests import Request

from dayfly.api.decoding import MAX_JSON_BYTES, decode_json, read_body
from dayfly.model.access import Principal
from dayfly.model.errors import InvalidName, InvalidRequest
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, NamespaceName, parse_function_name, parse_namespace

_NAMESPACE, _PRINCIPAL = "dayfly.namespace", "dayfly.principal"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request may name its namespace. Empty members are not looked at."""

    path: str = ""
    """A parameter of the path that is a namespace."""
    path_name: str = ""
    """A parameter of the path that is `NAME` or `NAME.NAMESPACE`."""
    query: str = ""
    query_name: str = ""
    """The same in the query string."""
    body: str = ""
    body_name: str = ""
    """The same among the members of a JSON body."""
    body_bytes: int = MAX_JSON_BYTES
    """The largest such body."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the path that it looks at."""
        return tuple(filter(None, (self.path, self.path_name)))

    async def named(self, request: Request) -> NamespaceName | None:
        """Return the namespace that the request names, None when it names none.

        Raises InvalidName, also when it names two; InvalidRequest, PayloadTooLarge for a body that cannot be read.
        """
        members = await self._members(request) if self.body or self.body_name else {}
        plain = (
            request.path_params.get(self.path),
            request.query_params.get(self.query) if self.query else None,
            _text(members, self.body),
        )
        names = (
            request.path_params.get(self.path_name),
            request.query_params.get(self.query_name) if self.query_name else None,
            _text(members, self.body_name),
        )
        found = {parse_namespace(text) for text in plain if text}
        found |= {parse_namespace(namespace) for name in names if name and (namespace := _suffix(name))}
        if len(found) > 1:
            raise InvalidName(f"the request names two namespaces at once: {', '.join(sorted(found))}")
        return found.pop() if found else None

    async def _members(self, request: Request) -> dict[str, msgspec.Raw]:
        return decode_json(await read_body(request, self.body_bytes), dict[str, msgspec.Raw])


IN_PATH = Place(path="namespace")
"""As the native API has it: `/v1/namespaces/{namespace}/…`."""
Scope = Place | Literal["open", "visible", "installation"]
"""open: a public route, which is about nobody's. visible: the answer holds what the credential is good for, and nothing
else. installation: about all tenants, so only for credentials that are good for all."""
WORDS = get_args(get_args(Scope)[1])


def note_principal(request: Request, principal: Principal) -> None:
    """Keep who asks with the request."""
    request.scope[_PRINCIPAL] = principal


def note_namespace(request: Request, namespace: NamespaceName) -> None:
    """Keep which namespace was judged with the request."""
    request.scope[_NAMESPACE] = namespace


def principal_of(request: Request) -> Principal:
    """Return who asks; only for routes that are not public."""
    principal: Principal = request.scope[_PRINCIPAL]
    return principal


def namespace_of(request: Request) -> NamespaceName:
    """Return the namespace that the request is about; only for routes whose scope is a Place."""
    namespace: NamespaceName = request.scope[_NAMESPACE]
    return namespace


def function_in(request: Request, name: str) -> FunctionKey:
    """Return the function that a name of the request means: `NAME`, or `NAME.NAMESPACE` as it was judged.

    Raises InvalidName.
    """
    suffix = _suffix(name)
    if suffix and suffix != namespace_of(request):
        # The route does not say that it looks at this name, so that nobody has judged the namespace in it.
        raise InvalidName(f"{name[:80]!r} names a namespace where none can be named")
    return FunctionKey(namespace_of(request), parse_function_name(name.rpartition(".")[0] if "." in name else name))


def noted_namespace(request: Request) -> str:
    """Return the namespace that was judged; empty where the request is about none, for whoever tells of requests."""
    namespace: str = request.scope.get(_NAMESPACE, "")
    return namespace


def own_namespace(principal: Principal) -> NamespaceName:
    """Return the namespace that is meant where none is named."""
    return principal.namespace or DEFAULT_NAMESPACE


def _suffix(name: str) -> str:
    """Return the namespace in `NAME.NAMESPACE`, empty without one. Raises InvalidName for a dot with nothing behind."""
    _, dot, namespace = name.rpartition(".")
    if dot and not namespace:
        raise InvalidName(f"{name[:80]!r} ends with a dot; write NAME or NAME.NAMESPACE")
    return namespace if dot else ""


def _text(members: dict[str, msgspec.Raw], name: str) -> str | None:
    if not name or name not in members:
        return None
    try:
        return msgspec.json.decode(members[name], type=str | None)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"The JSON body is not what this call takes: {error} - at `$.{name}`") from error
