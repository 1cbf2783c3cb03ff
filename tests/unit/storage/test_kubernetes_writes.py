"""Writes of functions to a cluster: broken off anywhere, and several at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.direct import Direct
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.cluster.schema import crds
from dayfly.model.errors import NotFound, StoreUnavailable
from dayfly.model.function import Candidate, Function, FunctionSpec, Revision
from dayfly.model.names import parse_function_key
from dayfly.model.rollout import Canary
from dayfly.storage.kubernetes.functions import LEFTOVER_S, KubernetesStore
from dayfly.storage.memory import MemoryStore
from dayfly.storage.port import KEPT_REVISIONS

KEY = parse_function_key("hello.team")
WRITES = "POST|PUT|PATCH|DELETE"


def new_double() -> Double:
    double = Double()
    double.define(crds())
    double.namespaces("team", "dayfly")
    return double


def connect(double: Double, gate: Callable[[], Awaitable[None]] | None = None) -> Connection:
    config = KubeConfig.from_dict(double.kubeconfig()).get()
    assert config is not None
    return Connection(config, transport=Direct(double, gate))


def store_of(double: Double, gate: Callable[[], Awaitable[None]] | None = None) -> KubernetesStore:
    return KubernetesStore(connect(double, gate), "dayfly")


def revision(number: int, timeout: str = "") -> Revision:
    spec = FunctionSpec(name="hello", namespace="team", bundle="sha256:" + f"{number:064x}", timeout=timeout)
    return Revision(number=number, spec=spec, created_unix_ms=number)


def function(number: int = 1, candidate: int = 0, replicas: int | None = None, timeout: str = "") -> Function:
    trial = Candidate(revision=revision(candidate, timeout), canary=Canary(weight=5)) if candidate else None
    return Function(
        key=KEY, revision=revision(number, timeout if not candidate else ""), candidate=trial, created_unix_ms=1,
        replicas=replicas,
    )  # fmt: skip


CASES: dict[str, tuple[Function | None, Function]] = {
    "the first deployment": (None, function(1)),
    "another deployment": (function(1), function(2)),
    "a canary": (function(1), function(1, candidate=2, replicas=None)),
    "a canary that is promoted": (function(1, candidate=2), function(2)),
    "replicas": (function(1), function(1, replicas=3)),
    "a deployment that takes replicas back": (function(1, replicas=3), function(2)),
}


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("case", CASES)
def test_a_write_that_is_broken_off_is_old_or_new_and_what_it_leaves_is_collected(case: str, drop: str) -> None:
    before, after = CASES[case]
    old = [before] if before is not None else []

    async def broken_at(position: int) -> tuple[bool, bool]:
        """Break off at one write; return whether it struck, and whether the new state was then true."""
        double = new_double()
        store, reader = store_of(double), store_of(double)
        if before is not None:
            await store.put(before)
        fault = double.fail(method=WRITES, drop=drop, skip=position)
        try:
            await store.put(after)
        except StoreUnavailable:
            assert fault.hit
        else:
            assert not fault.hit
        double.heal()
        seen = await reader.all()
        assert seen in (old, [after]), "a mixture"
        for each in seen:
            assert await reader.get(KEY) == each
        collector = store_of(double)
        await collector.collect(0.0)
        await collector.collect(LEFTOVER_S)
        assert await reader.all() == seen
        kept = [len(each["status"].get("revisions", {})) for each in double.objects("functions")]
        assert len(double.objects("revisions")) == sum(kept)
        assert len(double.objects("functions")) == len(seen)
        await store.put(after)
        assert await reader.all() == [after]
        return bool(fault.hit), seen == [after]

    async def main() -> None:
        outcomes: list[bool] = []
        while True:
            struck, is_new = await broken_at(len(outcomes))
            if not struck:
                break
            outcomes.append(is_new)
        assert len(outcomes) >= 1
        assert outcomes == sorted(outcomes), "once it is true it stays"
        if drop == "before":
            assert not outcomes[0]

    asyncio.run(main())


def test_what_a_write_under_way_needs_is_not_collected() -> None:
    async def main() -> None:
        double = new_double()
        store, collector = store_of(double), store_of(double)
        await store.put(function(1))
        double.fail(method="PUT", path="/status", drop="before")
        with pytest.raises(StoreUnavailable):
            await store.put(function(2))
        assert len(double.objects("revisions")) == 2
        assert await collector.collect(0.0) == 0
        assert await collector.collect(LEFTOVER_S - 1) == 0
        assert await collector.collect(LEFTOVER_S) == 1
        assert [each["metadata"]["name"] for each in double.objects("revisions")] == ["hello-1"]

    asyncio.run(main())


def test_a_revision_that_was_never_true_is_not_taken_for_one_that_is() -> None:
    async def main() -> None:
        double = new_double()
        store = store_of(double)
        await store.put(function(1))
        double.fail(method="PUT", path="/status", drop="before")
        with pytest.raises(StoreUnavailable):
            await store.put(function(2, timeout="5s"))
        await store.put(function(2, timeout="9s"))
        assert (await store_of(double).get(KEY)).revision.spec.timeout == "9s"

    asyncio.run(main())


class Turns:
    """Lets one of several tasks go on at a time, up to its next request."""

    def __init__(self, count: int) -> None:
        self._waiting: list[asyncio.Future[None] | None] = [None] * count

    def gate(self, at: int) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[at] = future
            await future

        return wait

    async def play(self, works: list[Awaitable[None]], order: list[int], look: Callable[[], Awaitable[None]]) -> None:
        tasks = [asyncio.ensure_future(work) for work in works]
        choices = iter(order)
        while True:
            for _ in range(50):  # until each has come to its next request, or to its end
                await asyncio.sleep(0)
            ready = [at for at, task in enumerate(tasks) if not task.done() and self._waiting[at] is not None]
            if not ready:
                break
            at = ready[next(choices, 0) % len(ready)]
            future, self._waiting[at] = self._waiting[at], None
            assert future is not None
            future.set_result(None)
            await asyncio.sleep(0)
            await look()
        await asyncio.gather(*tasks)


WORKS: list[Callable[[Any], Awaitable[None]]] = [
    lambda store: store.put(function(2, timeout="2s")),
    lambda store: store.put(function(2, timeout="9s", replicas=4)),
    lambda store: store.put(function(1, candidate=2, timeout="7s")),
    lambda store: store.put(function(3)),
    lambda store: store.delete(KEY),
]


@settings(max_examples=40, deadline=None)
@given(
    first=st.sampled_from(range(len(WORKS))), second=st.sampled_from(range(len(WORKS))), begun=st.booleans(),
    order=st.lists(st.integers(0, 1), max_size=14),
)  # fmt: skip
def test_two_who_write_at_once_come_to_what_one_after_the_other_would(
    first: int, second: int, begun: bool, order: list[int]
) -> None:
    async def apply(store: Any, *works: int) -> list[Any]:
        for work in works:
            try:
                await WORKS[work](store)
            except NotFound:
                continue
        return [msgspec.json.encode(each) for each in await store.all()]

    async def main() -> None:
        allowed: list[list[Any]] = []
        for ways in ([], [first], [second], [first, second], [second, first]):
            memory = MemoryStore()
            if begun:
                await memory.put(function(1))
            allowed.append(await apply(memory, *ways))
        double, turns = new_double(), Turns(2)
        reader = store_of(double)
        if begun:
            await store_of(double).put(function(1))

        async def look() -> None:
            assert [msgspec.json.encode(each) for each in await reader.all()] in allowed, "a mixture"

        stores = [store_of(double, turns.gate(at)) for at in range(2)]

        async def one(store: KubernetesStore, work: int) -> None:
            try:
                await WORKS[work](store)
            except NotFound:
                return

        await turns.play([one(stores[0], first), one(stores[1], second)], order, look)
        assert [msgspec.json.encode(each) for each in await reader.all()] in allowed[3:]

    asyncio.run(main())


def test_revisions_that_are_not_kept_any_more_go() -> None:
    async def main() -> None:
        double = new_double()
        store = store_of(double)
        for number in range(1, KEPT_REVISIONS + 3):
            await store.put(function(number))
        assert len(double.objects("revisions")) == KEPT_REVISIONS

    asyncio.run(main())


def test_a_namespace_that_is_not_there_is_told() -> None:
    async def main() -> None:
        double = new_double()
        elsewhere = msgspec.structs.replace(function(), key=parse_function_key("hello.nowhere"))
        with pytest.raises(NotFound, match="no namespace nowhere"):
            await store_of(double).put(elsewhere)

    asyncio.run(main())


def test_a_cluster_that_does_not_know_us_is_told() -> None:
    async def main() -> None:
        with pytest.raises(StoreUnavailable, match="does not know Dayfly's resources"):
            await store_of(Double()).open()

    asyncio.run(main())


def test_a_revision_that_somebody_deleted_is_told() -> None:
    async def main() -> None:
        double = new_double()
        await store_of(double).put(function())
        double.registry.delete(double.resource("revisions"), "team", "hello-1")
        with pytest.raises(StoreUnavailable, match="has lost a revision"):
            await store_of(double).get(KEY)

    asyncio.run(main())
