"""Payloads as a gateway takes them: of the calls that a policy asks for, bounded, and never of others."""

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.unit.gateway.test_records import note

from dayfly.gateway import payloads as module
from dayfly.gateway.payloads import Payloads
from dayfly.gateway.records import Records
from dayfly.model.invocation import Note
from dayfly.model.payload import PayloadPolicy, TakenPayload
from dayfly.model.table import Load, Report

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig

ON = {"records_per_second": 100, "payload_bytes": 10}
ALL, ERRORS = PayloadPolicy("all", redact=("password",)), PayloadPolicy("errors")


async def noted(rig: "Rig", count: int) -> list[TakenPayload | None]:
    """Return the payloads of all notes, once there are so many."""
    found: list[Note] = []
    while len(found) < count:
        rig.tell(Report(7))
        await asyncio.sleep(0.01)
        found = [
            note
            for message in rig.heard
            if isinstance(message, Load) and message.records
            for note in msgspec.msgpack.decode(message.records, type=list[Note])
        ]
    return [note.payload for note in found]


def test_what_was_sent_and_answered_is_taken_up_to_the_bound(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def answers(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(b"0123456789ab", "X-Mine: 1")

        await rig.serve(rig.entry(await rig.replica(answers), payloads=ALL))
        async with rig.client() as client:
            await client.ask("/function/f/a?b=c", "X-Yours: 2", method="POST", body=b"0123456789")
            await client.ask("/function/f", method="POST", body=b"0123456789x")
            client.send(
                b"POST /function/f HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            )
            await client.answer()
        whole, long, chunked = await noted(rig, 3)
        assert whole is not None
        assert long is not None
        assert chunked is not None
        assert whole.head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
        assert b"\r\nX-Yours: 2\r\n" in whole.head
        assert (whole.body, whole.body_cut, whole.status, whole.redact) == (b"0123456789", False, 200, ("password",))
        assert (whole.answer_lines, whole.answer_body, whole.answer_cut) == (b"X-Mine: 1\r\n", b"0123456789", True)
        assert (long.body, long.body_cut) == (b"0123456789", True)
        assert (chunked.body, chunked.body_cut) == (b"abcde", False)

    play(scenario, **ON)


def test_a_stream_leaves_its_beginning(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def streams(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(4):
                conversation.send(b"4\r\nabcd\r\n")
                await asyncio.sleep(0.01)
            conversation.send(b"0\r\n\r\n")

        await rig.serve(rig.entry(await rig.replica(streams), payloads=ALL))
        async with rig.client() as client:
            assert (await client.ask("/function/f")).body == b"abcd" * 4
        (payload,) = await noted(rig, 1)
        assert payload is not None
        assert (payload.answer_body, payload.answer_cut) == (b"abcdabcdab", True)

    play(scenario, **ON)


def test_only_what_the_policy_asks_for_is_taken(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async def fails(conversation: "Conversation") -> None:
            while await conversation.request():
                conversation.reply(b"no", status=500)

        async def hangs(conversation: "Conversation") -> None:
            await conversation.request()
            await asyncio.Event().wait()

        await rig.serve(
            rig.entry(await rig.replica(rig.echo, "o"), name="off"),
            rig.entry(await rig.replica(rig.echo, "p"), name="fine", payloads=ERRORS),
            rig.entry(await rig.replica(fails), name="fails", payloads=ERRORS),
            rig.entry(await rig.replica(hangs, "h"), name="hangs", payloads=ERRORS, timeout_s=0.1),
        )
        async with rig.client() as client:
            for name in ("off", "fine", "fails", "hangs"):
                await client.ask(f"/function/{name}", method="POST", body=b"sent")
        off, fine, failed, hung = await noted(rig, 4)
        assert (off, fine) == (None, None)
        assert failed is not None
        assert hung is not None
        assert (failed.body, failed.status, failed.answer_body) == (b"sent", 500, b"no")
        assert (hung.body, hung.status, hung.answer_body[:1]) == (b"sent", 504, b"{")

    play(scenario, **ON)


def test_who_keeps_no_bodies_keeps_no_payloads(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo), payloads=ALL))
        async with rig.client() as client:
            await client.ask("/function/f")
        assert await noted(rig, 1) == [None]

    play(scenario, records_per_second=100)


def test_what_all_calls_hold_is_bounded_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HELD_BYTES", 25)
    payloads = Payloads(20)
    one, two = payloads.take(PayloadPolicy("all")), payloads.take(PayloadPolicy("all"))
    assert one is not None
    assert two is not None
    one.sent(b"x" * 30)
    assert payloads.held_bytes == 20
    two.sent(b"y" * 20)
    assert payloads.held_bytes == 25
    two.answered(b"", b"zz")
    kept = one.over(b"", 200, "")
    assert kept is not None
    assert (len(kept.body), kept.body_cut) == (20, True)
    rest = two.over(b"head", 200, "")
    assert rest is None, "its record goes without it"
    payloads.let_go(kept)
    assert payloads.held_bytes == 0


def test_a_note_that_is_handed_over_or_lost_holds_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.gateway.records.MAX_KEPT", 1)
    records = Records(100, 20)
    taken = TakenPayload(b"", b"12345", False, 200, b"", b"", False, ())
    for _ in range(3):
        records.payloads.held_bytes += 5
        records.notes.append(msgspec.structs.replace(note(), payload=taken))
    records.turn()
    assert records.payloads.held_bytes == 5
    records.begin(confirms=True)
    assert records.take() is not None
    assert records.payloads.held_bytes == 5
    records.confirmed(1)
    assert records.payloads.held_bytes == 0


def test_a_control_plane_that_confirms_nothing_is_waited_for_by_nothing() -> None:
    records = Records(100, 20)
    records.payloads.held_bytes = 5
    taken = TakenPayload(b"", b"12345", False, 200, b"", b"", False, ())
    records.notes.append(msgspec.structs.replace(note(), payload=taken))
    records.begin(confirms=False)
    assert records.take() is not None
    assert records.payloads.held_bytes == 0
