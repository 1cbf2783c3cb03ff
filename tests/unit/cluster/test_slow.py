"""An API server that is slow, half gone, busy or forgetful: nobody waits for ever, hammers, or misses what happened."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
import yaml
from tests.cluster.server import Double
from tests.contract.queue.conftest import until
from tests.unit.cluster.test_watch import Naps, next_of, put

from dayfly.cluster import watch
from dayfly.cluster.connection import ALIVE, Connection, from_kubeconfig
from dayfly.cluster.kinds import CONFIG_MAP
from dayfly.cluster.refusals import Changed
from dayfly.cluster.watch import follow
from dayfly.model.errors import StoreUnavailable
from dayfly.storage.kubernetes.patience import WAIT_S, patiently

Story = Callable[[Connection], Awaitable[None]]
SHORT_S = 0.3


@pytest.fixture
def tell(double: Double, tmp_path: Path) -> Callable[[Story], None]:
    """Tell a story to a connection that waits for no more than a moment."""

    def run(story: Story) -> None:
        async def main() -> None:
            (tmp_path / "config").write_text(yaml.safe_dump(double.kubeconfig()))
            async with Connection(from_kubeconfig(tmp_path / "config"), timeout_s=SHORT_S) as connection:
                await asyncio.wait_for(story(connection), 60)

        asyncio.run(main())

    return run


def test_a_request_that_is_never_answered_is_given_up(
    tell: Callable[[Story], None], double: Double, space: str
) -> None:
    double.fail(method="GET", path="/configmaps/", drop="never")
    put(double, space, "a")

    async def story(connection: Connection) -> None:
        with pytest.raises(StoreUnavailable, match="did not answer GET"):
            await connection.get(CONFIG_MAP, "a", space)
        assert (await connection.get(CONFIG_MAP, "a", space))["metadata"]["name"] == "a"

    tell(story)


def test_a_watch_that_hears_nothing_any_more_is_begun_anew(
    tell: Callable[[Story], None], double: Double, space: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "WATCH_S", 0)

    async def story(connection: Connection) -> None:
        async with aclosing(follow(connection, CONFIG_MAP, space)) as events:
            double.deaf = True
            assert await next_of(events) == "synced"
            waiting = asyncio.ensure_future(anext(events))
            await until(lambda: double.watches("configmaps", space) > 0)
            put(double, space, "unheard")
            double.deaf = False
            assert (await waiting).object["metadata"]["name"] == "unheard"

    tell(story)


def test_the_kernel_asks_whether_the_other_side_is_there(tell: Callable[[Story], None], space: str) -> None:
    async def story(connection: Connection) -> None:
        async with connection._client.stream("GET", CONFIG_MAP.path(space)) as response:
            own = response.extensions["network_stream"].get_extra_info("socket")
            found = {(level, name): own.getsockopt(level, name) for level, name, _ in ALIVE}
        assert found == {(level, name): value for level, name, value in ALIVE}
        idle, between, times = (
            found[socket.IPPROTO_TCP, name] for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + between * times <= 30

    tell(story)


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    tell: Callable[[Story], None], double: Double, space: str
) -> None:
    double.fail(429, path="/configmaps", retry_after_s=21, times=2)
    put(double, space, "a")
    naps = Naps()

    async def story(connection: Connection) -> None:
        async with aclosing(follow(connection, CONFIG_MAP, space, sleep=naps)) as events:
            assert await next_of(events) == "put a"
        assert naps.taken == [21.0, 21.0]
        naps.taken.clear()
        double.fail(429, path="/configmaps", retry_after_s=7)
        double.fail(503, path="/configmaps")
        found = await patiently("this", lambda: connection.get(CONFIG_MAP, "a", space), naps)
        assert (found["metadata"]["name"], naps.taken) == ("a", [7.0, WAIT_S])

    tell(story)


def test_a_watch_that_is_told_410_in_its_middle_lists_anew_and_misses_nothing(
    tell: Callable[[Story], None], double: Double, space: str
) -> None:
    put(double, space, "stays")
    put(double, space, "goes")

    async def story(connection: Connection) -> None:
        naps = Naps()
        async with aclosing(follow(connection, CONFIG_MAP, space, sleep=naps)) as events:
            assert [await next_of(events) for _ in range(3)] == ["put stays", "put goes", "synced"]
            put(double, space, "seen")
            assert await next_of(events) == "put seen"
            with double.registry.lock:  # nothing of this reaches the watch before all of it is forgotten
                double.registry.delete(double.resource("configmaps"), space, "goes")
                put(double, space, "new")
                double.registry.expire()
            double.wake()
            assert [await next_of(events) for _ in range(3)] == ["gone goes", "put new", "synced"]
            put(double, space, "after")
            assert await next_of(events) == "put after"
        assert naps.taken == [], "an expired version alone is no reason to wait"

    tell(story)
    assert len([each for each in double.seen if "limit=" in each.query]) == 2


def test_of_two_who_change_what_they_both_read_one_is_told(
    tell: Callable[[Story], None], double: Double, space: str
) -> None:
    put(double, space, "a")

    async def story(connection: Connection) -> None:
        read = await connection.get(CONFIG_MAP, "a", space)
        results = await asyncio.gather(
            *(connection.replace(CONFIG_MAP, {**read, "data": {"by": str(who)}}) for who in range(5)),
            return_exceptions=True,
        )
        losers = [each for each in results if isinstance(each, Changed)]
        (winner,) = (each for each in results if not isinstance(each, BaseException))
        assert len(losers) == 4
        assert (await connection.get(CONFIG_MAP, "a", space))["data"] == winner["data"]

    tell(story)
