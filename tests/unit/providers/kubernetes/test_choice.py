"""Which pod is claimed and which gets whose id: nobody's pod is taken, and no id is given twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.providers.docker.orders import order

from dayfly.model.errors import InvalidSpec
from dayfly.providers.kubernetes import choice, marks
from dayfly.providers.kubernetes.choice import Room
from dayfly.providers.kubernetes.pods import Pod, understand

MIB = 1 << 20


@st.composite
def pods(draw: st.DrawFn) -> list[Pod]:
    found = []
    for number in range(draw(st.integers(0, 8))):
        role, ready = draw(st.sampled_from([marks.POOL, marks.OURS])), draw(st.booleans())
        labels = {marks.ROLE: role}
        if draw(st.booleans()) and role == marks.OURS:
            labels |= {marks.REPLICA: f"r{number}", marks.FUNCTION: "fn", marks.NAMESPACE: "openfaas-fn"}
        state = draw(st.sampled_from([{"running": {}}, {"waiting": {"reason": "x"}}, {"terminated": {"exitCode": 1}}]))
        found.append(
            understand(
                {
                    "metadata": {
                        "name": f"p{number}",
                        "labels": labels,
                        "resourceVersion": str(draw(st.integers(1, 3))),
                        "creationTimestamp": f"2026-01-0{draw(st.integers(1, 5))}T00:00:00Z",
                        "deletionTimestamp": draw(st.sampled_from([None, None, "x"])),
                    },
                    "spec": {"nodeName": draw(st.sampled_from(["a", "b"]))},
                    "status": {
                        "podIP": draw(st.sampled_from(["10.0.0.1", None])),
                        "conditions": [{"type": "Ready", "status": str(ready)}],
                        "containerStatuses": [{"state": state}],
                    },
                }
            )
        )
    return found


@given(pods(), st.dictionaries(st.sampled_from([f"p{n}" for n in range(8)]), st.sampled_from(["1", "2", "3"])))
def test_only_a_free_pod_is_claimed_and_one_is_if_there_is(found: list[Pod], tried: dict[str, str]) -> None:
    free = [
        pod.name
        for pod in found
        if pod.role == marks.POOL and pod.is_ready and pod.container.state.running is not None and pod.status.pod_ip
        and not pod.is_leaving and tried.get(pod.name) != pod.metadata.resource_version
    ]  # fmt: skip
    chosen = choice.to_claim(order(), found, tried)
    assert (chosen.name in free) if chosen is not None else not free
    assert choice.why_none(found)


def test_replicas_of_a_function_are_spread_and_the_oldest_pod_is_taken() -> None:
    def pod(name: str, node: str, day: int, **labels: str) -> Pod:
        meta = {"name": name, "labels": labels, "creationTimestamp": f"2026-01-0{day}T00:00:00Z"}
        ready = {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
                 "containerStatuses": [{"state": {"running": {}}}]}  # fmt: skip
        return understand({"metadata": meta, "spec": {"nodeName": node}, "status": ready})

    pool = {marks.ROLE: marks.POOL}
    wanted = order()
    taken = marks.labels("i", wanted)
    free = [pod("a-old", "a", 1, **pool), pod("b-new", "b", 3, **pool), pod("b-old", "b", 2, **pool)]
    first, second = choice.to_claim(wanted, free, {}), choice.to_claim(wanted, [*free, pod("x", "a", 1, **taken)], {})
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("a-old", "b-old")
    elsewhere = choice.to_claim(wanted, [*free, pod("x", "b", 1, **taken)], {}, {"a"})
    assert elsewhere is not None
    assert elsewhere.name == "b-old", "no agent answered on the other node"
    assert choice.to_claim(wanted, free[:1], {}, {"a"}) is free[0], "it is better than none"


@given(pods(), st.lists(st.sampled_from([f"r{n}" for n in range(12)]), unique=True))
def test_no_id_is_given_twice_and_none_to_a_pod_that_has_one(found: list[Pod], waiting: list[str]) -> None:
    named = choice.to_name(found, waiting)
    assert len(set(named.values())) == len(named)
    have = {pod.replica for pod in found if pod.replica}
    assert not have & set(named.values())
    nameless = {pod.name for pod in found if not pod.replica and not pod.is_leaving}
    assert set(named) <= nameless
    assert len(named) == min(len(nameless), len(set(waiting) - have))


@pytest.mark.parametrize(
    ("changes", "fits"),
    [
        ({}, True),
        ({"memory_bytes": 512 * MIB}, True),
        ({"memory_bytes": 513 * MIB}, False),
        ({"cpu_millicores": 1000}, True),
        ({"cpu_millicores": 1001}, False),
        ({"constraints": ("disk=ssd",)}, False),
    ],
)
def test_who_needs_more_than_the_pool_gives_gets_a_pod_of_its_own(changes: dict[str, object], fits: bool) -> None:
    assert choice.fits(order(**changes), Room(512 * MIB, 1000)) is fits


def test_constraints_select_nodes() -> None:
    assert choice.node_selector(("disk=ssd", "node.labels.zone == a")) == {"disk": "ssd", "zone": "a"}
    for text in ("disk", "=ssd", "disk!=ssd", "a=b=c", "disk="):
        with pytest.raises(InvalidSpec, match="must be LABEL=VALUE"):
            choice.node_selector((text,))
