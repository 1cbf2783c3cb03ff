"""Processor time by function: it never falls, and counts nothing twice."""

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from dayfly.control.clock import ManualClock
from dayfly.control.spent import Spent
from dayfly.decide.lifecycle import Lifecycle
from dayfly.model.errors import Unavailable
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import FunctionKey, ReplicaId, new_replica_id, parse_function_key
from dayfly.model.replica import ReplicaStats

ONE, TWO, GONE = parse_function_key("one"), parse_function_key("two"), parse_function_key("gone")
OWNERS = {ReplicaId(name): (key, 1) for name, key in {"a": ONE, "b": ONE, "c": TWO, "d": GONE}.items()}


class Rig:
    """A provider whose figures are set by hand, and the sums made of them."""

    def __init__(self) -> None:
        self.used: dict[str, float] | None = {}
        machines = {key: machine(key) for key in (ONE, TWO, GONE)}
        machines[GONE].removed = True
        self.clock = ManualClock()
        self.spent = Spent(cast("Any", self), OWNERS, machines, self.clock)

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        if self.used is None:
            raise Unavailable("away")
        return {ReplicaId(name): ReplicaStats(cpu_s, 2**29) for name, cpu_s in self.used.items()}

    def look(self, **used: float) -> None:
        self.used = used
        asyncio.run(self.spent.look())


def machine(key: FunctionKey) -> Lifecycle:
    revision = Revision(number=1, spec=FunctionSpec(name=key.name), created_unix_ms=0)
    return Lifecycle(Function(key=key, revision=revision, created_unix_ms=0), new_replica_id)


def test_a_functions_replicas_add_up_also_when_they_are_gone() -> None:
    rig = Rig()
    rig.look(a=1.0, c=5.0)
    rig.look(a=1.5, b=0.25)
    rig.look(b=0.5)
    assert (rig.spent.of(ONE), rig.spent.of(TWO)) == (2.0, 5.0)


def test_memory_counts_for_as_long_as_it_is_held() -> None:
    rig = Rig()
    rig.look(a=0.0, b=0.0)
    rig.clock.advance(4.0)
    rig.look(a=0.0, b=0.0, c=0.0)
    rig.clock.advance(2.0)
    rig.look(b=0.0, c=0.0)
    assert dict(rig.spent.sums()) == {ONE: (0.0, 5.0), TWO: (0.0, 1.0)}


def test_what_was_used_before_it_was_found_is_not_counted() -> None:
    rig = Rig()
    rig.spent.found([ReplicaId("a")])
    rig.look(b=1.0)
    rig.look(a=100.0, b=1.0)
    rig.look(a=101.0, b=1.0)
    assert rig.spent.of(ONE) == 2.0


def test_one_that_is_nobodys_counts_for_nobody_and_one_removed_begins_at_zero() -> None:
    rig = Rig()
    rig.look(a=1.0, unknown=7.0, d=3.0)
    assert rig.spent.of(GONE) == 0.0
    rig.spent.forget(ONE)
    assert rig.spent.of(ONE) == 0.0
    rig.look(a=1.5)
    assert rig.spent.of(ONE) == 0.5


def test_while_the_provider_is_away_nothing_is_known_and_nothing_lost() -> None:
    rig = Rig()
    rig.look(a=1.0)
    rig.used = None
    assert asyncio.run(rig.spent.look()) == {}
    rig.look(a=2.0)
    assert rig.spent.of(ONE) == 2.0


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 100)), max_size=20))
def test_it_never_falls(looks: list[dict[str, int]]) -> None:
    rig, before = Rig(), 0.0
    for look in looks:
        rig.look(**{name: float(used) for name, used in look.items()})
        assert rig.spent.of(ONE) >= before
        before = rig.spent.of(ONE)
