"""The log store: nothing lost, nothing twice, nothing blocked, nothing without bounds."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.errors import StoreUnavailable
from dayfly.model.log import MAX_LINE_BYTES, LogLine
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.observe import log_follower
from dayfly.observe import logs as logs_module
from dayfly.observe.log_file import LogFile, share
from dayfly.observe.logs import LogQuery, LogStore, Retention

KEY = parse_function_key("hello")
OTHER = parse_function_key("other.team")
Story = Callable[[LogStore], Awaitable[None]]


def line(text: str, *, unix_ns: int = 0, replica: str = "r" * 10) -> LogLine:
    return LogLine(unix_ns, KEY, ReplicaId(replica), "stdout", "call", text)


def play(path: Path, story: Story, retention: Retention | None = None) -> None:
    async def main() -> None:
        store = LogStore(path, retention=retention)
        await store.open()
        try:
            async with asyncio.timeout(60):
                await story(store)
        finally:
            await store.close()

    asyncio.run(main())


async def take(lines: AsyncIterator[LogLine], count: int) -> list[str]:
    return [(await anext(lines)).text for _ in range(count)]


async def texts(store: LogStore, *, since_unix_ns: int = 0, tail: int = -1, replica: str = "") -> list[str]:
    lines = await store.query(KEY, since_unix_ns=since_unix_ns, tail=tail, replica=replica)
    return [line.text for line in lines]


def test_what_was_written_is_read_at_once_and_after_a_restart(tmp_path: Path) -> None:
    async def write(store: LogStore) -> None:
        for number in range(2500):
            store.write(line(f"{number}", unix_ns=number))
            store.write(LogLine(number, OTHER, ReplicaId("s" * 10), "stderr", "", "x"))
        assert await texts(store) == [str(number) for number in range(2500)]

    async def read(store: LogStore) -> None:
        assert await texts(store, tail=3) == ["2497", "2498", "2499"]
        assert await texts(store, tail=0) == []
        assert await texts(store, since_unix_ns=2498) == ["2498", "2499"]
        assert await texts(store, since_unix_ns=2400, tail=1) == ["2499"]
        assert await texts(store, since_unix_ns=10**30) == []
        assert await texts(store, replica="s" * 10) == []
        (kept,) = await store.query(KEY, tail=1)
        assert kept == line("2499", unix_ns=2499)
        store.write(line("after"))
        assert await texts(store, tail=1) == ["after"]

    play(tmp_path / "records" / "logs.db", write)
    assert (tmp_path / "records" / "logs.db").stat().st_mode & 0o777 == 0o600
    play(tmp_path / "records" / "logs.db", read)


def test_a_follower_misses_nothing_and_sees_nothing_twice(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        expected = [str(number) for number in range(3000)]
        for text in expected[:1500]:
            store.write(line(text))
        lines = store.lines(LogQuery(key=KEY), follow=True)
        seen = await take(lines, 700)
        for text in expected[1500:]:
            store.write(line(text))
        seen += await take(lines, 2300)
        assert seen == expected
        waiting = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        store.write(line("live"))
        assert (await waiting).text == "live"
        await lines.aclose()
        assert store.followers == 0

    play(tmp_path / "logs.db", story)


def test_a_follower_gets_only_what_it_asked_for_and_ends_with_the_store(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        got: list[str] = []
        came = asyncio.Event()

        async def collect() -> None:
            query = LogQuery(key=KEY, replica="s" * 10, since_unix_ns=5)
            async for one in store.lines(query, follow=True):
                got.append(one.text)
                came.set()

        following = asyncio.ensure_future(collect())
        await asyncio.sleep(0)
        assert store.followers == 1
        store.write(line("wrong replica", unix_ns=9))
        store.write(line("too old", unix_ns=4, replica="s" * 10))
        store.write(line("right", unix_ns=5, replica="s" * 10))
        await came.wait()
        await store.close()
        await following
        assert got == ["right"]
        assert store.followers == 0

    play(tmp_path / "logs.db", story)


def test_a_slow_follower_is_told_how_much_it_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follower, "MAX_FOLLOWER_LINES", 10)

    async def story(store: LogStore) -> None:
        store.write(line("history"))
        lines = store.lines(LogQuery(key=KEY), follow=True)
        assert await take(lines, 1) == ["history"]
        for number in range(100):
            store.write(line(str(number)))
        notice = await anext(lines)
        assert (notice.stream, notice.text.partition(" ")[0]) == ("platform", "90")
        assert await take(lines, 10) == [str(number) for number in range(90, 100)]
        await lines.aclose()

    play(tmp_path / "logs.db", story)


def test_a_disk_that_hangs_blocks_nobody_and_the_lost_lines_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logs_module, "MAX_PENDING_LINES", 100)
    disk, stuck = threading.Event(), threading.Event()
    append = LogFile.append

    def hang(file: LogFile, rows: list[tuple[int, LogLine]]) -> StoreUnavailable | None:
        stuck.set()
        assert disk.wait(60)
        return append(file, rows)

    monkeypatch.setattr(LogFile, "append", hang)

    async def story(store: LogStore) -> None:
        store.write(line("first"))
        await asyncio.to_thread(stuck.wait, 20)
        for number in range(150):
            store.write(line(str(number)))
        assert store.dropped == 50
        disk.set()
        assert await texts(store) == ["first", *(str(number) for number in range(100))]
        store.write(line("in time"))
        assert await texts(store, tail=1) == ["in time"]

    with caplog.at_level(logging.WARNING):
        play(tmp_path / "logs.db", story)
    assert "too slow" in caplog.text
    assert "log lines are kept again dropped=50" in caplog.text


def test_a_function_that_talks_much_pushes_out_only_its_own_lines(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        quiet = LogLine(0, OTHER, ReplicaId("s" * 10), "stdout", "", "quiet")
        store.write(quiet)
        for batch in range(10):
            for number in range(30):
                store.write(line(f"{batch * 30 + number}"))
            kept = await texts(store)
            assert len(kept) <= 110
            assert kept[-1] == str(batch * 30 + 29)
        assert len(kept) >= 100
        assert await store.query(OTHER) == [quiet]

    play(tmp_path / "logs.db", story, Retention(lines_per_function=100))


def test_all_lines_together_stay_within_their_size(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        for number in range(300):
            store.write(line(f"{number:0100}"))
            if number % 30 == 0:
                await store.query(KEY, tail=1)
        kept = await texts(store)
        assert 80 <= len(kept) <= 100
        assert [int(text) for text in kept] == list(range(300 - len(kept), 300))

    play(tmp_path / "logs.db", story, Retention(total_characters=10_000))


def test_of_all_lines_together_those_of_the_namespace_with_most_go_first(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        for number in range(20):
            store.write(msgspec.structs.replace(line(f"{number:0100}"), key=OTHER))
        for number in range(300):
            store.write(line(f"{number:0100}"))
            if number % 30 == 0:
                await store.query(KEY, tail=1)
        assert len(await store.query(OTHER)) == 20, "a small tenant loses nothing by a large one"
        assert 60 <= len(await texts(store)) <= 80

    play(tmp_path / "logs.db", story, Retention(total_characters=10_000))


@given(st.lists(st.integers(0, 100), min_size=1), st.integers(0, 500))
def test_shares_are_within_the_goal_and_the_small_keep_all(sizes: list[int], goal: int) -> None:
    most = share(sizes, goal)
    kept = [min(size, most) for size in sizes]
    assert sum(kept) <= goal or sum(sizes) <= goal
    assert sum(kept) == sum(sizes) or goal - sum(kept) < len(sizes), "no more goes than has to"


def test_a_namespace_is_forgotten_with_all_that_was_written_before(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        store.write(line("ours"))
        for number in range(500):
            store.write(msgspec.structs.replace(line(str(number)), key=OTHER))
        await store.forget(OTHER.namespace)
        assert await store.query(OTHER) == []
        store.write(msgspec.structs.replace(line("new"), key=OTHER))
        assert [each.text for each in await store.query(OTHER)] == ["new"]
        assert await texts(store) == ["ours"]

    play(tmp_path / "logs.db", story)


def test_a_closed_store_forgets_nothing_and_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = LogStore(tmp_path / "logs.db")
        with pytest.raises(StoreUnavailable):
            await store.forget(OTHER.namespace)

    asyncio.run(main())


def test_text_that_neither_sqlite_nor_json_could_hold_is_made_fit(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        store.write(line("half \ud800 pair"))
        store.write(line("NUL \0, escape \x1b[2J, é"))
        store.write(line("é" * MAX_LINE_BYTES))
        kept = await texts(store)
        assert kept[:2] == ["half ? pair", "NUL \0, escape \x1b[2J, é"]
        assert len(kept[2].encode()) == MAX_LINE_BYTES

    play(tmp_path / "logs.db", story)


def test_a_damaged_file_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "logs.db"
    path.write_bytes(b"no database at all" * 1000)

    async def story(store: LogStore) -> None:
        store.write(line("x"))
        assert await texts(store) == ["x"]

    play(path, story)
    assert (tmp_path / "logs.damaged").read_bytes().startswith(b"no database")
    assert "damaged" in caplog.text


def test_a_folder_that_cannot_be_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable):
        play(tmp_path / "file" / "logs.db", lambda _: asyncio.sleep(0))


def test_lines_that_cannot_be_written_are_counted_told_once_and_do_not_end_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    full = True
    insert = LogFile._insert

    def fail(file: LogFile, rows: list[tuple[int, LogLine]]) -> None:
        if full:
            raise sqlite3.OperationalError("database or disk is full")
        insert(file, rows)

    monkeypatch.setattr(LogFile, "_insert", fail)

    async def story(store: LogStore) -> None:
        nonlocal full
        for _ in range(3):
            store.write(line("lost"))
            assert await texts(store) == []
        assert store.dropped == 3
        full = False
        for number in range(3):
            store.write(line(f"kept {number}"))
            assert await texts(store, tail=1) == [f"kept {number}"]

    with caplog.at_level(logging.WARNING):
        play(tmp_path / "logs.db", story)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert "disk is full" in told[0]
    assert told[1] == "log lines are kept again dropped=3"


def test_old_lines_that_cannot_be_removed_cost_no_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_file: LogFile, _where: str, _values: tuple[object, ...]) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(LogFile, "_forget", fail)

    async def story(store: LogStore) -> None:
        for number in range(20):
            store.write(line(f"{number}"))
            assert await texts(store, tail=1) == [f"{number}"]
        assert store.dropped == 0

    play(tmp_path / "logs.db", story, Retention(lines_per_function=5))


def test_what_is_written_before_opening_and_after_closing_is_dropped_without_an_error(tmp_path: Path) -> None:
    async def main() -> None:
        store = LogStore(tmp_path / "logs.db")
        store.write(line("early"))
        await store.open()
        assert await texts(store) == []
        await store.close()
        await store.close()
        store.write(line("late"))
        assert store.dropped == 2
        with pytest.raises(StoreUnavailable):
            await store.query(KEY)

    asyncio.run(main())
