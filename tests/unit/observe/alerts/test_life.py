"""What was found and who was told outlives the process, on a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.model.alert import AlertRule
from dayfly.model.budget import BudgetStatus
from dayfly.model.errors import InvalidRequest, StoreUnavailable, Unavailable
from dayfly.model.names import FunctionKey, NamespaceName, parse_function_key
from dayfly.model.notice import Letter, Notice
from dayfly.model.queued import QueueFigures
from dayfly.model.receiver import Receiver, WebhookTarget
from dayfly.model.rollup import Rollup
from dayfly.model.table import LATENCY_BUCKETS_S
from dayfly.observe.alerts.book import Book
from dayfly.observe.alerts.readings import Element, Looks, Sources
from dayfly.observe.alerts.senders import Senders
from dayfly.observe.alerts.telling import Telling
from dayfly.observe.alerts.watch import Watch
from dayfly.observe.alerts.way import NotSent
from dayfly.observe.rollup_sums import RollupSums
from dayfly.queue.questions import Figures
from dayfly.server.alerts import days_left
from dayfly.storage.certificate import make_certificate
from dayfly.storage.memory_watch import MemoryWatch

HELLO = parse_function_key("hello.team")
HOOK = WebhookTarget(url="https://hooks.example.org")


class Recorder(Senders):
    """Keeps what it is to send; `refusal` is why it cannot, `gate` what it waits for."""

    def __init__(self) -> None:
        self.told: list[Notice] = []
        self.refusal: Exception | None = None
        self.gate: asyncio.Event | None = None

    async def tell(self, receiver: Receiver, notice: Notice) -> str:
        del receiver
        if self.gate is not None:
            await self.gate.wait()
        if self.refusal is not None:
            raise self.refusal
        self.told.append(notice)
        return ""

    async def post(self, receiver: Receiver, letter: Letter) -> str:
        raise AssertionError((receiver, letter))


class World:
    """Figures as a test says that they are, and a store that outlives what stands on it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broken = ""
        self.store = MemoryWatch(lambda: self.broken)
        self.dead = 0
        self.disk = 0.1
        self.is_up = True
        self.exits: dict[FunctionKey, int] = {}
        self.sums: list[Rollup] = []
        self.asked: list[RollupSums] = []
        self.budgets: list[BudgetStatus] = []
        self.days: dict[str, float] = {}
        self.functions: list[Any] = [SimpleNamespace(key=HELLO, created_unix_ms=1)]
        self.vector: list[Element] | Exception = []
        self.scopes: list[tuple[str, str]] = []
        self.ready = 1

    def begin(self) -> Life:
        """Begin a life of the control plane's part."""
        return Life(self)

    def check(self, expr: str, namespace: str = "") -> None:
        """Take any expression."""

    async def instant(self, expr: str, namespace: str = "") -> list[Element]:
        self.scopes.append((expr, namespace))
        if isinstance(self.vector, Exception):
            raise self.vector
        return self.vector

    async def queue(self) -> Figures:
        return Figures(
            (
                QueueFigures(
                    function=str(HELLO), dead=self.dead, pending=self.dead, inflight=0, submitted=0, processed={}
                ),
            ),
            self.is_up,
        )

    async def statuses(self, namespace: NamespaceName) -> list[Any]:
        spec = SimpleNamespace(key=HELLO)
        return [SimpleNamespace(spec=spec, ready_replicas=self.ready)] if namespace == "team" else []

    async def summed(self, query: RollupSums) -> list[Rollup]:
        self.asked.append(query)
        return self.sums


class Life:
    """One life: all in it but the store is gone after a kill."""

    def __init__(self, world: World) -> None:
        self.world = world
        vault: Any = None
        self.book = Book(world.store, vault, lambda _name: None, world.clock)
        sources = Sources(
            functions=lambda: world.functions, namespaces=lambda: [HELLO.namespace], statuses=world.statuses,
            exits=lambda: world.exits, budgets=lambda: world.budgets, queue=world.queue, sums=world.summed,
            disk=lambda: world.disk, certificates=lambda: world.days, history=world,
        )  # fmt: skip
        self.watch = Watch(self.book, Looks(sources, world.clock.unix_ms, world.clock.now), world.store, world.clock)
        self.senders = Recorder()
        self.telling = Telling(self.book, self.watch, self.senders, world.store, world.clock, "http://console")

    async def open(self) -> Life:
        await self.book.open()
        await self.watch.open()
        await self.telling.open()
        return self

    async def look(self, after_s: float = 0) -> None:
        """Let time pass, look, tell, and wait for what is being sent."""
        self.world.clock.advance(after_s)
        await self.watch.look()
        await self.telling.look()
        await self.rest()

    async def rest(self) -> None:
        while tasks := list(self.telling._sending.values()):
            await asyncio.gather(*tasks)

    @property
    def titles(self) -> list[str]:
        return [f"{notice.status} {notice.alerts[0].rule}" for notice in self.senders.told]

    async def receiver(self, **fields: Any) -> None:
        given = {"name": "ops", "target": HOOK, "group_wait": "0s", "group_interval": "0s", **fields}
        await self.book.put_receiver(Receiver(**given), None)

    async def only(self, **fields: Any) -> None:
        """Watch one thing alone."""
        for key in list(self.book.rules):
            await self.book.remove_rule(*key)
        await self.book.put_rule(AlertRule(**{"name": "mine", **fields}))

    def states(self, rule: str = "mine") -> dict[str, str]:
        """Return the states of a rule's alerts, by function or what else they are about."""
        about = ("function", "certificate", "disk", "of")
        return {
            next((each.labels[name] for name in about if name in each.labels), ""): each.state
            for each in self.watch.listed(None)
            if each.rule == rule
        }


def play(story: Callable[[World], Awaitable[None]]) -> None:
    asyncio.run(story(World()))  # type: ignore[arg-type] # every story is a coroutine


def test_after_a_kill_nobody_is_told_twice_and_everybody_of_the_end() -> None:
    async def story(world: World) -> None:
        first = await world.begin().open()
        await first.receiver()
        world.dead = 1
        await first.look()
        assert first.titles == ["firing dead-letters"]
        second = await world.begin().open()
        await second.look(20)
        assert second.titles == []
        assert second.states("dead-letters") == {"hello": "firing"}
        world.dead = 0
        await second.look(20)
        assert second.titles == ["resolved dead-letters"]
        third = await world.begin().open()
        await third.look(20)
        assert third.titles == []

    play(story)


def test_what_was_sent_and_not_yet_written_down_is_sent_again_under_the_same_id() -> None:
    async def story(world: World) -> None:
        first = await world.begin().open()
        await first.receiver()
        world.dead = 1
        await first.watch.look()
        await first.telling.look()
        kept = dict(await world.store.kept("told"))
        await first.rest()
        (before,) = first.senders.told
        # What a kill between the two leaves: the group is not known to have been told.
        await world.store.keep("told", dict.fromkeys(await world.store.kept("told")))
        await world.store.keep("told", dict(kept))
        second = await world.begin().open()
        await second.look()
        (again,) = second.senders.told
        assert again.id == before.id
        await second.look(20)
        assert len(second.senders.told) == 1

    play(story)


def test_a_store_that_fails_is_tried_again_and_nobody_told_again_meanwhile() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver()
        world.dead, world.broken = 1, "the disk is full"
        await life.look()
        await life.look(20)
        assert life.titles == ["firing dead-letters"]
        world.broken = ""
        await life.look(20)
        second = await world.begin().open()
        await second.look(20)
        assert second.titles == []

    play(story)


def test_what_cannot_be_sent_is_tried_again_until_it_is_and_says_why() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver()
        world.dead, life.senders.refusal = 1, NotSent("it is away")
        await life.look()
        assert life.telling.counts["", "ops"].trouble == "it is away"
        await life.look(1)
        life.senders.refusal = None
        await life.look(1)
        assert life.titles == []
        await life.look(5)
        assert life.titles == ["firing dead-letters"]
        assert life.telling.counts["", "ops"].trouble == ""

    play(story)


def test_a_bug_in_a_sender_stops_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver()
        world.dead, life.senders.refusal = 1, KeyError("nobody foresaw it")
        await life.look()
        life.senders.refusal = None
        await life.look(10)
        assert life.titles == ["firing dead-letters"]

    play(story)
    assert "bug: receiver ops was not told" in caplog.text


def test_a_receiver_that_never_answers_keeps_no_other_waiting() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver(group_by=("alertname",))
        world.dead, world.disk, life.senders.gate = 1, 0.99, asyncio.Event()
        world.clock.advance(1)
        await life.watch.look()
        await life.telling.look()
        await life.telling.look()
        assert len(life.telling._sending) == 1
        world.clock.advance(60)
        await life.watch.look()
        await life.telling.look()
        assert len(life.telling._sending) == 2
        await life.telling.close()
        assert life.senders.told == []

    play(story)


def test_a_rule_that_is_removed_is_over_and_that_is_told() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver()
        await life.only(kind="queue_depth", threshold=1)
        world.dead = 5
        await life.look()
        await life.book.remove_rule("", "mine")
        await life.look(20)
        assert life.titles == ["firing mine", "resolved mine"]
        await life.look(3600)
        assert life.states() == {}
        assert await world.store.kept("found") == {}
        assert await world.store.kept("told") == {}

    play(story)


def test_a_rule_names_who_is_told() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.receiver()
        await life.receiver(name="other")
        await life.only(kind="queue_depth", threshold=1, receivers=("other",))
        world.dead = 5
        await life.look()
        assert [notice.receiver for notice in life.senders.told] == ["other"]

    play(story)


def test_a_queue_that_is_away_says_nothing_of_its_calls() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        world.dead = 1
        await life.look()
        world.is_up = False
        await life.look(20)
        assert life.states("dead-letters") == {"hello": "firing"}

    play(story)


def rollup(calls: int, failed: int = 0, cold: int = 0, bucket: int = 0, **fields: Any) -> Rollup:
    latencies = [0] * (len(LATENCY_BUCKETS_S) + 1)
    latencies[bucket] = calls
    told: dict[str, Any] = {
        "function": "hello", "namespace": "team", "at_unix_s": 0, "calls": calls, "failed": failed, "cold": cold,
        "seconds": 1.0, "run_s": 1.0, "request_bytes": 0, "response_bytes": 0, "latencies": tuple(latencies), **fields,
    }  # fmt: skip
    return Rollup(**told)


@pytest.mark.parametrize(
    ("rule", "bad", "good"),
    [
        ({"kind": "error_rate"}, [rollup(100, failed=6)], [rollup(100, failed=5)]),
        ({"kind": "latency", "threshold": LATENCY_BUCKETS_S[1]}, [rollup(9, bucket=2)], [rollup(9, bucket=1)]),
        ({"kind": "latency", "threshold": 1e6}, [rollup(9, bucket=len(LATENCY_BUCKETS_S))], []),
        ({"kind": "cold_starts", "threshold": 3}, [rollup(9, cold=4)], [rollup(9, cold=3)]),
        ({"kind": "no_traffic"}, [], [rollup(1)]),
        ({"kind": "no_traffic", "window": "24h", "function": "hello", "namespace": "team"}, [], [rollup(1)]),
    ],
)
def test_calls_are_judged_by_their_roll_ups(rule: dict[str, Any], bad: list[Rollup], good: list[Rollup]) -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.only(**rule)
        world.sums = bad
        await life.look()
        assert life.states() == {"hello": "firing"}
        (query,) = {(each.span, each.namespace) for each in world.asked}
        assert query == ("hour" if rule.get("window") else "minute", rule.get("namespace", ""))
        world.sums = good
        await life.look(20)
        assert life.states() == {"hello": "resolved"}
        world.sums, world.functions = bad, []
        await life.look(20)
        assert life.states() == {"hello": "resolved"}, "the function is gone"

    play(story)


def test_one_that_was_deployed_just_now_is_not_said_to_be_silent() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.only(kind="no_traffic", window="10m")
        world.functions = [SimpleNamespace(key=HELLO, created_unix_ms=world.clock.unix_ms())]
        await life.look(599)
        assert life.states() == {}
        await life.look(1)
        assert life.states() == {"hello": "firing"}

    play(story)


def test_replicas_that_end_are_counted_within_the_window_and_not_forgotten_by_a_restart() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        for ended in (1, 2, 3):
            world.exits = {HELLO: ended}
            await life.look(60)
        assert life.states("crash-loop") == {"hello": "firing"}
        world.exits = {}
        second = await world.begin().open()
        await second.look(60)
        assert second.states("crash-loop") == {"hello": "firing"}, "nobody knows yet"
        await second.look(600)
        assert second.states("crash-loop") == {"hello": "resolved"}

    play(story)


def test_restarts_are_forgotten_with_their_window() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.look(600)
        world.exits = {HELLO: 3}
        await life.look(1)
        assert life.states("crash-loop") == {"hello": "firing"}
        await life.look(599)
        assert life.states("crash-loop") == {"hello": "firing"}
        await life.look(2)
        assert life.states("crash-loop") == {"hello": "resolved"}

    play(story)


def test_replicas_budgets_disk_and_certificates_are_looked_at_as_they_are() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        world.disk, world.days = 0.95, {"a.pem": 13.0, "b.pem": 40.0}
        world.budgets = [
            BudgetStatus(namespace="team", function=name, measure="calls", period="day", amount=10, used=used,
                         state="within", ends_unix_ms=1)
            for name, used in (("hello", 9.5), ("other", 1), ("", 10))
        ]  # fmt: skip
        await life.look()
        assert life.states("disk-nearly-full") == {"data folder": "pending"}
        assert life.states("certificate-ends") == {"a.pem": "firing"}
        assert life.states("budget-used") == {"hello": "firing", "": "firing"}
        world.disk = 0.86
        await life.look(60)
        assert life.states("disk-nearly-full") == {}, "it was pending, and is below what it needs to be one"
        world.disk = 0.95
        await life.look(60)
        await life.look(60)
        world.disk = 0.86
        await life.look(60)
        assert life.states("disk-nearly-full") == {"data folder": "firing"}, "it stays up to 85 %"
        await life.only(kind="replicas", threshold=1)
        world.ready = 0
        await life.look()
        assert life.states() == {"hello": "firing"}

    play(story)


def test_any_expression_is_asked_within_its_namespace_and_its_elements_are_alerts() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.only(kind="promql", expr="up == 0", namespace="team")
        world.vector = [
            Element({"of": "x", "namespace": "other"}, 0.0), Element({"of": "y", "__name__": "up"}, float("inf")),
            Element({"of": "z"}, float("nan")),
        ]  # fmt: skip
        await life.look()
        assert world.scopes == [("up == 0", "team")]
        assert life.states() == {"x": "firing", "y": "firing", "z": "firing"}
        assert {each.namespace for each in life.watch.listed(None)} == {"team"}
        second = await world.begin().open()
        assert second.states() == life.states(), "figures that JSON knows no number for are kept too"
        world.vector = InvalidRequest("1:1: that is no query")
        await life.look(20)
        assert life.states() == {"x": "firing", "y": "firing", "z": "firing"}
        status = life.watch.status(("team", "mine"))
        assert (status.state, status.trouble) == ("failing", "1:1: that is no query")
        await life.only(kind="promql", expr="up", threshold=5)
        world.vector = [Element({"of": "x"}, 6), Element({"of": "y"}, 5), Element({"of": "z"}, float("nan"))]
        await life.look(20)
        firing = [each for each in life.watch.listed(None) if each.state == "firing"]
        assert [each.labels["of"] for each in firing] == ["x"]

    play(story)


def test_what_is_damaged_in_the_store_is_told_by_its_name() -> None:
    async def story(world: World) -> None:
        await world.store.keep("rule", {("team", "mine"): "{}"})
        with pytest.raises(StoreUnavailable, match=r"the rule mine\.team"):
            await world.begin().open()

    play(story)


def test_days_are_counted_until_a_certificate_ends(tmp_path: Path) -> None:
    made = make_certificate(["a.example.org"], years=1)
    main, folder = tmp_path / "main.pem", tmp_path / "hosts"
    main.write_bytes(made.cert)
    (folder / "b.example.org").mkdir(parents=True)
    (folder / "b.example.org" / "fullchain.pem").write_bytes(made.cert)
    (folder / "c.example.org.pem").write_text("none")
    from dayfly.storage.certificate import expiry

    a_week_before = round(expiry(made.cert).timestamp() * 1000) - 7 * 86_400_000
    found = days_left(str(main), str(folder), a_week_before)
    assert found == {"main.pem": 7.0, "b.example.org": 7.0, "c.example.org.pem": 0.0}
    assert days_left("", "", a_week_before) == {}


def test_what_is_found_is_written_when_it_changes_and_not_with_every_figure() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        world.dead = 1
        await life.look()
        world.broken = "nothing may be written"
        world.dead = 2
        await life.look(20)
        assert life.watch._kept == {key: msgspec.json.encode((found.rule, {
            name: msgspec.structs.replace(each, value=0.0) for name, each in found.alerts.items()
        })).decode() for key, found in life.watch.found.items()}  # fmt: skip

    play(story)


def test_a_source_that_fails_leaves_alerts_as_they_are() -> None:
    async def story(world: World) -> None:
        life = await world.begin().open()
        await life.only(kind="promql", expr="x")
        world.vector = [Element({"of": "x"}, 1)]
        await life.look()
        world.vector = Unavailable("it is away")
        await life.look(20)
        assert life.states() == {"x": "firing"}

    play(story)
