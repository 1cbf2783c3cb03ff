"""The API's calls about routes and the hosts that they may have, without their transport; see `calls`."""

from urllib.parse import quote

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.names import NamespaceName, parse_route_name
from dayfly.model.route import ANY_HOST, GrantRequest, HostGrant, RouteMode, RouteSpec, RouteStatus, parse_host


def list_routes(namespace: NamespaceName) -> Call[list[RouteStatus]]:
    """A namespace's routes, sorted by name."""
    read = reads(list[RouteStatus])
    path = f"/v1/namespaces/{namespace}/routes"
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda route: route.spec.name))


def get_route(name: str, namespace: NamespaceName) -> Call[RouteStatus]:
    """One route."""
    return Call("GET", _path(name, namespace), reads(RouteStatus))


def put_route(spec: RouteSpec, mode: RouteMode) -> Call[RouteStatus]:
    """Create or replace a route."""
    spec.check()
    path = _path(spec.name, NamespaceName(spec.namespace))
    content = msgspec.json.encode(spec)
    return Call("PUT", path, reads(RouteStatus), query=(("mode", mode),), content=content, content_type=JSON)


def remove_route(name: str, namespace: NamespaceName) -> Call[None]:
    """Take a route away."""
    return Call("DELETE", _path(name, namespace), nothing, expected=(204,))


def list_hosts() -> Call[list[HostGrant]]:
    """The hosts that were granted, as far as the credential may know."""
    return Call("GET", "/v1/hosts", reads(list[HostGrant]))


def grant_host(host: str, namespace: NamespaceName) -> Call[HostGrant]:
    """Let a namespace have a host in its routes."""
    content = msgspec.json.encode(GrantRequest(namespace=namespace))
    return Call("PUT", _host_path(host), reads(HostGrant), content=content, content_type=JSON)


def revoke_host(host: str, namespace: NamespaceName) -> Call[None]:
    """Take a granted host back."""
    return Call("DELETE", _host_path(host), nothing, query=(("namespace", namespace),), expected=(204,))


def _path(name: str, namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}/routes/{parse_route_name(name)}"


def _host_path(host: str) -> str:
    return "/v1/hosts/" + quote("*" if host in ("*", ANY_HOST) else parse_host(host), safe="")
