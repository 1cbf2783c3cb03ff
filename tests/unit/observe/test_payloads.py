"""Payloads in the store of records: found with their call, gone with it, bounded, and redacted on their way there."""

from pathlib import Path

import msgspec
from tests.unit.observe.test_records import NOW_MS, ids, load, note, play

from dayfly.control.clock import ManualClock
from dayfly.model.invocation import Note, RecordLimits
from dayfly.model.names import NamespaceName
from dayfly.model.payload import TakenPayload
from dayfly.observe import records as module
from dayfly.observe.records import RecordStore

SECRET = b"hunter2-hunter2"


def paid(call_id: str, function: str = "f.team", body: bytes = b"{}", started_ms: int = NOW_MS) -> Note:
    head = b"POST /x?y=1 HTTP/1.1\r\nAuthorization: Bearer %b\r\n" % SECRET
    payload = TakenPayload(head, body, False, 500, b"X-A: b\r\n", b"no", False, ("password",))
    return msgspec.structs.replace(note(call_id, function, started_ms=started_ms, status=500), payload=payload)


def test_a_payload_is_found_with_its_call_and_nothing_redacted_reaches_the_disk(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        body = b'{"password": "%b", "n": 1}' % SECRET
        store.take("gw0", "b", load(note("a"), paid("b", body=body), note("c"), paid("d"), note("e")))
        store.take("gw0", "b", load(paid("f"), paid("b", "f.other")))
        assert await ids(store) == ["f", "e", "d", "c", "b", "a"]
        (kept,) = await store.payloads("team", "b")
        assert (kept.number, kept.method, kept.target, kept.body) == (
            2, "POST", "/x?y=1", b'{"password": "[redacted]", "n": 1}',
        )  # fmt: skip
        assert kept.redacted == ("header authorization", "body $.password")
        assert (kept.status, kept.answer_headers, kept.answer_body) == (500, (("x-a", "b"),), b"no")
        assert [(await store.payloads("team", each))[0].number for each in "df"] == [4, 6]
        assert await store.payloads("team", "a") == []
        (theirs,) = await store.payloads("other", "b")
        assert theirs.body == b"{}"

    path = tmp_path / "records" / "calls.db"
    play(path, story)
    for each in path.parent.iterdir():
        assert SECRET not in each.read_bytes()
        assert each.stat().st_mode & 0o777 == 0o600


def test_a_payload_goes_with_its_call_and_with_its_namespace(tmp_path: Path) -> None:
    clock = ManualClock(unix_ms=NOW_MS)

    async def story(store: RecordStore) -> None:
        new = paid("new", started_ms=NOW_MS + 60_000)
        store.take("gw0", "b", load(paid("old"), new, paid("gone", "f.other")))
        assert len(await store.payloads("team", "old")) == 1
        await store.clear(NamespaceName("other"))
        clock.advance(module._TRIM_EVERY_S)
        while await ids(store) != ["new"]:
            pass
        rows = store._file.read("SELECT number FROM payloads")
        assert rows == [(2,)]

    play(tmp_path / "c.db", story, RecordLimits(keep_s=20.0), clock)


def test_the_namespace_whose_payloads_take_most_gives_way_and_its_records_stay(tmp_path: Path) -> None:
    clock = ManualClock(unix_ms=NOW_MS)

    async def story(store: RecordStore) -> None:
        store.take("gw0", "b", load(*(paid(f"b{at}", body=b"x" * 1000) for at in range(300)), paid("s", "f.other")))
        await ids(store)
        clock.advance(module._TRIM_EVERY_S)
        while store._file.read("SELECT sum(size) FROM payloads")[0][0] > 100_000:
            await ids(store)
        assert not await store.payloads("team", "b0")
        assert len(await store.payloads("other", "s")) == 1
        assert len(await ids(store, limit=1000)) == 300

    play(tmp_path / "c.db", story, RecordLimits(payloads_bytes=100_000), clock)
