"""The dispatcher: from accepted to over, through failures, kills and a store that goes away."""

import asyncio

import pytest
from tests.unit.queue.conftest import Rig, answer, play, until

from dayfly.decide.queueing import Misstep, Outcome
from dayfly.model.errors import Conflict, Unavailable
from dayfly.model.queued import QueuedCall, Request, Result, Standing
from dayfly.model.retry import RetryPolicy
from dayfly.queue.invocation import Attempt
from dayfly.queue.limits import QueueLimits


def test_a_call_runs_and_its_answer_is_kept(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call(), b"x")
            status = await worker.over(call_id)
            assert (status.state, status.status, status.body, status.attempts) == ("done", 200, b"echo:x", 1)
            assert status.headers == (("x-mine", "1"),)
            assert await rig.store.find(call_id) is None
            assert len(worker.ledger) == 0

    play(story())


def test_one_that_fails_is_tried_as_often_as_asked_and_is_then_a_dead_letter(rig: Rig) -> None:
    async def fail(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(500, b"why", reason="The function answered 500.")

    async def story() -> None:
        rig.function = fail
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call())
            status = await worker.over(call_id)
            assert (status.state, status.attempts, status.status) == ("dead", 3, 500)
            assert (status.reason, status.body) == ("The function answered 500.", b"why")
            assert rig.runs == [call_id] * 3
            assert [each.id for each in worker.desk.listed(["n"], "dead", "", 10)] == [call_id]

    play(story())


def test_a_dead_letter_can_begin_anew_or_go(rig: Rig) -> None:
    async def fail(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(400)

    async def story() -> None:
        rig.function = fail
        async with rig.life() as worker:
            one, other = await worker.submit(rig.call()), await worker.submit(rig.call())
            for call_id in (one, other):
                assert (await worker.over(call_id)).attempts == 1
            rig.function = rig.succeed
            assert await worker.desk.redrive([one, "nobody"]) == 1
            await until(lambda: worker.ledger.get(one) is None)
            assert await worker.desk.redrive([one]) == 0
            assert await worker.desk.purge([one, other]) == 1
            assert len(worker.ledger) == 0
            assert await rig.store.find(other) is None

    play(story())


def test_what_did_not_reach_the_function_is_not_counted(rig: Rig) -> None:
    turns = iter([Attempt(outcome=Outcome(from_platform=True, reason="busy"), reached=False)] * 7)

    async def at_last(call: QueuedCall, request: Request) -> Attempt:
        return next(turns, None) or await rig.succeed(call, request)

    async def story() -> None:
        rig.function = at_last
        async with rig.life() as worker:
            status = await worker.over(await worker.submit(rig.call()))
            assert (status.state, status.attempts) == ("done", 1)
            assert len(rig.runs) == 8

    play(story())


def test_a_delayed_call_waits(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            soon = worker.dispatcher.clock.unix_ms() + 60_000
            late = await worker.submit(rig.call(due_unix_ms=soon))
            assert (await worker.over(await worker.submit(rig.call()))).state == "done"
            status = await worker.desk.status(late)
            assert (status.state, status.due_unix_ms) == ("queued", soon)
        async with rig.life("two") as worker:  # and is as late for the next life
            assert (await worker.over(await worker.submit(rig.call()))).state == "done"
            assert late not in rig.runs
            assert (await worker.desk.cancel(late)).state == "cancelled"

    play(story())


def test_a_running_call_can_be_cancelled_and_its_answer_comes_too_late(rig: Rig) -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def hang(call: QueuedCall, _request: Request) -> Attempt:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(call.id)
        raise AssertionError("unreachable")

    async def story() -> None:
        rig.function = hang
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call())
            await begun.wait()
            assert (await worker.desk.status(call_id)).state == "running"
            assert (await worker.desk.cancel(call_id)).state == "cancelled"
            await until(lambda: bool(ended))
            with pytest.raises(Conflict, match="it was cancelled after 1 attempt at 20"):
                await worker.desk.cancel(call_id)
            assert (await worker.over(call_id)).reason == "It was cancelled."
            rig.function = rig.succeed
            assert (await worker.over(await worker.submit(rig.call()))).state == "done"  # its place is free again

    play(story())


def test_what_a_killed_life_worked_on_is_taken_up_and_counted(rig: Rig) -> None:
    begun = asyncio.Event()

    async def hang(_call: QueuedCall, _request: Request) -> Attempt:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def story() -> None:
        rig.function = hang
        async with rig.life("one") as worker:
            call_id = await worker.submit(rig.call())
            await begun.wait()
        rig.function = rig.succeed
        async with rig.life("two") as worker:
            status = await worker.over(call_id)
            assert (status.state, status.attempts) == ("done", 2)

    play(story())


def test_the_end_of_one_that_died_with_its_last_attempt_is_kept_as_any_others(rig: Rig) -> None:
    begun = asyncio.Event()

    async def hang(_call: QueuedCall, _request: Request) -> Attempt:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def story() -> None:
        rig.function = hang
        async with rig.life("one") as worker:
            call_id = await worker.submit(rig.call(retry=RetryPolicy(attempts=1)))
            await begun.wait()
        async with rig.life("two") as worker:
            assert (await worker.over(call_id)).state == "dead"
            (ending,) = await worker.desk.ended(0, 0, 100)
        assert (ending.result.id, ending.result.state, ending.result.status) == (call_id, "dead", 0)
        assert "last attempt" in ending.result.reason

    play(story())


def test_what_another_life_works_on_is_left_to_it(rig: Rig) -> None:
    go, begun = asyncio.Event(), asyncio.Event()

    async def slow(call: QueuedCall, request: Request) -> Attempt:
        begun.set()
        await go.wait()
        return await rig.succeed(call, request)

    async def story() -> None:
        rig.function = slow
        async with rig.life("one") as first:
            call_id = await first.submit(rig.call())
            await begun.wait()
            async with rig.life("two") as second:
                other = await second.submit(rig.call())
                with pytest.raises(Conflict, match="the process that ran before"):
                    await second.desk.cancel(call_id)
                go.set()
                assert (await second.over(other)).state == "done"
                assert (await first.over(call_id)).state == "done"
                await until(lambda: second.ledger.get(call_id) is None)
            assert rig.runs == [call_id, other]

    play(story())


def test_a_result_that_was_kept_before_the_kill_is_not_made_again(rig: Rig) -> None:
    async def story() -> None:
        call = rig.call()
        async with rig.life("one") as worker:
            rig.store.forget = _away  # type: ignore[method-assign] # the kill comes before the end
            await worker.submit(call)
            await until(lambda: call.id in rig.store.results)
        del rig.store.forget  # back to the class's own
        async with rig.life("two") as worker:
            assert (await worker.over(call.id)).state == "done"
            await until(lambda: worker.ledger.get(call.id) is None)
        assert rig.runs == [call.id]

    async def _away(call_id: str) -> None:
        raise Unavailable(call_id)

    play(story())


def test_what_came_of_a_call_before_it_began_anew_is_not_taken_for_its_end(rig: Rig) -> None:
    begun = asyncio.Event()

    async def fail(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(400)

    async def hang(_call: QueuedCall, _request: Request) -> Attempt:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def story() -> None:
        rig.function = fail
        async with rig.life("one") as worker:
            call_id = await worker.submit(rig.call())
            assert (await worker.over(call_id)).attempts == 1
            rig.function = hang
            assert await worker.desk.redrive([call_id]) == 1
            await begun.wait()  # and it dies with the same attempt that the kept result is of
        rig.function = rig.succeed
        async with rig.life("two") as worker:
            status = await worker.over(call_id)
            assert (status.state, status.status, status.attempts) == ("done", 200, 2)

    play(story())


def test_a_store_that_goes_away_costs_time_and_nothing_else(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            ids = [await worker.submit(rig.call()) for _ in range(20)]
            for _ in range(5):
                rig.store.away = True
                with pytest.raises(Unavailable):
                    await worker.submit(rig.call())
                await asyncio.sleep(0.01)
                rig.store.away = False
                await asyncio.sleep(0.005)
            for call_id in ids:
                assert (await worker.over(call_id)).state == "done"
            assert len(worker.ledger) == 0

    play(story())


def test_a_claim_whose_acknowledgement_was_lost_is_given_back(rig: Rig) -> None:
    async def story() -> None:
        plain, lost = rig.store.move, list[str]()

        async def loses_one(call_id: str, standing: Standing, revision: int) -> int:
            done = await plain(call_id, standing, revision)
            if not lost:
                lost.append(call_id)
                raise Unavailable("the acknowledgement was lost")
            return done

        rig.store.move = loses_one  # type: ignore[method-assign] # once
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call())
            status = await worker.over(call_id)
            assert (status.state, status.attempts, rig.runs) == ("done", 1, [call_id])
        assert lost

    play(story())


def test_a_callback_is_made_tried_again_and_outlives_a_kill(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.decide.queueing.backoff_s", lambda *_: 0.01)

    async def story() -> None:
        rig.refusals = ["refused"] * 2
        call = rig.call(callback="https://example.com/hook", depth=2)
        async with rig.life("one") as worker:
            await worker.submit(call)
            await until(lambda: len(rig.refusals) < 2)
        assert not rig.posts
        async with rig.life("two") as worker:
            assert (await worker.over(call.id)).state == "done"
        [(url, result)] = rig.posts
        assert (url, result.id, result.body, result.status) == (call.callback, call.id, b"echo:hello", 200)
        assert result.depth == 3
        assert rig.runs == [call.id]

    play(story())


@pytest.mark.parametrize("verdict", ["done", "dead"])
def test_a_callback_whose_answer_is_gone_has_failed_and_is_counted(rig: Rig, verdict: str) -> None:
    """Others' results may push it out. Nothing was posted, so it was not delivered."""

    async def some(call: QueuedCall, request: Request) -> Attempt:
        return await rig.succeed(call, request) if verdict == "done" else answer(400, reason="No.")

    async def story() -> None:
        plain = rig.store.keep_result

        async def pushed_out(result: Result) -> None:
            await plain(result)
            rig.store.results.clear()

        rig.function, rig.store.keep_result = some, pushed_out  # type: ignore[method-assign] # the test's own
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call(callback="https://example.com/hook"))
            await until(lambda: bool(worker.desk.figures()[0].processed))
            [found] = worker.desk.figures()
            assert (found.callbacks_failed, found.processed) == (1, {verdict: 1})
            assert (rig.posts, rig.runs) == ([], [call_id])
            if verdict == "dead":
                assert (await worker.over(call_id)).reason == (
                    "No. The callback failed: what came of the call was pushed out by newer results before its "
                    "callback was made"
                )

    play(story())


def test_a_callback_that_is_given_up_is_counted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.decide.queueing.backoff_s", lambda *_: 0.001)

    async def story() -> None:
        rig.refusals = ["refused"] * 8
        async with rig.life() as worker:
            await worker.submit(rig.call(callback="https://example.com/hook"))
            await until(lambda: bool(worker.desk.figures()[0].processed))
            assert worker.desk.figures()[0].callbacks_failed == 1

    play(story())


def test_a_callback_tells_of_failure_too(rig: Rig) -> None:
    async def fail(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(500, reason="The function answered 500.")

    async def story() -> None:
        rig.function = fail
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call(callback="https://example.com/hook"))
            assert (await worker.over(call_id)).state == "dead"
            assert [(result.status, result.state) for _, result in rig.posts] == [(500, "dead")]

    play(story())


def test_functions_that_fail_all_the_time_leave_others_their_turn(rig: Rig) -> None:
    async def poison(call: QueuedCall, request: Request) -> Attempt:
        if call.function == "poison.n":
            await asyncio.sleep(0.005)
            return answer(500)
        return await rig.succeed(call, request)

    async def story() -> None:
        rig.function = poison
        async with rig.life(limits=QueueLimits(concurrency=4)) as worker:
            for _ in range(60):
                await worker.submit(rig.call(function="poison.n"))
            fine = [await worker.submit(rig.call()) for _ in range(20)]
            for call_id in fine:
                assert (await worker.over(call_id)).state == "done"
            # The others' last was done while most of the poison was still waiting for its first turn.
            assert rig.runs.index(fine[-1]) < 60

    play(story())


def test_dead_letters_and_delayed_calls_are_read_back(rig: Rig) -> None:
    async def fail(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(400)

    async def story() -> None:
        rig.function = fail
        async with rig.life("one") as worker:
            call_id = await worker.submit(rig.call())
            await worker.over(call_id)
        async with rig.life("two") as worker:
            assert [each.id for each in worker.desk.listed(None, "dead", "", 10)] == [call_id]
            kept = worker.ledger.get(call_id)
            assert kept is not None
            with pytest.raises(Misstep):
                await worker.dispatcher.cancel(kept)
            assert await worker.desk.purge([call_id]) == 1

    play(story())


def test_a_cancelled_call_that_was_not_let_go_before_the_kill_is(rig: Rig) -> None:
    async def story() -> None:
        call = rig.call()
        await rig.store.accept(call, Request(b"", b""))
        await rig.store.move(call.id, Standing(phase="cancelled", reason="It was cancelled."), 0)
        async with rig.life() as worker:
            assert (await worker.over(call.id)).state == "cancelled"
            assert await rig.store.find(call.id) is None
        assert rig.runs == []

    play(story())


def test_a_bug_with_one_call_uses_up_its_attempts_and_nothing_else(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async def buggy(call: QueuedCall, request: Request) -> Attempt:
        if call.function == "buggy.n":
            raise ZeroDivisionError
        return await rig.succeed(call, request)

    async def story() -> None:
        rig.function = buggy
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call(function="buggy.n", retry=RetryPolicy(attempts=1)))
            assert (await worker.over(await worker.submit(rig.call()))).state == "done"
            assert (await worker.over(call_id)).state == "dead"
            assert call_id in [ending.result.id for ending in await worker.desk.ended(0, 0, 100)]

    play(story())
    assert "bug while working on a call" in caplog.text


@pytest.mark.parametrize("direct", [False, True])
def test_a_call_that_a_killed_store_gives_back_although_it_was_let_go_is_not_made_again(rig: Rig, direct: bool) -> None:
    async def story() -> None:
        async with rig.life("one") as worker:
            call = rig.call(direct=direct)
            await worker.over(await worker.submit(call))
            await until(lambda: not len(worker.ledger))
        await rig.store.accept(call, Request(b"", b"hello"))
        async with rig.life("two") as worker:
            await until(lambda: not len(worker.ledger))
            assert await rig.store.kept() == []
            assert (await worker.over(call.id)).body == b"echo:hello"
        assert rig.runs == [call.id]

    play(story())
