"""Searching logs: found is what a plain reading of the lines finds, whatever was kept and removed meanwhile."""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayfly.decide.log_search import Term, parse_search
from dayfly.model.errors import InvalidRequest
from dayfly.model.log import FoundLines, LogLine, Retention
from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.observe import log_file, log_index, log_search
from dayfly.observe.log_file import LogFile
from dayfly.observe.logs import LogSearch, LogStore

Story = Callable[[LogStore], Awaitable[None]]
SECOND = 1_000_000_000


def line(text: str, function: str = "hello.team", *, at: int = 0, replica: str = "r" * 10, call: str = "") -> LogLine:
    return LogLine(at, parse_function_key(function), ReplicaId(replica), "stdout", call, text)


def play(path: Path, story: Story, retention: Retention | None = None, unix_ms: Callable[[], int] = int) -> None:
    async def main() -> None:
        store = LogStore(path, retention=retention, unix_ms=unix_ms)
        await store.open()
        try:
            async with asyncio.timeout(100):
                await story(store)
        finally:
            await store.close()
        check(path)

    asyncio.run(main())


def check(path: Path) -> None:
    """The index holds the words of the lines that there are, and of no others."""
    with closing(sqlite3.connect(path)) as database:
        upto = (database.execute("SELECT upto FROM indexed").fetchone() or (0,))[0]
        database.execute("DELETE FROM lines WHERE number > ?", (upto,))
        database.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")


async def found(store: LogStore, text: str = "", namespace: str = "team", **fields: Any) -> list[str]:
    search = LogSearch(namespace=namespace, terms=parse_search(text), **fields)
    return [each.text for each in (await store.search(search)).lines]


def test_words_phrases_beginnings_and_what_must_not_be(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        for text in ("order 7 failed: timeout", "failed order", "Order TIMEOUT of größe", "health ok", "timeless"):
            store.write(line(text))
        assert await found(store, "order") == ["Order TIMEOUT of größe", "failed order", "order 7 failed: timeout"]
        assert await found(store, "order failed") == ["failed order", "order 7 failed: timeout"]
        assert await found(store, '"failed order"') == ["failed order"]
        assert await found(store, "time*") == ["timeless", "Order TIMEOUT of größe", "order 7 failed: timeout"]
        assert await found(store, "order -timeout") == ["failed order"]
        assert await found(store, "grosse") == []
        assert await found(store, "grOße") == ["Order TIMEOUT of größe"]
        assert await found(store, '"7 fai"*') == ["order 7 failed: timeout"]
        assert await found(store, "nothing-like-it") == []
        assert len(await found(store)) == 5

    play(tmp_path / "logs.db", story)


def test_function_replica_time_level_and_call(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        store.write(line("ERROR a", at=1 * SECOND))
        store.write(line("INFO a", "other.team", at=2 * SECOND))
        store.write(line("ERROR a b", at=3 * SECOND, replica="s" * 10, call="c1"))
        assert await found(store, "a", function="hello") == ["ERROR a b", "ERROR a"]
        assert await found(store, "a", replica="s" * 10) == ["ERROR a b"]
        assert await found(store, "a", since_unix_ns=2 * SECOND) == ["ERROR a b", "INFO a"]
        assert await found(store, "a", since_unix_ns=2 * SECOND, until_unix_ns=3 * SECOND) == ["INFO a"]
        assert await found(store, level="error") == ["ERROR a b", "ERROR a"]
        assert await found(store, "a", level="info") == ["INFO a"]
        assert await found(store, call_id="c1") == ["ERROR a b"]
        assert await found(store, "a", stream="stderr") == []

    play(tmp_path / "logs.db", story)


def test_no_namespace_finds_anothers_lines(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        for namespace in ("team", "team-a", "a-team", "other"):
            store.write(line(f"secret of {namespace}", f"hello.{namespace}"))
        for namespace in ("team", "team-a", "a-team", "other"):
            assert await found(store, "secret", namespace) == [f"secret of {namespace}"]
            assert await found(store, "", namespace) == [f"secret of {namespace}"]
        assert await found(store, "secret OR namespace : other") == []
        assert await found(store, 'secret "x" OR "y"', "team") == []

    play(tmp_path / "logs.db", story)


def test_pages_follow_each_other_without_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "_CHUNK", 7)
    monkeypatch.setattr(log_search, "MAX_LOOKED_AT", 20)

    async def story(store: LogStore) -> None:
        texts = [f"{'ERROR' if number % 10 == 0 else 'INFO'} line {number}" for number in range(100)]
        for text in texts:
            store.write(line(text))
        for level, wanted in ((None, texts), ("error", texts[::10])):
            for words in ("", "line"):
                seen: list[str] = []
                before, pages = 0, 0
                while True:
                    page: FoundLines = await store.search(
                        LogSearch(namespace="team", terms=parse_search(words), level=level, limit=9, before=before)  # type: ignore[arg-type]  # one of two
                    )
                    seen += [each.text for each in page.lines]
                    before, pages = page.before, pages + 1
                    if not before:
                        break
                assert seen == wanted[::-1]
                assert pages > 2

    play(tmp_path / "logs.db", story)


def test_a_replica_and_a_function_that_are_gone_are_found_and_after_a_restart(tmp_path: Path) -> None:
    async def write(store: LogStore) -> None:
        store.write(line("last words", "gone.team", replica="g" * 10))

    async def read(store: LogStore) -> None:
        assert await found(store, "words", replica="g" * 10) == ["last words"]

    play(tmp_path / "logs.db", write)
    play(tmp_path / "logs.db", read)


def test_a_file_of_before_there_was_an_index_is_searched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_index, "PIECE", 10)
    path = tmp_path / "logs.db"

    async def write(store: LogStore) -> None:
        for number in range(95):
            store.write(line(f"old {number}"))

    play(path, write)
    with closing(sqlite3.connect(path)) as database:
        database.executescript("DROP TABLE words; DROP TABLE indexed; DELETE FROM lines WHERE number % 3 = 0")

    async def read(store: LogStore) -> None:
        assert len(await found(store, "old")) == 64
        store.write(line("new and old"))
        assert len(await found(store, "old")) == 65

    play(path, read)


def test_retention_by_number_and_size_keeps_the_index_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_index, "PIECE", 50)
    monkeypatch.setattr(log_file, "PIECE", 50)

    async def story(store: LogStore) -> None:
        for number in range(1000):
            store.write(line(f"word{number} common"))
            if number % 100 == 99:
                await store.flush()
        kept = await found(store, "common", limit=1000)
        assert 100 <= len(kept) <= 110
        assert await found(store, "word1") == []
        assert await found(store, "word999") == ["word999 common"]

    play(tmp_path / "logs.db", story, Retention(lines_per_function=100))

    async def large(store: LogStore) -> None:
        for number in range(300):
            store.write(line(f"word{number} " + "x" * 10_000, f"f{number % 3}.team"))
            await store.flush()
        kept = await found(store, "word*", limit=1000)
        assert 70 <= len(kept) <= 105
        assert sum(map(len, kept)) <= 2**20

    play(tmp_path / "large.db", large, Retention(total_characters=2**20))


def test_retention_by_age_works_without_anything_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "_OLD", 10)
    now_ms = 1_000_000

    async def story(store: LogStore) -> None:
        nonlocal now_ms
        for number in range(60):
            store.write(line(f"word{number}", at=(1_000_000 + number * 1000) * 1_000_000))
        assert len(await found(store, "word*")) == 60
        now_ms += 3_600_000 + 30_000
        file: LogFile = store._file
        await asyncio.to_thread(_expired, file, now_ms)
        assert await found(store) == await found(store, "word*")
        assert (await found(store))[-1] == "word30"

    play(tmp_path / "logs.db", story, Retention(keep_s=3600.0), unix_ms=lambda: now_ms)


def _expired(file: LogFile, now_ms: int) -> None:
    assert file._writer is not None
    while file.expire(now_ms * 1_000_000):
        pass


def test_the_writer_removes_what_is_old_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.observe.logs._EXPIRE_EVERY_S", 0.02)
    now_ms = 1

    async def story(store: LogStore) -> None:
        nonlocal now_ms
        store.write(line("old", at=1))
        assert await found(store, "old") == ["old"]
        now_ms = 10**12
        while await found(store, "old"):  # noqa: ASYNC110 - nothing tells of lines that go
            await asyncio.sleep(0.01)

    play(tmp_path / "logs.db", story, unix_ms=lambda: now_ms)


def test_a_namespace_that_goes_takes_its_words_along(tmp_path: Path) -> None:
    async def story(store: LogStore) -> None:
        for namespace in ("team", "other"):
            store.write(line("word", f"hello.{namespace}"))
        assert await found(store, "word") == ["word"]
        await store.forget(parse_function_key("x.team").namespace)
        assert await found(store, "word") == []
        assert await found(store, "word", "other") == ["word"]

    play(tmp_path / "logs.db", story)


def test_what_the_index_keeps_of_lines_that_are_gone_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_index, "PIECE", 200)
    monkeypatch.setattr(log_file, "PIECE", 200)
    sizes = []

    async def story(store: LogStore) -> None:
        for number in range(20_000):
            store.write(line(f"request {number} of user{number % 997} took {number % 51}ms"))
            if number % 500 == 499:
                await store.flush()
            if number % 5000 == 4999:
                await found(store, "request")
                with closing(sqlite3.connect(tmp_path / "logs.db")) as database:
                    sizes.append(database.execute("SELECT sum(length(block)) FROM words_data").fetchone()[0])
        assert max(sizes) < 400_000, sizes

    play(tmp_path / "logs.db", story, Retention(lines_per_function=1000))


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "logs.db"

    async def write(store: LogStore) -> None:
        for number in range(50):
            store.write(line(f"word{number} common"))
        assert len(await found(store, "common")) == 50

    play(path, write)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE words_data SET block = x'00ff00ff00ff' WHERE id > 10")
        database.commit()

    async def go_on(store: LogStore) -> None:
        for number in range(400):
            store.write(line(f"more{number} common"))
            if number % 100 == 99:
                await store.flush()
        assert await found(store, "more399") == ["more399 common"]
        assert 100 <= len(await found(store, "common", limit=1000)) <= 110

    play(path, go_on, Retention(lines_per_function=100))


def test_a_search_that_takes_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_search, "MAX_S", -1.0)
    monkeypatch.setattr(log_search, "_STEPS", 1)

    async def story(store: LogStore) -> None:
        for number in range(100):
            store.write(line(f"word {number}"))
        with pytest.raises(InvalidRequest, match="longer"):
            await found(store, "word")

    play(tmp_path / "logs.db", story)


WORDS = st.sampled_from(["order", "Order", "orders", "ord", "fail", "failed", "x1", "a", "ü", "OR", "NOT", "text"])
GAPS = st.sampled_from([" ", "/", ": ", "_", "-", "  ", ".", '"'])
LINES = st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=6).map(lambda parts: "".join(a + b for a, b in parts))
TERMS = st.builds(
    Term,
    st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=3).map(lambda parts: "".join(a + b for a, b in parts)),
    is_prefix=st.booleans(),
    is_absent=st.booleans(),
)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower().replace("ü", "u"))


def has(text: str, term: Term) -> bool:
    line, wanted = words(text), words(term.text)
    for at in range(len(line) - len(wanted) + 1):
        part = line[at : at + len(wanted)]
        last = part[-1].startswith(wanted[-1]) if term.is_prefix else part[-1] == wanted[-1]
        if part[:-1] == wanted[:-1] and last:
            return True
    return False


@settings(max_examples=60)
@given(lines=st.lists(LINES, max_size=12), terms=st.lists(TERMS, min_size=1, max_size=4))
def test_found_is_what_reading_every_line_finds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], terms: list[Term]
) -> None:
    if all(term.is_absent for term in terms):
        return
    path = tmp_path_factory.mktemp("logs") / "logs.db"
    file = LogFile(path, Retention())
    file.open()
    assert file.append([(number, line(text)) for number, text in enumerate(lines, 1)] or [(1, line("z"))]) is None
    while file.indexed < max(1, len(lines)):
        assert file.index() is None
    file.close()
    page = log_search.find(path, LogSearch(namespace="team", terms=tuple(terms)))
    wanted = [text for text in lines if all(has(text, term) is not term.is_absent for term in terms)]
    assert [each.text for each in page.lines] == wanted[::-1]


@settings(max_examples=60)
@given(text=st.text(max_size=30))
def test_no_text_is_taken_for_an_expression(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.db"
    if not path.exists():
        file = LogFile(path, Retention())
        file.open()
        file.append([(1, line("one line"))])
        file.index()
        file.close()
    try:
        terms = parse_search(text)
    except InvalidRequest:
        return
    log_search.find(path, LogSearch(namespace="team", terms=terms))
