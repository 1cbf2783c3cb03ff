"""From an event to calls in the queue."""

import asyncio
import contextlib
from typing import Any

import msgspec
import pytest
from tests.unit.events.making import Queue, Runs, event, function, trigger, turn

from dayfly.control.clock import ManualClock
from dayfly.events.delivery import AGAIN_S, CROWDED_S, MAX_FILTERED_BYTES, Delivery, document_of
from dayfly.events.port import Undeliverable
from dayfly.model.errors import KeyReused, LimitExceeded, NotFound, PayloadTooLarge, Unavailable
from dayfly.model.function import Function


class Rig:
    def __init__(self, *functions: Function, **fields: Any) -> None:
        self.clock, self.queue, self.functions = ManualClock(), Queue(), list(functions or [function()])
        self.runs = Runs()
        self.deliver = Delivery(
            trigger(**fields), lambda: self.functions, self.queue, self.clock, begin=self.runs
        )  # fmt: skip

    @property
    def counts(self) -> tuple[int, int, int]:
        standing = self.deliver.standing
        return standing.delivered, standing.filtered, standing.failed


def test_a_function_gets_the_event_in_binary_mode_and_what_connectors_say() -> None:
    rig = Rig()
    asyncio.run(rig.deliver(event(subject="eu/ü", content_type="text/plain", data=b"7", extensions={"shard": "a b"})))
    (firing,) = rig.queue.taken
    assert firing.body == b"7"
    assert firing.headers == {
        "Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Source": "mqtt://mqtt.example.org", "Ce-Type": "com.example.order",
        "Ce-Subject": "eu/%C3%BC", "Ce-Shard": "a%20b", "Content-Type": "text/plain", "X-Topic": "eu/%C3%BC",
        "X-Connector": "mqtt-connector", "X-Dayfly-Trigger": "trigger orders",
    }  # fmt: skip
    assert rig.counts == (1, 0, 0)


@pytest.mark.parametrize(("depth", "header"), [("3", "3"), ("", None), ("-1", None), ("12345", None), ("x", None)])
def test_how_deep_the_call_was_that_an_event_came_of_is_passed_on(depth: str, header: str | None) -> None:
    rig = Rig()
    asyncio.run(rig.deliver(event(extensions={"dayflydepth": depth} if depth else {})))
    assert rig.queue.taken[0].headers.get("X-Dayfly-Depth") == header


def test_an_event_that_comes_again_calls_nothing_again() -> None:
    rig = Rig()

    async def story() -> None:
        for number in (1, 1, 2, 1):
            await rig.deliver(event(number))
        await rig.deliver(event(1, source="mqtt://another.example.org"))

    asyncio.run(story())
    assert len(rig.queue.taken) == 3
    assert len({firing.key for firing in rig.queue.taken}) == 3


def test_two_triggers_and_one_made_anew_each_call_for_the_same_event() -> None:
    queue, functions = Queue(), [function()]
    for made in (trigger("a"), trigger("b"), trigger("b", created=2)):
        asyncio.run(Delivery(made, lambda: functions, queue, ManualClock())(event()))
    assert len(queue.taken) == 3


def test_functions_are_found_by_their_topics_in_the_triggers_namespace() -> None:
    functions = [
        function("a", "eu/1, other"), function("b", "com.example.order"), function("c", "eu/2"), function("d"),
        function("e", "eu/1", namespace="team"),
    ]  # fmt: skip
    rig = Rig(*functions, function="")
    asyncio.run(rig.deliver(event(subject="eu/1")))
    assert rig.queue.called == ["a", "b"]
    asyncio.run(rig.deliver(event(2, subject="eu/9", type="else")))
    assert rig.counts == (1, 1, 0)


@pytest.mark.parametrize("text", ["data.total > `100`", "|".join(["[@,@]"] * 40)])
def test_between_two_filters_all_else_has_its_turn(text: str) -> None:
    """However many events come at once, and also where a filter runs out of its steps."""

    async def story() -> None:
        filtering, turns, over = asyncio.Lock(), 0, False
        rigs = [trigger(str(at), filter=text) for at in range(3)]
        deliveries = [Delivery(each, lambda: [], Queue(), ManualClock(), filtering) for each in rigs]

        async def count() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await asyncio.sleep(0)

        async def bring(delivery: Delivery) -> None:
            for number in range(10):
                with contextlib.suppress(Undeliverable):
                    await delivery.at_once(event(number, data=b'{"total": 1}'))

        counting = asyncio.create_task(count())
        await asyncio.gather(*map(bring, deliveries))
        over = True
        await counting
        assert turns >= 30

    asyncio.run(story())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("data.total > `100`", True), ("data.total > `200`", False), ("subject == 'eu/1'", True),
     ("extensions.shard == 'a'", True), ("type == 'x'", False)],
)  # fmt: skip
def test_a_filter_decides(text: str, wanted: bool) -> None:
    rig = Rig(filter=text)
    asyncio.run(rig.deliver(event(subject="eu/1", data=b'{"total": 120}', extensions={"shard": "a"})))
    assert rig.counts == (int(wanted), int(not wanted), 0)
    assert len(rig.queue.taken) == int(wanted)


@pytest.mark.parametrize("data", [b'{"total": 1}', b'" ' * MAX_FILTERED_BYTES])
def test_what_a_filter_cannot_judge_is_delivered_to_nobody(data: bytes) -> None:
    rig = Rig(filter="starts_with(data.total, 'a')")
    with pytest.raises(Undeliverable, match="filter"):
        asyncio.run(rig.deliver(event(data=data)))
    assert rig.counts == (0, 0, 1)
    assert "filter" in rig.deliver.standing.trouble


@pytest.mark.parametrize(
    ("content_type", "data", "seen"),
    [("", b"[1]", [1]), ("application/x+json; a=b", b"[1]", [1]), ("text/plain", b"[1]", "[1]"), ("", b"{", "{"),
     ("", b"\xff", None), ("", b"", None), ("", b"[" * 100_000, "[" * 100_000)],
)  # fmt: skip
def test_what_a_filter_sees_of_the_data(content_type: str, data: bytes, seen: object) -> None:
    assert document_of(event(content_type=content_type, data=data))["data"] == seen


def test_it_waits_for_a_queue_that_is_full_or_away() -> None:
    rig = Rig(function("a", "t"), function("b", "t"), function="")
    rig.queue.broken = [LimitExceeded("full"), Unavailable("away")]

    async def story() -> None:
        delivering = asyncio.create_task(rig.deliver(event(subject="t")))
        await turn(lambda: rig.deliver.standing.trouble == "full")
        rig.clock.advance(AGAIN_S)
        await turn(lambda: rig.deliver.standing.trouble == "away")
        assert not delivering.done()
        rig.clock.advance(2 * AGAIN_S)
        await delivering

    asyncio.run(story())
    assert rig.queue.called == ["a", "b"]
    assert (rig.counts, rig.deliver.standing.trouble) == ((1, 0, 0), "")


@pytest.mark.parametrize("refusal", [PayloadTooLarge("too large"), KeyReused("other data")])
def test_what_the_queue_will_never_take_is_undeliverable(refusal: PayloadTooLarge | KeyReused) -> None:
    rig = Rig()
    rig.queue.broken = [refusal]
    with pytest.raises(Undeliverable, match=str(refusal)):
        asyncio.run(rig.deliver(event()))
    assert rig.counts == (0, 0, 1)


def test_who_waits_for_an_answer_is_told_at_once() -> None:
    rig = Rig()
    rig.queue.broken = [LimitExceeded("full")]
    with pytest.raises(LimitExceeded):
        asyncio.run(rig.deliver.at_once(event()))
    assert asyncio.run(rig.deliver.at_once(event()))
    rig.functions.clear()
    assert not asyncio.run(rig.deliver.at_once(event()))


FLOW = {"flow": "ship", "function": ""}


def test_a_flow_begins_with_the_event_once_and_as_deep_as_it_came() -> None:
    rig = Rig(**FLOW)
    given = event(subject="eu", content_type="application/json", data=b'{"n": 1}', extensions={"shard": "a"})
    for depth in ("3", "4"):  # it may come again by another way
        asyncio.run(rig.deliver(msgspec.structs.replace(given, extensions={"shard": "a", "dayflydepth": depth})))
    (begun,) = rig.runs.begun.values()
    assert (begun.flow, begun.namespace, begun.by, begun.depth) == ("ship", "openfaas-fn", "trigger orders", 3)
    assert begun.input == {
        "specversion": "1.0", "id": "1", "source": "mqtt://mqtt.example.org", "type": "com.example.order",
        "subject": "eu", "datacontenttype": "application/json", "shard": "a", "data": {"n": 1},
    }  # fmt: skip
    assert (rig.counts, rig.queue.taken) == ((2, 0, 0), [])


@pytest.mark.parametrize(
    ("content_type", "data", "given"),
    [
        ("", b'{"n":1}', {"n": 1}),
        ("", b"{not json", "{not json"),
        ("text/plain", b"7", "7"),
        ("image/png", b"\xff", {"content_type": "image/png", "base64": "/w=="}),
    ],
)
def test_what_an_event_holds_reaches_a_flow_as_any_body_does(content_type: str, data: bytes, given: object) -> None:
    rig = Rig(**FLOW)
    asyncio.run(rig.deliver(event(content_type=content_type, data=data)))
    assert next(iter(rig.runs.begun.values())).input["data"] == given


def test_an_event_without_data_has_none_and_one_that_no_flow_takes_is_told() -> None:
    rig = Rig(**FLOW)
    asyncio.run(rig.deliver(event()))
    assert "data" not in next(iter(rig.runs.begun.values())).input
    for wrong in (b"{not json", b'"' + b"x" * 1_048_500 + b'"'):
        with pytest.raises(Undeliverable):
            asyncio.run(rig.deliver(event(2, content_type="application/json", data=wrong)))
    assert (rig.counts, len(rig.runs.begun)) == ((1, 0, 2), 1)


def test_a_flow_that_is_gone_is_begun_by_nobody() -> None:
    rig = Rig(**FLOW)
    rig.runs.broken = [NotFound("there is no flow ship")]
    asyncio.run(rig.deliver(event()))
    assert rig.counts == (0, 1, 0)


def test_one_namespace_with_too_many_runs_does_not_hold_up_the_ends_of_all() -> None:
    """Its own source waits, for as long as it takes."""

    async def story() -> None:
        rig = Rig(**FLOW)
        rig.runs.broken = [LimitExceeded("1000 runs are under way")] * 100
        for deliver, gives_up in ((rig.deliver.among_others, True), (rig.deliver, False)):
            task = asyncio.ensure_future(deliver(event()))
            for _ in range(20):
                await asyncio.sleep(0)
                rig.clock.advance(CROWDED_S / 4)
                await asyncio.sleep(0)
            assert task.done() is gives_up
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Undeliverable):
                await task
        assert rig.counts == (0, 0, 1)

    asyncio.run(story())
