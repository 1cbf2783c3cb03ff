"""What is lost when something fails, and what is not: pods killed, moved away and exchanged, while calls go on."""

import json
from typing import Any

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, Installation, saying, until
from tests.kubernetes.standing import (
    SLOW,
    accepted,
    all_made,
    comes_back,
    has_all,
    is_whole,
    leading,
    names,
    ready_in_the_pool,
    state_of,
)
from tests.kubernetes.volumes import CLASS, SIZE

pytestmark = pytest.mark.timeout(600)


def _kill(cluster: Installation, namespace: str, *pods: str) -> None:
    """Have pods be gone, without a word to what runs in them."""
    cluster.kubectl("-n", namespace, "delete", "pod", *pods, "--grace-period=0", "--force")


def _evict(cluster: Installation, namespace: str, name: str, *, fails: bool = False) -> str:
    """Ask for a pod to be moved away, as what empties a node does."""
    meta = {"name": name, "namespace": namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    return cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), fails=fails)


def test_gateways_are_exchanged_and_no_call_fails(cluster: Installation) -> None:
    cluster.answers("rolled", "r2")
    old = names(cluster.parts("gateway"))
    with calling(cluster, "rolled") as callers:
        cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/dayfly-gateway")
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/dayfly-gateway", "--timeout=5m")
        until(lambda: not old & names(cluster.objects("pods", NAMESPACE)), "the gateways before do not end")
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    assert set(seen) == {"200 r2"}


def test_a_gateway_that_is_killed_takes_along_only_what_it_had_at_hand(cluster: Installation) -> None:
    with calling(cluster, "rolled") as callers:
        _kill(cluster, NAMESPACE, next(iter(names(cluster.parts("gateway")))))
        until(lambda: is_whole(cluster, "gateway", 2), "it is not replaced")
        callers.go_on()
        before = callers.seen()
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    others = {said for said in seen if said != "200 r2"}
    assert all(said.startswith("broken: ") for said in others), seen
    assert {said: seen[said] for said in others} == {said: before[said] for said in others}, "calls fail after it"


def test_pods_are_moved_away_one_at_a_time(cluster: Installation) -> None:
    first, second = sorted(names(cluster.parts("gateway")))
    with calling(cluster, "rolled") as callers:
        _evict(cluster, NAMESPACE, first)
        assert "disruption budget" in _evict(cluster, NAMESPACE, second, fails=True)
        until(lambda: is_whole(cluster, "gateway", 2) and first not in names(cluster.parts("gateway")), "no other")
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    assert set(seen) == {"200 r2"}


def test_a_node_is_emptied_and_its_functions_go_on(cluster: Installation) -> None:
    cluster.dayfly("scale", "rolled", "1")
    cluster.scaled("rolled", 1)
    (pod,) = cluster.pods_of("rolled")
    node = pod["spec"]["nodeName"]
    until(lambda: ready_in_the_pool(cluster) >= 2, "the pool is not full")
    with calling(cluster, "rolled") as callers:
        cluster.kubectl("cordon", node)
        try:
            _evict(cluster, FUNCTIONS, pod["metadata"]["name"])
            until(
                lambda: (now := names(cluster.pods_of("rolled"))) and pod["metadata"]["name"] not in now,
                "the pod that was moved away is not replaced",
            )
            callers.go_on()
        finally:
            cluster.kubectl("uncordon", node)
        seen = callers.stop()
    assert set(seen) == {"200 r2"}
    until(lambda: ready_in_the_pool(cluster) >= 3, "the pool is not filled up again")


def _recorded(cluster: Installation) -> list[Any]:
    found: list[Any] = json.loads(cluster.dayfly("calls", "--function", "marked", "-o", "json"))
    return found


def test_another_control_plane_takes_over_and_what_was_recorded_is_lost(cluster: Installation) -> None:
    cluster.deploy("marked", saying("marked"))
    cluster.answers("marked", "marked")
    until(lambda: _recorded(cluster), "the call is not recorded")
    known = {each["id"] for each in _recorded(cluster)}
    head = cluster.dayfly("audit", "verify", "-o", "name").strip()
    assert int(head.partition(":")[0]) > 0
    leader = leading(cluster)
    standing_by = names(cluster.parts("control")) - {leader}
    assert standing_by
    with calling(cluster, "marked") as callers:
        _kill(cluster, NAMESPACE, leader)
        until(lambda: leading(cluster) in standing_by, "the one that stood by does not take over")
        comes_back(cluster)
        callers.go_on()
        seen = callers.stop()
    assert set(seen) == {"200 marked"}
    assert not known & {each["id"] for each in _recorded(cluster)}, "docs/kubernetes.md says that they are lost"
    assert "made" in cluster.dayfly("query", "list"), "a saved query is state, and stays"
    cluster.dayfly("audit", "verify", "--head", head)  # fails where the entries of the one before are not there


def test_what_is_known_outlives_the_control_plane_on_a_volume(cluster: Installation) -> None:
    volume = {"observer.storage": SIZE, "observer.storageClass": CLASS, "control.replicas": "1"}
    cluster.install(volume)
    comes_back(cluster)
    before = leading(cluster)
    until(lambda: cluster.call("marked").text == "marked" and _recorded(cluster), "the call is not recorded")
    known = {each["id"] for each in _recorded(cluster)}
    _kill(cluster, NAMESPACE, before)
    until(lambda: leading(cluster) not in ("", before), "no other control plane works")
    comes_back(cluster)
    assert known <= {each["id"] for each in _recorded(cluster)}


def test_no_call_that_was_accepted_is_lost_with_the_queue(cluster: Installation) -> None:
    cluster.deploy("slow", SLOW)
    cluster.call("slow")
    calls = accepted(cluster, 40)
    assert any(state_of(cluster, call) != "done" for call in calls), "they were made before anything was lost"
    _kill(cluster, NAMESPACE, "dayfly-queue-0")
    until(lambda: is_whole(cluster, "queue", 1), "the queue does not come back")
    all_made(cluster, calls)
    # Functions' code is on the same volume.
    cluster.dayfly("scale", "marked", "0")
    cluster.scaled("marked", 0)
    cluster.answers("marked", "marked")


def test_one_queue_server_becomes_three_and_any_one_can_be_lost(cluster: Installation) -> None:
    cluster.deploy("stays", saying("its code stays"))
    cluster.answers("stays", "its code stays")
    cluster.deploy("slow", SLOW)
    cluster.call("slow")
    head = cluster.dayfly("audit", "verify", "-o", "name").strip()
    kept = accepted(cluster, 40, delay="60s")
    cluster.install({"queue.nodes": "3"})
    comes_back(cluster)
    all_made(cluster, kept)
    cluster.dayfly("audit", "verify", "--head", head)
    cluster.dayfly("scale", "stays", "0")
    cluster.scaled("stays", 0)
    cluster.answers("stays", "its code stays")
    assert "what others alone have is lost" in cluster.refuses({"queue.nodes": "1"})
    for number in range(3):
        # As docs/kubernetes.md says: any one may be lost, once the others have what it has.
        until(lambda: all(has_all(cluster, each) for each in range(3)), "not all have what they are to keep")
        _kill(cluster, NAMESPACE, f"dayfly-queue-{number}")
        until(lambda: _accepts(cluster), "no call is accepted without one of three")
        calls = accepted(cluster, 10)
        all_made(cluster, calls)
        until(lambda: is_whole(cluster, "queue", 3), "it does not come back")


def _accepts(cluster: Installation) -> bool:
    return cluster.http.post(f"{cluster.url}/async-function/slow", content="").status_code == 202
