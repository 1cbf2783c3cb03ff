"""The store of the records of calls: what was taken is found, nothing blocks, and nothing grows without bounds."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from dayfly.control.clock import ManualClock
from dayfly.model.errors import InvalidSpec, StoreUnavailable
from dayfly.model.invocation import Note, Origin, RecordLimits, RecordQuery, invocation_of, record_limits
from dayfly.model.names import NamespaceName
from dayfly.model.table import Endpoint, Load
from dayfly.observe import records as module
from dayfly.observe.batches import KEEP_S
from dayfly.observe.record_file import RecordFile
from dayfly.observe.records import RecordStore

Story = Callable[[RecordStore], Awaitable[None]]
NOW_MS = 1_700_000_000_000


def note(
    call_id: str = "a", function: str = "f.team", *, started_ms: int = NOW_MS, status: int = 200, error: str = "",
    run_s: float = 0.001, trigger: str = "http", cold: bool = False,
) -> Note:  # fmt: skip
    ident = f"X-Call-Id: {call_id}\r\ntraceparent: 00-{'c' * 32}-{'d' * 16}-01\r\n".encode()
    start = b"X-Start-Time: %d\r\n" % (started_ms * 1_000_000)
    origin = Origin(b"GET", b"/x", trigger, b"127.0.0.1")
    return Note(
        ident, start, function, Endpoint("r1", "unix:/x", 3), origin, "key:ci", 0.25, cold, run_s, status, 10, 20, error
    )


def load(*notes: Note, dropped: tuple[int, int] = (0, 0), batch: int = 0) -> Load:
    return Load((), records=msgspec.msgpack.encode(notes), dropped=dropped, batch=batch)


def play(path: Path, story: Story, limits: RecordLimits | None = None, clock: ManualClock | None = None) -> None:
    async def main() -> None:
        store = RecordStore(path, limits or RecordLimits(), clock or ManualClock(unix_ms=NOW_MS))
        await store.open()
        try:
            async with asyncio.timeout(60):
                await story(store)
        finally:
            await store.close()

    asyncio.run(main())


async def ids(store: RecordStore, **query: object) -> list[str]:
    return [call.id for call in await store.find(msgspec.convert({"namespace": "team", **query}, RecordQuery))]


def test_what_was_taken_is_found_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async def write(store: RecordStore) -> None:
        store.take("gw0", "boot", load(note("a"), note("b", cold=True)))
        store.take("gw1", "boot", load(note("c", "g.other")))
        assert await ids(store) == ["b", "a"]

    async def read(store: RecordStore) -> None:
        cold, warm = await store.find(RecordQuery(namespace="team"))
        assert (warm.id, warm.function, warm.namespace, warm.revision, warm.replica) == ("a", "f", "team", 3, "r1")
        assert (warm.caller, warm.address, warm.trigger, warm.method, warm.path) == (
            "key:ci", "127.0.0.1", "http", "GET", "/x",
        )  # fmt: skip
        assert (warm.started_unix_ms, warm.status, warm.request_bytes, warm.response_bytes) == (NOW_MS, 200, 10, 20)
        assert (warm.wait_ms, warm.init_ms, warm.run_ms, warm.cold) == (250.0, 0.0, 1.0, False)
        assert (cold.wait_ms, cold.init_ms, cold.cold) == (0.0, 250.0, True)
        assert (warm.trace, warm.cpu_ms, warm.memory_bytes) == ("c" * 32, None, None)
        assert [call.id for call in await store.of_id("c")] == ["c"]

    play(tmp_path / "records" / "calls.db", write)
    play(tmp_path / "records" / "calls.db", read)
    assert (tmp_path / "records" / "calls.db").stat().st_mode & 0o777 == 0o600


def test_a_query_finds_what_it_asks_for_and_nothing_else(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", load(
            note("ok"), note("bad", status=500, error="function_error"), note("slow", run_s=2.0),
            note("late", started_ms=NOW_MS + 5000, status=404), note("cron", "g.team", trigger="cron"),
            note("way", trigger="route shop"), note("other", trigger="route_x"), note("else", "f.other"),
        ))  # fmt: skip
        assert await ids(store, failed=True) == ["bad"]
        assert await ids(store, slow_ms=1000) == ["slow"]
        assert await ids(store, slow_ms=50) == ["other", "way", "cron", "late", "slow", "bad", "ok"]
        assert await ids(store, since_unix_ms=NOW_MS + 1) == ["late"]
        assert await ids(store, until_unix_ms=NOW_MS + 5000) == ["other", "way", "cron", "slow", "bad", "ok"]
        assert await ids(store, until_unix_ms=NOW_MS + 5001, since_unix_ms=NOW_MS + 5000) == ["late"]
        assert await ids(store, status_from=400, status_to=499) == ["late"]
        assert await ids(store, function="g") == ["cron"]
        assert await ids(store, trigger="cron") == ["cron"]
        assert await ids(store, trigger="route") == ["way"]
        assert await ids(store, trigger="route shop") == ["way"]
        assert await ids(store, trigger="route%") == []
        newest = await store.find(RecordQuery(namespace="team", limit=2))
        assert [call.id for call in newest] == ["other", "way"]
        assert await ids(store, before=newest[-1].number, limit=2) == ["cron", "late"]
        assert await ids(store, after=newest[-1].number) == ["other"]

    play(tmp_path / "calls.db", story)


def test_attempts_of_one_call_are_told_in_their_order(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", load(note("q", status=500, error="function_error"), note("x"), note("q")))
        assert [call.status for call in await store.of_id("q")] == [500, 200]

    play(tmp_path / "calls.db", story)


def test_old_calls_go_by_age(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "calls.db", RecordLimits(keep_s=60))
    file.open()
    calls = [invocation_of(note(str(at), started_ms=NOW_MS + at * 1000)) for at in range(100)]
    assert file.append(calls) is None
    file.trim(NOW_MS + 100_000)
    kept = file.find(RecordQuery(namespace="team", limit=1000))
    assert [call.id for call in kept] == [str(at) for at in reversed(range(40, 100))]
    file.close()


def test_beyond_the_size_the_namespace_with_most_gives_way(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "calls.db", RecordLimits(size_bytes=2**20))
    file.open()
    small = [invocation_of(note(str(at), "f.small")) for at in range(50)]
    assert file.append(small) is None
    for turn in range(12):
        many = [invocation_of(note(f"{turn}-{at}", "f.large")) for at in range(1000)]
        assert file.append(many) is None
        file.trim(NOW_MS)
        assert file._used_bytes() < 2 * 2**20
    assert len(file.find(RecordQuery(namespace="small", limit=1000))) == 50
    assert file.find(RecordQuery(namespace="large", limit=1))[0].id == "11-999"
    file.close()


def test_a_namespace_takes_its_calls_with_it(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", load(note("a"), note("b", "f.other")))
        assert await store.inside(NamespaceName("team")) == []
        await store.clear(NamespaceName("team"))
        assert await store.of_id("a") == []
        assert [call.id for call in await store.of_id("b")] == ["b"]

    play(tmp_path / "calls.db", story)


def test_a_disk_that_takes_nothing_is_said_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = StoreUnavailable("the disk is full")

    async def story(store: RecordStore) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(RecordFile, "append", lambda *_: full)
            for call_id in "ab":
                store.take("gw0", "boot", load(note(call_id)))
                assert await ids(store) == []
        store.take("gw0", "boot", load(note("c")))
        assert await ids(store) == ["c"]
        assert store.dropped == {"rate": 0, "away": 0, "disk": 2}

    with caplog.at_level(logging.WARNING, "dayfly.observe"):
        play(tmp_path / "calls.db", story)
    assert [record.message for record in caplog.records] == [
        "records of calls are dropped until the disk takes them again: the disk is full",
        "records of calls are kept again dropped=2",
    ]


def test_a_real_disk_error_is_returned_and_not_raised(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "calls.db", RecordLimits())
    file.open()
    with sqlite3.connect(tmp_path / "calls.db") as other:
        other.execute("DROP TABLE calls")
    other.close()
    assert isinstance(file.append([invocation_of(note())]), StoreUnavailable)
    file.trim(NOW_MS)
    file.close()


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "calls.db").write_bytes(b"no database at all" * 1000)

    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", load(note("a")))
        assert await ids(store) == ["a"]

    play(tmp_path / "calls.db", story)
    assert (tmp_path / "calls.damaged").exists()


def test_without_a_file_calls_are_counted_and_nothing_else_fails(tmp_path: Path) -> None:
    (tmp_path / "calls.db").mkdir()

    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", load(note("a"), note("b")))
        assert store.dropped["disk"] == 2
        with pytest.raises(StoreUnavailable):
            await store.find(RecordQuery(namespace="team"))

    play(tmp_path / "calls.db", story)


def test_what_waits_for_the_disk_is_bounded_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(store: RecordStore) -> None:
        message = load(note("x"))
        monkeypatch.setattr(module, "MAX_PENDING_BYTES", 2 * len(message.records))
        with store._writer.changed:  # the writer takes nothing meanwhile
            for call_id in "abcd":
                store.take("gw0", "boot", load(note(call_id)))
        assert await ids(store) == ["d", "c"]
        assert store.dropped["disk"] == 2

    play(tmp_path / "calls.db", story)


def test_a_gateway_is_told_what_is_on_file_and_what_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, str, int]] = []

    async def story(store: RecordStore) -> None:
        store.confirm = lambda *what: told.append(what)
        store.take("gw0", "one", load(note("a"), batch=1))
        store.take("gw0", "one", load(note("b"), batch=2))
        store.take("gw1", "x", load(note("c")))
        await store.flush()
        assert set(told) <= {("gw0", "one", 1), ("gw0", "one", 2)}
        assert told[-1] == ("gw0", "one", 2)
        message = load(note("x"))
        monkeypatch.setattr(module, "MAX_PENDING_BYTES", len(message.records))
        told.clear()
        with store._writer.changed:  # the writer takes nothing meanwhile
            store.take("gw0", "one", load(note("d"), batch=3))
            store.take("gw1", "x", load(note("e"), batch=1))
            assert told == [("gw0", "one", 3)]
        await store.flush()
        assert told[1:] == [("gw1", "x", 1)]

    play(tmp_path / "calls.db", story)


def test_without_a_file_a_gateway_holds_nothing_back(tmp_path: Path) -> None:
    (tmp_path / "calls.db").mkdir()
    told: list[tuple[str, str, int]] = []

    async def story(store: RecordStore) -> None:
        store.confirm = lambda *what: told.append(what)
        store.take("gw0", "boot", load(note("a"), batch=7))
        assert told == [("gw0", "boot", 7)]

    play(tmp_path / "calls.db", story)


def test_a_batch_that_comes_again_is_recorded_once_over_a_restart_too(tmp_path: Path) -> None:
    clock = ManualClock(unix_ms=NOW_MS)

    async def first(store: RecordStore) -> None:
        store.take("gw0", "one", load(note("a"), batch=1))
        store.take("gw0", "one", load(note("b"), batch=2))
        await store.flush()
        store.take("gw0", "one", load(note("b"), batch=2))
        assert await ids(store) == ["b", "a"]

    async def later(store: RecordStore) -> None:
        store.take("gw0", "one", load(note("b"), batch=2))
        store.take("gw0", "one", load(note("c"), batch=3))
        store.take("gw0", "two", load(note("d"), batch=1))
        store.take("gw1", "one", load(note("e"), batch=1))
        assert await ids(store) == ["e", "d", "c", "b", "a"]

    play(tmp_path / "calls.db", first, clock=clock)
    play(tmp_path / "calls.db", later, clock=clock)


def test_batches_that_come_again_one_by_one_are_recorded_once(tmp_path: Path) -> None:
    async def first(store: RecordStore) -> None:
        for number in (1, 2, 3):
            store.take("gw0", "one", load(note(f"c{number}"), batch=number))
        assert await ids(store) == ["c3", "c2", "c1"]

    async def later(store: RecordStore) -> None:
        for number in (1, 2, 3):
            store.take("gw0", "one", load(note(f"c{number}"), batch=number))
            await store.flush()
        assert await ids(store) == ["c3", "c2", "c1"]

    play(tmp_path / "calls.db", first)
    play(tmp_path / "calls.db", later)


def test_how_far_a_gateway_was_is_forgotten_in_the_end(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "calls.db", RecordLimits())
    file.open()
    assert file.append([], written={("gw0", "one"): 4, ("gw0", "two"): 1}, now_unix_ms=NOW_MS) is None
    assert file.append([], written={("gw0", "two"): 2}, now_unix_ms=NOW_MS + 1000) is None
    file.trim(NOW_MS + KEEP_S * 1000)
    assert file.batches.has(("gw0", "one"), 4)
    file.trim(NOW_MS + (KEEP_S + 1) * 1000)
    assert [file.batches.has(("gw0", boot), 1) for boot in ("one", "two")] == [False, True]
    assert file.read("SELECT boot FROM batches") == [("two",)]
    file.close()


def test_what_gateways_did_not_note_is_added_up(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        store.take("gw0", "one", Load((), dropped=(5, 1)))
        store.take("gw0", "one", Load((), dropped=(7, 1)))
        store.take("gw0", "two", Load((), dropped=(1, 0)))
        store.take("gw0", "two", Load(()))
        assert store.dropped == {"rate": 8, "away": 1, "disk": 0}

    play(tmp_path / "calls.db", story)


def test_what_cannot_be_read_does_no_harm(tmp_path: Path) -> None:
    async def story(store: RecordStore) -> None:
        store.take("gw0", "boot", Load((), records=b"\xc1rubbish"))
        store.take("gw0", "boot", load(note("a")))
        assert await ids(store) == ["a"]

    play(tmp_path / "calls.db", story)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("off", RecordLimits(per_second=0)),
        ("keep=24h", RecordLimits(keep_s=86_400)),
        ("keep=90,size=1Gi, per_second=7", RecordLimits(keep_s=90, size_bytes=2**30, per_second=7)),
    ],
)
def test_limits_are_written_as_others_are(text: str, limits: RecordLimits) -> None:
    assert record_limits(text) == limits


@pytest.mark.parametrize("text", ["on", "keep=soon", "size=1k", "per_second=-1", "per_second=1e9", "keep=0", "x=1"])
def test_limits_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(InvalidSpec):
        record_limits(text)
