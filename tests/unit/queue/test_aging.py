"""Dead letters that nobody comes for go in time, and nothing else does."""

from tests.unit.queue.conftest import Rig, Worker, answer, play

from dayfly.model.queued import QueuedCall, Request
from dayfly.queue.aging import Aging
from dayfly.queue.clock import Clock
from dayfly.queue.invocation import Attempt

DAY_MS = 86_400_000


class Later(Clock):
    """A clock that is so many milliseconds ahead."""

    def __init__(self, ahead_ms: int) -> None:
        self._ahead_ms = ahead_ms

    def unix_ms(self) -> int:
        """Return the wall clock's time, later."""
        return super().unix_ms() + self._ahead_ms


def test_a_dead_letter_goes_when_nobody_came_for_it_in_time(rig: Rig) -> None:
    async def refuse(_call: QueuedCall, _request: Request) -> Attempt:
        return answer(400)

    async def story() -> None:
        rig.function = refuse
        async with rig.life() as worker:
            now_unix_ms = worker.dispatcher.clock.unix_ms()
            dead = await worker.submit(rig.call(due_unix_ms=now_unix_ms))
            await worker.over(dead)
            waiting = await worker.submit(rig.call(due_unix_ms=now_unix_ms + 90 * DAY_MS))
            assert await swept(worker, 14 * DAY_MS - 60_000) == 0
            assert await swept(worker, 14 * DAY_MS + 60_000) == 1
            assert [each.id for each in worker.desk.listed(None, "", "", 10)] == [waiting]
            assert [each.call.id for each in await rig.store.kept()] == [waiting]
            (found,) = worker.desk.figures()
            assert (found.dead, found.expired, found.processed) == (0, 1, {"dead": 1})

    play(story())


async def swept(worker: Worker, ahead_ms: int) -> int:
    """Return how many went so much later."""
    worker.dispatcher.clock = Later(ahead_ms)
    return await Aging(worker.ledger, worker.dispatcher, 14).sweep()
