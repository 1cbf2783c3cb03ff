"""The desk: ids, keys, limits, waiting, figures."""

import asyncio
import contextlib
import itertools

import pytest
from tests.unit.queue.conftest import DEADLINE_S, Rig, answer, play, until

from dayfly.model.errors import Conflict, KeyReused, LimitExceeded, NotFound, Unavailable
from dayfly.model.queued import QueuedCall, Request, Result
from dayfly.queue.invocation import Attempt
from dayfly.queue.limits import QueueLimits


def never(rig: Rig) -> QueuedCall:
    """Return a call that is not due for a long time."""
    return rig.call(due_unix_ms=4_000_000_000_000)


def test_an_id_that_is_taken_is_replaced(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            call = never(rig)
            assert await worker.submit(call) == call.id
            other = await worker.submit(call)
            assert other != call.id
            assert len(worker.ledger) == 2

    play(story())


def test_an_id_that_a_caller_chose_is_no_other_calls(rig: Rig) -> None:
    """Else what came of the other, and the answer of its key, would be what came of this one."""

    async def story() -> None:
        async with rig.life() as worker:
            over, waiting = rig.call(), rig.call(due_unix_ms=4_000_000_000_000)
            assert await worker.desk.nobodys(over) == over
            await worker.submit(over)
            await worker.over(over.id)
            await worker.submit(waiting)
            for taken in (over, waiting):
                assert (await worker.desk.nobodys(taken)).id != taken.id

    play(story())


def test_a_hundred_calls_of_one_key_run_once(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life("one") as worker:
            calls = [rig.call() for _ in range(100)]
            ids = await asyncio.gather(
                *(worker.desk.submit(call, Request(b"", b"x"), "key", "digest") for call in calls)
            )
            assert len(set(ids)) == 1
            await worker.over(ids[0])
            assert await worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") == ids[0]
            with pytest.raises(KeyReused):
                await worker.desk.submit(rig.call(), Request(b"", b"y"), "key", "another digest")
        async with rig.life("two") as worker:
            assert await worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") == ids[0]
            rig.store.results.clear()  # they may be pushed out by others
            assert await worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") == ids[0]
        assert rig.runs == [ids[0]]

    play(story())


def test_a_key_whose_call_was_never_accepted_is_good_for_the_next_try(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            lost = rig.call()
            plain = rig.store.accept

            async def crash(call: QueuedCall, request: Request) -> None:
                raise NotFound(call.id + str(len(request.body)))

            rig.store.accept = crash  # type: ignore[method-assign] # until the next line
            with pytest.raises(NotFound):
                await worker.desk.submit(lost, Request(b"", b"x"), "key", "digest")
            rig.store.accept = plain  # type: ignore[method-assign] # as it was
            assert await worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") == lost.id
            assert (await worker.over(lost.id)).state == "done"

    play(story())


def test_a_key_that_comes_again_while_its_call_is_being_accepted_is_not_accepted_twice(rig: Rig) -> None:
    """The second one finds nothing of the first, and its own acceptance comes when the first's call is over."""

    async def story() -> None:
        async with rig.life() as worker:
            plain, second_comes, count = rig.store.accept, asyncio.Event(), itertools.count()

            async def accept(call: QueuedCall, request: Request) -> None:
                if next(count):
                    second_comes.set()
                    await until(lambda: bool(rig.runs) and not len(worker.ledger))
                await plain(call, request)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await second_comes.wait()

            rig.store.accept = accept  # type: ignore[method-assign] # the store is the test's own
            ids = await asyncio.gather(
                *(worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") for _ in range(2))
            )
            assert len(set(ids)) == 1
            await worker.over(ids[0])
            assert rig.runs == ids[:1]

    play(story())


def test_a_call_whose_acknowledgement_was_lost_runs_once_its_key_comes_again(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            lost = rig.call()
            plain = rig.store.accept

            async def killed(call: QueuedCall, request: Request) -> None:
                await plain(call, request)
                raise Unavailable("the store was killed before it could say so")

            rig.store.accept = killed  # type: ignore[method-assign] # until the next line
            with pytest.raises(Unavailable):
                await worker.desk.submit(lost, Request(b"", b"x"), "key", "digest")
            rig.store.accept = plain  # type: ignore[method-assign] # as it was
            assert await worker.desk.submit(rig.call(), Request(b"", b"x"), "key", "digest") == lost.id
            assert (await worker.over(lost.id)).state == "done"
            assert rig.runs == [lost.id]

    play(story())


@pytest.mark.parametrize(("status", "told"), [(200, "done after 1 attempt"), (400, "dead after 1 attempt")])
def test_who_cancels_a_call_that_is_over_is_told_how_it_ended(rig: Rig, status: int, told: str) -> None:
    async def once(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(status)

    async def story() -> None:
        rig.function = once
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call())
            await worker.over(call_id)
            with pytest.raises(Conflict, match=rf"{told}, the last answered {status} at \d{{4}}-.*Z\.$"):
                await worker.desk.cancel(call_id)
            with pytest.raises(NotFound):
                await worker.desk.cancel("never-was")

    play(story())


@pytest.mark.parametrize(
    ("limits", "told"),
    [(QueueLimits(calls=4), "limit calls"), (QueueLimits(store_bytes=2047), "limit store_bytes")],
)
def test_all_functions_together_have_a_limit(rig: Rig, limits: QueueLimits, told: str) -> None:
    async def story() -> None:
        async with rig.life(limits=limits) as worker:
            for number in range(4):
                await worker.submit(rig.call(function=f"f{number}.n", due_unix_ms=4_000_000_000_000))
            with pytest.raises(LimitExceeded, match=told):
                await worker.submit(rig.call(function="g.n"))
            assert len(worker.ledger) == 4

    play(story())


def test_waiting_ends_with_the_call_or_the_time(rig: Rig) -> None:
    go = asyncio.Event()

    async def slow(call: QueuedCall, request: Request) -> Attempt:
        await go.wait()
        return await rig.succeed(call, request)

    async def story() -> None:
        rig.function = slow
        async with rig.life() as worker:
            call_id = await worker.submit(rig.call())
            assert (await worker.desk.status(call_id, 0.01)).state in ("queued", "running")
            waiting = asyncio.create_task(worker.desk.status(call_id, 20))
            seen = await worker.desk.status(call_id)
            following = asyncio.create_task(worker.desk.changed(call_id, seen, 20))
            await asyncio.sleep(0.01)
            go.set()
            assert (await waiting).state == "done"
            assert (await following).state != seen.state
            with pytest.raises(NotFound):
                await worker.desk.status("nobody", 20)

    play(story())


def test_an_end_that_comes_while_the_answer_is_being_read_is_heard(rig: Rig) -> None:
    """As the store may be away for seconds just then, and who waits would sleep through it."""

    async def story() -> None:
        async with rig.life() as worker:
            plain, may_end = rig.store.result, asyncio.Event()

            async def deliver(_url: str, _result: Result) -> str:
                await may_end.wait()
                return ""

            async def slowly(call_id: str) -> Result | None:
                found = await plain(call_id)
                if not may_end.is_set():
                    may_end.set()
                    await until(lambda: worker.ledger.get(call_id) is None)
                return found

            worker.dispatcher._answering._deliver = deliver
            call_id = await worker.submit(rig.call(callback="http://example.org/"))
            await until(lambda: worker.desk.listed(None, "answering", "", 1) != [])
            rig.store.result = slowly  # type: ignore[method-assign] # the store is the test's own
            assert (await worker.desk.status(call_id, 3 * DEADLINE_S)).state == "done"

    play(story())


def test_nobody_is_remembered_who_listens_no_more(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            with pytest.raises(NotFound):
                await worker.desk.status("nobody", 1)
            await worker.desk.status(await worker.submit(never(rig)), 0.01)
            assert worker.ledger._listening == {}

    play(story())


@pytest.mark.parametrize("limits", [QueueLimits(calls=8), QueueLimits(store_bytes=8 * 700)])
@pytest.mark.parametrize("dead", [True, False])
def test_one_function_takes_half_of_the_room_at_most(rig: Rig, limits: QueueLimits, dead: bool) -> None:
    """Its dead letters among it: else one whose answer is always a 400 would shut out all others for days."""

    async def bad(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(400)

    async def story() -> None:
        rig.function = bad
        due = 1 if dead else 4_000_000_000_000
        async with rig.life(limits=limits) as worker:
            for _ in range(4):
                call_id = await worker.submit(rig.call(due_unix_ms=due, size_bytes=188))
                if dead:
                    assert (await worker.over(call_id)).state == "dead"
            with pytest.raises(LimitExceeded, match=r"of f\.n already, half"):
                await worker.submit(rig.call(size_bytes=188))
            rig.function = rig.succeed
            for _ in range(2):
                other = await worker.submit(rig.call(function="g.other", size_bytes=188))
                assert (await worker.over(other)).state == "done"
            await worker.desk.purge([each.id for each in worker.desk.listed(None, "dead", "f.n", 10)])
            if dead:
                assert (await worker.over(await worker.submit(rig.call(size_bytes=188)))).state == "done"

    play(story())


def test_a_single_call_may_be_larger_than_half_of_the_room(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life(limits=QueueLimits(store_bytes=2000)) as worker:
            await worker.submit(rig.call(due_unix_ms=4_000_000_000_000, size_bytes=1400))
            with pytest.raises(LimitExceeded, match="half"):
                await worker.submit(rig.call(size_bytes=1))

    play(story())


def test_figures_add_up(rig: Rig) -> None:
    async def some(call: QueuedCall, request: Request) -> Attempt:
        return answer(400) if request.body == b"bad" else await rig.succeed(call, request)

    async def story() -> None:
        rig.function = some
        async with rig.life() as worker:
            ids = [await worker.submit(rig.call(), body) for body in (b"a", b"bad", b"c")]
            for call_id in ids:
                await worker.over(call_id)
            late = await worker.submit(never(rig))
            await worker.desk.cancel(late)
            await worker.submit(never(rig))
            [found] = worker.desk.figures()
            assert (found.submitted, found.pending, found.inflight, found.dead) == (5, 1, 0, 1)
            assert found.processed == {"done": 2, "dead": 1, "cancelled": 1}
            assert found.submitted == found.pending + found.inflight + sum(found.processed.values())

    play(story())


def test_how_many_ends_went_before_they_were_read_is_told(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            ids = [await worker.over(await worker.submit(rig.call())) for _ in range(6)]
            rig.store.results[ids[0].id] = (await rig.store.kept_after(0) or (0, None))[1]  # type: ignore[assignment]
            for gone in ids[1:4]:
                del rig.store.results[gone.id]
            assert [each.missed for each in await worker.desk.ended(0, 0, 10)] == [0, 0, 0], "they were but replaced"
            del rig.store.results[ids[0].id]
            assert [each.missed for each in await worker.desk.ended(0, 0, 10)] == [4, 0]
            assert [each.missed for each in await worker.desk.ended(2, 0, 10)] == [2, 0]
            assert [each.missed for each in await worker.desk.ended(4, 0, 10)] == [0, 0]
            assert [each.missed for each in await worker.desk.ended(5, 0, 10)] == [0]

    play(story())


def test_a_call_that_another_life_has_accepted_is_known_by_who_asks_for_it(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life("one") as one, rig.life("two") as two:
            call_id = await one.submit(never(rig))
            assert two.ledger.get(call_id) is None
            assert (await two.desk.status(call_id)).state == "queued"

    play(story())


def test_what_came_of_calls_is_told_as_it_comes(rig: Rig) -> None:
    async def story() -> None:
        async with rig.life() as worker:
            waiting = asyncio.create_task(worker.desk.ended(0, DEADLINE_S, 6))
            first = await worker.submit(rig.call(), b"")
            (ending,) = await waiting
            assert (ending.result.id, ending.result.body) == (first, b"echo:")
            await worker.over(await worker.submit(rig.call(), b"too long"))
            (second,) = await worker.desk.ended(ending.position, DEADLINE_S, 6)
            assert (second.result.body, second.result.dropped_bytes) == (b"", 13)
            assert await worker.desk.ended(second.position, 0, 6) == []

    play(story())
