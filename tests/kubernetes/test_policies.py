"""Whether NetworkPolicies hold, on a cluster whose network enforces them: what is open is what docs/kubernetes.md says.

What is tried answers: each address is one at which the pod behind it gets a connection to itself. A plugin may take a
moment to learn of a pod, so what is open is looked at until it is what is said, for as long as all else here is.
"""

import json
import os
from collections.abc import Callable, Iterator, Set

import pytest
from tests.kubernetes.installation import NAMESPACE, Installation, saying, until
from tests.kubernetes.reaching import (
    HANDLER,
    METADATA,
    SPACE,
    Address,
    Addresses,
    all_that_answer,
    api_server,
    opened_by,
    opened_in,
    strangers,
)
from tests.kubernetes.standing import comes_back, is_whole, serves

_ENFORCED, _PUBLIC = "DAYFLY_TEST_POLICIES", "DAYFLY_TEST_PUBLIC"
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get(_ENFORCED),
        reason=f"nobody says that the cluster holds NetworkPolicies: set {_ENFORCED}=1 (docs/kubernetes.md, Testing)",
    ),
]
_BY_PART = {
    "gateway": {"control link", "functions http", "functions agent"},
    "control": {"gateway http", "queue client", "functions http", "functions agent", "api server"},
    "queue": {"queue cluster"},
}
"""What pods of ours may connect to, of each other and of the cluster."""
_BY_FUNCTIONS, _BY_STRANGERS = {"gateway http"}, {"gateway http", "api server"}
_EVERY = {
    "control link", "control health", "gateway http", "gateway console", "gateway metrics",
    "queue client", "queue cluster", "queue monitor", "functions http", "functions agent", "api server",
}  # fmt: skip
_FETCHER = """\
import urllib.request

def handle(event, context):
    with urllib.request.urlopen(event.text, timeout=10) as response:
        return str(response.status)
"""


@pytest.fixture(scope="module")
def stranger(cluster: Installation) -> Iterator[str]:
    """The name of a pod in a namespace that is nobody's; that the cluster enforces any policy at all is seen first."""
    with strangers(cluster) as (asked, address):
        _expect(lambda: opened_in(cluster, SPACE, asked, [address]), {address})
        for selected, direction in (("listens", "Ingress"), ("asked", "Egress")):
            _close(cluster, selected, direction)
            _expect(lambda: opened_in(cluster, SPACE, asked, [address]), set())
            cluster.kubectl("-n", SPACE, "delete", "networkpolicy", "closed")
            _expect(lambda: opened_in(cluster, SPACE, asked, [address]), {address})
        yield asked


@pytest.fixture(scope="module")
def functions(cluster: Installation) -> Iterator[dict[str, str]]:
    """Two functions that try what they are given, one of code and one of an image, and a third that others may try."""
    cluster.deploy("reacher", HANDLER, "--network", "host")
    image = cluster.image("reacherimage", HANDLER, "1")
    cluster.dayfly("deploy", "reacherimage", "--image", image, "--network", "host")
    cluster.deploy("reached", saying("here"))
    cluster.answers("reached", "here")
    names = {"code": "reacher", "image": "reacherimage"}
    for name in names.values():
        until(lambda: cluster.call(name, "[]").text.strip() == "[]", f"{name} does not answer")  # noqa: B023 - now
    yield names
    for name in (*names.values(), "reached"):
        cluster.dayfly("remove", name)


@pytest.fixture(scope="module")
def everything(cluster: Installation, functions: dict[str, str]) -> Addresses:
    """Where the platform, its functions and the API server answer: of every port there is at least one."""
    cluster.install({"queue.nodes": "3"})  # one alone listens for no others
    until(lambda: is_whole(cluster, "queue", 3) and serves(cluster), "it does not come to three servers")
    found = all_that_answer(cluster, "reached", functions["image"]) | api_server(cluster)
    assert set(found.values()) == _EVERY
    return found


def _close(cluster: Installation, selected: str, direction: str) -> None:
    spec = {"podSelector": {"matchLabels": {"name": selected}}, "policyTypes": [direction]}
    meta = {"name": "closed", "namespace": SPACE}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(policy))


def _expect(look: Callable[[], set[Address]], wanted: set[Address]) -> None:
    """Wait until just these are open."""
    seen: list[set[Address]] = []

    def is_so() -> bool:
        seen.append(look())
        return seen[-1] == wanted

    until(
        is_so,
        "not what docs/kubernetes.md, Network, says is open",
        lambda: {"closed": wanted - seen[-1], "open": seen[-1] - wanted},
    )


def _said(everything: Addresses, what: set[str], but: Set[str] = frozenset()) -> set[Address]:
    return {address for address, label in everything.items() if label in what and address.host not in but}


def test_a_cluster_that_enforces_no_policy_would_be_noticed(stranger: str) -> None:
    assert stranger


@pytest.mark.parametrize("part", _BY_PART)
def test_parts_reach_each_other_as_far_as_they_need(cluster: Installation, everything: Addresses, part: str) -> None:
    for pod in cluster.parts(part):
        name, own = pod["metadata"]["name"], {pod["status"]["podIP"]}
        # Gateways and control planes are not tried among themselves: to some plugins (kube-router), what a policy says
        # of either direction goes for both between two pods of that policy.
        alike = {label for label in everything.values() if label.startswith(part) and part != "queue"}
        tried = [each for each, label in everything.items() if each.host not in own and label not in alike]
        wanted = _said(everything, _BY_PART[part], own)
        _expect(lambda: opened_in(cluster, NAMESPACE, name, tried), wanted)  # noqa: B023 - now


@pytest.mark.parametrize("kind", ["code", "image"])
def test_functions_reach_the_gateways_and_nothing_else(
    cluster: Installation, functions: dict[str, str], everything: Addresses, kind: str
) -> None:
    own = {pod["status"]["podIP"] for pod in cluster.pods_of(functions[kind])}
    services = {
        Address(each["spec"]["clusterIP"], each["spec"]["ports"][0]["port"]): f"service {each['metadata']['name']}"
        for each in cluster.objects("services", NAMESPACE)
        if each["spec"]["clusterIP"] != "None"
    }
    named = Address(f"dayfly-gateway.{NAMESPACE}.svc", 80)  # which also asks the DNS
    every = everything | services | {named: "gateway by name", Address(METADATA, 80): "a cloud's credentials"}
    tried = [address for address in every if address.host not in own]
    wanted = _said(every, {*_BY_FUNCTIONS, "service dayfly-gateway", "gateway by name"}, own)
    _expect(lambda: opened_by(cluster, functions[kind], tried), wanted)


def test_strangers_reach_the_gateways_and_nothing_else(
    cluster: Installation, stranger: str, everything: Addresses
) -> None:
    wanted = _said(everything, _BY_STRANGERS)
    _expect(lambda: opened_in(cluster, SPACE, stranger, everything), wanted)


def _fetched(cluster: Installation, name: str, url: str) -> str:
    response = cluster.call(name, url)
    return response.text if response.status_code == 200 else f"{response.status_code} {response.text}"


def test_functions_reach_the_public_internet_where_they_may(cluster: Installation, functions: dict[str, str]) -> None:
    public = os.environ.get(_PUBLIC)
    if not public:
        pytest.skip(f"no address is known that is public and answers: set {_PUBLIC}=ADDRESS:PORT")
    host, _, port = public.rpartition(":")
    address, url = Address(host, int(port)), f"http://{public}/"
    cluster.deploy("fetcher", _FETCHER)
    cluster.deploy("unfetcher", _FETCHER, "--network", "none")
    image = "dayfly-test/reacherimage:1"
    cluster.dayfly("deploy", "kept-in", "--image", image, "--network", "none")
    until(lambda: cluster.call("kept-in", "[]").text.strip() == "[]", "kept-in does not answer")

    seen: list[str] = []

    def fetched() -> bool:
        seen.append(_fetched(cluster, "fetcher", url))
        return seen[-1] == "200"

    def is_as_said(egress: str) -> None:
        cluster.install({"functions.egress": egress})
        comes_back(cluster)
        wanted = {address} if egress == "public" else set()
        for name in functions.values():
            _expect(lambda: opened_by(cluster, name, [address]), wanted)  # noqa: B023 - now
        _expect(lambda: opened_by(cluster, "kept-in", [address]), set())
        until(lambda: fetched() == bool(wanted), f"egress: {egress}", lambda: seen[-1:])
        assert _fetched(cluster, "unfetcher", url) != "200"

    is_as_said("none")
    is_as_said("public")
    for name in ("fetcher", "unfetcher", "kept-in"):
        cluster.dayfly("remove", name)
