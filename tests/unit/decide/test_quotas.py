"""A namespace's budget, and whether a quota has room for what somebody asks for."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.decide.claims import Claim, caps_refusal, shortage
from dayfly.decide.quotas import PLENTY, Budget, Need
from dayfly.model.function import Candidate, Function, FunctionSpec, Resources, Revision
from dayfly.model.names import FunctionKey, parse_function_key
from dayfly.model.namespace import Quota

SMALL, LARGE = Need(64 << 20, 100), Need(256 << 20, 1000)
ONE, TWO, THREE = (parse_function_key(name) for name in ("one", "two", "three"))


def function(*, replicas: int | None = None, candidate: dict[str, Any] | None = None, **fields: Any) -> Function:
    def revision(number: int, given: dict[str, Any]) -> Revision:
        labels = {f"com.openfaas.scale.{name}": value for name, value in given.pop("scale", {}).items()}
        limits = Resources(memory=given.pop("memory", ""), cpu=given.pop("cpu", ""))
        return Revision(
            number=number, spec=FunctionSpec(name="one", labels=labels, limits=limits, **given), created_unix_ms=1
        )

    return Function(
        key=ONE, revision=revision(1, fields), created_unix_ms=1, replicas=replicas,
        candidate=Candidate(revision=revision(2, candidate)) if candidate is not None else None,
    )  # fmt: skip


def claim(always: int, awake: int = 1, need: Need = SMALL) -> Claim:
    return Claim(always, max(always, awake), need)


def test_what_is_used_leaves_less_room() -> None:
    budget = Budget(Quota(replicas=3, memory="512Mi", cpu="2"))
    assert (budget.room(SMALL), budget.room(LARGE)) == (3, 2)
    budget.take(LARGE)
    assert (budget.room(SMALL), budget.room(LARGE)) == (2, 1)
    budget.take(LARGE)
    assert (budget.room(SMALL), budget.lack(SMALL)) == (
        0,
        "its quota of memory is used up, 512Mi of 512Mi; a replica takes 64Mi",
    )
    budget.give(LARGE)
    budget.take(SMALL)
    budget.take(SMALL)
    assert budget.lack(SMALL) == "its quota of replicas is used up, 3 of 3"
    assert msgspec.to_builtins(budget.usage(7)) == {
        "functions": 7, "replicas": 3, "memory_bytes": 384 << 20, "cpu_millicores": 1200,
    }  # fmt: skip


def test_without_a_quota_there_is_room_for_all() -> None:
    budget = Budget()
    for _ in range(1000):
        budget.take(LARGE)
    assert (budget.room(LARGE), budget.lack(LARGE)) == (PLENTY, "")


def test_a_quota_of_cpu_has_no_room_for_what_has_no_limit() -> None:
    budget = Budget(Quota(cpu="100"))
    assert budget.room(Need(64 << 20, 0)) == 0
    assert "limits.cpu" in budget.lack(Need(64 << 20, 0))


def test_a_lowered_quota_leaves_no_room_and_takes_nothing_away() -> None:
    budget = Budget(Quota(replicas=5))
    for _ in range(5):
        budget.take(SMALL)
    budget.limit(Quota(replicas=2))
    assert budget.room(SMALL) == 0
    assert budget.usage(0).replicas == 5
    for _ in range(4):
        budget.give(SMALL)
    assert budget.room(SMALL) == 1


@pytest.mark.parametrize(
    ("given_function", "always", "awake"),
    [
        (function(), 0, 1),
        (function(scale={"min": "3"}), 0, 3),
        (function(scale={"zero": "false"}), 1, 1),
        (function(scale={"min": "2", "max": "2"}), 2, 2),
        (function(scale={"min": "0", "zero": "false"}), 1, 1),
        (function(replicas=4), 4, 4),
        (function(replicas=0), 0, 1),
        (function(scale={"min": "3", "zero": "false"}, replicas=1), 1, 1),
        (function(candidate={"scale": {"min": "2", "zero": "false"}}), 2, 2),
    ],
)
def test_what_a_function_claims(given_function: Function, always: int, awake: int) -> None:
    found = Claim.of(given_function)
    assert (found.always, found.awake) == (always, awake)


def test_a_replica_takes_what_it_may_use_whether_its_author_said_so_or_not() -> None:
    assert Claim.of(function()).need == Need(512 << 20, 0)
    assert Claim.of(function(memory="1Mi", cpu="1m")).need == Need(64 << 20, 10)
    both = function(memory="64Mi", cpu="2", candidate={"memory": "128Mi", "cpu": "1"})
    assert Claim.of(both).need == Need(128 << 20, 2000)


@pytest.mark.parametrize(
    ("quota", "asked", "text", "remedy"),
    [
        ({"functions": 2}, claim(0), "has 2 functions and may have 2", "functions=3"),
        ({"functions": 0}, claim(0), "has 2 functions and may have 0", "functions=3"),
        ({"replicas": 4}, claim(1), "may use replicas=4; others always take 4 of it, and this function would take 1",
         "replicas=5"),
        ({"replicas": 5}, claim(0, 6), "may use replicas=5, and this function alone would take 6", "replicas=6"),
        ({"memory": "100Mi"}, claim(0, need=LARGE), "may use memory=100Mi, and this function alone would take 256Mi",
         "memory=256Mi"),
        ({"memory": "500Mi"}, claim(1, need=LARGE),
         "may use memory=500Mi; others always take 256Mi of it, and this function would take 256Mi", "memory=512Mi"),
        ({"cpu": "1"}, claim(2, need=LARGE), "may use cpu=1, and this function alone would take 2", "cpu=2400m"),
        ({"cpu": "100"}, claim(0, need=Need(1, 0)), "has a quota of cpu, so that a function needs limits.cpu", ""),
    ],
)  # fmt: skip
def test_what_lacks_is_named_with_what_would_do(quota: dict[str, Any], asked: Claim, text: str, remedy: str) -> None:
    claims = {ONE: claim(3), TWO: claim(1)}
    found = shortage(Quota(**quota), claims, THREE, asked)
    assert found is not None
    assert (found.text, found.remedy) == (text, remedy)
    if remedy:
        raised = Quota(**{**quota, **msgspec.to_builtins(Quota.parse(remedy))})
        assert shortage(raised, claims, THREE, asked) is None


def test_functions_that_rest_may_be_more_than_could_be_awake() -> None:
    claims: dict[FunctionKey, Claim] = {}
    for number in range(50):
        key = parse_function_key(f"f{number}")
        assert shortage(Quota(replicas=2, memory="128Mi"), claims, key, claim(0, 2)) is None
        claims[key] = claim(0, 2)


def test_where_a_quota_is_exceeded_already_a_correction_is_let_pass_and_no_more() -> None:
    claims, quota = {ONE: claim(5), TWO: claim(5, need=LARGE)}, Quota(functions=1, replicas=2, memory="64Mi", cpu="1m")
    assert shortage(quota, claims, ONE, claim(5)) is None
    assert shortage(quota, claims, ONE, claim(3)) is None
    assert shortage(quota, claims, ONE, claim(6)) is not None
    assert shortage(quota, claims, ONE, claim(5, need=LARGE)) is not None
    assert shortage(quota, claims, THREE, claim(0)) is not None


def test_limits_above_what_a_namespace_allows_are_refused() -> None:
    quota = Quota(body="1Mi", log_rate="100k")
    assert caps_refusal(quota, FunctionSpec(name="one", max_body="1Mi", max_log_rate="100k")) == ""
    assert caps_refusal(quota, FunctionSpec(name="one")) == ""
    assert "max_body: 2Mi is more than the 1Mi" in caps_refusal(quota, FunctionSpec(name="one", max_body="2Mi"))
    assert "max_log_rate: 1M" in caps_refusal(quota, FunctionSpec(name="one", max_log_rate="1M"))
    assert caps_refusal(Quota(), FunctionSpec(name="one", max_body="2Gi", max_log_rate="1G")) == ""


NEEDS = st.builds(Need, st.integers(1, 5), st.integers(0, 3))
CLAIMS = st.builds(
    lambda always, more, need: Claim(always, max(1, always + more), need), st.integers(0, 4), st.integers(0, 3), NEEDS
)
QUOTAS = st.builds(
    lambda functions, replicas, memory, cpu: Quota(
        functions=functions, replicas=replicas, memory=str(memory) if memory else "", cpu=f"{cpu}m" if cpu else ""
    ),
    st.none() | st.integers(0, 4), st.none() | st.integers(0, 8), st.integers(0, 20), st.integers(0, 12),
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from([ONE, TWO, THREE]), st.none() | CLAIMS), max_size=20)


@given(QUOTAS, STEPS)
def test_what_is_always_there_never_exceeds_a_quota_whatever_the_order(
    quota: Quota, steps: list[tuple[FunctionKey, Claim | None]]
) -> None:
    claims: dict[FunctionKey, Claim] = {}
    for key, asked in steps:
        if asked is None:
            claims.pop(key, None)
        elif shortage(quota, claims, key, asked) is None:
            claims[key] = asked
        budget = Budget(quota)
        for each in claims.values():
            for _ in range(each.always):
                assert budget.lack(each.need) == ""
                budget.take(each.need)
        assert quota.functions is None or len(claims) <= quota.functions
