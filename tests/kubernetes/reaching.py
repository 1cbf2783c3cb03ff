"""Who reaches what: addresses of pods and Services by what they are, and attempts to connect to them from inside."""

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.kubernetes.installation import FUNCTIONS, IMAGE, NAMESPACE, Installation, away_from_the_mortal, until

SPACE = "dayfly-test-strangers"
METADATA = "169.254.169.254"
_WAIT_S = 3
CODE = f"""\
import concurrent.futures, json, socket, sys

def is_open(address):
    try:
        with socket.create_connection(tuple(address), timeout={_WAIT_S}):
            return True
    except OSError:
        return False

def opened(addresses):
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [each for each, found in zip(addresses, pool.map(is_open, addresses)) if found]
"""
HANDLER = f"""\
{CODE}
def handle(event, context):
    return opened(json.loads(event.body))
"""
_PROGRAM = f"{CODE}\nprint(json.dumps(opened(json.loads(sys.argv[1]))))"


class Address(NamedTuple):
    """Where somebody listens."""

    host: str
    port: int


Addresses = dict[Address, str]
"""What is at each: a part and the name of its port."""


def addresses_of(pods: Iterable[Any], part: str) -> Addresses:
    """Return where pods of a part listen, as they say themselves."""
    return {
        Address(pod["status"]["podIP"], port["containerPort"]): f"{part} {port['name']}"
        for pod in pods
        for container in pod["spec"]["containers"]
        for port in container.get("ports", ())
    }


def api_server(cluster: Installation) -> Addresses:
    """Return where the API server is: its Service, and what is behind that."""
    (service,) = cluster.objects("services", "default", "-l", "component=apiserver,provider=kubernetes")
    slices = cluster.objects("endpointslices", "default", "-l", "kubernetes.io/service-name=kubernetes")
    found = {Address(service["spec"]["clusterIP"], 443)} | {
        Address(host, port["port"])
        for each in slices
        for port in each["ports"]
        for endpoint in each["endpoints"]
        for host in endpoint["addresses"]
    }
    return dict.fromkeys(found, "api server")


def opened_in(cluster: Installation, namespace: str, pod: str, addresses: Iterable[Address]) -> set[Address]:
    """Return which of these a pod gets a connection to."""
    argv = ("exec", pod, "--", "python3", "-c", _PROGRAM, json.dumps(list(addresses)))
    return {Address(*each) for each in json.loads(cluster.kubectl("-n", namespace, *argv))}


def opened_by(cluster: Installation, function: str, addresses: Iterable[Address]) -> set[Address]:
    """Return which of these a function gets a connection to."""
    response = cluster.call(function, json.dumps(list(addresses)))
    assert response.status_code == 200, response.text
    return {Address(*each) for each in response.json()}


def that_answer(cluster: Installation, namespace: str, pods: Iterable[Any], part: str) -> Addresses:
    """Return where these pods do listen: what each of them gets a connection to at its own address."""
    found: Addresses = {}
    for pod in pods:
        said = addresses_of([pod], part)
        heard = opened_in(cluster, namespace, pod["metadata"]["name"], said)
        found |= {address: said[address] for address in heard}
    return found


def all_that_answer(cluster: Installation, *functions: str) -> Addresses:
    """Return where all of the platform listens, its pool and the pods of these functions."""
    found: Addresses = {}
    for part in ("control", "gateway", "queue"):
        found |= that_answer(cluster, NAMESPACE, cluster.parts(part), part)
    waiting = cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")
    ready = [pod for pod in waiting if pod["status"]["phase"] == "Running"]
    pods = ready + [pod for name in functions for pod in cluster.pods_of(name)]
    return found | that_answer(cluster, FUNCTIONS, pods, "functions")


@contextlib.contextmanager
def strangers(cluster: Installation) -> Iterator[tuple[str, Address]]:
    """Have two pods in a namespace that is nobody's: the name of one to ask, and where the other one listens."""
    cluster.kubectl("create", "namespace", SPACE)
    try:
        _start(cluster, "asked", "import signal; signal.pause()")
        _start(
            cluster,
            "listens",
            "import http.server as h; h.HTTPServer(('', 8000), h.SimpleHTTPRequestHandler).serve_forever()",
        )
        host = cluster.kubectl("-n", SPACE, "get", "pod", "listens", "-o", "jsonpath={.status.podIP}")
        yield "asked", Address(host, 8000)
    finally:
        cluster.kubectl("delete", "namespace", SPACE)


def _start(cluster: Installation, name: str, code: str) -> None:
    container = {"name": "it", "image": IMAGE, "imagePullPolicy": "Never", "command": ["python3", "-c", code]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, **away_from_the_mortal()}
    meta = {"name": name, "namespace": SPACE, "labels": {"name": name}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    until(
        lambda: cluster.tried("kubectl", "-n", SPACE, "get", "serviceaccount", "default").returncode == 0,
        "the namespace gets no service account",
    )
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    cluster.kubectl("-n", SPACE, "wait", f"pod/{name}", "--for=condition=Ready", "--timeout=2m")
