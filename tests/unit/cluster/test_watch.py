"""Following objects: over lost connections, versions that are too old and a server that is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection, Listing, from_kubeconfig
from dayfly.cluster.kinds import CONFIG_MAP, Object, name_of
from dayfly.cluster.refusals import Expired
from dayfly.cluster.watch import FIRST_WAIT_S, LONGEST_WAIT_S, Event, Follower, follow
from dayfly.model.errors import StoreUnavailable


def obj(name: str, version: int) -> Object:
    return {"metadata": {"name": name, "namespace": "n", "resourceVersion": str(version)}}


def line(type_: str, name: str = "", version: int = 0, **fields: Any) -> bytes:
    return json.dumps({"type": type_, "object": fields or obj(name, version)}).encode()


def told(events: list[Event]) -> list[str]:
    return [f"{each.type} {name_of(each.object)}" if each.object else each.type for each in events]


def follower(jitter: float = 1.0) -> Follower:
    return Follower(lambda: jitter)


def test_a_list_is_told_in_the_order_of_its_versions_and_then_what_changes() -> None:
    state = follower()
    assert told(state.listed(Listing([obj("b", 10), obj("a", 9)], "11"))) == ["put a", "put b", "synced"]
    assert state.since == "11"
    assert state.told(line("MODIFIED", "a", 12)) == Event("put", obj("a", 12))
    assert state.told(line("BOOKMARK", "", 20, metadata={"resourceVersion": "20"})) is None
    assert state.since == "20"
    assert state.told(line("DELETED", "a", 21)) == Event("gone", obj("a", 21))
    assert state.since == "21"


def test_what_is_known_is_not_told_again() -> None:
    state = follower()
    state.listed(Listing([obj("a", 9)], "9"))
    assert state.told(line("ADDED", "a", 9)) is None
    assert state.told(line("DELETED", "b", 10)) is None


def test_starting_over_tells_what_differs() -> None:
    state = follower()
    state.listed(Listing([obj("same", 1), obj("other", 2), obj("gone", 3)], "3"))
    assert state.failed(Expired("too old")) == 0.0
    assert state.since == ""
    events = state.listed(Listing([obj("same", 1), obj("other", 8), obj("new", 7)], "9"))
    assert told(events) == ["gone gone", "put new", "put other", "synced"]


def test_a_version_that_is_too_old_is_told_within_a_watch() -> None:
    state = follower()
    state.listed(Listing([], "3"))
    with pytest.raises(Expired, match="too old resource version"):
        state.told(line("ERROR", kind="Status", code=410, reason="Expired", message="too old resource version: 3 (9)"))
    with pytest.raises(StoreUnavailable):
        state.told(line("ERROR", kind="Status", code=500, reason="InternalError", message="etcd"))
    with pytest.raises(StoreUnavailable, match="unreadable"):
        state.told(b'{"type": "ADD')


def test_waits_grow_to_a_bound_and_begin_anew_with_a_success() -> None:
    state = follower()
    waits = [state.failed(StoreUnavailable("away")) for _ in range(9)]
    assert waits[:3] == [FIRST_WAIT_S, FIRST_WAIT_S * 2, FIRST_WAIT_S * 4]
    assert waits[-1] == LONGEST_WAIT_S
    state.listed(Listing([], "1"))
    assert state.failed(StoreUnavailable("away")) == FIRST_WAIT_S
    assert state.failed(StoreUnavailable("busy", retry_after_s=30)) == 30
    assert follower(0.0).failed(StoreUnavailable("away")) == FIRST_WAIT_S / 2


def test_a_version_that_is_too_old_again_and_again_is_not_asked_for_in_a_loop() -> None:
    state = follower()
    assert [state.failed(Expired("gone")) > 0 for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize(("lasted", "said", "waits"), [(300.0, False, False), (0.1, True, False), (0.1, False, True)])
def test_a_watch_that_ends_at_once_without_a_word_is_a_failure(lasted: float, said: bool, waits: bool) -> None:
    state = follower()
    state.listed(Listing([], "1"))
    state.began(100.0)
    if said:
        state.told(line("ADDED", "a", 2))
    assert (state.ended(100.0 + lasted) > 0) == waits


NAMES = st.sampled_from("abc")


@given(steps=st.lists(st.tuples(st.sampled_from(["put", "delete", "lose", "expire"]), NAMES), max_size=30))
def test_whoever_listens_ends_up_with_what_is_there(steps: list[tuple[str, str]]) -> None:
    """A server that tells each change once, loses what it did not tell at `lose`, and lists anew at `expire`."""
    state, version = follower(), 1
    there: dict[str, Object] = {}
    heard: dict[str, Object] = {}
    missed = False

    def take(events: list[Event]) -> None:
        for event in events:
            if event.type == "put":
                assert heard.get(name_of(event.object)) != event.object, "told twice"
                heard[name_of(event.object)] = event.object
            elif event.type == "gone":
                del heard[name_of(event.object)]

    take(state.listed(Listing([], "1")))
    for what, name in steps:
        version += 1
        if what == "expire":
            state.failed(Expired("gone"))
            take(state.listed(Listing(list(there.values()), str(version))))
            missed = False
            continue
        missed = missed or what == "lose"
        change = "DELETED" if what == "delete" or (what == "lose" and name in there) else "ADDED"
        if change == "DELETED" and name not in there:
            continue
        there[name] = obj(name, version)
        if change == "DELETED":
            del there[name]
        if not missed:
            event = state.told(line(change, name, version))
            take([event] if event else [])
    state.failed(Expired("gone"))
    take(state.listed(Listing(list(there.values()), str(version + 1))))
    assert heard == there


Story = Callable[[AsyncGenerator[Event, None], "Naps"], Awaitable[None]]


class Naps:
    """Waits that end at once, and a count of them."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def listen(double: Double, space: str, tmp_path: Path) -> Callable[..., None]:
    """Tell a story to somebody who follows the space's config maps."""

    def run(story: Story, labels: str = "") -> None:
        async def main() -> None:
            (tmp_path / "config").write_text(yaml.safe_dump(double.kubeconfig()))
            naps = Naps()
            async with (
                Connection(from_kubeconfig(tmp_path / "config")) as api,
                aclosing(follow(api, CONFIG_MAP, space, labels=labels, sleep=naps)) as events,
            ):
                await asyncio.wait_for(story(events, naps), 60)

        asyncio.run(main())

    return run


def put(double: Double, space: str, name: str, **labels: str) -> None:
    double.create("configmaps", space, {"metadata": {"name": name, "labels": labels}})


async def next_of(events: AsyncGenerator[Event, None]) -> str:
    return told([await anext(events)])[0]


@pytest.mark.parametrize("drop", [True, False])
def test_a_watch_is_resumed_where_it_was(double: Double, space: str, listen: Callable[..., None], drop: bool) -> None:
    put(double, space, "a")

    async def story(events: AsyncGenerator[Event, None], _naps: Naps) -> None:
        assert [await next_of(events) for _ in range(2)] == ["put a", "synced"]
        put(double, space, "b")
        assert await next_of(events) == "put b"
        double.end_watches(drop=drop)
        put(double, space, "c")
        assert await next_of(events) == "put c"

    listen(story)
    lists = [each for each in double.seen if "limit=" in each.query]
    assert len(lists) == 1, "it was listed anew"


def test_what_happened_while_the_version_expired_is_told(
    double: Double, space: str, listen: Callable[..., None]
) -> None:
    put(double, space, "a")

    async def story(events: AsyncGenerator[Event, None], _naps: Naps) -> None:
        assert [await next_of(events) for _ in range(2)] == ["put a", "synced"]
        double.away = True
        waiting = asyncio.ensure_future(anext(events))
        double.end_watches(drop=True)
        double.registry.delete(double.resource("configmaps"), space, "a")
        put(double, space, "b")
        double.registry.expire()
        double.away = False
        assert told([await waiting]) == ["gone a"]
        assert [await next_of(events) for _ in range(2)] == ["put b", "synced"]

    listen(story)


def test_a_server_that_is_away_is_waited_for(double: Double, listen: Callable[..., None]) -> None:
    double.fail(503, path="configmaps", times=2)
    double.fail(path="configmaps", times=2, drop="before")

    async def story(events: AsyncGenerator[Event, None], naps: Naps) -> None:
        assert await next_of(events) == "synced"
        assert len(naps.taken) == 4
        assert naps.taken[0] < naps.taken[3]

    listen(story)


def test_an_object_that_leaves_the_selection_is_gone(double: Double, space: str, listen: Callable[..., None]) -> None:
    put(double, space, "a", pool="x")
    put(double, space, "other")

    async def story(events: AsyncGenerator[Event, None], _naps: Naps) -> None:
        assert [await next_of(events) for _ in range(2)] == ["put a", "synced"]
        patch = {"metadata": {"labels": {"pool": None}}}
        double.registry.patch(double.resource("configmaps"), space, "a", "application/merge-patch+json", patch)
        assert await next_of(events) == "gone a"

    listen(story, labels="pool=x")


def test_a_bookmark_moves_the_place_from_where_a_watch_goes_on(
    double: Double, space: str, listen: Callable[..., None]
) -> None:
    async def story(events: AsyncGenerator[Event, None], _naps: Naps) -> None:
        assert await next_of(events) == "synced"
        waiting = asyncio.ensure_future(anext(events))
        while not double.watches("configmaps", space):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        double.namespaces(f"{space}-else")
        version = double.registry.version
        double.bookmark()
        double.end_watches()
        while sum("watch=true" in each.query for each in double.seen) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert f"resourceVersion={version}" in double.seen[-1].query
        put(double, space, "a")
        assert told([await waiting]) == ["put a"]

    listen(story)
