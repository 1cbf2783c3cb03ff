"""What is lost when something fails, and what is not: pods killed, moved away and exchanged, while calls go on."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.kubernetes.callers import calling
from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, Installation, saying, until
from tests.kubernetes.volumes import CLASS, SIZE

pytestmark = pytest.mark.timeout(600)


def _names(pods: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}


def _kill(cluster: Installation, namespace: str, *names: str) -> None:
    """Have pods be gone, without a word to what runs in them."""
    cluster.kubectl("-n", namespace, "delete", "pod", *names, "--grace-period=0", "--force")


def _evict(cluster: Installation, namespace: str, name: str, *, fails: bool = False) -> str:
    """Ask for a pod to be moved away, as what empties a node does."""
    meta = {"name": name, "namespace": namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    return cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), fails=fails)


def _is_whole(cluster: Installation, component: str, count: int) -> bool:
    pods = cluster.parts(component)
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in pods]
    return [each.get("Ready") for each in conditions] == ["True"] * count


def test_gateways_are_exchanged_and_no_call_fails(cluster: Installation) -> None:
    cluster.answers("rolled", "r2")
    old = _names(cluster.parts("gateway"))
    with calling(cluster, "rolled") as callers:
        cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/dayfly-gateway")
        cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/dayfly-gateway", "--timeout=5m")
        until(lambda: not old & _names(cluster.objects("pods", NAMESPACE)), "the gateways before do not end")
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    assert set(seen) == {"200 r2"}


def test_a_gateway_that_is_killed_takes_along_only_what_it_had_at_hand(cluster: Installation) -> None:
    with calling(cluster, "rolled") as callers:
        _kill(cluster, NAMESPACE, next(iter(_names(cluster.parts("gateway")))))
        until(lambda: _is_whole(cluster, "gateway", 2), "it is not replaced")
        callers.go_on()
        before = callers.seen()
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    others = {said for said in seen if said != "200 r2"}
    assert all(said.startswith("broken: ") for said in others), seen
    assert {said: seen[said] for said in others} == {said: before[said] for said in others}, "calls fail after it"


def test_pods_are_moved_away_one_at_a_time(cluster: Installation) -> None:
    first, second = sorted(_names(cluster.parts("gateway")))
    with calling(cluster, "rolled") as callers:
        _evict(cluster, NAMESPACE, first)
        assert "disruption budget" in _evict(cluster, NAMESPACE, second, fails=True)
        until(lambda: _is_whole(cluster, "gateway", 2) and first not in _names(cluster.parts("gateway")), "no other")
        callers.go_on()
        seen = callers.stop()
    cluster.reach()
    assert set(seen) == {"200 r2"}


def test_a_node_is_emptied_and_its_functions_go_on(cluster: Installation) -> None:
    cluster.dayfly("scale", "rolled", "1")
    cluster.scaled("rolled", 1)
    (pod,) = cluster.pods_of("rolled")
    node = pod["spec"]["nodeName"]
    until(lambda: _ready_in_the_pool(cluster) >= 2, "the pool is not full")
    with calling(cluster, "rolled") as callers:
        cluster.kubectl("cordon", node)
        try:
            _evict(cluster, FUNCTIONS, pod["metadata"]["name"])
            until(
                lambda: (now := _names(cluster.pods_of("rolled"))) and pod["metadata"]["name"] not in now,
                "the pod that was moved away is not replaced",
            )
            callers.go_on()
        finally:
            cluster.kubectl("uncordon", node)
        seen = callers.stop()
    assert set(seen) == {"200 r2"}
    until(lambda: _ready_in_the_pool(cluster) >= 3, "the pool is not filled up again")


def _ready_in_the_pool(cluster: Installation) -> int:
    pods = cluster.objects("pods", FUNCTIONS, "-l", "dayfly.dev/role=pool")
    conditions = [{each["type"]: each["status"] for each in pod["status"].get("conditions", ())} for pod in pods]
    return sum(each.get("Ready") == "True" for each in conditions)


def _leader(cluster: Installation) -> str:
    """Return the name of the control plane that works; empty when there is none."""
    return next(iter(_names(cluster.parts("control", "dayfly.dev/leader=true"))), "")


def _recorded(cluster: Installation) -> list[Any]:
    found: list[Any] = json.loads(cluster.dayfly("calls", "--function", "marked", "-o", "json"))
    return found


def test_another_control_plane_takes_over_and_what_was_recorded_is_lost(cluster: Installation) -> None:
    cluster.deploy("marked", saying("marked"))
    cluster.answers("marked", "marked")
    until(lambda: _recorded(cluster), "the call is not recorded")
    known = {each["id"] for each in _recorded(cluster)}
    leader = _leader(cluster)
    standing_by = _names(cluster.parts("control")) - {leader}
    assert standing_by
    with calling(cluster, "marked") as callers:
        _kill(cluster, NAMESPACE, leader)
        until(lambda: _leader(cluster) in standing_by, "the one that stood by does not take over")
        until(lambda: _serves(cluster), "the API does not come back")
        callers.go_on()
        seen = callers.stop()
    assert set(seen) == {"200 marked"}
    assert not known & {each["id"] for each in _recorded(cluster)}, "docs/kubernetes.md says that they are lost"
    assert "made" in cluster.dayfly("query", "list"), "a saved query is state, and stays"
    cluster.dayfly("audit", "verify")


def _serves(cluster: Installation) -> bool:
    return cluster.http.get(f"{cluster.url}/v1/info", auth=("admin", cluster.password)).status_code == 200


def test_what_is_known_outlives_the_control_plane_on_a_volume(cluster: Installation) -> None:
    volume = {"observer.storage": SIZE, "observer.storageClass": CLASS, "control.replicas": "1"}
    cluster.install(volume)
    until(lambda: _serves(cluster), "the API does not come back")
    before = _leader(cluster)
    until(lambda: cluster.call("marked").text == "marked" and _recorded(cluster), "the call is not recorded")
    known = {each["id"] for each in _recorded(cluster)}
    _kill(cluster, NAMESPACE, before)
    until(lambda: _leader(cluster) not in ("", before), "no other control plane works")
    until(lambda: _serves(cluster), "the API does not come back")
    assert known <= {each["id"] for each in _recorded(cluster)}


_SLOW = "import time\n\ndef handle(event, context):\n    time.sleep(2)\n    return event.body\n"


def _queue(cluster: Installation, count: int) -> set[str]:
    """Have calls be accepted, and return their ids."""

    def one(number: int) -> str:
        response = cluster.http.post(f"{cluster.url}/async-function/slow", content=f"{number}")
        assert response.status_code == 202, response.text
        return str(response.headers["X-Call-Id"])

    with ThreadPoolExecutor(4) as pool:
        return set(pool.map(one, range(count)))


def _state(cluster: Installation, call: str) -> str:
    response = cluster.http.get(f"{cluster.url}/v1/calls/{call}", auth=("admin", cluster.password))
    return str(response.json().get("state", "")) if response.status_code == 200 else ""


def _all_made(cluster: Installation, calls: set[str]) -> None:
    left = set(calls)

    def look() -> bool:
        left.difference_update([call for call in left if _state(cluster, call) == "done"])
        return not left

    until(look, "calls that were accepted are not made", lambda: {call: _state(cluster, call) for call in left})


def test_no_call_that_was_accepted_is_lost_with_the_queue(cluster: Installation) -> None:
    cluster.deploy("slow", _SLOW)
    cluster.call("slow")
    calls = _queue(cluster, 40)
    assert any(_state(cluster, call) != "done" for call in calls), "they were made before anything was lost"
    _kill(cluster, NAMESPACE, "dayfly-queue-0")
    until(lambda: _is_whole(cluster, "queue", 1), "the queue does not come back")
    _all_made(cluster, calls)
    # Functions' code is on the same volume.
    cluster.dayfly("scale", "marked", "0")
    cluster.scaled("marked", 0)
    cluster.answers("marked", "marked")


def test_three_queue_servers_do_without_any_one(cluster: Installation) -> None:
    kept = _queue(cluster, 10)
    cluster.install({"queue.nodes": "3"})
    until(lambda: _serves(cluster), "the API does not come back")
    _all_made(cluster, kept)
    for number in range(3):
        _kill(cluster, NAMESPACE, f"dayfly-queue-{number}")
        until(lambda: _accepts(cluster), "no call is accepted without one of three")
        calls = _queue(cluster, 10)
        _all_made(cluster, calls)
        until(lambda: _is_whole(cluster, "queue", 3), "it does not come back")


def _accepts(cluster: Installation) -> bool:
    return cluster.http.post(f"{cluster.url}/async-function/slow", content="").status_code == 202
