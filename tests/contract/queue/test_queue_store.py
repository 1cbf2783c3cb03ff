"""What every store of the queue must do, in memory or on nats-server."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
from tests.contract.queue.conftest import opened

from dayfly.model.queued import QueuedCall, Request, Result, Standing
from dayfly.model.retry import RetryPolicy
from dayfly.queue.port import KeyClaim, Outrun, QueueStore, Taken

Check = Callable[[QueueStore], Awaitable[None]]


@pytest.fixture(params=["memory", "jetstream"])
def against(request: pytest.FixtureRequest) -> Callable[[Check], None]:
    """Run a check against a store of each kind."""

    def run(check: Check) -> None:
        async def body() -> None:
            async with opened(request.param, request) as store:
                await check(store)

        asyncio.run(body())

    return run


def a_call(call_id: str = "", **fields: object) -> QueuedCall:
    """Return a call that nobody else has."""
    known = {"function": "echo.openfaas-fn", "target": "/a%20b?c=d", "accepted_unix_ms": 5, "due_unix_ms": 7}
    return QueuedCall(id=call_id or uuid.uuid4().hex, **(known | fields))  # type: ignore[arg-type] # as msgspec checks


REQUEST = Request(b"X-One: caf\xe9\r\nX-Two: 2\r\n", bytes(range(256)))


def test_a_call_is_kept_as_it_was_accepted(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        call = a_call(retry=RetryPolicy(attempts=3, codes=(500,)), callback="http://x/ü", priority="high")
        await store.accept(call, REQUEST)
        kept = await store.find(call.id)
        assert kept is not None
        assert (kept.call, kept.standing, kept.revision) == (call, Standing(due_unix_ms=7), 0)
        assert await store.request(call.id) == REQUEST
        assert call in [each.call for each in await store.kept()]

    against(check)


def test_an_id_is_taken_once(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        call = a_call()
        await store.accept(call, REQUEST)
        with pytest.raises(Taken):
            await store.accept(call, Request(b"", b"another"))
        assert await store.request(call.id) == REQUEST

    against(check)


def test_ids_with_dots_and_underscores_are_ids(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        mark = uuid.uuid4().hex
        calls = [a_call(f"{mark}{tail}") for tail in (".x", "_x", "_d", "..", "-")]
        for call in calls:
            await store.accept(call, REQUEST)
        for call in calls:
            kept = await store.find(call.id)
            assert kept is not None
            assert kept.call == call
        await store.forget(calls[0].id)
        assert await store.find(calls[0].id) is None
        assert await store.find(calls[1].id) is not None

    against(check)


def test_a_move_counts_from_where_the_call_stood_only(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        call = a_call()
        await store.accept(call, REQUEST)
        claimed = Standing(owner="one", attempts=1)
        revision = await store.move(call.id, claimed, 0)
        assert revision > 0
        with pytest.raises(Outrun):
            await store.move(call.id, Standing(owner="two", attempts=1), 0)
        following = await store.move(call.id, Standing(attempts=1, due_unix_ms=9), revision)
        assert following > revision
        with pytest.raises(Outrun):
            await store.move(call.id, claimed, revision)
        kept = await store.find(call.id)
        assert kept is not None
        assert (kept.standing, kept.revision) == (Standing(attempts=1, due_unix_ms=9), following)

    against(check)


def test_calls_come_back_in_the_order_they_were_accepted_with_their_last_standing(
    against: Callable[[Check], None],
) -> None:
    async def check(store: QueueStore) -> None:
        calls = [a_call() for _ in range(7)]
        for call in calls:
            await store.accept(call, REQUEST)
        revision = await store.move(calls[3].id, Standing(owner="one", attempts=1), 0)
        ours = {call.id for call in calls}
        kept = [each for each in await store.kept() if each.call.id in ours]
        assert [each.call for each in kept] == calls
        assert (kept[3].standing.owner, kept[3].revision) == ("one", revision)
        assert kept[2].revision == 0

    against(check)


def test_what_is_forgotten_is_gone_with_all_of_it(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        call = a_call()
        await store.accept(call, REQUEST)
        revision = await store.move(call.id, Standing(owner="one", attempts=1), 0)
        await store.forget(call.id)
        await store.forget(call.id)
        assert await store.find(call.id) is None
        assert await store.request(call.id) is None
        assert call.id not in [each.call.id for each in await store.kept()]
        with pytest.raises(Outrun):
            await store.move(call.id, Standing(), revision)
        await store.accept(call, REQUEST)

    against(check)


def test_the_last_result_is_the_result(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        call_id = uuid.uuid4().hex
        assert await store.result(call_id) is None
        first = Result(
            id=call_id, function="f.n", state="dead", attempts=1, accepted_unix_ms=1, finished_unix_ms=2, status=500,
            lines=b"A: b\r\n", body=b"\x00\xff",
        )  # fmt: skip
        await store.keep_result(first)
        assert await store.result(call_id) == first
        second = Result(
            id=call_id, function="f.n", state="done", attempts=2, accepted_unix_ms=1, finished_unix_ms=3, status=200
        )
        await store.keep_result(second)
        assert await store.result(call_id) == second

    against(check)


def test_results_are_read_in_the_order_they_were_kept(against: Callable[[Check], None]) -> None:
    def result(call_id: str, finished: int) -> Result:
        return Result(
            id=call_id, function="f.n", state="done", attempts=1, accepted_unix_ms=1, finished_unix_ms=finished
        )

    async def check(store: QueueStore) -> None:
        start = 0
        while (found := await store.kept_after(start)) is not None:
            start = found[0]
        one, two = uuid.uuid4().hex, uuid.uuid4().hex
        for kept in (result(one, 1), result(two, 2), result(one, 3)):
            await store.keep_result(kept)
        first = await store.kept_after(start)
        assert first is not None
        assert first[1] == result(two, 2), "the first result of the other was replaced"
        second = await store.kept_after(first[0])
        assert second is not None
        assert second[1] == result(one, 3)
        assert await store.kept_after(second[0]) is None
        beyond = await store.kept_after(second[0] + 1)
        assert beyond is not None, "a position of another store counts as none"
        assert beyond == await store.kept_after(0)
        assert beyond[0] == await store.first_position()

    against(check)


def test_of_many_who_claim_a_key_at_once_one_gets_it(against: Callable[[Check], None]) -> None:
    async def check(store: QueueStore) -> None:
        key = uuid.uuid4().hex
        claims = [KeyClaim(str(number), "digest") for number in range(30)]
        answers = await asyncio.gather(*(store.claim_key(key, claim) for claim in claims))
        assert len({answer.call_id for answer in answers}) == 1
        assert await store.claim_key(key, KeyClaim("late", "other")) == answers[0]
        settled = KeyClaim(answers[0].call_id, "digest", accepted=True)
        await store.settle_key(key, settled)
        assert await store.claim_key(key, claims[3]) == settled

    against(check)
