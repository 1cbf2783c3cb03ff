"""The clock that calls functions, turned by hand."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.events.cron import AGAIN_S, Cron
from dayfly.events.firing import Firing
from dayfly.model.errors import DayflyError, NotSupported, Unavailable
from dayfly.model.function import Function, FunctionSpec, Revision

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


SKIP = {"com.dayfly.cron.missed": "skip"}


def function(
    schedule: str, more: dict[str, str] | None = None, *, name: str = "report", number: int = 1, made: datetime = NOON
) -> Function:
    annotations = {"topic": "cron-function", "schedule": schedule, **(more or {})}
    told = {"name": name, "bundle": "sha256:" + "a" * 64, "annotations": annotations}
    spec = msgspec.convert(told, FunctionSpec)
    revision = Revision(number=number, spec=spec, created_unix_ms=round(made.timestamp() * 1000))
    return Function(key=spec.key, revision=revision, created_unix_ms=1)


class Rig:
    """A clock's world: functions, the time, and what was called."""

    def __init__(self, *functions: Function) -> None:
        self.clock = ManualClock(unix_ms=round(NOON.timestamp() * 1000))
        self.functions = list(functions)
        self.fired: list[Firing] = []
        self.broken: DayflyError | None = None
        self.cron = self.again()

    def again(self) -> Cron:
        self.cron = Cron(lambda: self.functions, self._fire, self.clock)
        return self.cron

    async def _fire(self, firing: Firing) -> None:
        if self.broken is not None:
            raise self.broken
        self.fired.append(firing)

    async def at(self, seconds: float) -> list[str]:
        """Let time pass, look, and return which moments were called for."""
        self.clock.advance(seconds)
        self.cron.look()
        await asyncio.sleep(0)
        fired, self.fired = self.fired, []
        return [f"{each.function.name} {each.headers['X-Dayfly-Due'][11:-1]}" for each in fired]


def play(rig: Rig, story: Callable[[Rig], Coroutine[None, None, None]]) -> None:
    asyncio.run(story(rig))


def test_a_function_is_called_once_for_each_moment() -> None:
    async def story(rig: Rig) -> None:
        assert await rig.at(0) == []
        assert await rig.at(59.9) == []
        assert await rig.at(0.1) == ["report 12:01:00"]
        assert await rig.at(0) == []
        assert await rig.at(60) == ["report 12:02:00"]

    play(Rig(function("* * * * *")), story)


def test_what_is_sent_is_what_the_cron_connector_sends_and_a_key_of_its_own() -> None:
    rig = Rig(function("* * * * *"))

    async def story(_: Rig) -> None:
        rig.cron.look()
        rig.clock.advance(60)
        rig.cron.look()
        await asyncio.sleep(0)

    play(rig, story)
    (firing,) = rig.fired
    assert (firing.headers["X-Topic"], firing.headers["X-Connector"]) == ("cron-function", "cron-connector")
    assert (str(firing.function), firing.key, firing.body) == ("report.openfaas-fn", "cron 2026-11-29T12:01:00Z", b"")


def test_the_next_look_is_when_something_is_due_or_in_a_second() -> None:
    rig = Rig(function("* * * * *"))
    rig.clock.advance(59.25)
    assert rig.cron.look() == pytest.approx(0.75)
    rig.clock.advance(10 * 3600)
    assert Rig(function("@daily")).cron.look() == pytest.approx(1.0)


def test_a_restart_asks_for_the_last_moment_again_with_the_same_key() -> None:
    async def story(rig: Rig) -> None:
        assert await rig.at(0) == []
        assert await rig.at(125) == ["report 12:02:00"]
        rig.again()
        assert await rig.at(10) == ["report 12:02:00"], "a queue that has it takes it no second time"
        rig.functions = [function("* * * * *", SKIP)]
        rig.again()
        assert await rig.at(10) == []

    play(Rig(function("* * * * *")), story)


def test_what_was_due_before_it_was_asked_for_is_not_missed() -> None:
    async def story(rig: Rig) -> None:
        rig.clock.advance(600)
        rig.functions = [function("@hourly", made=datetime.fromtimestamp(rig.clock.unix_ms() / 1000, UTC))]
        assert await rig.at(0) == []
        assert await rig.at(3000) == ["report 13:00:00"]

    play(Rig(), story)


def test_another_revision_counts_at_once_and_the_same_schedule_goes_on() -> None:
    async def story(rig: Rig) -> None:
        assert await rig.at(30) == []
        rig.functions = [function("* * * * *", number=2)]
        assert await rig.at(30) == ["report 12:01:00"]
        rig.functions = [function("@hourly", number=3)]
        assert await rig.at(60) == []
        rig.functions = [function("*/2 * * * *", number=4)]
        assert await rig.at(0) == [], "12:02 was the schedule's before"
        assert await rig.at(120) == ["report 12:04:00"]
        rig.functions = []
        assert await rig.at(600) == []

    play(Rig(function("* * * * *")), story)


def test_a_machine_that_slept_makes_up_for_the_last_moment_alone() -> None:
    async def story(rig: Rig) -> None:
        await rig.at(0)
        assert sorted(await rig.at(3 * 3600 + 105)) == ["report 15:01:00"]

    play(Rig(function("* * * * *"), function("* * * * *", SKIP, name="other")), story)


def test_a_clock_that_was_far_ahead_does_not_stop_it_and_one_put_back_a_little_repeats_nothing() -> None:
    async def story(rig: Rig) -> None:
        await rig.at(0)
        assert await rig.at(60) == ["report 12:01:00"]
        rig.clock._unix_ms_at_zero -= 5_000
        assert await rig.at(0) == []
        assert await rig.at(5) == []
        assert await rig.at(60) == ["report 12:02:00"]
        rig.clock._unix_ms_at_zero += 365 * 86_400_000
        assert len(await rig.at(0)) == 1
        rig.clock._unix_ms_at_zero -= 365 * 86_400_000
        assert await rig.at(0) == []
        assert await rig.at(60) == ["report 12:03:00"]

    play(Rig(function("* * * * *")), story)


def test_a_schedule_that_cannot_be_read_stops_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        await rig.at(0)
        assert await rig.at(60) == ["report 12:01:00"]

    play(Rig(function("soon", name="broken"), function("* * * * *")), story)
    assert caplog.text.count("the schedule of broken.openfaas-fn cannot be read") == 1


def test_a_call_that_the_queue_cannot_take_now_is_offered_again() -> None:
    async def story(rig: Rig) -> None:
        await rig.at(0)
        rig.broken = Unavailable("the queue is away")
        assert await rig.at(60) == []
        rig.broken = None
        rig.clock.advance(AGAIN_S)
        for _ in range(3):
            await asyncio.sleep(0)
        assert [firing.key for firing in rig.fired] == ["cron 2026-11-29T12:01:00Z"]

    play(Rig(function("* * * * *")), story)


@pytest.mark.parametrize("error", [NotSupported("there is no queue"), Unavailable("the queue is away")])
def test_a_call_that_is_never_taken_is_told(error: DayflyError, caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        await rig.at(0)
        rig.broken = error
        assert await rig.at(60) == []
        rig.functions = []
        for _ in range(200):
            rig.clock.advance(30)
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    play(Rig(function("* * * * *")), story)
    assert caplog.text.count("cron 2026-11-29T12:01:00Z: not called function=report.openfaas-fn") == 1


def test_it_runs_until_it_is_told_to_end() -> None:
    async def story(rig: Rig) -> None:
        running = asyncio.create_task(rig.cron.run())
        for _ in range(61):
            await asyncio.sleep(0)
            rig.clock.advance(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert [firing.key for firing in rig.fired] == ["cron 2026-11-29T12:01:00Z"]

    play(Rig(function("* * * * *")), story)
