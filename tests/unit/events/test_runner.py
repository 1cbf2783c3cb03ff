"""What runs the sources of triggers, with sources that do as the test says."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

import msgspec
import pytest
from tests.unit.events.making import MQTT, Queue, Runs, event, function, trigger, turn

from dayfly.control.clock import Clock, ManualClock
from dayfly.events import sources
from dayfly.events.port import Deliver, Lost, Source
from dayfly.events.runner import LOOK_S, STEADY_S, Runner
from dayfly.events.sources import Build
from dayfly.model.errors import NotSupported
from dayfly.model.names import NamespaceName
from dayfly.model.secret import SecretContent
from dayfly.model.trigger import Trigger, TriggerSpec, TriggerStanding
from dayfly.model.trigger_secret import Credentials

KEY = trigger().key


class Fake:
    """A source: `then` ends it."""

    def __init__(self, spec: TriggerSpec, credentials: Credentials) -> None:
        self.spec, self.credentials = spec, credentials
        self.deliver: Deliver
        self.ready: Callable[[], None] = lambda: None
        self.then: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closes = asyncio.Event()
        self.closes.set()
        self.closed = False

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        self.deliver, self.ready = deliver, ready
        try:
            await self.then
        finally:
            await self.closes.wait()
            self.closed = True


class Rig:
    def __init__(self, *triggers: Trigger) -> None:
        self.clock, self.queue, self.made = ManualClock(), Queue(), list[Fake]()
        self.triggers, self.functions = list(triggers), [function()]
        self.secrets: dict[str, bytes] = {}
        self.missing = ""
        self.forsaken: list[str] = []
        self.flows: set[tuple[str, str]] = set()
        self.runs = Runs()
        self.runner = Runner(
            lambda: self.triggers, lambda: self.functions, self._contents, self.queue, self.clock,
            begin=self.runs, has_flow=self.flows.__contains__,
            load=self._load, jitter=lambda: 1.0, forsake=lambda _namespace, name: self.forsaken.append(name),
        )  # fmt: skip

    def _load(self, kind: str) -> Build:
        if self.missing:
            raise NotSupported(self.missing)

        def build(spec: TriggerSpec, credentials: Credentials, clock: Clock) -> Source:
            assert (kind, clock) == (spec.source.kind, self.clock)
            self.made.append(Fake(spec, credentials))
            return self.made[-1]

        return build

    async def _contents(self, namespace: NamespaceName, names: Iterable[str]) -> Mapping[str, SecretContent]:
        assert namespace == "openfaas-fn"
        return {name: SecretContent(1, self.secrets[name]) for name in names if name in self.secrets}

    @property
    def standing(self) -> TriggerStanding:
        return self.runner.standing(KEY)

    async def source(self, number: int) -> Fake:
        """Wait for the source of that number to run."""
        await turn(lambda: len(self.made) >= number and hasattr(self.made[number - 1], "deliver"))
        return self.made[number - 1]

    def change(self, **fields: object) -> None:
        was = self.triggers[0]
        self.triggers[0] = msgspec.structs.replace(was, spec=msgspec.structs.replace(was.spec, **fields))
        self.runner.wake()


def play(rig: Rig, story: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        running = asyncio.create_task(rig.runner.run())
        try:
            await story(rig)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert all(made.closed for made in rig.made), "what was opened is closed"

    asyncio.run(whole())


def test_a_source_runs_and_delivers() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        before = rig.standing.state
        source.ready()
        assert (before, rig.standing.state) == ("connecting", "running")
        await source.deliver(event())
        assert rig.queue.called == ["shop"]
        assert rig.standing.delivered == 1

    play(Rig(trigger()), story)


def test_a_lost_server_is_tried_again_after_waits_that_grow() -> None:
    async def story(rig: Rig) -> None:
        for number, wait_s in enumerate((1, 2, 4, 8, 16, 32, 60, 60), 1):
            source = await rig.source(number)
            source.then.set_exception(Lost("the broker is away"))
            await turn(lambda: rig.standing.state == "waiting")
            assert rig.standing.trouble == "the broker is away"
            rig.clock.advance(wait_s - 0.01)
            await asyncio.sleep(0)
            assert len(rig.made) == number
            rig.clock.advance(0.01)
        await rig.source(9)

    play(Rig(trigger()), story)


def test_one_that_ran_for_long_begins_with_the_first_wait() -> None:
    async def story(rig: Rig) -> None:
        for number, (ran_s, wait_s) in enumerate(((0, 1), (0, 2), (STEADY_S, 1), (0, 2)), 1):
            source = await rig.source(number)
            source.ready()
            rig.clock.advance(ran_s)
            source.then.set_exception(Lost("gone"))
            await turn(lambda: rig.standing.state == "waiting")
            rig.clock.advance(wait_s)
        await rig.source(5)

    play(Rig(trigger()), story)


@pytest.mark.parametrize("fault", [ValueError("s3cret"), None])
def test_a_bug_in_a_source_is_told_and_the_others_go_on(fault: Exception | None) -> None:
    async def story(rig: Rig) -> None:
        first, second = await rig.source(1), await rig.source(2)
        if fault is not None:
            first.then.set_exception(fault)
            await turn(lambda: rig.standing.state == "failing")
            assert "log" in rig.standing.trouble
            assert "s3cret" not in rig.standing.trouble
        else:
            first.then.set_result(None)
            await turn(lambda: rig.standing.state == "waiting")
        await second.deliver(event())
        rig.clock.advance(1)
        await rig.source(3)

    play(Rig(trigger(), trigger("other")), story)


def test_a_library_that_is_missing_is_named() -> None:
    rig = Rig(trigger())
    rig.missing = "a trigger of kind mqtt needs `pip install 'dayfly[mqtt]'`"

    async def story(rig: Rig) -> None:
        await turn(lambda: rig.standing.state == "failing")
        assert "pip install 'dayfly[mqtt]'" in rig.standing.trouble
        rig.missing = ""
        rig.clock.advance(1)
        await rig.source(1)

    play(rig, story)


def test_the_registry_names_the_extra_of_a_library_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(NotSupported, match=r"pip install 'dayfly\[mqtt\]"):
        sources.load("mqtt")
    with pytest.raises(NotSupported, match="no source"):
        sources.load("s3")
    with pytest.raises(NotSupported, match="a trigger of kind kafka cannot run here"):
        sources.check("kafka")
    for needless in ("webhook", "cron", "s3"):
        sources.check(needless)


def test_the_secret_lets_the_source_in_and_a_new_one_begins_it_anew() -> None:
    rig = Rig(trigger(source={**MQTT, "secret": "broker"}))

    async def story(rig: Rig) -> None:
        await turn(lambda: rig.standing.state == "failing")
        assert "there is no secret broker" in rig.standing.trouble
        rig.secrets["broker"] = b"mia:one"
        rig.runner.renew(NamespaceName("openfaas-fn"), "broker")
        assert (await rig.source(1)).credentials == Credentials(user="mia", password="one")
        rig.secrets["broker"] = b"mia:two"
        rig.runner.renew(NamespaceName("openfaas-fn"), "other")
        rig.runner.renew(NamespaceName("team"), "broker")
        rig.runner.renew(NamespaceName("openfaas-fn"), "broker")
        assert (await rig.source(2)).credentials.password == "two"
        assert rig.made[0].closed
        assert len(rig.made) == 2

    play(rig, story)


def test_a_changed_trigger_begins_anew_once_the_old_source_has_let_go_and_keeps_its_counts() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        await source.deliver(event())
        source.closes.clear()
        rig.change(filter="data")
        await turn(lambda: rig.runner.delivery(KEY).trigger is rig.triggers[0])  # type: ignore[union-attr]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.made) == 1
        source.closes.set()
        await rig.source(2)
        assert rig.standing.delivered == 1

    play(Rig(trigger()), story)


def test_pausing_ends_the_source_and_resuming_begins_it() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        rig.change(paused=True)
        await turn(lambda: source.closed)
        assert rig.standing.state == "paused"
        rig.change(paused=False)
        await rig.source(2)

    play(Rig(trigger()), story)


def test_a_trigger_without_its_function_waits_for_it() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        functions, rig.functions = rig.functions, []
        rig.clock.advance(LOOK_S)
        await turn(lambda: source.closed)
        assert (rig.standing.state, rig.standing.trouble) == ("failing", "there is no function shop")
        rig.functions = functions
        rig.clock.advance(LOOK_S)
        await rig.source(2)

    play(Rig(trigger()), story)


def test_a_trigger_without_its_flow_waits_for_it_and_needs_no_function() -> None:
    async def story(rig: Rig) -> None:
        await turn(lambda: rig.standing.state == "failing")
        assert rig.standing.trouble == "there is no flow ship"
        rig.flows.add(("openfaas-fn", "ship"))
        rig.functions = []
        rig.clock.advance(LOOK_S)
        source = await rig.source(1)
        await source.deliver(event())
        assert [each.flow for each in rig.runs.begun.values()] == ["ship"]
        rig.flows.clear()
        rig.clock.advance(LOOK_S)
        await turn(lambda: source.closed)

    play(Rig(trigger(flow="ship", function="")), story)


def test_one_that_is_bound_to_its_function_goes_with_it() -> None:
    rig = Rig(trigger(bound=True), trigger("stays"))

    async def story(rig: Rig) -> None:
        await rig.source(2)
        assert rig.forsaken == []
        rig.functions = []
        rig.clock.advance(LOOK_S)
        await turn(lambda: rig.forsaken == ["orders"])

    play(rig, story)


def test_a_removed_trigger_ends() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        rig.triggers.clear()
        rig.runner.wake()
        await turn(lambda: source.closed)
        assert rig.runner.delivery(KEY) is None

    play(Rig(trigger()), story)


def test_a_delivery_that_is_cut_off_is_not_acknowledged_and_calls_once_when_it_comes_again() -> None:
    async def story(rig: Rig) -> None:
        source = await rig.source(1)
        acknowledged = False
        rig.functions.append(function("two", "t"))

        async def read() -> None:
            nonlocal acknowledged
            await source.deliver(event())
            acknowledged = True

        rig.queue.broken = [NotSupported("no queue")]
        reading = asyncio.create_task(read())
        await turn(lambda: rig.standing.trouble == "no queue")
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert not acknowledged
        await source.deliver(event())
        await source.deliver(event())
        assert rig.queue.called == ["shop"]

    play(Rig(trigger()), story)


def test_the_clock_is_a_source() -> None:
    rig = Rig(trigger(source={"kind": "cron", "schedule": "@every 60s"}, created=1_700_000_000_000))

    async def story(rig: Rig) -> None:
        await turn(lambda: rig.standing.state == "running")
        assert rig.queue.taken == []
        for count in (1, 2):
            rig.clock.advance(60)
            await turn(lambda: len(rig.queue.taken) == count)  # noqa: B023 # it is called at once
        assert rig.queue.taken[0].headers["Ce-Type"] == "com.dayfly.cron.due"
        assert rig.queue.taken[0].headers["X-Connector"] == "cron-connector"

    play(rig, story)


@pytest.mark.parametrize(("missed", "calls"), [("once", 1), ("skip", 0)])
def test_of_moments_that_went_by_meanwhile_the_last_is_made_up_for(missed: str, calls: int) -> None:
    source = {"kind": "cron", "schedule": "30 * * * *", "missed": missed}
    rig = Rig(trigger(source=source, created=1_700_000_000_000 - 7_200_000))

    async def story(rig: Rig) -> None:
        await turn(lambda: rig.standing.state == "running" and len(rig.queue.taken) >= calls)
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(rig.queue.taken) == calls

    play(rig, story)
