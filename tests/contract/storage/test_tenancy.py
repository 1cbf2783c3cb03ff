"""What every tenancy store does. The one in memory says it by example; every other one must equal it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.storage.stage import Play, in_cluster, in_database, player

from dayfly.model.builder import BuiltImage
from dayfly.model.errors import Conflict, DayflyError, NotFound
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName, parse_namespace
from dayfly.model.namespace import Namespace, Quota
from dayfly.model.token import Token
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.memory_tenancy import MemoryTenancy
from dayfly.storage.sqlite_tenancy import SqliteTenancy
from dayfly.storage.tenancy import KEPT_BUILT

if TYPE_CHECKING:
    from dayfly.storage.tenancy import TenancyStore

TEAM, OTHER = parse_namespace("team"), parse_namespace("other")
DIGEST = BundleDigest("sha256:" + "a" * 64)
FULL = Namespace(
    name=TEAM, labels={"a": "ü"}, annotations={"b": '{"c": 1}'}, created_unix_ms=7,
    quota=Quota(functions=0, replicas=5, memory="4Gi", cpu="250m", body="1Mi", log_rate="10k"),
)  # fmt: skip


play = player(MemoryTenancy, SqliteTenancy, lambda api: KubernetesTenancy(api, "dayfly"))


def token(name: str = "a" * 12, namespace: NamespaceName | None = TEAM) -> Token:
    return Token(
        id=name, namespace=namespace, role="deploy", note="for ü", created_unix_ms=1, expires_unix_ms=2, hash=b"\0\xff"
    )


async def names(store: TenancyStore) -> list[str]:
    return [namespace.name for namespace in await store.namespaces()]


def test_the_default_namespace_is_always_there(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        assert await names(store) == [DEFAULT_NAMESPACE]
        with pytest.raises(Conflict, match="default"):
            await store.delete_namespace(DEFAULT_NAMESPACE)
        assert await names(store) == [DEFAULT_NAMESPACE]
        await store.put_namespace(msgspec.structs.replace(FULL, name=DEFAULT_NAMESPACE))
        assert await names(store) == [DEFAULT_NAMESPACE]

    play(story)


def test_what_was_put_comes_back_whole(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        await store.put_namespace(FULL)
        assert (await store.namespaces())[1] == FULL
        bare = Namespace(name=TEAM)
        await store.put_namespace(bare)
        assert (await store.namespaces())[1] == bare
        for each in (token(), token("b" * 12, None)):
            await store.put_token(each)
        assert await store.tokens() == [token(), token("b" * 12, None)]

    play(story)


def test_a_namespace_takes_its_tokens_and_bundles_with_it_and_nobody_elses(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        for namespace in (TEAM, OTHER):
            await store.put_namespace(Namespace(name=namespace))
            await store.claim_bundle(namespace, DIGEST)
        for each in (token(), token("b" * 12, OTHER), token("c" * 12, None), token("d" * 12)):
            await store.put_token(each)
        await store.delete_namespace(TEAM)
        assert await names(store) == [DEFAULT_NAMESPACE, OTHER]
        assert [each.id for each in await store.tokens()] == ["b" * 12, "c" * 12]
        assert await store.has_bundle(OTHER, DIGEST)
        assert not await store.has_bundle(TEAM, DIGEST)
        with pytest.raises(NotFound, match="no namespace team"):
            await store.delete_namespace(TEAM)

    play(story)


def built(image: str, number: int = 1, bundle: str = DIGEST) -> BuiltImage:
    return BuiltImage(
        image=image, bundle=BundleDigest(bundle), runtime="exec", lang="bash", dialect="auto", handler="h",
        process="bash ü", env={"a": "1"}, built_unix_ms=number,
    )  # fmt: skip


def test_what_an_images_name_means_is_the_namespaces_own(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        for namespace in (TEAM, OTHER):
            await store.put_namespace(Namespace(name=namespace))
        assert await store.built(TEAM, "a/b:1") is None
        await store.put_built(TEAM, built("a/b:1"))
        assert await store.built(TEAM, "a/b:1") == built("a/b:1")
        assert await store.built(OTHER, "a/b:1") is None
        again = built("a/b:1", 2, "sha256:" + "b" * 64)
        await store.put_built(TEAM, again)
        assert await store.built(TEAM, "a/b:1") == again
        await store.put_built(OTHER, built("a/b:1"))
        await store.put_built(OTHER, built("an/engines:1", bundle=""))
        assert await store.built_bundles() == {DIGEST, again.bundle}
        await store.delete_namespace(TEAM)
        assert await store.built(TEAM, "a/b:1") is None
        assert await store.built(OTHER, "a/b:1") == built("a/b:1")
        assert await store.built_bundles() == {DIGEST}

    play(story)


def test_the_names_that_were_built_last_are_kept(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        await store.put_built(OTHER, built("other", 0))
        for number in range(KEPT_BUILT + 3):
            await store.put_built(TEAM, built(f"a/b:{number}", number))
        kept = [await store.built(TEAM, f"a/b:{number}") is not None for number in range(KEPT_BUILT + 3)]
        assert kept == [False] * 3 + [True] * KEPT_BUILT
        assert await store.built(OTHER, "other") is not None

    play(story)


def test_a_token_is_forgotten_once(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        await store.put_token(token())
        await store.delete_token("a" * 12)
        with pytest.raises(NotFound, match="no token"):
            await store.delete_token("a" * 12)
        assert await store.tokens() == []

    play(story)


def test_a_bundle_is_had_by_those_who_brought_it(play: Play) -> None:
    async def story(store: TenancyStore) -> None:
        assert not await store.has_bundle(TEAM, DIGEST)
        for _ in range(2):
            await store.claim_bundle(TEAM, DIGEST)
        assert await store.has_bundle(TEAM, DIGEST)
        assert not await store.has_bundle(OTHER, DIGEST)
        assert not await store.has_bundle(TEAM, BundleDigest("sha256:" + "b" * 64))

    play(story)


NAMES = st.sampled_from([TEAM, OTHER, DEFAULT_NAMESPACE])
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "token", "revoke", "claim"]), NAMES, st.integers(0, 2)), max_size=25
)


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_every_store_equals_the_one_in_memory(steps: list[tuple[str, NamespaceName, int]]) -> None:
    async def main(folder: Path) -> None:
        first = MemoryTenancy()
        async with in_database(SqliteTenancy, folder) as second:
            for step in steps:
                assert await see(first, step) == await see(second, step), step

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))


@settings(max_examples=10, deadline=None)
@given(steps=STEPS)
def test_the_one_in_a_cluster_equals_the_one_in_memory(steps: list[tuple[str, NamespaceName, int]]) -> None:
    async def main() -> None:
        first = MemoryTenancy()
        async with in_cluster(lambda api: KubernetesTenancy(api, "dayfly")) as second:
            for step in steps:
                assert await see(first, step) == await see(second, step), step

    asyncio.run(main())


async def see(store: TenancyStore, step: tuple[str, NamespaceName, int]) -> list[Any]:
    what, name, number = step
    said = ""
    try:
        if what == "put":
            await store.put_namespace(Namespace(name=name, labels={"n": str(number)}))
        elif what == "delete":
            await store.delete_namespace(name)
        elif what == "token":
            await store.put_token(token(str(number) * 12, name))
        elif what == "revoke":
            await store.delete_token(str(number) * 12)
        else:
            await store.claim_bundle(name, DIGEST)
    except DayflyError as error:
        said = f"{type(error)} {error}"
    owned = [await store.has_bundle(each, DIGEST) for each in (TEAM, OTHER, DEFAULT_NAMESPACE)]
    labels = [(each.name, each.labels) for each in await store.namespaces()]
    return [said, labels, msgspec.to_builtins(await store.tokens()), owned]
