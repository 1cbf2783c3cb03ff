"""Installations for the tests: a plain one, one with everything that can be asked for, and one with as little."""

import base64
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from dayfly.server.cluster.install.choices import Node
from dayfly.server.cluster.install.credentials import make_credentials
from dayfly.server.cluster.install.manifests import objects
from dayfly.server.cluster.install.values import Values, decode

SETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "much": {
        "namespace": "faas",
        "image": {
            "reference": "registry.example.com:5000/team/dayfly:1",
            "pullPolicy": "Always",
            "pullSecrets": ["one", "two"],
        },
        "logs": {"format": "json"},
        "settings": [
            {"name": "DAYFLY_OTLP_ENDPOINT", "value": "http://collector.tracing:4318"},
            {"name": "DAYFLY_PRICES", "value": "call=0.0000002,currency=EUR"},
        ],
        "control": {"replicas": 3, "resources": {"cpuLimit": ""}},
        "gateway": {"replicas": 4},
        "queue": {"nodes": 3, "storage": "20Gi", "storageClass": "fast"},
        "pool": {"size": 8},
        "functions": {"namespace": "pods", "namespaces": ["openfaas-fn", "team-a"], "egress": "none"},
        "service": {"type": "LoadBalancer", "port": 443, "annotations": {"example.com/{{ kind }}": 'in\'ner "x" 100%'}},
        "ingress": {
            "enabled": True,
            "host": "faas.example.com",
            "className": "nginx",
            "tlsSecret": "faas-tls",
            "annotations": {"a": "yes"},
        },
        "httpRoute": {"enabled": True, "host": "faas.example.com", "gateway": "edge", "gatewayNamespace": "infra"},
        "tls": {"insecure": True},
        "auth": {"password": 'it\'s "secret": {{ 1 }}\\'},
        "network": {"dnsNamespace": "dns", "metricsNamespaces": ["monitoring", "ops"]},
        "nodeSelector": {"kubernetes.io/arch": "amd64", "disk": "true"},
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "faas", "effect": "NoSchedule"}],
    },
    "encrypted": {"service": {"type": "LoadBalancer"}, "tls": {"secret": "gateway-tls"}},
    "bounded": {"functions": {"everywhere": False, "namespaces": ["openfaas-fn", "team-a"]}},
    "lasting": {"observer": {"storage": "5Gi", "storageClass": "fast"}},
    "little": {
        "createNamespace": False,
        "crds": False,
        "queue": {"persistent": False},
        "gateway": {"replicas": 1},
        "pool": {"size": 0},
        "functions": {"createNamespaces": False},
        "service": {"type": "NodePort"},
        "tls": {"insecure": True},
        "network": {"policies": False},
        "httpRoute": {"enabled": True, "host": "*.example.com", "gateway": "edge"},
    },
}

CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "functions.dayfly.dev"},
    "spec": {
        "group": "dayfly.dev",
        "scope": "Namespaced",
        "names": {"plural": "functions", "kind": "Function"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}


def values(name: str) -> Values:
    """Return one of the sets."""
    return decode(SETS[name])


def made(name: str, crds: list[dict[str, Any]] | None = None) -> list[Node]:
    """Return all objects of one of the sets."""
    wanted = values(name)
    credentials = make_credentials(wanted.namespace, wanted.auth.password, {}, {})
    return objects(wanted, credentials, [CRD] if crds is None else crds)


def find(nodes: list[Node], kind: str, name: str, namespace: str | None = None) -> Node:
    """Return one object."""
    (found,) = (
        node
        for node in nodes
        if (node["kind"], node["metadata"]["name"]) == (kind, name)
        and namespace in (None, node["metadata"].get("namespace"))
    )
    return found


def templates(nodes: list[Node]) -> dict[str, Node]:
    """Return what pods are made by, by whose they are."""
    return {
        f"{node['metadata']['namespace']}/{node['metadata']['name']}": node["spec"]["template"]
        for node in nodes
        if node["kind"] in ("Deployment", "StatefulSet")
    }


def text(encoded: str) -> str:
    """Return what a Secret's value says."""
    return base64.b64decode(encoded).decode()


def shake(ca: str, cert: str, key: str, host: str, folder: Path) -> str:
    """Return the protocol of a connection to a server with this certificate, or why there is none."""
    for name, part in (("cert", cert), ("key", key)):
        (folder / name).write_text(text(part))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert", folder / "key")
    client = ssl.create_default_context(cadata=text(ca))
    ours, theirs = socket.socketpair()

    def answer() -> None:
        try:
            with server.wrap_socket(theirs, server_side=True) as wrapped:
                wrapped.recv(1)
        except OSError:
            theirs.close()

    serving = threading.Thread(target=answer)
    serving.start()
    try:
        with client.wrap_socket(ours, server_hostname=host) as wrapped:
            return str(wrapped.version())
    except ssl.SSLError as error:
        return str(error)
    finally:
        ours.close()
        serving.join(30)
