"""What every secret store does. The store in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.storage.stage import cluster, connect

from dayfly.model.errors import Conflict, DayflyError, LimitExceeded, NotFound, NotSupported
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.model.secret import MAX_NAMESPACE_SECRETS, SecretMode
from dayfly.storage.database import Database
from dayfly.storage.kubernetes.secrets import KubernetesSecrets
from dayfly.storage.secrets.memory import MemorySecrets
from dayfly.storage.secrets.port import SecretStore
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets

Story = Callable[[SecretStore], Awaitable[None]]


class InCluster(KubernetesSecrets):
    """A store with a connection of its own, which it closes."""

    def __init__(self) -> None:
        super().__init__(connect(cluster()), "dayfly")

    async def close(self) -> None:
        await super().close()
        await self._api.close()


Play = Callable[[Story], None]
OURS, OTHERS = DEFAULT_NAMESPACE, NamespaceName("others")


def make_memory(_folder: Path) -> SecretStore:
    return MemorySecrets()


def make_sqlite(folder: Path) -> SecretStore:
    return SqliteSecrets(Database(folder / "data" / "state.db"), KeyPlace(folder / "keys", is_folder=True))


def make_kubernetes(_folder: Path) -> SecretStore:
    return InCluster()


STORES: dict[str, Callable[[Path], SecretStore]] = {
    "memory": make_memory,
    "sqlite": make_sqlite,
    "kubernetes": make_kubernetes,
}
ENCRYPT = {name: make for name, make in STORES.items() if name != "kubernetes"}
"""Those that have a key of their own; in a cluster, the cluster does."""


def run(make: Callable[[Path], SecretStore], folder: Path, story: Story) -> None:
    async def main() -> None:
        store = make(folder)
        await store.open()
        try:
            await story(store)
        finally:
            await store.close()

    asyncio.run(main())


@pytest.fixture(params=sorted(STORES))
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    return lambda story: run(STORES[request.param], tmp_path, story)


def test_a_content_comes_back_byte_for_byte(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        contents = {"text": b"with a newline\n", "bytes": bytes(range(256)), "large": b"x" * (1 << 20)}
        for name, content in contents.items():
            await store.put(OURS, name, content, mode="create", unix_ms=1)
        found = await store.contents(OURS, [*contents, "text", "absent"])
        assert {name: each.data for name, each in found.items()} == contents
        assert await store.contents(OURS, []) == {}

    play(story)


def test_what_is_told_of_secrets_is_no_content(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        await store.put(OTHERS, "b", b"canary", mode="upsert", unix_ms=5)
        first = await store.put(OURS, "b", b"canary", mode="upsert", unix_ms=6)
        await store.put(OURS, "a", b"canary", mode="upsert", unix_ms=7)
        again = await store.put(OURS, "b", b"canary 2", mode="update", unix_ms=8)
        assert (again.created_unix_ms, again.updated_unix_ms) == (6, 8)
        assert again.version > first.version
        told = await store.all()
        assert [(each.namespace, each.name) for each in told] == [(OURS, "a"), (OURS, "b"), (OTHERS, "b")]
        assert told[1] == again
        assert "canary" not in repr([told, await store.contents(OURS, ["a", "b"])])

    play(story)


def test_create_and_update_mean_what_they_say(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        with pytest.raises(NotFound, match="no secret one in the namespace openfaas-fn"):
            await store.put(OURS, "one", b"1", mode="update", unix_ms=1)
        await store.put(OURS, "one", b"1", mode="create", unix_ms=1)
        with pytest.raises(Conflict, match="one exists already"):
            await store.put(OURS, "one", b"2", mode="create", unix_ms=1)
        assert (await store.contents(OURS, ["one"]))["one"].data == b"1"
        assert await store.contents(OTHERS, ["one"]) == {}
        with pytest.raises(NotFound):
            await store.delete(OTHERS, "one")
        await store.delete(OURS, "one")
        with pytest.raises(NotFound):
            await store.delete(OURS, "one")
        assert await store.all() == []

    play(story)


def test_what_is_there_already_changes_nothing(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        first = await store.put(OURS, "one", b"1", mode="create", unix_ms=1)
        assert await store.put(OURS, "one", b"1", mode="upsert", unix_ms=2) == first
        with pytest.raises(Conflict):
            await store.put(OURS, "one", b"1", mode="create", unix_ms=3)
        assert (await store.put(OURS, "one", b"2", mode="update", unix_ms=4)).version > first.version

    play(story)


def test_no_version_is_given_twice_not_even_to_one_that_was_removed(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        versions = []
        for round_ in range(3):
            versions.append((await store.put(OURS, "one", b"1", mode="create", unix_ms=1)).version)
            versions.append((await store.put(OURS, "two", bytes([round_]), mode="upsert", unix_ms=1)).version)
            await store.delete(OURS, "one")
            with suppress(NotSupported):
                await store.rotate_key()
        assert versions == sorted(set(versions))
        assert (await store.contents(OURS, ["two"]))["two"].version == versions[-1]

    play(story)


@pytest.mark.parametrize("make", ENCRYPT.values(), ids=ENCRYPT)
def test_a_change_of_keys_changes_nothing_else(make: Callable[[Path], SecretStore], tmp_path: Path) -> None:
    async def story(store: SecretStore) -> None:
        for namespace in (OURS, OTHERS):
            for name in ("one", "two"):
                await store.put(namespace, name, f"{name} of {namespace}".encode(), mode="create", unix_ms=1)
        before = await store.all(), await store.contents(OURS, ["one", "two"]), await store.contents(OTHERS, ["one"])
        first, second = await store.rotate_key(), await store.rotate_key()
        assert (first.secrets, second.secrets, second.retired, second.left) == (4, 4, (first.key,), ())
        assert (
            await store.all(), await store.contents(OURS, ["one", "two"]), await store.contents(OTHERS, ["one"])
        ) == before  # fmt: skip

    run(make, tmp_path, story)


def test_where_the_cluster_encrypts_it_is_said_how_the_key_is_changed(tmp_path: Path) -> None:
    async def story(store: SecretStore) -> None:
        with pytest.raises(NotSupported) as caught:
            await store.rotate_key()
        assert "EncryptionConfiguration" in caught.value.hint

    run(make_kubernetes, tmp_path, story)


def test_a_namespace_has_so_many_and_no_more(play: Play) -> None:
    async def story(store: SecretStore) -> None:
        for number in range(MAX_NAMESPACE_SECRETS):
            await store.put(OURS, f"s{number}", b"x", mode="create", unix_ms=1)
        with pytest.raises(LimitExceeded, match=f"has {MAX_NAMESPACE_SECRETS} secrets"):
            await store.put(OURS, "one-more", b"x", mode="upsert", unix_ms=1)
        await store.put(OURS, "s0", b"y", mode="upsert", unix_ms=1)
        await store.put(OTHERS, "one-more", b"x", mode="upsert", unix_ms=1)

    play(story)


NAMES, SPACES = st.sampled_from(["a", "b", "c.d_e-f"]), st.sampled_from([OURS, OTHERS])
MODES: st.SearchStrategy[SecretMode] = st.sampled_from(["create", "update", "upsert"])
Step = tuple[str, NamespaceName, str, bytes, SecretMode]
WRITES = [
    st.tuples(st.just("put"), SPACES, NAMES, st.binary(min_size=1, max_size=40), MODES),
    st.tuples(st.just("delete"), SPACES, NAMES, st.just(b""), st.just("upsert")),
]
ROTATION = st.tuples(st.just("rotate"), SPACES, NAMES, st.just(b""), st.just("upsert"))


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.one_of(*WRITES, ROTATION), max_size=20))
def test_every_store_that_encrypts_does_what_the_one_in_memory_does(steps: list[Step]) -> None:
    _compare(steps, ENCRYPT)


@settings(max_examples=10, deadline=None)
@given(steps=st.lists(st.one_of(*WRITES), max_size=20))
def test_the_one_in_a_cluster_does_what_the_one_in_memory_does(steps: list[Step]) -> None:
    _compare(steps, {"memory": make_memory, "kubernetes": make_kubernetes})


def _compare(steps: list[Step], stores: dict[str, Callable[[Path], SecretStore]]) -> None:
    async def told(store: SecretStore) -> list[object]:
        said: list[object] = []
        for at, (what, namespace, name, content, mode) in enumerate(steps):
            try:
                if what == "put":
                    said.append(await store.put(namespace, name, content, mode=mode, unix_ms=at))
                elif what == "delete":
                    await store.delete(namespace, name)
                else:
                    said.append((await store.rotate_key()).secrets)
            except DayflyError as error:
                said.append((error.code, error.message))
        said.append(await store.all())
        for namespace in (OURS, OTHERS):
            found = await store.contents(namespace, ["a", "b", "c.d_e-f"])
            said.append({key: (each.version, each.data) for key, each in found.items()})
        return said

    answers: list[list[object]] = []

    async def story(store: SecretStore) -> None:
        answers.append(await told(store))

    with tempfile.TemporaryDirectory() as folder:
        for make in stores.values():
            run(make, Path(folder), story)
    assert all(answer == answers[0] for answer in answers)
