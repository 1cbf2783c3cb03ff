"""Records of calls as a gateway makes them: what each says, how many there are, and that none of it can be made up."""

import asyncio
import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.gateway import records as module
from dayfly.gateway.link import Link
from dayfly.gateway.records import Records
from dayfly.gateway.state import State
from dayfly.model.invocation import Invocation, Note, Origin, invocation_of
from dayfly.model.route_entry import AuthEntry, KnownKey
from dayfly.model.table import Confirmed, Load, Report

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig

KEYED = AuthEntry(kind="key", keys=(KnownKey("ci", hashlib.sha256(b"a-key-that-nobody-guesses").digest()),))
BEARER = "Authorization: Bearer a-key-that-nobody-guesses"
ON = {"records_per_second": 100}


def note(function: str = "f.openfaas-fn") -> Note:
    origin = Origin(b"GET", b"/", "http", b"")
    return Note(b"X-Call-Id: a\r\n", b"X-Start-Time: 1\r\n", function, None, origin, "", 0.0, False, 0.0, 200, 0, 0, "")


async def recorded(rig: "Rig", count: int) -> list[Invocation]:
    """Return all records, once there are so many."""
    found: list[Invocation] = []
    while len(found) < count:
        rig.tell(Report(7))
        await asyncio.sleep(0.01)
        found = [
            invocation_of(note)
            for message in rig.heard
            if isinstance(message, Load) and message.records
            for note in msgspec.msgpack.decode(message.records, type=list[Note])
        ]
    return found


def test_a_record_says_how_the_call_went(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            trace = "traceparent: 00-" + "a" * 32 + "-" + "b" * 16 + "-01"
            await client.ask("/function/f/orders?card=4711", "X-Call-Id: mine-1", trace, method="POST", body=b"five!")
        (call,) = await recorded(rig, 1)
        assert (call.id, call.trace, call.function, call.namespace) == ("mine-1", "a" * 32, "f", "openfaas-fn")
        assert (call.method, call.path, call.trigger, call.caller) == ("POST", "/orders", "http", "")
        assert (call.replica, call.revision, call.status, call.error) == ("r0", 1, 200, "")
        assert (call.request_bytes, call.response_bytes, call.address) == (5, 5, "127.0.0.1")
        assert call.run_ms > 0
        assert (call.wait_ms, call.init_ms, call.cold) == (0.0, 0.0, False)
        assert call.started_unix_ms > 1_700_000_000_000

    play(scenario, **ON)


def test_a_cold_start_and_a_full_house_are_told_apart(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry())
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.demand()
            rig.tell(rig.delta(rig.entry(await rig.replica(rig.echo))))
            await asked
        (cold,) = await recorded(rig, 1)
        assert cold.cold
        assert cold.init_ms > 0
        assert cold.wait_ms == 0

    play(scenario, **ON)


def test_refusals_of_a_known_function_are_recorded_and_those_of_others_are_not(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.routes = (rig.route("/r/*", auth=KEYED),)
        await rig.serve(rig.entry(await rig.replica(rig.echo), body_bytes=10))
        async with rig.client() as client:
            assert (await client.ask("/function/unknown")).status == 404
            assert (await client.ask("/r/a")).status == 401
            assert (await client.ask("/r/a", BEARER)).status == 200
        async with rig.client() as client:
            assert (await client.ask("/function/f", method="POST", body=b"x" * 11)).status == 413
        gate, let, large = await recorded(rig, 3)
        assert (gate.status, gate.error, gate.trigger, gate.caller) == (401, "unauthenticated", "route r", "")
        assert (let.status, let.error, let.trigger, let.caller) == (200, "", "route r", "key:ci")
        assert (large.status, large.error, large.replica) == (413, "payload_too_large", "")
        assert len(await recorded(rig, 3)) == 3

    play(scenario, **ON)


def test_no_client_says_who_called_by_what(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            await client.ask(
                "/function/f", "X-Dayfly-Trigger: cron", "x-dayfly-subject: root", "X-Dayfly-Auth: key",
                "X-Forwarded-For: 10.0.0.1",
            )  # fmt: skip
        (call,) = await recorded(rig, 1)
        assert (call.trigger, call.caller, call.address) == ("http", "", "127.0.0.1")

    play(scenario, **ON)


def test_a_function_that_takes_too_long_or_ends_is_told_by_its_code(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def hangs(conversation: "Conversation") -> None:
            await conversation.request()
            await asyncio.Event().wait()

        async def dies(conversation: "Conversation") -> None:
            await conversation.request()

        await rig.serve(
            rig.entry(await rig.replica(hangs), timeout_s=0.1), rig.entry(await rig.replica(dies), name="g")
        )
        async with rig.client() as client:
            assert (await client.ask("/function/f")).status == 504
        async with rig.client() as client:
            assert (await client.ask("/function/g")).status == 502
        late, gone = await recorded(rig, 2)
        assert (late.status, late.error, late.replica) == (504, "timeout", "r0")
        assert late.run_ms >= 100
        assert (gone.status, gone.error) == (502, "replica_lost")

    play(scenario, **ON)


def test_what_the_function_fails_with_is_its_own_error(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def answers(conversation: "Conversation") -> None:
            for status in (500, 404):
                await conversation.request()
                conversation.reply(b"four", status=status)

        await rig.serve(rig.entry(await rig.replica(answers)))
        async with rig.client() as client:
            assert (await client.ask("/function/f")).status == 500
            assert (await client.ask("/function/f")).status == 404
        bad, missing = await recorded(rig, 2)
        assert (bad.status, bad.error, bad.response_bytes) == (500, "function_error", 4)
        assert (missing.status, missing.error) == (404, "")

    play(scenario, **ON)


def test_bodies_that_come_in_pieces_are_counted(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def streams(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
            )
            await asyncio.Event().wait()

        await rig.serve(rig.entry(await rig.replica(streams)))
        async with rig.client() as client:
            client.send(
                b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n"
            )
            assert (await client.answer()).body == b"abcdefg"
        (call,) = await recorded(rig, 1)
        assert (call.request_bytes, call.response_bytes) == (5, 7)

    play(scenario, **ON)


@pytest.mark.parametrize(
    ("told", "cpu_ms", "memory_bytes"),
    [
        ("1500", 1.5, None), ("1500 20", 1.5, 20 * 1024), ("0", 0.0, None), ("-1", None, None), ("1e9", None, None),
        ("1" * 13, None, None), ("", None, None),
    ],
)  # fmt: skip
def test_what_a_runtime_tells_of_a_call_is_for_the_record_alone(
    play: "Play", told: str, cpu_ms: float | None, memory_bytes: int | None
) -> None:
    async def scenario(rig: "Rig") -> None:
        async def tells(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(b"ok", f"X-Dayfly-Used: {told}", "X-Dayfly-Other: 1")

        await rig.serve(rig.entry(await rig.replica(tells)))
        async with rig.client() as client:
            for _ in range(2):
                answer = await client.ask("/function/f")
                assert not [name for name in answer.headers if name.startswith("x-dayfly")]
        for call in await recorded(rig, 2):
            assert (call.cpu_ms, call.memory_bytes) == (cpu_ms, memory_bytes)

    play(scenario, **ON)


def test_one_calls_figures_are_not_the_nexts(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def tells(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.reply(b"ok", "X-Dayfly-Used: 7000")
            await conversation.request()
            conversation.reply(b"ok")

        await rig.serve(rig.entry(await rig.replica(tells)))
        async with rig.client() as client:
            for _ in range(2):
                await client.ask("/function/f")
        assert [call.cpu_ms for call in await recorded(rig, 2)] == [7.0, None]

    play(scenario, **ON)


def test_nothing_is_recorded_where_records_are_off(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            await client.ask("/function/f")
        await rig.load(lambda load: load.functions[0].codes[200][0] == 1)
        assert not [message for message in rig.heard if isinstance(message, Load) and message.records]

    play(scenario)


def test_notes_made_while_the_control_plane_is_away_come_when_it_is_back(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        await rig.close_link()
        async with rig.client() as client:
            for _ in range(3):
                await client.ask("/function/f")
        await rig.open_link()
        await rig.hear(Load, lambda load: bool(load.records))
        assert len(await recorded(rig, 3)) == 3

    play(scenario, **ON)


def test_what_no_control_plane_has_confirmed_comes_again(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        rig.confirms = True
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            await client.ask("/function/f", "X-Call-Id: first")
            await rig.hear(Load, lambda load: load.batch == 1)
            rig.tell(Confirmed(1))
            await client.ask("/function/f", "X-Call-Id: second")
            await rig.hear(Load, lambda load: load.batch == 2)
        await rig.close_link()
        rig.heard.clear()
        await rig.open_link()
        again = await rig.hear(Load, lambda load: bool(load.records))
        assert again.batch == 2
        (call,) = await recorded(rig, 1)
        assert call.id == "second"

    play(scenario, **ON)


def test_batches_wait_while_too_many_are_not_confirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SENT", 1)
    monkeypatch.setattr(module, "MAX_UNCONFIRMED", 2)
    records = Records(100)
    records.begin(confirms=True)
    records.notes += [note(f"f{number}.openfaas-fn") for number in range(3)]

    def numbers() -> list[int]:
        return [load.batch for load in iter(records.take, None)]

    assert numbers() == [1, 2]
    records.confirmed(1)
    assert numbers() == [3]
    records.confirmed(2)
    records.notes.append(note())
    records.end()
    assert numbers() == []
    records.begin(confirms=True)
    assert numbers() == [3, 4]


def test_what_is_dropped_is_told_while_batches_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNCONFIRMED", 0)
    records = Records(100)
    records.begin(confirms=True)
    records.notes.append(note())
    assert records.take() is None
    records.passed_over = 4
    assert records.take() == Load((), dropped=(4, 0))
    assert records.take() is None


def test_nothing_is_taken_while_nobody_would_get_it() -> None:
    async def scenario() -> None:
        state = State(asyncio.get_running_loop(), records=Records(100))
        link = Link("nowhere", "gw0", state)
        state.records.notes.append(note())
        link.hand_over()
        assert len(state.records.notes) == 1

    asyncio.run(scenario())


def test_each_function_has_its_own_room_and_failures_have_theirs() -> None:
    records = Records(2)
    assert [records.has_room("f", False) for _ in range(3)] == [True, True, False]
    assert [records.has_room("f", True) for _ in range(3)] == [True, True, False]
    assert records.has_room("g", False)
    assert records.passed_over == 2
    for _ in range(4):
        records.turn()
        assert not records.has_room("f", False)
        assert records.full == {"f"}
    records.turn()
    assert not records.full
    assert records.has_room("f", False)


def test_the_oldest_notes_go_when_nobody_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_KEPT", 3)
    records = Records(100)
    records.notes += [note(f"f{number}.openfaas-fn") for number in range(5)]
    records.turn()
    records.begin(confirms=False)
    load = records.take()
    assert load is not None
    assert load.dropped == (0, 2)
    kept = msgspec.msgpack.decode(load.records, type=list[Note])
    assert [each.function for each in kept] == ["f2.openfaas-fn", "f3.openfaas-fn", "f4.openfaas-fn"]
    assert records.take() is None


def test_a_message_holds_so_many_notes_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_SENT", 2)
    records = Records(100)
    records.notes += [note()] * 3
    records.begin(confirms=False)
    sizes = []
    while (load := records.take()) is not None:
        sizes.append(len(msgspec.msgpack.decode(load.records)))
    assert sizes == [2, 1]
