"""One control plane at a time, whatever the clocks, the network and the others do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightkube.config.kubeconfig import KubeConfig
from tests.cluster.direct import Direct
from tests.cluster.server import Double

from dayfly.cluster.connection import Connection
from dayfly.storage.kubernetes.lease import DURATION_S, RENEW_S, Claim, Contender, Lease, hold


class Time:
    """A clock of one's own, at a rate of one's own."""

    def __init__(self, now: float = 0.0, rate: float = 1.0) -> None:
        self.now, self._rate = now, rate

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds * self._rate


class Side:
    """A contender, its clock and its way to the API."""

    def __init__(self, double: Double, name: str, time: Time) -> None:
        self.is_away = False
        self.takes_s = 0.0
        self.time = time
        config = KubeConfig.from_dict(double.kubeconfig()).get()
        assert config is not None
        self.api = Connection(config, transport=Direct(double, self._gate))
        self.lease = Lease(self.api, "dayfly", "control", name, clock=time)

    async def _gate(self) -> None:
        if self.is_away:
            raise httpx2.ConnectError("no route")
        self.time.passes(self.takes_s)


def new_double() -> Double:
    double = Double()
    double.namespaces("dayfly")
    return double


def sides(first: Time | None = None, second: Time | None = None) -> tuple[Double, Side, Side]:
    double = new_double()
    return double, Side(double, "a", first or Time()), Side(double, "b", second or Time(5_000.0))


def both(a: Side, b: Side, seconds: float) -> None:
    a.time.passes(seconds)
    b.time.passes(seconds)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await story()

    asyncio.run(main())


def holder(double: Double) -> str:
    return str(double.objects("leases")[0]["spec"]["holderIdentity"])


def test_the_first_is_active_and_the_other_waits_for_as_long_as_it_is_renewed() -> None:
    async def story() -> None:
        double, a, b = sides()
        assert await a.lease.contend()
        for _ in range(20):
            both(a, b, 2.0)
            assert await a.lease.contend()
            assert not await b.lease.contend()
        spec = double.objects("leases")[0]["spec"]
        assert (spec["holderIdentity"], spec["leaseTransitions"], spec["leaseDurationSeconds"]) == ("a", 0, 15)

    run(story)


def test_a_holder_that_is_gone_is_followed_after_the_duration_by_the_others_own_clock() -> None:
    async def story() -> None:
        double, a, b = sides()
        await a.lease.contend()
        assert not await b.lease.contend()
        both(a, b, DURATION_S - 0.1)
        assert not await b.lease.contend()
        both(a, b, 0.2)
        assert not a.lease.is_active
        assert await b.lease.contend()
        assert holder(double) == "b"
        assert double.objects("leases")[0]["spec"]["leaseTransitions"] == 1
        assert not await a.lease.contend()

    run(story)


def test_a_holder_that_cannot_reach_the_api_stops_before_another_may_begin() -> None:
    async def story() -> None:
        _, a, b = sides()
        await a.lease.contend()
        a.is_away = True
        assert not await b.lease.contend()
        both(a, b, RENEW_S - 0.1)
        assert await a.lease.contend(), "a short outage changes nothing"
        both(a, b, 0.2)
        assert not await a.lease.contend()
        assert not await b.lease.contend()
        both(a, b, DURATION_S)
        assert await b.lease.contend()
        a.is_away = False
        assert not await a.lease.contend()

    run(story)


def test_an_api_that_is_away_is_said_to_be_once_and_so_is_that_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="dayfly.storage")

    async def story() -> None:
        _, a, _ = sides()
        for is_away in (False, True, True, True, False, False, True, False):
            a.is_away = is_away
            await a.lease.contend()

    run(story)
    said = [record.message.partition(":")[0] for record in caplog.records if record.name == "dayfly.storage"]
    assert said == ["the lease control cannot be looked at at the moment", "the lease control is looked at again"] * 2


def test_an_answer_that_is_lost_is_no_right_to_act_until_it_is_seen() -> None:
    async def story() -> None:
        double, a, b = sides()
        double.fail(method="POST", drop="after")
        assert not await a.lease.contend()
        assert holder(double) == "a"
        assert not await b.lease.contend()
        assert await a.lease.contend()

    run(story)


def test_the_right_to_act_counts_from_when_it_was_asked_for() -> None:
    async def story() -> None:
        _, a, _ = sides()
        a.takes_s = 4.0
        assert await a.lease.contend()
        a.time.passes(RENEW_S - 4.0 - 0.1)
        assert a.lease.is_active
        a.time.passes(0.2)
        assert not a.lease.is_active

    run(story)


@pytest.mark.parametrize("renewed", ["1990-01-01T00:00:00.000000Z", "2090-01-01T00:00:00.000000Z", ""])
def test_the_holders_own_time_decides_nothing(renewed: str) -> None:
    seen = Contender("b")
    claim = Claim(holder="a", renewed=renewed, version="1")
    assert not seen.may_take(claim, 100.0)
    assert not seen.may_take(claim, 100.0 + DURATION_S - 0.1)
    assert seen.may_take(claim, 100.0 + DURATION_S)


def test_who_is_overtaken_is_not_active() -> None:
    async def story() -> None:
        double, a, b = sides()
        await a.lease.contend()
        await b.lease.contend()
        both(a, b, DURATION_S)
        double.fail(409, method="PUT")
        assert not await b.lease.contend()
        assert await b.lease.contend()

    run(story)


def test_who_gives_way_is_followed_at_once() -> None:
    async def story() -> None:
        double, a, b = sides()
        turns = asyncio.Event()

        async def nap(_seconds: float) -> None:
            turns.set()
            await asyncio.Event().wait()

        async with aclosing(hold(a.lease, nap)) as stream:
            assert await anext(stream)
            assert not await b.lease.contend()
        assert not a.lease.is_active
        assert holder(double) == ""
        assert await b.lease.contend()

    run(story)


def test_who_watches_is_told_of_each_change() -> None:
    async def story() -> None:
        _, a, b = sides()
        await b.lease.contend()
        told: list[bool] = []

        async def nap(_seconds: float) -> None:
            both(a, b, 2.0)

        async with aclosing(hold(a.lease, nap)) as stream:
            async for active in stream:
                told.append(active)
                if active:
                    a.is_away = True
                if len(told) == 3:
                    break
        assert told == [False, True, False]

    run(story)


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "pass", "away a", "away b", "lose", "release a"]), st.integers(1, 16)),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, rates=st.tuples(st.floats(0.9, 1.1), st.floats(0.9, 1.1)))
def test_never_two_at_once(steps: list[tuple[str, int]], rates: tuple[float, float]) -> None:
    async def story() -> None:
        double, a, b = sides(Time(0.0, rates[0]), Time(90_000.0, rates[1]))
        for what, amount in steps:
            if what == "pass":
                both(a, b, float(amount))
            elif what == "lose":
                double.fail(method="PUT|POST", drop="after")
            elif what == "release a":
                await a.lease.release()
            elif what.startswith("away"):
                side = a if what.endswith("a") else b
                side.is_away = not side.is_away
            else:
                await (a if what == "a" else b).lease.contend()
            assert not (a.lease.is_active and b.lease.is_active)

    run(story)
