"""Functions that scale on processor time follow what their replicas use; nobody else is sampled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from dayfly.control.processor import SAMPLE_S
from dayfly.control.spending import Spending
from dayfly.model.errors import Unavailable
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.replica import ReplicaStats

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig, ScriptedGateway

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)
CPU = {"com.openfaas.scale.type": "cpu", "com.openfaas.scale.target": "500"}


@pytest.fixture(autouse=True)
def nobody_else_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody ask for what replicas use but who is tested here."""

    async def look(_spending: Spending) -> None:
        """Look at nothing."""

    monkeypatch.setattr(Spending, "_look", look)


class Use:
    """What replicas have used, as the provider tells; counts how often it is asked."""

    def __init__(self, rig: Rig, gateway: ScriptedGateway) -> None:
        self.rig = rig
        self.gateway = gateway
        self.asked = 0
        self.fault: Exception | None = None
        self.used: dict[ReplicaId, float] = {}
        rig.provider.stats = self.stats  # type: ignore[method-assign]  # the fake's own figures never change

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return {name: ReplicaStats(self.used.get(name, 0.0), 0) for name in self.rig.provider.replicas}

    async def sample(self, cores: float = 0.0) -> None:
        """Let the time of one sample pass, during which the replicas together use this many cores."""
        replicas = list(self.rig.provider.replicas)
        for name in replicas:
            self.used[name] = self.used.get(name, 7.0) + cores * SAMPLE_S / len(replicas)
        asked = self.asked
        self.rig.clock.advance(SAMPLE_S)
        await self.rig.until(lambda: self.asked > asked)
        await self.rig.rounds(10)


async def called(rig: Rig, labels: dict[str, str]) -> Use:
    """A function with one replica that was just called."""
    gateway = await rig.gateway()
    use = Use(rig, gateway)
    await rig.deployed(labels=labels)
    gateway.report(HELLO, inflight=1)
    await rig.until(lambda: rig.meter.inflight(KEY))
    await rig.rounds()
    return use


def wanted(rig: Rig) -> int:
    return rig.plane._reconciler.machine(KEY).scale.wanted


def test_replicas_follow_the_cores_in_use(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU)
        await use.sample(100)
        assert wanted(rig) == 1, "what was used before it was first seen is not known to be load"
        await use.sample(1.8)
        assert wanted(rig) == 3, "1.8 cores / 1.5 at 450 thousandths a replica"
        for _ in range(40):
            await use.sample(1.8)
        assert wanted(rig) == 4
        for _ in range(70):
            await use.sample(0.1)
        assert wanted(rig) == 1

    play(story)


def test_a_replica_that_ends_takes_nothing_back(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU | {"com.openfaas.scale.min": "2"})
        for _ in range(3):
            await use.sample(1.0)
        rig.provider.end(next(iter(rig.provider.replicas)), "stopped")
        before = rig.plane._reconciler.machine(KEY).scale.cpu_s
        await use.sample(1.0)
        assert rig.plane._reconciler.machine(KEY).scale.cpu_s >= before + SAMPLE_S / 2

    play(story)


def test_a_reading_that_falls_is_no_use(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU)
        await use.sample(0.1)
        await use.sample(0.1)
        before = rig.plane._reconciler.machine(KEY).scale.cpu_s
        await use.sample(-3)
        assert rig.plane._reconciler.machine(KEY).scale.cpu_s == before > 0

    play(story)


def test_functions_that_scale_on_calls_are_not_sampled(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, {})
        rig.clock.advance(100)
        await rig.rounds()
        assert use.asked == 0

    play(story)


def test_sampling_ends_with_the_last_replica_and_begins_with_the_next_call(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU)
        await use.sample()
        await rig.plane.scale(KEY, 0)
        await use.sample()
        asked = use.asked
        rig.clock.advance(100)
        await rig.rounds()
        assert use.asked == asked
        await rig.plane.scale(KEY, None)
        await rig.deployed(labels=CPU)
        await rig.rounds()
        assert use.asked == asked, "nobody has called since"
        use.gateway.report(HELLO, inflight=2)
        await rig.until(lambda: rig.meter.inflight(KEY) == 2)
        await rig.rounds()
        await use.sample()

    play(story)


def test_a_provider_that_cannot_tell_is_asked_again(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU)
        use.fault = Unavailable("the zygote is away")
        await use.sample()
        assert "the zygote is away" in caplog.text
        use.fault = RuntimeError("a bug")
        await use.sample()
        assert "sampling processor time broke" in caplog.text
        use.fault = None
        await use.sample(1)
        await use.sample(1.8)
        assert wanted(rig) == 3

    play(story)


def test_it_stops_while_the_provider_is_asked(play: Play) -> None:
    async def story(rig: Rig) -> None:
        use = await called(rig, CPU)
        answer, given_up = asyncio.Event(), asyncio.Event()

        async def never() -> dict[ReplicaId, ReplicaStats]:
            use.asked += 1
            try:
                await answer.wait()
            finally:
                given_up.set()
            return {}

        rig.provider.stats = never  # type: ignore[method-assign]  # a provider that hangs
        await use.sample()
        await rig.plane.stop()
        assert given_up.is_set()
        rig.clock.advance(100)
        await rig.rounds()
        assert use.asked == 1

    play(story)
