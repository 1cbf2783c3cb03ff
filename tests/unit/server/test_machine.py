"""Whose a process is, and which images are whose."""

import os

import msgspec

from dayfly.model.function import FunctionSpec
from dayfly.model.machine import Container, Surroundings
from dayfly.model.status import FunctionStatus, ReplicaStatus
from dayfly.server.machine import images, named, replicas
from dayfly.server.tree import ProcessStatus, processes_of


def status(name: str, replica: str, **fields: object) -> FunctionStatus:
    spec = msgspec.convert({"name": name, **fields}, FunctionSpec)
    found = ReplicaStatus(id=replica, phase="ready", revision=3, started_unix_ms=5)
    return FunctionStatus(
        spec=spec, revision=3, state="ready", desired_replicas=1, ready_replicas=1, created_unix_ms=1,
        updated_unix_ms=1, url="", replicas=(found,),
    )  # fmt: skip


def process(pid: int, parent: int, role: str = "function") -> ProcessStatus:
    return ProcessStatus(pid, role, 1024, parent, "python3")


def test_a_process_is_its_replicas_with_all_that_it_started() -> None:
    found = [process(1, 0, "supervisor"), process(2, 1, "zygote"), *(process(pid, pid - 1) for pid in (3, 4, 5))]
    told = named(found, {"r1": 4}, [status("hello", "r1", bundle="sha256:" + "a" * 64)])
    assert [(each.pid, each.role, each.function, each.revision) for each in told] == [
        (1, "supervisor", "", 0), (2, "zygote", "", 0), (3, "template", "", 0),
        (4, "function", "hello.openfaas-fn", 3), (5, "function", "hello.openfaas-fn", 3),
    ]  # fmt: skip


def test_images_are_named_with_those_who_use_them_and_replicas_with_their_nodes() -> None:
    both = [status(name, name, runtime="image", image="i:1") for name in ("a", "b")]
    around = Surroundings(
        containers=(Container(id="c", name="c", image="i:1", state="running", replica="a", node="n1"),),
        images={"i:1": 7, "other:2": 8},
    )
    assert [(each.name, each.functions, each.size_bytes) for each in images(both, around)] == [
        ("i:1", ("a.openfaas-fn", "b.openfaas-fn"), 7), ("other:2", (), 8),
    ]  # fmt: skip
    # By the name that people know where functions are pinned to digests; by the digest where a tag has moved on.
    digests = Surroundings(images={"i:2": 7, "sha256:b": 8, "sha256:c": 9}, image_names={"sha256:a": "i:2"})
    pinned = [msgspec.structs.replace(each, pinned_image=f"sha256:{each.spec.name}") for each in both]
    assert [(each.name, each.functions, each.size_bytes) for each in images(pinned, digests)] == [
        ("i:2", ("a.openfaas-fn",), 7), ("sha256:b", ("b.openfaas-fn",), 8),
    ]  # fmt: skip
    assert [(each.id, each.node, each.image) for each in replicas(both, around)] == [
        ("a", "n1", "i:1"),
        ("b", "", "i:1"),
    ]


def test_a_process_is_told_with_what_the_kernel_says_of_it() -> None:
    (mine, *_) = processes_of(os.getpid())
    assert (mine.pid, mine.parent) == (os.getpid(), 0)
    assert mine.cpu_s > 0
    assert mine.started_unix_ms > 1_600_000_000_000
    assert mine.name
