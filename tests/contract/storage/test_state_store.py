"""What every state store does. The store in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.storage.stage import cluster, connect

from dayfly.model.errors import DayflyError, NotFound
from dayfly.model.function import Candidate, Function, FunctionSpec, Resources, Revision
from dayfly.model.names import FunctionKey, NamespaceName, parse_function_key
from dayfly.model.rollout import Canary, Outcome
from dayfly.storage.kubernetes.functions import KubernetesStore
from dayfly.storage.memory import MemoryStore
from dayfly.storage.port import KEPT_REVISIONS, StateStore
from dayfly.storage.sqlite import SqliteStore

Story = Callable[[StateStore], Awaitable[None]]


class InCluster(KubernetesStore):
    """A store with a connection of its own, which it closes."""

    def __init__(self) -> None:
        super().__init__(connect(cluster()), "dayfly")

    async def close(self) -> None:
        await super().close()
        await self._api.close()


Play = Callable[[Story], None]
HELLO = parse_function_key("hello")


def make_memory(_folder: Path) -> StateStore:
    return MemoryStore()


def make_sqlite(folder: Path) -> StateStore:
    return SqliteStore(folder / "state.db")


def make_kubernetes(_folder: Path) -> StateStore:
    return InCluster()


STORES: dict[str, Callable[[Path], StateStore]] = {
    "memory": make_memory,
    "sqlite": make_sqlite,
    "kubernetes": make_kubernetes,
}


@pytest.fixture(params=sorted(STORES))
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    def run(story: Story) -> None:
        async def main() -> None:
            store = STORES[request.param](tmp_path)
            await store.open()
            try:
                await story(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run


def function(key: FunctionKey = HELLO, number: int = 1, *, replicas: int | None = None, **fields: Any) -> Function:
    spec = FunctionSpec(name=key.name, namespace=key.namespace, **({"bundle": "sha256:" + "a" * 64} | fields))
    revision = Revision(number=number, spec=spec, created_unix_ms=1_700_000_000_000 + number)
    return Function(key=key, revision=revision, created_unix_ms=1_700_000_000_000, replicas=replicas)


FULL = function(
    replicas=3,
    env={"KEY": "wert Ω \n"},
    labels={"com.openfaas.scale.min": "2"},
    annotations={"topic": "t"},
    secrets=("one", "two"),
    constraints=("a=b",),
    limits=Resources(memory="64Mi"),
    requests=Resources(cpu="100m"),
    timeout="5s",
    max_inflight=4,
    concurrency="threads",
    dialect="asgi",
    handler="app:app",
    process="x",
    read_only_root_filesystem=True,
)


def test_what_was_put_comes_back_whole(play: Play) -> None:
    async def story(store: StateStore) -> None:
        for given_function in (FULL, function(number=2), function(number=2, replicas=0)):
            await store.put(given_function)
            assert await store.get(HELLO) == given_function

    play(story)


def test_a_rollout_under_way_and_the_end_of_the_last_one_come_back_whole(play: Play) -> None:
    async def story(store: StateStore) -> None:
        trial = Canary(weight=10, window="1m", errors=0.5, p95=2, calls=10, promote=False)
        outcome = Outcome(revision=2, verdict="returned", reason="8 % of its calls failed", ended_unix_ms=7)
        for canary in (trial, None):
            candidate = Candidate(revision=function(number=3, timeout="9s").revision, canary=canary)
            rolling = msgspec.structs.replace(function(number=1), candidate=candidate, outcome=outcome)
            await store.put(rolling)
            assert await store.get(HELLO) == rolling
            assert rolling.newest.number == 3
        assert [revision.number for revision in await store.revisions(HELLO)] == [3, 1]
        await store.put(function(number=3))
        assert (await store.get(HELLO)).candidate is None
        assert (await store.get(HELLO)).revision.spec.timeout == "9s", "a revision never changes"

    play(story)


def test_the_revision_that_serves_is_kept_however_many_candidates_came_after_it(play: Play) -> None:
    async def story(store: StateStore) -> None:
        for number in range(2, KEPT_REVISIONS + 5):
            candidate = Candidate(revision=function(number=number).revision)
            await store.put(msgspec.structs.replace(function(number=1), candidate=candidate))
        numbers = [revision.number for revision in await store.revisions(HELLO)]
        assert numbers[-1] == 1
        assert len(numbers) == KEPT_REVISIONS + 1

    play(story)


def test_which_revisions_have_served_is_known(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.put(function(number=1))
        for number in (2, 3):
            candidate = Candidate(revision=function(number=number).revision)
            await store.put(msgspec.structs.replace(function(number=1), candidate=candidate))
        assert await store.served(HELLO) == {1}
        await store.put(function(number=3))
        assert await store.served(HELLO) == {1, 3}
        await store.put(function(number=1))
        assert await store.served(HELLO) == {1, 3}
        await store.delete(HELLO)
        with pytest.raises(NotFound):
            await store.served(HELLO)

    play(story)


def test_nothing_is_there_at_first(play: Play) -> None:
    async def story(store: StateStore) -> None:
        assert await store.all() == []
        assert await store.totals() == {}
        for ask in (store.get(HELLO), store.revisions(HELLO), store.delete(HELLO)):
            with pytest.raises(NotFound, match="no function hello in the namespace openfaas-fn"):
                await ask

    play(story)


def test_functions_are_ordered_and_namespaces_apart(play: Play) -> None:
    async def story(store: StateStore) -> None:
        keys = [parse_function_key(text) for text in ("b.zoo", "a.zoo", "c.ant", "a.ant", "a")]
        for key in keys:
            await store.put(function(key))
        assert [item.key for item in await store.all()] == sorted(keys)
        assert [item.key.name for item in await store.in_namespace(NamespaceName("zoo"))] == ["a", "b"]
        assert await store.in_namespace(NamespaceName("nowhere")) == []
        await store.delete(parse_function_key("a.ant"))
        assert [item.key.name for item in await store.in_namespace(NamespaceName("ant"))] == ["c"]
        assert (await store.get(parse_function_key("a.zoo"))).key.namespace == "zoo"

    play(story)


def test_revisions_are_kept_newest_first_and_never_change(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.put(function(number=1))
        await store.put(function(number=2, timeout="2s"))
        await store.put(function(number=2, timeout="9s", replicas=5))
        assert [revision.number for revision in await store.revisions(HELLO)] == [2, 1]
        present = await store.get(HELLO)
        assert (present.revision.spec.timeout, present.replicas) == ("2s", 5)

    play(story)


def test_only_so_many_revisions_are_kept(play: Play) -> None:
    async def story(store: StateStore) -> None:
        for number in range(1, KEPT_REVISIONS + 6):
            await store.put(function(number=number))
        numbers = [revision.number for revision in await store.revisions(HELLO)]
        assert numbers == list(range(KEPT_REVISIONS + 5, 5, -1))

    play(story)


def test_a_deleted_function_leaves_no_history(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.put(function(number=1))
        await store.put(function(number=2))
        await store.delete(HELLO)
        with pytest.raises(NotFound):
            await store.revisions(HELLO)
        await store.put(function(number=1, timeout="7s"))
        assert [revision.spec.timeout for revision in await store.revisions(HELLO)] == ["7s"]

    play(story)


def test_the_bundles_of_all_revisions_kept_are_known(play: Play) -> None:
    def bundle(number: int) -> str:
        return f"sha256:{number:064x}"

    async def story(store: StateStore) -> None:
        assert await store.bundles() == set()
        for number in range(1, KEPT_REVISIONS + 3):
            await store.put(function(number=number, bundle=bundle(number)))
        await store.put(function(parse_function_key("other"), 1, bundle=bundle(99)))
        await store.put(function(parse_function_key("more.elsewhere"), 1, bundle=bundle(99)))
        assert await store.bundles() == {bundle(number) for number in (*range(3, KEPT_REVISIONS + 3), 99)}
        await store.delete(HELLO)
        assert await store.bundles() == {bundle(99)}

    play(story)


def test_totals_are_kept_beside_each_other(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.save_totals({"a.x": 1, "b.x": 2, "a.x@gw0@boot": 1})
        await store.save_totals({"b.x": 3}, gone=["a.x@gw0@boot", "unknown"])
        assert await store.totals() == {"a.x": 1, "b.x": 3}

    play(story)


def test_a_pin_lives_with_its_revision(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.put(function(number=1))
        assert await store.pinned(HELLO, 1) == ""
        await store.pin(HELLO, 1, "web:1 web@sha256:a")
        await store.pin(HELLO, 2, "nothing to hold it")
        await store.put(function(number=2))
        assert [await store.pinned(HELLO, number) for number in (1, 2, 3)] == ["web:1 web@sha256:a", "", ""]
        await store.put(function(number=1))
        assert await store.pinned(HELLO, 1) == "web:1 web@sha256:a"
        await store.delete(HELLO)
        await store.put(function(number=1))
        assert await store.pinned(HELLO, 1) == ""

    play(story)


def test_many_at_once_each_get_their_own_answer(play: Play) -> None:
    async def story(store: StateStore) -> None:
        keys = [parse_function_key(f"f{number}") for number in range(200)]
        puts = [store.put(function(key)) for key in keys]
        deletes = [store.delete(parse_function_key(f"missing{number}")) for number in range(20)]
        answers = await asyncio.gather(*puts, *deletes, return_exceptions=True)
        assert answers[:200] == [None] * 200
        assert all(isinstance(answer, NotFound) for answer in answers[200:])
        assert len(await store.all()) == 200

    play(story)


def test_opening_twice_and_closing_twice_do_no_harm(play: Play) -> None:
    async def story(store: StateStore) -> None:
        await store.put(function())
        await store.open()
        assert len(await store.all()) == 1
        await store.close()
        await store.close()

    play(story)


KEYS = st.sampled_from([parse_function_key(text) for text in ("a", "b", "a.other")])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), KEYS, st.integers(1, 4), st.one_of(st.none(), st.integers(0, 9))),
        st.tuples(st.just("delete"), KEYS, st.just(0), st.none()),
        st.tuples(st.just("totals"), KEYS, st.integers(0, 9), st.none()),
    ),
    max_size=25,
)


Step = tuple[str, FunctionKey, int, int | None]


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_the_one_on_a_disk_equals_the_one_in_memory(steps: list[Step]) -> None:
    _compare(steps, make_memory, make_sqlite)


@settings(max_examples=10, deadline=None)
@given(steps=STEPS)
def test_the_one_in_a_cluster_equals_the_one_in_memory(steps: list[Step]) -> None:
    _compare(steps, make_memory, make_kubernetes)


def _compare(steps: list[Step], *makers: Callable[[Path], StateStore]) -> None:
    async def main(folder: Path) -> None:
        stores = [make(folder) for make in makers]
        for store in stores:
            await store.open()
        try:
            for step in steps:
                seen = [await _see(store, step) for store in stores]
                assert all(sight == seen[0] for sight in seen), step
        finally:
            for store in stores:
                await store.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


async def _see(store: StateStore, step: Step) -> list[Any]:
    what, key, number, replicas = step
    try:
        if what == "put":
            await store.put(function(key, number, replicas=replicas, timeout=f"{number}s"))
        elif what == "delete":
            await store.delete(key)
        else:
            await store.save_totals({str(key): number})
        history: Any = await store.revisions(key)
    except DayflyError as error:
        history = (type(error), str(error))
    return [msgspec.to_builtins(await store.all()), history, await store.totals()]
