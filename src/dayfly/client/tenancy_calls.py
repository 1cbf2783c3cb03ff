"""The API's calls about namespaces and tokens without their transport; see `calls`."""

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.builder import BuilderSecret
from dayfly.model.errors import InvalidName
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.model.namespace import Namespace, NamespaceChange, NamespaceStatus
from dayfly.model.token import IssuedToken, TokenRequest, TokenStatus, parse_token_id


def list_namespaces() -> Call[list[str]]:
    """The names of the namespaces that the credential is good for, sorted."""
    return Call("GET", "/v1/namespaces", reads(list[str]))


def get_namespace(namespace: NamespaceName) -> Call[NamespaceStatus]:
    """One namespace."""
    return Call("GET", _path(namespace), reads(NamespaceStatus))


def create_namespace(name: str, change: NamespaceChange) -> Call[NamespaceStatus]:
    """Make a namespace."""
    return _write("POST", _named(name), change)


def update_namespace(name: str, change: NamespaceChange) -> Call[NamespaceStatus]:
    """Replace what is said of a namespace."""
    return _write("PUT", _named(name), change)


def remove_namespace(name: str, *, force: bool) -> Call[None]:
    """Take a namespace away."""
    query = (("force", "true"),) if force else ()
    return Call("DELETE", _path(_named(name)), nothing, query=query, expected=(204,))


def builder_secret(namespace: NamespaceName) -> Call[BuilderSecret]:
    """What signs sources for a namespace's builder."""
    return Call("GET", f"{_path(namespace)}/builder-secret", reads(BuilderSecret))


def list_tokens(namespace: NamespaceName | None) -> Call[list[TokenStatus]]:
    """A namespace's tokens; with None those of all namespaces, and of the installation."""
    return Call("GET", _tokens(namespace), reads(list[TokenStatus]))


def create_token(namespace: NamespaceName | None, wanted: TokenRequest) -> Call[IssuedToken]:
    """Make a token for a namespace; with None for all of them."""
    wanted.check()
    return Call("POST", _tokens(namespace), reads(IssuedToken), content=msgspec.json.encode(wanted), content_type=JSON)


def revoke_token(token: str, namespace: NamespaceName | None) -> Call[None]:
    """Let a token of a namespace be good for nothing; with None any token."""
    return Call("DELETE", f"{_tokens(namespace)}/{parse_token_id(token)}", nothing, expected=(204,))


def _write(method: str, namespace: NamespaceName, change: NamespaceChange) -> Call[NamespaceStatus]:
    Namespace(name=namespace, **msgspec.structs.asdict(change)).check()
    content = msgspec.json.encode(change)
    return Call(method, _path(namespace), reads(NamespaceStatus), content=content, content_type=JSON)


def _named(name: str) -> NamespaceName:
    if not name:
        raise InvalidName("Which namespace? Its name is empty.")
    return parse_namespace(name)


def _path(namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}"


def _tokens(namespace: NamespaceName | None) -> str:
    return "/v1/tokens" if namespace is None else f"{_path(namespace)}/tokens"
