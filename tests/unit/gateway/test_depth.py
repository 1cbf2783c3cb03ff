"""The loop guard: how deep a call is travels with it, and what is too deep is cut."""

from typing import TYPE_CHECKING

import pytest
from tests.unit.gateway.test_submission import accept

from dayfly.gateway.headers import ClientHeaders
from dayfly.http1.refusal import Refusal

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig


@pytest.mark.parametrize(("said", "depth"), [((), 0), ((b"0",), 0), ((b"7",), 7), ((b"3", b"9", b"4"), 9)])
def test_the_most_that_is_said_counts(said: tuple[bytes, ...], depth: int) -> None:
    headers = ClientHeaders([(b"x-dayfly-DEPTH", value) for value in said])
    assert (headers.depth, headers.lines) == (depth, b"")


@pytest.mark.parametrize("garbage", [b"", b"-1", b"+1", b"1.0", b"0x1", b"1, 2", b"99999", "١".encode(), b"one", b"1 "])
def test_garbage_is_refused_and_resets_nothing(garbage: bytes) -> None:
    for headers in ([garbage], [b"5", garbage], [garbage, b"5"]):
        with pytest.raises(Refusal) as refused:
            ClientHeaders([(b"X-Dayfly-Depth", value) for value in headers])
        assert refused.value.status == 400
        assert "X-Dayfly-Depth" in refused.value.text


def test_each_call_is_one_deeper_until_it_is_cut(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        depths: list[str] = []

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                depths.append(conversation.headers["x-dayfly-depth"])
                conversation.reply(b"out")

        replica = await rig.replica(script)
        rig.routes = (rig.route("/r/*", to="f"),)
        await rig.serve(
            rig.entry(replica),
            rig.entry(replica, name="shallow", max_depth=1),
            rig.entry(replica, name="deep", max_depth=99),
        )
        async with rig.client() as client:
            for path in ("/function/f", "/r/a"):
                for depth in (0, 1, 2):
                    assert (await client.ask(path, f"X-Dayfly-Depth: {depth}")).status == 200
                for depth in (3, 4, 9999):
                    answer = await client.ask(path, f"X-Dayfly-Depth: {depth}")
                    assert (answer.status, answer.problem()["code"]) == (508, "loop_detected")
                    assert "DAYFLY_MAX_DEPTH" in answer.problem()["detail"]
            assert (await client.ask("/function/shallow")).status == 200
            answer = await client.ask("/function/shallow", "X-Dayfly-Depth: 1")
            assert answer.status == 508
            assert "com.dayfly.max_depth" in answer.problem()["detail"]
            assert (await client.ask("/function/deep", "X-Dayfly-Depth: 2")).status == 200
            answer = await client.ask("/function/deep", "X-Dayfly-Depth: 3")
            assert "DAYFLY_MAX_DEPTH" in answer.problem()["detail"]
            garbage = await client.ask("/function/f", "X-Dayfly-Depth: 1x")
            assert (garbage.status, garbage.problem()["code"]) == (400, "invalid_request")
        assert depths == ["1", "2", "3"] * 2 + ["1", "3"]
        load = await rig.load(lambda load: len(load.functions) == 3)
        shallow = next(each for each in load.functions if each.function == "shallow.openfaas-fn")
        assert (shallow.started, {code: figures[0] for code, figures in shallow.codes.items()}) == (1, {200: 1, 508: 1})

    play(scenario, max_depth=3)


def test_queued_calls_keep_their_depth(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[str] = []

        async def queue(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append(conversation.headers.get("x-dayfly-depth", "none"))
                conversation.send(b"HTTP/1.1 202 Accepted\r\nX-Call-Id: a\r\nContent-Length: 0\r\n\r\n")

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            for headers in ((), ("X-Dayfly-Depth: 2",)):
                assert (await client.ask("/async-function/f", *headers, method="POST")).status == 202
            answer = await client.ask("/async-function/f", "X-Dayfly-Depth: 3", method="POST")
            assert (answer.status, answer.problem()["code"]) == (508, "loop_detected")
        assert seen == ["none", "2"]

    play(scenario, queue=True, max_depth=3)


def test_a_deep_call_is_not_queued_under_a_lower_limit_of_its_own(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.replica(accept, "queue")
        await rig.serve(rig.entry(max_depth=1))
        async with rig.client() as client:
            assert (await client.ask("/async-function/f", method="POST")).status == 202
            assert (await client.ask("/async-function/f", "X-Dayfly-Depth: 1", method="POST")).status == 508

    play(scenario, queue=True)


def test_a_call_with_a_key_is_no_deeper_for_its_way_through_the_queue(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        seen: list[str] = []

        async def queue(conversation: "Conversation") -> None:
            while await conversation.request():
                seen.append(conversation.headers["x-dayfly-depth"])
                conversation.reply(b"out")

        await rig.replica(queue, "queue")
        await rig.serve(rig.entry())
        async with rig.client() as client:
            assert (await client.ask("/function/f", "Idempotency-Key: a", method="POST")).status == 200
            assert (
                await client.ask("/function/f", "Idempotency-Key: a", "X-Dayfly-Depth: 2", method="POST")
            ).status == 200
        assert seen == ["0", "2"]

    play(scenario, queue=True)
