"""Several providers as one: each order goes home, each word comes back, and one that is away takes nobody along."""

import asyncio
from typing import Any

import pytest
from tests.unit.providers.docker.orders import order

from dayfly.model.errors import Unavailable
from dayfly.model.log import LogLine
from dayfly.model.replica import ReplicaEvent, ReplicaExited, ReplicaReady
from dayfly.providers.fake import FakePlan, FakeProvider
from dayfly.providers.several import SeveralProviders


class Away(FakeProvider):
    """One that cannot be reached, or breaks."""

    name = "away"
    error: Exception = Unavailable("it is away")

    async def recover(self) -> list[Any]:
        raise self.error

    async def stats(self) -> dict[Any, Any]:
        raise self.error


def rig(elsewhere: FakeProvider, first: FakeProvider | None = None) -> tuple[SeveralProviders, list[ReplicaEvent]]:
    events: list[ReplicaEvent] = []
    several = SeveralProviders(first or FakeProvider(FakePlan(prints=("hi",))), {"image": elsewhere})
    lines: list[LogLine] = []
    asyncio.run(several.open(events.append, lines.append))
    return several, events


def test_each_runtime_has_its_home() -> None:
    first, images = FakeProvider(), FakeProvider()
    several, events = rig(images, first)
    code, image = order(replica="c" * 10, runtime="python"), order(replica="i" * 10)

    async def main() -> None:
        await several.start(code)
        await several.start(image)
        assert (list(first.replicas), list(images.replicas)) == ([code.replica], [image.replica])
        assert sorted(await several.stats()) == sorted([code.replica, image.replica])
        assert [each.order for each in await several.recover()] == [code, image]
        await several.stop(image.replica, grace_s=3)
        assert (first.stopped, images.stopped) == ([], [(image.replica, 3)])
        await several.close()

    asyncio.run(main())
    assert [type(event) for event in events] == [ReplicaReady, ReplicaReady, ReplicaExited]


def test_what_was_found_running_is_stopped_where_it_runs() -> None:
    first, images = FakeProvider(), FakeProvider()
    several, _ = rig(images, first)

    async def main() -> None:
        # Found there although its runtime runs elsewhere by now.
        await first.start(order())
        await several.recover()
        await several.stop(order().replica, grace_s=1)
        assert (len(first.stopped), images.stopped) == (1, [])
        # One that nobody has told of is asked for everywhere.
        await several.stop(order(replica="x" * 10).replica, grace_s=1)
        assert (len(first.stopped), len(images.stopped)) == (2, 1)

    asyncio.run(main())


def test_one_that_is_away_takes_nobody_along() -> None:
    several, _ = rig(Away())

    async def main() -> None:
        code = order(runtime="python")
        await several.start(code)
        assert [each.order for each in await several.recover()] == [code]
        assert list(await several.stats()) == [code.replica]

    asyncio.run(main())


def test_the_first_must_be_there_and_a_bug_is_no_absence() -> None:
    several, _ = rig(FakeProvider(), Away())
    with pytest.raises(Unavailable):
        asyncio.run(several.recover())
    with pytest.raises(Unavailable):
        asyncio.run(several.stats())
    broken = Away()
    broken.error = ZeroDivisionError("a bug")
    several, _ = rig(broken)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(several.stats())


def test_a_start_that_was_refused_leaves_no_home() -> None:
    refusing = FakeProvider(FakePlan(refuse_start="not now"))
    several, _ = rig(refusing)

    async def main() -> None:
        with pytest.raises(Unavailable):
            await several.start(order())
        await several.stop(order().replica, grace_s=1)
        assert len(refusing.stopped) == 1
        assert several._homes == {}

    asyncio.run(main())
