"""A budget that is used up: the next call is refused by the gateway itself, and none of the refused ones counts."""

import time
from typing import TYPE_CHECKING

from dayfly.model.table import Allowed

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Play, Rig


def allowed(calls_left: int, turn: int = 1, *, is_open: bool = True) -> Allowed:
    return Allowed(is_open, calls_left, turn, int(time.time()) + 600, "The budget of f is used up.", "Raise it.")


def test_as_many_calls_begin_as_are_left(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica, allowed=allowed(2)))
        async with rig.client() as client:
            assert [(await client.ask("/function/f")).status for _ in range(4)] == [200, 200, 429, 429]
            refused = await client.ask("/function/f")
            assert refused.problem()["code"] == "budget_used_up"
            assert refused.problem()["detail"] == "The budget of f is used up."
            assert refused.problem()["hint"] == "Raise it."
            assert 590 <= int(refused.headers["retry-after"]) <= 601
            rig.tell(rig.delta(rig.entry(replica, allowed=allowed(1, turn=2))))
            await rig.heard_all()
            assert [(await client.ask("/function/f")).status for _ in range(2)] == [200, 429]
            rig.tell(rig.delta(rig.entry(replica, allowed=allowed(-1, turn=3, is_open=False))))
            await rig.heard_all()
            assert (await client.ask("/function/f")).status == 429
            rig.tell(rig.delta(rig.entry(replica)))
            await rig.heard_all()
            assert (await client.ask("/function/f")).status == 200
        load = await rig.load(lambda load: load.functions[0].started == 4)
        found = load.functions[0]
        assert (found.refused, found.codes[429][0], found.codes[200][0]) == (5, 5, 4)

    play(scenario)


def test_queued_calls_are_taken_in_all_the_same(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def queue(conversation: "object") -> None:
            while await conversation.request():  # type: ignore[attr-defined]  # the rig's
                conversation.send(  # type: ignore[attr-defined]  # the rig's
                    b"HTTP/1.1 202 Accepted\r\nX-Call-Id: a\r\nContent-Length: 0\r\n\r\n"
                )

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry(allowed=allowed(0, is_open=False)))
        async with rig.client() as client:
            assert (await client.ask("/async-function/f", method="POST")).status == 202
            assert (await client.ask("/function/f", method="POST")).status == 429

    play(scenario, queue=True)
