"""All objects of an installation, in the order in which they are applied: what others need comes first."""

import base64
import functools
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dayfly.providers.kubernetes import pool
from dayfly.server.cluster.install import network, permissions, queue, workloads
from dayfly.server.cluster.install.choices import Node, each, is_not, settled, when
from dayfly.server.cluster.install.pods import INSTANCE, RESTRICTED, labels_of, meta
from dayfly.server.cluster.install.values import Values
from dayfly.server.cluster.names import (
    ADMIN_PASSWORD,
    ADMIN_SECRET,
    ADMIN_USER,
    CA,
    CERT,
    CONTROL,
    GATEWAY,
    INTERNAL_SECRET,
    KEY,
    PASSAGE_TOKEN,
    QUEUE,
    QUEUE_PASSWORD,
    QUEUE_ROUTE_PASSWORD,
    QUEUE_SYSTEM_PASSWORD,
    TOKEN_KEY,
)

KEEP = {"helm.sh/resource-policy": "keep"}
"""Helm leaves these alone when a release ends: what people made lies below them."""
ADMIN = "admin"
_WIDER = {"view": ("view", "edit", "admin"), "edit": ("edit", "admin")}
"""The cluster's own roles, wider with each, that take ours in."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of our Secrets, as the API has them: base64."""

    password: str
    link_token: str
    token_key: str
    queue_password: str
    queue_system_password: str
    queue_route_password: str
    ca: str
    cert: str
    key: str


def objects(values: Values, credentials: Credentials, crds: Sequence[Mapping[str, Node]]) -> list[Node]:
    """Return every object of an installation; `crds` are the definitions of our kinds."""
    nodes = settled([node for group in groups(values, credentials, crds).values() for node in group])
    assert isinstance(nodes, list)
    return nodes


def groups(values: Values, credentials: Credentials, crds: Sequence[Mapping[str, Node]]) -> dict[str, list[Node]]:
    """Return the same by what it is about, with its choices open as far as the values are expressions."""
    kinds = sorted(str(crd["spec"]["names"]["plural"]) for crd in crds)
    names = values.functions.namespaces
    return {
        "kinds": [when(values.crds, _defined(values, crd)) for crd in crds],
        "namespaces": [
            when(values.is_creating, _namespace(values, values.namespace, {})),
            when(values.functions.is_creating, _namespace(values, values.functions.namespace, {})),
            when(values.functions.is_creating, each(names, lambda name: _namespace(values, name, KEEP))),
        ],
        "rights": [*(_account(values, name) for name in (CONTROL, GATEWAY, QUEUE)), *_rights(values, kinds)],
        "credentials": [*_secrets(values, credentials)],
        "network": [*network.policies(values), *network.services(values)],
        "queue": [*queue.queue(values)],
        "platform": [*workloads.deployments(values)],
        "ways-in": [*network.ways_in(values)],
        "functions": [*_for_functions(values)],
    }


def _for_functions(values: Values) -> Iterator[Node]:
    """Yield what belongs into the namespace of functions' pods."""
    namespace = values.functions.namespace
    yield _account(values, pool.NAME, namespace)
    yield permissions.role("Role", meta(values, CONTROL, "control", namespace), permissions.for_pods())
    yield permissions.binding(
        "RoleBinding", meta(values, CONTROL, "control", namespace), "Role", CONTROL, CONTROL, values.namespace
    )
    yield from network.for_functions(values)
    yield workloads.pool(values)


def _rights(values: Values, kinds: Sequence[str]) -> Iterator[Node]:
    ours = meta(values, CONTROL, "control")
    yield permissions.role("Role", ours, permissions.in_our_namespace())
    yield permissions.binding("RoleBinding", ours, "Role", CONTROL, CONTROL, values.namespace)
    name = f"dayfly:{values.namespace}:control"
    meant, is_everywhere = meta(values, name, "control", ""), values.functions.is_everywhere
    yield when(is_everywhere, permissions.role("ClusterRole", meant, permissions.in_the_cluster(kinds)))
    bound = permissions.binding("ClusterRoleBinding", meant, "ClusterRole", name, CONTROL, values.namespace)
    yield when(is_everywhere, bound)
    for make in (_role_with_functions, _binding_with_functions):
        in_each = each(values.functions.namespaces, functools.partial(make, values, kinds))
        yield when(is_not(is_everywhere), in_each)
    for role, rules in permissions.for_people(kinds).items():
        metadata = meta(values, f"dayfly:{values.namespace}:{role}", namespace="")
        joins = {f"rbac.authorization.k8s.io/aggregate-to-{wider}": "true" for wider in _WIDER[role]}
        metadata["labels"] = {**metadata["labels"], **joins}
        yield permissions.role("ClusterRole", metadata, rules)


def _role_with_functions(values: Values, kinds: Sequence[str], namespace: str) -> Node:
    return permissions.role("Role", meta(values, CONTROL, "control", namespace), permissions.with_functions(kinds))


def _binding_with_functions(values: Values, _: Sequence[str], namespace: str) -> Node:
    metadata = meta(values, CONTROL, "control", namespace)
    return permissions.binding("RoleBinding", metadata, "Role", CONTROL, CONTROL, values.namespace)


def _defined(values: Values, crd: Mapping[str, Node]) -> Node:
    metadata = dict(crd["metadata"])
    # Not whose installation it is: all in the cluster share it.
    shared = {name: value for name, value in labels_of(values).items() if name != INSTANCE}
    metadata["labels"] = {**metadata.get("labels", {}), **shared}
    metadata["annotations"] = {**metadata.get("annotations", {}), **KEEP}
    return {**crd, "metadata": metadata}


def _namespace(values: Values, name: str, annotations: Mapping[str, str]) -> Node:
    metadata = meta(values, name, namespace="")
    metadata["labels"] = {**metadata["labels"], **RESTRICTED}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _account(values: Values, name: str, namespace: str | None = None) -> Node:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": meta(values, name, name.removeprefix("dayfly-"), namespace),
        "automountServiceAccountToken": False,
    }


def _secrets(values: Values, credentials: Credentials) -> Iterator[Node]:
    yield _secret(
        values,
        ADMIN_SECRET,
        {ADMIN_USER: base64.b64encode(ADMIN.encode()).decode(), ADMIN_PASSWORD: credentials.password},
    )
    yield _secret(
        values,
        INTERNAL_SECRET,
        {
            PASSAGE_TOKEN: credentials.link_token,
            TOKEN_KEY: credentials.token_key,
            QUEUE_PASSWORD: credentials.queue_password,
            QUEUE_SYSTEM_PASSWORD: credentials.queue_system_password,
            QUEUE_ROUTE_PASSWORD: credentials.queue_route_password,
            CA: credentials.ca,
            CERT: credentials.cert,
            KEY: credentials.key,
        },
    )


def _secret(values: Values, name: str, data: Mapping[str, str]) -> Node:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta(values, name), "type": "Opaque", "data": dict(data)}
