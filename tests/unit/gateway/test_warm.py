"""Equal calls on one connection: each is answered as if it were the first."""

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.unit.gateway.test_records import ON, recorded

from dayfly.gateway.duration import LEADS, TAILS
from dayfly.http1.answer import Answer
from dayfly.http1.date import date_line
from dayfly.http1.sieve import Sieve
from dayfly.model.table import Delta, Load

if TYPE_CHECKING:
    import pytest
    from tests.unit.gateway.conftest import Conversation, Play, Rig

OWN = ("x-call-id", "x-start-time")


def test_each_call_has_an_identity_of_its_own(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica))
        async with rig.client() as client:
            answers = [await client.ask("/function/f") for _ in range(6)]
        for name in OWN:
            assert len({answer.headers[name] for answer in answers}) == 6
        starts = [int(answer.headers["x-start-time"]) for answer in answers]
        assert all(before < after for before, after in pairwise(starts))
        calls = await recorded(rig, 6)
        assert [call.id for call in calls] == [answer.headers["x-call-id"] for answer in answers]
        assert len({call.trace for call in calls}) == 6
        load = await rig.load(lambda load: load.functions[0].started == 6)
        (function,) = load.functions
        assert function.codes[200][0] == 6
        assert (function.inflight, function.sent, function.received) == (0, 6 * 5, 0)
        assert function.run_s > 0

    play(scenario, **ON)


def test_a_callers_own_id_and_trace_stay(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            answers = [await client.ask("/function/f", "X-Call-Id: mine") for _ in range(3)]
        assert [answer.headers["x-call-id"] for answer in answers] == ["mine"] * 3
        assert len({call.trace for call in await recorded(rig, 3)}) == 3

    play(scenario, **ON)


def test_calls_beyond_those_noted_are_counted_all_the_same(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            for _ in range(10):
                await client.ask("/function/f")
        load = await rig.load(lambda load: load.functions[0].codes[200][0] == 10)
        (function,) = load.functions
        assert (function.started, function.sent, function.inflight) == (10, 10 * 5, 0)
        assert function.run_s > 0
        noted = len(await recorded(rig, 1))
        assert noted + max(message.dropped[0] for message in rig.heard if isinstance(message, Load)) == 10

    play(scenario, records_per_second=1)


def test_a_function_that_goes_meanwhile_is_gone(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            assert [(await client.ask("/function/f")).status for _ in range(3)] == [200] * 3
            rig.tell(Delta(9, removed=("f.openfaas-fn",)))
            await rig.heard_all()
            assert (await client.ask("/function/f")).problem()["code"] == "not_found"
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo, "r2"))))
            await rig.heard_all()
            assert [(await client.ask("/function/f")).status for _ in range(3)] == [200] * 3

    play(scenario)


def test_a_call_after_one_that_waited_has_not_waited(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            await asked
            for _ in range(2):
                await client.ask("/function/f")
        assert [call.cold for call in await recorded(rig, 3)] == [True, False, False]

    play(scenario, **ON)


def test_another_request_and_then_the_first_again(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            for path, method, body in (
                ("/a", "GET", b""),
                ("/a", "GET", b""),
                ("/b", "GET", b""),
                ("/a", "POST", b"five!"),
                ("/a", "GET", b""),
                ("/a", "GET", b""),
            ):
                answer = await client.ask(f"/function/f{path}", method=method, body=body)
                assert answer.headers["x-line"] == f"{method} {path} HTTP/1.1"
                assert answer.body == (body or b"empty")

    play(scenario)


def test_a_body_that_comes_after_its_head_is_waited_for(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            head = b"POST /function/f HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
            client.send(head + b"five!")
            assert (await client.answer()).body == b"five!"
            client.send(head)
            await rig.heard_all()
            client.send(b"other")
            assert (await client.answer()).body == b"other"

    play(scenario)


def test_a_request_for_nothing_after_one_for_a_function(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            for target, status in (("f", 200), ("f", 200), ("g", 404), ("g", 404), ("f", 200), ("f", 200)):
                assert (await client.ask(f"/function/{target}")).status == status

    play(scenario)


def test_equal_requests_in_one_packet_are_answered_in_order(play: "Play") -> None:
    async def counted(conversation: "Conversation") -> None:
        count = 0
        while await conversation.request():
            count += 1
            conversation.reply(b"%d" % count)

    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(counted)))
        async with rig.client() as client:
            request = b"GET /function/f HTTP/1.1\r\nHost: a\r\n\r\n"
            for turn in range(4):
                client.send(request * 3)
                assert [(await client.answer()).body for _ in range(3)] == [b"%d" % (3 * turn + at) for at in (1, 2, 3)]

    play(scenario)


def test_the_duration_has_six_decimals() -> None:
    for microseconds in (0, 1, 999, 1_000, 123_456, 999_999):
        line = LEADS[microseconds // 1_000] + TAILS[microseconds % 1_000]
        assert line == b"X-Duration-Seconds: %.6f\r\nContent-Length: " % (microseconds / 1e6)


def test_a_heads_opening_is_made_anew_when_the_date_changes(monkeypatch: "pytest.MonkeyPatch") -> None:
    answer = Answer(Sieve(lambda _name: False))
    answer.begin(b"GET")
    answer.feed(b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 2\r\n\r\nok")
    monkeypatch.setattr("dayfly.http1.date.time.time", lambda: 1_700_000_000.75)
    answer.open(50.0)
    first = answer.opening
    assert first == b"HTTP/1.1 200 OK\r\n" + date_line() + b"X-One: 1\r\n"
    assert (answer.opening_until, answer.closing) == (50.25, b"2\r\n\r\n")
    monkeypatch.setattr("dayfly.http1.date.time.time", lambda: 1_700_000_001.0)
    answer.open(50.25)
    assert answer.opening != first
    answer.begin(b"GET")
    assert answer.opening_until < 50
