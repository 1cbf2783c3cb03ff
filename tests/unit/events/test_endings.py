"""Ends of calls as events, over a queue that says what it is told."""

import asyncio
import base64
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest
from tests.unit.events.making import Queue, function, trigger, turn

from dayfly.control.clock import ManualClock
from dayfly.events.delivery import Delivery
from dayfly.events.endings import FAILED, SUCCEEDED, Endings, answered, event_of, takes_answer, waits_for
from dayfly.model.errors import Unavailable
from dayfly.model.queued import Result
from dayfly.queue.questions import Ending
from dayfly.storage.memory_triggers import MemoryTriggers


def result(**fields: Any) -> Result:
    told = {"id": "call", "function": "first.openfaas-fn", "state": "done", "attempts": 1, "accepted_unix_ms": 1,
            "finished_unix_ms": 5_000, "status": 200, "body": b"41"}  # fmt: skip
    return msgspec.convert({**told, **fields}, Result)


class Ended:
    """A queue whose calls end."""

    def __init__(self) -> None:
        self.endings: list[Ending] = []
        self.asked: list[int] = []
        self.away = False
        self._news = asyncio.Event()

    def end(self, *results: Result, missed: int = 0) -> None:
        for each in results:
            before = self.endings[-1].position if self.endings else 0
            self.endings.append(Ending(before + missed + 1, each, missed))
        self._news.set()

    async def ended(self, position: int, wait_s: float, body_bytes: int) -> list[Ending]:
        assert wait_s > 0 < body_bytes
        self.asked.append(position)
        while True:
            if self.away:
                raise Unavailable("the queue is away")
            self._news.clear()
            if found := [each for each in self.endings if each.position > position]:
                return found
            await self._news.wait()


class Rig:
    def __init__(self, **source: Any) -> None:
        self.clock, self.queue, self.store, self.ended = ManualClock(), Queue(), MemoryTriggers(), Ended()
        made = trigger(source={"kind": "function", "name": "first", **source}, function="second", created=5_000)
        self.delivery = Delivery(made, lambda: [function("second")], self.queue, self.clock)
        self.running = [self.delivery]
        self.endings = self.again()

    def again(self) -> Endings:
        return Endings(self.ended, self.store, lambda: self.running, self.clock)


def play(rig: Rig, story: Callable[[Rig], Coroutine[Any, Any, None]], endings: Endings | None = None) -> None:
    async def whole() -> None:
        running = asyncio.create_task((endings or rig.endings).run())
        try:
            await story(rig)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(whole())


def test_an_end_calls_the_function_that_waits_for_it_and_how_far_it_got_is_kept() -> None:
    async def story(rig: Rig) -> None:
        rig.ended.end(result(), result(id="other", function="third.openfaas-fn"))
        await turn(lambda: len(rig.ended.asked) == 2)
        (firing,) = rig.queue.taken
        assert (firing.function.name, firing.headers["Ce-Type"]) == ("second", SUCCEEDED)
        told = msgspec.json.decode(firing.body)
        assert (told["call_id"], told["status"], told["body"]) == ("call", 200, "41")
        assert rig.ended.asked == [0, 2]
        assert await rig.store.followed() == 2

    play(Rig(), story)


def test_after_a_kill_before_the_position_was_kept_nothing_is_lost_or_called_twice() -> None:
    rig = Rig()

    async def killed(rig: Rig) -> None:
        async def never(_position: int) -> None:
            await asyncio.Event().wait()

        rig.store.follow = never  # type: ignore[method-assign,assignment] # the kill comes before this is written
        rig.ended.end(result())
        await turn(lambda: len(rig.queue.taken) == 1)

    async def again(rig: Rig) -> None:
        rig.ended.end(result(id="later"))
        await turn(lambda: len(rig.queue.taken) == 2)
        await turn(lambda: len(rig.ended.asked) == 3)
        assert rig.ended.asked == [0, 0, 2]

    play(rig, killed)
    del rig.store.follow  # back to the class's own
    play(rig, again, rig.again())
    assert rig.queue.called == ["second", "second"]


def test_a_queue_that_is_away_is_asked_again_and_nobody_is_asked_for_nobody() -> None:
    async def story(rig: Rig) -> None:
        rig.ended.away = True
        await turn(lambda: len(rig.ended.asked) == 1)
        rig.running = []
        rig.ended.away = False
        rig.clock.advance(30)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(rig.ended.asked) == 1
        rig.running = [rig.delivery]
        before, after = rig.clock.unix_ms() - 1, rig.clock.unix_ms()
        rig.ended.end(result(id="past", finished_unix_ms=before), result(finished_unix_ms=after))
        rig.clock.advance(1)
        await turn(lambda: bool(rig.queue.taken))
        await turn(lambda: rig.queue.called == ["second"])

    play(Rig(), story)


BINARY = (
    b"Content-Type: text/plain\r\nCe-Specversion: 1.0\r\nCe-Id: 7\r\nCe-Source: /f\r\nCe-Type: com.example.done\r\n"
)
STRUCTURED = b"Content-Type: application/cloudevents+json; charset=utf-8\r\n"
EVENT = b'{"specversion": "1.0", "id": "8", "source": "/f", "type": "com.example.done", "data": {"n": 1}}'


def test_ends_that_went_before_they_were_read_are_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def story(rig: Rig) -> None:
        rig.ended.end(result(), missed=1000)
        await turn(lambda: len(rig.ended.asked) == 2)
        assert rig.delivery.standing.missed == 0, "nobody followed before"
        rig.ended.end(result(id="next"), missed=3)
        await turn(lambda: len(rig.ended.asked) == 3)
        assert rig.delivery.standing.missed == 3
        assert "missed=3" in caplog.text
        rig.running = []
        rig.ended.end(result(id="unheard"))
        await turn(lambda: rig.endings._was_alone)
        rig.running = [rig.delivery]
        rig.clock.advance(1)
        rig.ended.end(result(id="later", finished_unix_ms=rig.clock.unix_ms()), missed=20)
        await turn(lambda: rig.ended.asked[-1] == rig.ended.endings[-1].position)
        assert rig.delivery.standing.missed == 3, "what went while nobody waited"

    play(Rig(), story)


@pytest.mark.parametrize(
    ("fields", "ids"),
    [
        ({"lines": BINARY}, ["7"]),
        ({"lines": STRUCTURED, "body": EVENT}, ["8"]),
        ({"lines": STRUCTURED.replace(b"events", b"events-batch"), "body": b"[" + EVENT + b"]"}, ["8"]),
        ({"lines": STRUCTURED, "body": EVENT, "state": "dead", "status": 500}, []),
        ({"lines": STRUCTURED, "body": EVENT, "status": 400}, []),
        ({"lines": STRUCTURED, "body": b"{"}, []),
        ({"lines": STRUCTURED, "dropped_bytes": 300_000, "body": b""}, []),
        ({"lines": BINARY.replace(b"Ce-Id: 7\r\n", b"")}, []),
        ({"lines": b"Content-Type: application/json\r\n", "body": EVENT}, []),
    ],
)
def test_which_answers_are_events(fields: dict[str, Any], ids: list[str]) -> None:
    found = answered(result(depth=4, **fields))
    assert [each.id for each in found] == ids
    assert {each.extensions["dayflydepth"] for each in found} <= {"4"}


@pytest.mark.parametrize(
    ("source", "fields", "takes"),
    [
        ({"answers": True}, {}, True),
        ({"answers": True, "types": ["com.example.*"]}, {}, True),
        ({"answers": True, "types": ["com.other"]}, {}, False),
        ({}, {}, False),
        ({"answers": True}, {"function": "first.team"}, False),
        ({"answers": True}, {"finished_unix_ms": 4_999}, False),
    ],
)
def test_which_answers_a_trigger_takes(source: dict[str, Any], fields: dict[str, Any], takes: bool) -> None:
    came = result(lines=BINARY, **fields)
    made = trigger(source={"kind": "event", **source}, function="second", created=5_000)
    delivery = Delivery(made, lambda: [function("second")], Queue(), ManualClock())
    assert takes_answer(delivery, came, answered(came)[0]) is takes


def test_an_event_that_is_answered_calls_once_and_as_deep_as_the_call() -> None:
    async def story(rig: Rig) -> None:
        made = trigger(source={"kind": "event", "answers": True}, function="second", created=5_000)
        rig.running = [Delivery(made, lambda: [function("second")], rig.queue, rig.clock)]
        claimed = BINARY + b"Ce-Dayflydepth: 0\r\n"
        rig.ended.end(result(lines=claimed, depth=3), result(id="again", lines=claimed, depth=3))
        await turn(lambda: len(rig.ended.asked) == 2)
        (firing,) = rig.queue.taken
        assert (firing.headers["Ce-Id"], firing.headers["X-Dayfly-Depth"], firing.body) == ("7", "3", b"41")

    play(Rig(), story)


@pytest.mark.parametrize(
    ("outcome", "fields", "waits"),
    [
        ("success", {}, True),
        ("failure", {}, False),
        ("both", {}, True),
        ("success", {"state": "dead"}, False),
        ("failure", {"state": "dead"}, True),
        ("both", {"state": "dead"}, True),
        ("both", {"state": "cancelled"}, False),
        ("both", {"function": "first.team"}, False),
        ("both", {"function": "other.openfaas-fn"}, False),
        ("both", {"finished_unix_ms": 4_999}, False),
    ],
)
def test_which_ends_a_trigger_waits_for(outcome: str, fields: dict[str, Any], waits: bool) -> None:
    assert waits_for(Rig(outcome=outcome).delivery, result(**fields)) is waits


def test_what_an_event_tells_of_an_end() -> None:
    event = event_of(
        result(state="dead", status=500, reason="why", body=b"\xff", lines=b"Content-Type: image/png\r\n", seconds=0.5)
    )
    assert (event.type, event.subject, event.time) == (FAILED, "first", "1970-01-01T00:00:05Z")
    assert event.source == "/namespaces/openfaas-fn/functions/first"
    assert msgspec.json.decode(event.data) == {
        "call_id": "call", "function": "first", "namespace": "openfaas-fn", "status": 500, "attempts": 1,
        "reason": "why", "seconds": 0.5, "content_type": "image/png", "dropped_bytes": 0,
        "body_base64": base64.b64encode(b"\xff").decode(),
    }  # fmt: skip
    assert event_of(result(finished_unix_ms=6_000)).id != event_of(result()).id, "one that begins anew ends anew"


def test_a_circle_of_ends_is_as_deep_as_its_calls_and_stops_where_they_are_cut() -> None:
    async def story(rig: Rig) -> None:
        cut, own = {"status": 508, "state": "dead"}, b"X-Duration-Seconds: 0.1\r\n"
        rig.ended.end(result(depth=3), result(id="b", depth=4, **cut), result(id="c", depth=4, lines=own, **cut))
        await turn(lambda: len(rig.ended.asked) == 2)
        assert [firing.headers["X-Dayfly-Depth"] for firing in rig.queue.taken] == ["3", "4"]

    play(Rig(outcome="both"), story)
