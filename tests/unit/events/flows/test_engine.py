"""The engine: what was decided is written before it is done, and a run goes on wherever it was left."""

import asyncio
from typing import Any

import pytest
from tests.unit.events.flows.stage import Stage, play

from dayfly.decide.flow_plan import Plan
from dayfly.events.flows import engine, open_run
from dayfly.events.flows.open_run import AGAIN_S
from dayfly.model.errors import Conflict, LimitExceeded, StoreUnavailable
from dayfly.model.flow_run import Begun, Ended, Signalled

CALL = {"do": "call", "name": "a", "function": "f"}
THEN = {"do": "call", "name": "b", "function": "f"}
EACH = {"do": "map", "name": "m", "over": "input", "concurrency": 2, "steps": [CALL]}
WAIT = {"do": "wait", "name": "w", "event": "e"}


def test_a_run_goes_from_step_to_step() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin(CALL, THEN)
        await stage.until(lambda: "a" in stage.calls.open)
        stage.calls.answer("a", 1)
        await stage.until(lambda: "b" in stage.calls.open)
        assert stage.calls.open["b"][0].body == 1
        stage.calls.answer("b", 2)
        run = await stage.over()
        assert (run.state, run.result) == ("done", 2)
        assert stage.engine.ended["n", "f", "done"] == 1

    play(story)


def test_nothing_is_called_before_it_is_in_the_log() -> None:
    async def story(stage: Stage) -> None:
        stage.log.broken = ""
        await stage.begin(CALL)
        stage.log.broken = "the disk is full"
        await stage.rest()
        assert stage.calls.made == []
        stage.log.broken = ""
        stage.clock.advance(AGAIN_S)
        await stage.until(lambda: stage.calls.made)
        assert [logged.entry for logged in await stage.log.log("r")] == [Begun(path="a")]

    play(story)


def test_a_killed_engines_runs_are_taken_up_and_their_calls_ordered_again() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin(EACH, given=[1, 2, 3])
        await stage.until(lambda: len(stage.calls.open) == 2)
        stage.calls.answer("m.0.a", "x")
        await stage.until(lambda: "m.2.a" in stage.calls.open)
        before = await stage.log.log("r")
        await stage.kill()
        await stage.until(lambda: len(stage.calls.open) == 2)
        assert sorted(stage.calls.made) == [("m.1.a", 1), ("m.2.a", 1)]
        assert stage.calls.cancelled == []
        assert await stage.log.log("r") == before
        stage.calls.answer("m.2.a", "z")
        stage.calls.answer("m.1.a", "y")
        assert (await stage.over()).result == ["x", "y", "z"]

    play(story)


def test_an_answer_that_the_disk_refuses_is_kept_until_it_takes_it() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin(CALL)
        await stage.until(lambda: stage.calls.open)
        stage.log.broken = "the disk is full"
        stage.calls.answer("a", "kept")
        await stage.rest()
        stage.log.broken = ""
        stage.clock.advance(AGAIN_S)
        assert (await stage.over()).result == "kept"
        assert stage.calls.made == [("a", 1)]

    play(story)


def test_time_goes_on_by_the_clock() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin({"do": "delay", "name": "d", "for": "48h"}, given="x")
        await stage.rest()
        stage.clock.advance(47 * 3600)
        await stage.rest()
        assert stage.engine.under_way("n") == ["r"]
        stage.clock.advance(3600)
        assert (await stage.over()).result == "x"

    play(story)


def test_a_delay_goes_on_while_nobody_is_there() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin({"do": "delay", "name": "d", "for": "1h"})
        await stage.rest()
        stage.clock.advance(7200)
        await stage.kill()
        assert (await stage.over()).state == "done"

    play(story)


def test_a_failed_attempt_is_let_go_of_and_made_again() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin({**CALL, "retry": {"attempts": 2, "wait": "1s"}})
        await stage.until(lambda: stage.calls.open)
        stage.calls.fail("a")
        await stage.until(lambda: stage.calls.released == ["a 1"])
        stage.clock.advance(1)
        await stage.until(lambda: stage.calls.open)
        stage.calls.answer("a", "at last")
        assert (await stage.over()).result == "at last"
        assert stage.calls.made == [("a", 1), ("a", 2)]

    play(story)


def test_what_is_not_wanted_any_more_is_cancelled() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin({**CALL, "timeout": "5s"}, name="late")
        await stage.begin({"do": "parallel", "name": "p", "branches": {"l": [CALL], "r": [THEN]}}, name="failed")
        await stage.until(lambda: len(stage.calls.open) == 3)
        stage.calls.fail("p.l.a")
        await stage.over("failed")
        await stage.until(lambda: "p.r.b 1" in stage.calls.cancelled)
        stage.clock.advance(5)
        assert (await stage.over("late")).state == "failed"
        await stage.until(lambda: "a 1" in stage.calls.cancelled)

    play(story)


def test_an_answer_that_comes_too_late_changes_nothing() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin(CALL)
        await stage.until(lambda: stage.calls.open)
        await stage.log.append("r", 1, 5, [Ended(path="a", result="by another")])
        stage.calls.answer("a", "too late")
        await stage.rest()
        stage.clock.advance(AGAIN_S)
        run = await stage.over()
        assert run.result == "by another"

    play(story)


def test_a_log_that_somebody_else_writes_is_read_again() -> None:
    async def story(stage: Stage) -> None:
        run = await stage.begin({"do": "parallel", "name": "p", "branches": {"l": [CALL], "r": [WAIT]}}, output="p.r")
        await stage.until(lambda: stage.calls.open)
        await stage.log.append("r", 3, 5, [Signalled(id="1", event="else")])
        with pytest.raises(Exception, match="changed meanwhile"):
            await stage.engine.tell(run, lambda *_: Signalled(id="2", event="e", payload="x"))
        await stage.engine.tell(run, lambda *_: Signalled(id="2", event="e", payload="x"))
        stage.calls.answer("p.l.a")
        assert (await stage.over()).result == "x"

    play(story)


def test_a_run_that_waits_for_long_holds_nothing_and_hears_all() -> None:
    async def story(stage: Stage) -> None:
        run = await stage.begin(WAIT, given="large")
        await stage.rest()
        assert stage.engine._open["r"]._run is None
        await stage.engine.tell(run, lambda _, records: Signalled(id=str(records.number), event="e", payload="x"))
        assert (await stage.over()).result == "x"

    play(story)


def test_a_log_holds_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        monkeypatch.setattr(open_run, "MAX_LOG_BYTES", 2000)
        await stage.begin(*({"do": "set", "name": f"s{at}", "value": "input"} for at in range(5)), given="x" * 600)
        run = await stage.over()
        assert run.error is not None
        assert (run.state, run.error.code) == ("failed", "limit")
        assert "2000 bytes" in run.error.message

    play(story)


def test_events_from_outside_fill_no_log_either(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        monkeypatch.setattr(open_run, "MAX_LOG_BYTES", 2000)
        run = await stage.begin(WAIT)
        await stage.rest()

        async def send(number: int, event: str, size: int) -> None:
            await stage.engine.tell(run, lambda *_: Signalled(id=str(number), event=event, payload="x" * size))

        await send(1, "else", 1500)
        with pytest.raises(LimitExceeded, match="2000 bytes"):
            await send(2, "else", 1500)
        await send(3, "e", 1)
        assert (await stage.over()).result == "x"

    play(story)


def test_a_bug_in_a_call_fails_its_step(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        stage.calls.fault = KeyError("bug")
        await stage.begin(CALL)
        run = await stage.over()
        assert run.error is not None
        assert run.error.code == "internal"

    play(story)
    assert "bug in a flow's call" in caplog.text


def test_a_bug_in_a_decision_fails_the_run(caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        async def broken(*_: object) -> Plan:
            raise KeyError("bug")

        stage.engine._decide = broken
        await stage.begin(CALL)
        run = await stage.over()
        assert run.error is not None
        assert (run.state, run.error.code) == ("failed", "internal")
        assert len(await stage.log.log("r")) == 1

    play(story)
    assert "bug in a flow's decision" in caplog.text


def test_a_run_that_is_over_is_told_nothing() -> None:
    async def story(stage: Stage) -> None:
        run = await stage.begin({"do": "set", "name": "s", "value": "`1`"})
        await stage.over()
        with pytest.raises(Conflict, match="is over"):
            await stage.engine.tell(run, lambda *_: Signalled(id="1", event="e"))

    play(story)


def test_what_cannot_be_written_was_not_told() -> None:
    async def story(stage: Stage) -> None:
        run = await stage.begin(WAIT)
        await stage.rest()
        stage.log.broken = "the disk is full"
        with pytest.raises(StoreUnavailable):
            await stage.engine.tell(run, lambda *_: Signalled(id="1", event="e"))
        stage.log.broken = ""
        await stage.rest()
        assert stage.engine.under_way("n") == ["r"]

    play(story)


def test_waiting_ends_with_the_run_or_the_time() -> None:
    async def story(stage: Stage) -> None:
        await stage.begin(CALL)
        await stage.until(lambda: stage.calls.open)
        waiting = asyncio.ensure_future(stage.engine.wait("r", 30))
        await stage.rest()
        assert not waiting.done()
        stage.clock.advance(30)
        await waiting
        again = asyncio.ensure_future(stage.engine.wait("r", 30))
        await stage.rest()
        stage.calls.answer("a")
        await again
        await stage.engine.wait("r", 30)

    play(story)


def test_runs_under_way_are_bounded_and_old_ones_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        monkeypatch.setattr(engine, "MAX_OPEN", 1)
        await stage.begin(WAIT)
        with pytest.raises(LimitExceeded):
            await stage.begin(WAIT, name="one more")
        await stage.engine.drop("n")
        assert stage.engine.under_way("n") == []
        await stage.begin({"do": "set", "name": "s", "value": "`1`"}, name="old")
        await stage.over("old")
        tidy: asyncio.Task[Any] = asyncio.ensure_future(stage.engine.tidy())
        await stage.rest()
        assert (await stage.log.get("old")).state == "done"
        stage.clock.advance(31 * 86_400)
        await stage.rest()
        assert "old" not in stage.log._runs
        tidy.cancel()

    play(story)
