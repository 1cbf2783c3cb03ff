"""Calls of flows through the queue: one for each attempt, whatever comes of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.decide.flow_plan import Order
from dayfly.decide.flow_spans import traceparent
from dayfly.events.flows.calls import LONGEST_AGAIN_S, QueueCalls
from dayfly.model.errors import DayflyError, KeyReused, LimitExceeded, NotFound, NotSupported, Unavailable
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import Ended, Failed, FlowRun
from dayfly.model.names import FunctionKey
from dayfly.model.queued import CallState, CallStatus
from dayfly.queue.submission import Terms

RUN = FlowRun(
    id="r", namespace="team", flow="bill", spec=FlowSpec.sequence("bill", "team", ("f",)), input=None, started_unix_ms=1
)
ORDER = Order("a.1.b", 2, "load", {"n": 1})


def status(state: CallState = "done", **fields: Any) -> CallStatus:
    return CallStatus(
        id="c", function="load.team", namespace="team", state=state, attempts=1, accepted_unix_ms=1, **fields
    )


class Queue:
    """Answers as a test says; an error stands for itself, once."""

    def __init__(self) -> None:
        self.missing = ""
        self.submitted: list[tuple[str, Terms, str, dict[str, str], bytes]] = []
        self.refusals: list[DayflyError] = []
        self.statuses: list[CallStatus | DayflyError] = []
        self.cancelled: list[str] = []
        self.purged: list[str] = []

    async def submit(
        self, function: str, terms: Terms, *, key: str, headers: Mapping[str, str], body: bytes = b""
    ) -> str:
        self.submitted.append((function, terms, key, dict(headers), body))
        if self.refusals:
            raise self.refusals.pop(0)
        return "c"

    async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
        assert (call_id, wait_s > 0) == ("c", True)
        found = self.statuses.pop(0)
        if isinstance(found, DayflyError):
            raise found
        return found

    async def cancel(self, call_id: str) -> CallStatus:
        self.cancelled.append(call_id)
        raise NotFound("it is over")

    async def purge(self, call_ids: list[str]) -> int:
        self.purged += call_ids
        if self.refusals:
            raise self.refusals.pop(0)
        return 1


class Rig:
    def __init__(self, *statuses: CallStatus | DayflyError) -> None:
        self.queue: Any = Queue()
        self.queue.statuses = list(statuses)
        self.functions = {"load.team": 3}
        self.accepted: list[str] = []

    def concurrency(self, key: FunctionKey) -> int:
        if str(key) not in self.functions:
            raise NotFound(f"there is no function {key}")
        return self.functions[str(key)]

    def make(self, order: Order = ORDER, run: FlowRun = RUN) -> Ended | Failed:
        async def main() -> Ended | Failed:
            clock = ManualClock()
            making = asyncio.ensure_future(
                QueueCalls(self.queue, self.concurrency, clock).make(run, order, self.accepted.append)
            )
            for _ in range(100):
                await asyncio.sleep(0)
                if making.done():
                    break
                clock.advance(LONGEST_AGAIN_S)
            return making.result()

        return asyncio.run(main())


def code(entry: Ended | Failed) -> str:
    assert isinstance(entry, Failed)
    assert (entry.path, entry.attempt, entry.error.step) == (ORDER.path, ORDER.attempt, ORDER.path)
    return entry.error.code


def test_an_answer_becomes_data() -> None:
    rig = Rig(status("running"), status(body=b'{"a":1}', headers=(("Content-Type", "application/json"),)))
    assert rig.make() == Ended(path="a.1.b", attempt=2, result={"a": 1})
    ((function, terms, _, headers, body),) = rig.queue.submitted
    assert (function, body, rig.accepted) == ("load.team", b'{"n":1}', ["c"])
    assert (terms.concurrency, terms.retry.codes) == (3, ())
    assert headers == {
        "Content-Type": "application/json", "X-Dayfly-Trigger": "flow r", "X-Dayfly-Flow": "bill",
        "X-Dayfly-Flow-Run": "r", "X-Dayfly-Flow-Step": "a.1.b", "X-Dayfly-Flow-Attempt": "2",
        "traceparent": traceparent("r", "a.1.b"),
    }  # fmt: skip


def test_a_runs_calls_are_as_deep_as_who_began_it() -> None:
    rig = Rig(status())
    rig.make(run=msgspec.structs.replace(RUN, depth=3))
    assert rig.queue.submitted[0][3]["X-Dayfly-Depth"] == "3"


def test_one_attempt_has_one_key_and_no_other_has_it() -> None:
    keys = []
    for order in (ORDER, ORDER, Order("a.1.b", 3, "load", None), Order("a.1.c", 2, "load", None)):
        rig = Rig(status())
        rig.make(order)
        keys.append(rig.queue.submitted[0][2])
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert all(len(key) <= 128 and key.isascii() for key in keys)


def test_a_call_of_which_nothing_is_left_ends_its_attempt() -> None:
    """Its key stands for it for a day, so it would be the same call for as long, however often it is asked for."""

    class Keyed(Queue):
        def __init__(self) -> None:
            super().__init__()
            self.ids: dict[str, str] = {}

        async def submit(
            self, function: str, terms: Terms, *, key: str, headers: Mapping[str, str], body: bytes = b""
        ) -> str:
            await super().submit(function, terms, key=key, headers=headers, body=body)
            return self.ids.setdefault(key, f"c{len(self.ids)}")

        async def status(self, call_id: str, wait_s: float = 0.0) -> CallStatus:
            if wait_s and call_id == "c0":
                raise NotFound("there is no call c0")
            return status(body=b"x")

    rig = Rig()
    rig.queue = Keyed()
    lost = rig.make()
    assert code(lost) == "answer_lost"
    assert isinstance(lost, Failed)
    assert "call c0 of load was made" in lost.error.message
    assert rig.make(msgspec.structs.replace(ORDER, attempt=3)) == Ended(path="a.1.b", attempt=3, result="x")


@pytest.mark.parametrize("error", [Unavailable("x"), LimitExceeded("x"), NotSupported("x")])
def test_a_queue_that_is_away_or_full_is_asked_again(error: DayflyError) -> None:
    rig = Rig(error, error, status(body=b"x"))
    rig.queue.refusals = [error] * 2
    assert rig.make() == Ended(path="a.1.b", attempt=2, result="x")
    assert len({key for _, _, key, _, _ in rig.queue.submitted}) == 1
    assert len(rig.queue.submitted) == 5


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (status("dead", status=500, body=b"no"), "function_failed"),
        (status("dead", reason="It does not start."), "not_reached"),
        (status("cancelled"), "cancelled"),
        (status(dropped_bytes=9_000_000), "too_large"),
        (status(body=b"x" * 1_048_577), "too_large"),
        (status(body=b"{", headers=(("content-type", "application/json"),)), "bad_answer"),
    ],
)
def test_what_fails_says_how(found: CallStatus, expected: str) -> None:
    entry = Rig(found).make()
    assert code(entry) == expected
    assert isinstance(entry, Failed)
    if expected == "function_failed":
        assert (entry.error.status, entry.error.body) == (500, "no")


def test_a_function_that_is_not_there_fails_the_step() -> None:
    rig = Rig()
    rig.functions.clear()
    assert code(rig.make()) == "no_function"
    assert rig.queue.submitted == []


def test_what_the_queue_will_never_take_fails_the_step() -> None:
    rig = Rig()
    rig.queue.refusals = [KeyReused("x")]
    assert code(rig.make()) == "not_queued"


def test_what_is_cancelled_or_has_failed_leaves_no_dead_letter() -> None:
    async def main() -> None:
        rig = Rig()
        calls = QueueCalls(rig.queue, rig.concurrency, ManualClock())
        await calls.cancel("c")
        assert (rig.queue.cancelled, rig.queue.purged) == (["c"], ["c"])
        rig.queue.refusals = [Unavailable("x")]
        await calls.release("d")
        assert rig.queue.purged == ["c", "d"]

    asyncio.run(main())
