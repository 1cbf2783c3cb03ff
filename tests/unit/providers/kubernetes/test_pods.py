"""What a pod's status means, case by case as kubelets and controllers write them."""

from typing import Any

import pytest

from dayfly.model.machine import Node
from dayfly.providers.kubernetes import marks
from dayfly.providers.kubernetes.metrics import Use, Uses
from dayfly.providers.kubernetes.parts import platform_pod
from dayfly.providers.kubernetes.pods import End, gone, standing, understand
from dayfly.providers.kubernetes.survey import survey

RUNNING = {"running": {"startedAt": "2026-11-29T10:00:00Z"}}
WORD = '{"kind":"end","reason":"timeout","detail":"a call took longer than 5 s"}'


def pod(status: dict[str, Any] | None = None, *, claimed: str = "", **meta: Any) -> Any:
    annotations = {marks.CONTAINER: claimed} if claimed else {}
    whole = {"name": "p", "labels": {marks.ROLE: marks.OURS}, "annotations": annotations} | meta
    return understand({"metadata": whole, "status": status or {}, "spec": {"nodeName": None}})


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    status = {"name": "function", "state": state, "containerID": "c1"} | more
    return {"phase": "Running", "containerStatuses": [status]}


def terminated(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


@pytest.mark.parametrize(
    ("found", "reason", "told"),
    [
        (pod(container(terminated(137, "OOMKilled"))), "oom", "memory limit of 64 MiB"),
        (pod(container(terminated(3))), "crashed", "exit code 3"),
        (pod(container(terminated(134))), "crashed", "exit code 134 (SIGABRT)"),
        (pod(container(terminated(137))), "killed", "SIGKILL"),
        (pod(container(terminated(1, message=WORD))), "timeout", "a call took longer than 5 s"),
        (pod(container(terminated(1, message="rubbish"))), "crashed", "exit code 1"),
        (pod(container(terminated(137, "ContainerStatusUnknown", "it could not be located"))), "lost", "located"),
        (pod(container(terminated(128, "StartError", "exec: no such file"))), "start_failed", "no such file"),
        (pod(container(terminated(0)), deletionTimestamp="x"), "stopped", "exit code 0"),
        (pod({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}), "lost", "Evicted: low on memory"),
        (pod(container({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}})), "start_failed",
         "imagePullSecrets"),
        (pod(container({"waiting": {"reason": "InvalidImageName"}})), "start_failed", "InvalidImageName"),
        (pod(container({"waiting": {"reason": "CrashLoopBackOff"}}, lastState=terminated(2))), "crashed", "code 2"),
        # The container was started again in its place: what was claimed is gone, whatever runs there now.
        (pod(container(RUNNING, containerID="c2", lastState=terminated(1, message=WORD)), claimed="c1"), "timeout",
         "a call took longer"),
        (pod(container(RUNNING, containerID="c2"), claimed="c1"), "lost", "started again in its place"),
        (pod(container(RUNNING, lastState=terminated(9))), "crashed", "exit code 9"),
    ],
)  # fmt: skip
def test_ends(found: Any, reason: str, told: str) -> None:
    ended = standing(found, memory_bytes=64 << 20)
    assert ended.phase == "over"
    assert ended.end is not None
    assert (ended.end.reason, told in ended.end.detail) == (reason, True), ended.end


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(), ""),
        (pod(container({"waiting": {"reason": "ContainerCreating"}})), ""),
        (pod(container({"waiting": {"reason": "ErrImagePull", "message": "timeout"}})), "asked for again. timeout"),
        (pod(container({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}})),
         'secret "x" not found'),
        (pod({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                              "message": "0/3 nodes are available: 3 Insufficient memory."}]}),
         "no node has room for it (Unschedulable): 0/3 nodes are available: 3 Insufficient memory."),
    ],
)  # fmt: skip
def test_waiting_says_what_for(found: Any, why: str) -> None:
    waits = standing(found)
    assert (waits.phase, waits.end) == ("waiting", None)
    assert why in waits.why if why else not waits.why


def test_running() -> None:
    assert standing(pod(container(RUNNING))).phase == "running"
    assert standing(pod(container(RUNNING), claimed="c1")).phase == "running"


@pytest.mark.parametrize(
    ("ready", "containers", "unheard"), [("True", "True", False), ("False", "True", True), ("False", "False", False)]
)
def test_a_pod_of_which_nothing_is_heard_is_not_ready_and_all_else_is_as_before(
    ready: str, containers: str, unheard: bool
) -> None:
    conditions = [{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": containers}]
    assert pod(container(RUNNING) | {"conditions": conditions}).is_unheard is unheard


def test_a_pool_pod_that_was_started_again_only_waits_anew() -> None:
    again = container(RUNNING, containerID="c2", restartCount=1, lastState=terminated(1))
    assert standing(pod(again, labels={marks.ROLE: marks.POOL})).phase == "running"


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("EvictionByEvictionAPI", "its node is being emptied"),
        ("PreemptionByScheduler", "a higher priority"),
        ("DeletionByTaintManager", "its node was lost"),
        ("", "somebody deleted it"),
    ],
)
def test_a_pod_that_went_says_why(reason: str, told: str) -> None:
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": reason}] if reason else []
    ended = gone(pod({"conditions": conditions}))
    assert isinstance(ended, End)
    assert (ended.reason, told in ended.detail) == ("lost", True), ended


def test_pods_are_told_with_what_they_do_and_nodes_with_how_many_they_have() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "f", "image": "i:1"}]}
    labels = {marks.ROLE: marks.OURS, marks.REPLICA: "r1"}
    pods = [
        understand({"metadata": meta, "status": ready, "spec": {"nodeName": node}})
        for meta, node in (
            ({"name": "b", "uid": "2", "labels": labels, "creationTimestamp": "2026-11-29T10:00:00Z"}, "n1"),
            ({"name": "a", "uid": "1", "labels": {marks.ROLE: marks.POOL}}, "n1"),
            ({"name": "c", "uid": "3", "labels": labels, "deletionTimestamp": "x"}, None),
        )
    ]
    room, about = {"cpu": "1930m", "memory": "16384Ki", "pods": "110"}, {"kubeletVersion": "v1.36.2"}
    down = [{"type": "MemoryPressure", "status": "False"}, {"type": "Ready", "status": "Unknown"}]
    found = survey(pods, [
        {"metadata": {"name": "n1"}, "status": {**ready, "allocatable": room, "nodeInfo": about}},
        {"metadata": {"name": "n0"}, "status": {"conditions": down, "allocatable": {"memory": "much"}}},
    ])  # fmt: skip
    assert found.nodes == (
        Node(name="n0", ready=False),
        Node(name="n1", ready=True, cores=1.93, memory_bytes=16 << 20, pods=2, version="v1.36.2"),
    )
    assert survey(pods, []).nodes == (Node(name="n1", pods=2),)
    assert [(one.name, one.state, one.replica, one.image) for one in found.containers] == [
        ("a", "pool", "", "i:1"), ("b", "running", "r1", "i:1"), ("c", "leaving", "r1", "i:1"),
    ]  # fmt: skip
    assert found.containers[1].created_unix_ms == 1_795_946_400_000
    assert {(one.cores_used, one.memory_bytes) for one in found.containers} == {(None, None)}
    busy = Uses({"n1": Use(0.5, 9 << 20)}, {"b": Use(0.25, 5 << 20)}, {"b": Use(9.0, 9)}, ("a note",))
    used = survey(pods, [], (), busy)
    assert used.nodes == (Node(name="n1", pods=2, cores_used=0.5, memory_used_bytes=9 << 20),)
    assert [(one.cores_used, one.memory_bytes) for one in used.containers] == [
        (None, None), (0.25, 5 << 20), (None, None),
    ]  # fmt: skip
    assert used.notes == ("a note",)


@pytest.mark.parametrize(("status", "meta", "state"), [
    ({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}, {}, "running"),
    ({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}, {}, "starting"),
    ({"phase": "Running"}, {"deletionTimestamp": "x"}, "leaving"),
    ({"phase": "Failed"}, {}, "failed"),
    ({}, {}, "starting"),
])  # fmt: skip
def test_a_pod_of_the_platform_is_told_with_what_it_does(
    status: dict[str, Any], meta: dict[str, Any], state: str
) -> None:
    spec = {"containers": [{"image": "i:1"}], "nodeName": "n1"}
    told = platform_pod({"metadata": {"name": "a", "uid": "u", **meta}, "spec": spec, "status": status})
    assert (told.id, told.name, told.image, told.node, told.state) == ("u", "a", "i:1", "n1", state)
    assert survey([], [], (told,)).nodes == (Node(name="n1", pods=1),)


@pytest.mark.parametrize(
    ("address", "place"), [("10.1.2.3", "10.1.2.3:8080"), ("fd00:10:244::1f", "[fd00:10:244::1f]:8080")]
)
def test_where_a_pods_port_is_can_be_told_from_its_address(address: str, place: str) -> None:
    assert pod({"podIP": address}).at(8080) == place
