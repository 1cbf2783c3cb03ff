"""A node dies without a word: its kubelet, its containers and its network are gone at once. Then it comes back.

It takes a second node, and commands that kill one and bring it back: the API server's and the one that the queue's
volumes are on must be another.
"""

import logging
import os
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.kubernetes.callers import Callers, calling
from tests.kubernetes.installation import FUNCTIONS, MORTAL, NAMESPACE, Installation, saying, until
from tests.kubernetes.standing import (
    SLOW,
    accepted,
    all_made,
    comes_back,
    is_whole,
    leading,
    names,
    ready_in_the_pool,
)

pytestmark = pytest.mark.timeout(900)

_KILL, _BACK = "DAYFLY_TEST_NODE_KILL", "DAYFLY_TEST_NODE_BACK"
_log = logging.getLogger(__name__)
_CODE, _IMAGE, _COUNT = "widely", "widely-image", 4


@pytest.fixture
def mortal(cluster: Installation) -> Iterator[str]:
    """The node that may die; it is there again in the end."""
    missing = [name for name in (MORTAL, _KILL, _BACK) if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no node dies: set {', '.join(missing)} (docs/kubernetes.md, Testing)")
    node = os.environ[MORTAL]
    ready = [each["metadata"]["name"] for each in cluster.objects("nodes") if _is_ready(each)]
    if node not in ready or len(ready) < 2:
        pytest.skip(f"no node dies: {node} and another must be ready, and {', '.join(ready) or 'none'} is")
    try:
        yield node
    finally:
        _bring_back(cluster, node)
        cluster.reach()


def _is_ready(obj: Any) -> bool:
    conditions = {each["type"]: each["status"] for each in obj["status"].get("conditions", ())}
    return conditions.get("Ready") == "True"


def _bring_back(cluster: Installation, node: str) -> None:
    cluster.run(*shlex.split(os.environ[_BACK]), node)
    until(lambda: _node_is_ready(cluster, node), "the node does not come back")


def _node_is_ready(cluster: Installation, node: str) -> bool:
    return any(each["metadata"]["name"] == node and _is_ready(each) for each in cluster.objects("nodes"))


class _Clock:
    """Says what came how long after the node's death, for `--log-cli-level=INFO`."""

    def __init__(self) -> None:
        self._began = time.time()

    def tell(self, what: str) -> None:
        """Say that this has come."""
        _log.info("%7.1f s  %s", time.time() - self._began, what)

    def tell_calls(self, who: str, callers: Callers) -> None:
        """Say how calls ended, and which took long."""
        _log.info("%s: %s", who, dict(callers.seen()))
        for call in callers.slow():
            _log.info("%s: %7.1f s took %.1f s: %s", who, call.began - self._began, call.took_s, call.said[:160])


def _nodes_of(pods: list[dict[str, Any]]) -> list[str]:
    return [pod["spec"].get("nodeName", "") for pod in pods]


def _spread(cluster: Installation, component: str, node: str) -> None:
    """Have a part of two pods have one on this node and one elsewhere."""

    def look() -> bool:
        if not is_whole(cluster, component, 2):
            return False
        pods = cluster.parts(component)
        if sorted(where == node for where in _nodes_of(pods)) == [False, True]:
            return True
        cluster.kubectl("-n", NAMESPACE, "delete", "pod", min(names(pods)), "--grace-period=1", "--wait=false")
        return False

    until(look, f"{component} is not spread over the nodes", lambda: _nodes_of(cluster.parts(component)))


def _lead_on(cluster: Installation, node: str) -> None:
    """Have the control plane that works be on this node."""

    def look() -> bool:
        leader = leading(cluster)
        if not leader:
            return False
        where = {pod["metadata"]["name"]: pod["spec"]["nodeName"] for pod in cluster.parts("control")}
        if where.get(leader) == node:
            return True
        if leader in where and node in where.values():
            cluster.kubectl("-n", NAMESPACE, "delete", "pod", leader)
        return False

    until(look, "no control plane works on the node")
    _spread(cluster, "control", node)
    comes_back(cluster)


def _put_on_both(cluster: Installation, name: str, node: str) -> None:
    """Have a function have replicas on this node and elsewhere."""
    cluster.dayfly("scale", name, str(_COUNT))
    cluster.scaled(name, _COUNT)
    where = _nodes_of(cluster.pods_of(name))
    assert node in where, (name, where)
    assert set(where) != {node}, (name, where)


def test_a_node_dies_and_comes_back(cluster: Installation, mortal: str) -> None:
    cluster.install({"control.replicas": "2", "observer.storage": ""})
    for component in ("gateway", "control"):
        _spread(cluster, component, mortal)
    _lead_on(cluster, mortal)
    (safe,) = [pod for pod in cluster.parts("gateway") if pod["spec"]["nodeName"] != mortal]
    cluster.reach(safe["metadata"]["name"])
    comes_back(cluster)
    cluster.deploy("slow", SLOW)
    cluster.call("slow")
    cluster.deploy(_CODE, saying("here"))
    until(lambda: ready_in_the_pool(cluster) >= 2, "the pool is not full")
    cluster.dayfly("deploy", _IMAGE, "--image", cluster.image(_IMAGE, saying("there"), "1"))
    for name in (_CODE, _IMAGE):
        _put_on_both(cluster, name, mortal)
    at = safe["status"]["podIP"] + ":8080"
    with (
        calling(cluster, _CODE, 2, gateway=at, pod="dayfly-test-code") as code,
        calling(cluster, _IMAGE, 2, gateway=at, pod="dayfly-test-image") as image,
        calling(cluster, _CODE, 2, pod="dayfly-test-service") as service,
    ):
        calls = accepted(cluster, 20)
        clock = _Clock()
        cluster.run(*shlex.split(os.environ[_KILL]), mortal)
        clock.tell("the node is dead")
        _recover(cluster, mortal, clock, calls)
        all_callers = {"code": code, "image": image, "service": service}
        before = {}
        for who, callers in all_callers.items():
            callers.go_on()
            before[who] = callers.seen()
            callers.go_on()
        _bring_back(cluster, mortal)
        clock.tell("the node is back")
        _settle(cluster, clock)
        for who, callers in all_callers.items():
            callers.go_on()
            seen = callers.stop()
            clock.tell_calls(who, callers)
            lost = {said for said in seen if not said.startswith("200 ")}
            assert {said: seen[said] for said in lost} == {said: before[who][said] for said in lost}, "calls fail later"


def _recover(cluster: Installation, mortal: str, clock: _Clock, calls: set[str]) -> None:
    """Wait until all is there again without the node."""
    comes_back(cluster)
    clock.tell("the API answers")
    until(lambda: not _node_is_ready(cluster, mortal), "Kubernetes does not notice")
    clock.tell("Kubernetes says that the node is not ready")
    for name in (_CODE, _IMAGE):
        _is_elsewhere(cluster, name, mortal)
        clock.tell(f"{name} has its replicas elsewhere")
    for component in ("gateway", "control"):
        _is_replaced(cluster, component)
        clock.tell(f"{component} is whole")
    until(lambda: ready_in_the_pool(cluster) >= 3, "the pool is not full")
    clock.tell("the pool is full")
    all_made(cluster, calls)
    clock.tell("all calls that were accepted are made")


def _is_elsewhere(cluster: Installation, name: str, mortal: str) -> None:
    """Wait until a function has all of its replicas, and none on the node."""

    def look() -> bool:
        where = _nodes_of(cluster.pods_of(name))
        return len(where) == _COUNT and mortal not in where

    until(look, f"{name} has replicas on the dead node", lambda: _nodes_of(cluster.pods_of(name)))
    cluster.scaled(name, _COUNT)


def _is_replaced(cluster: Installation, component: str) -> None:
    until(lambda: is_whole(cluster, component, 2), f"{component} is not replaced")


def _settle(cluster: Installation, clock: _Clock) -> None:
    """Wait until nothing is left of what was on the node when it died."""

    def leaving() -> set[str]:
        pods = [*cluster.objects("pods", NAMESPACE), *cluster.objects("pods", FUNCTIONS)]
        return names([pod for pod in pods if "deletionTimestamp" in pod["metadata"]])

    until(lambda: not leaving(), "pods of the dead node stay", leaving)
    clock.tell("no pod of before is there any more")
    for name in (_CODE, _IMAGE):
        cluster.scaled(name, _COUNT)
