"""What every log of flows' runs does. The one in memory says it by example; the one on the disk must equal it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.storage.journals import journals

from dayfly.model.errors import KeyReused, NotFound, StoreUnavailable
from dayfly.model.flow import FlowSpec
from dayfly.model.flow_run import (
    Begun,
    Cancelled,
    Ended,
    Entry,
    Failed,
    Finished,
    FlowError,
    FlowRun,
    Judged,
    Logged,
    Signalled,
)
from dayfly.model.names import parse_namespace
from dayfly.storage.flow_runs import Outrun, RunKey, RunLog, RunQuery
from dayfly.storage.journal_flow_runs import JournalRuns
from dayfly.storage.memory_flow_runs import MemoryRuns
from dayfly.storage.sqlite_flow_runs import SqliteRuns

Story = Callable[[RunLog], Awaitable[None]]
Play = Callable[[Story], None]
SPEC = msgspec.convert({"name": "f", "steps": [{"do": "call", "name": "a", "function": "g"}]}, FlowSpec)
ERROR = FlowError(code="c", message="Ümläut", step="a", status=500, body={"x": [1]})
ALL: list[Entry] = [
    Begun(path="a.0.b", attempt=2, input={"n": None, "t": "ü"}, due_unix_ms=5),
    Ended(path="a.0.b", attempt=2, result=[1.5, True], signal="s"),
    Failed(path="a", error=ERROR),
    Signalled(id="s", event="paid", payload={"a": 1}, by="ada"),
    Judged(path="a", approved=False, by="ada", comment="no"),
    Cancelled(by="ada"),
    Finished(state="failed", error=ERROR),
]
MAKE: dict[str, Callable[[Path], RunLog]] = {
    "memory": lambda _: MemoryRuns(),
    "sqlite": lambda folder: SqliteRuns(folder / "flows" / "flows.db"),
}


@asynccontextmanager
async def made(kind: str, request: pytest.FixtureRequest, folder: Path) -> AsyncIterator[RunLog]:
    if kind == "jetstream":
        async with journals(request.getfixturevalue("nats_server")) as found:
            yield JournalRuns(found.flows)
    else:
        yield MAKE[kind](folder)


@pytest.fixture(params=[*sorted(MAKE), "jetstream"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    def run(story: Story) -> None:
        async def main() -> None:
            async with made(request.param, request, tmp_path) as store:
                await tell(store)

        async def tell(store: RunLog) -> None:
            await store.open()
            try:
                await story(store)
            finally:
                await store.close()

        asyncio.run(main())

    return run


def run_of(name: str = "r", *, namespace: str = "team", started: int = 1, **fields: Any) -> FlowRun:
    return FlowRun(id=name, namespace=namespace, flow="f", spec=SPEC, started_unix_ms=started,
                   **{"input": {"a": "ü"}, **fields})  # fmt: skip


def test_a_run_is_kept_with_its_log(play: Play) -> None:
    async def story(store: RunLog) -> None:
        run = run_of(started_by="ada", rerun_of="q", rerun_from="a")
        assert await store.begin(run) == run
        await store.append("r", 0, 10, ALL[:3])
        size = await store.append("r", 3, 11, ALL[3:])
        assert await store.log("r") == [Logged(at, 10 if at <= 3 else 11, entry) for at, entry in enumerate(ALL, 1)]
        assert size == await store.size("r") == sum(len(msgspec.json.encode(entry)) for entry in ALL)

    play(story)


def test_what_ends_a_run_is_known_of_it(play: Play) -> None:
    async def story(store: RunLog) -> None:
        await store.begin(run_of())
        await store.append("r", 0, 10, [Finished(state="done", result={"n": 1})])
        assert await store.get("r") == run_of(state="done", result={"n": 1}, finished_unix_ms=10)

    play(story)


def test_a_log_that_has_grown_refuses_what_was_decided_before(play: Play) -> None:
    async def story(store: RunLog) -> None:
        await store.begin(run_of())
        await store.append("r", 0, 10, ALL[:2])
        for after in (0, 1, 3):
            with pytest.raises(Outrun):
                await store.append("r", after, 11, ALL[:1])
        assert len(await store.log("r")) == 2

    play(story)


def test_nothing_is_added_to_a_run_that_is_over_or_not_there(play: Play) -> None:
    async def story(store: RunLog) -> None:
        await store.begin(run_of())
        await store.append("r", 0, 10, [Finished(state="cancelled")])
        for run, after in (("r", 1), ("none", 0)):
            with pytest.raises(Outrun):
                await store.append(run, after, 11, ALL[:1])

    play(story)


def test_a_run_may_begin_with_what_another_came_to(play: Play) -> None:
    async def story(store: RunLog) -> None:
        log = [Logged(1, 5, ALL[0]), Logged(2, 6, ALL[1])]
        await store.begin(run_of(), log)
        assert await store.log("r") == log
        await store.append("r", 2, 10, ALL[2:3])
        assert await store.size("r") == sum(len(msgspec.json.encode(entry)) for entry in ALL[:3])

    play(story)


def test_a_key_begins_one_run(play: Play) -> None:
    async def story(store: RunLog) -> None:
        key = RunKey("k", "digest")
        first = await store.begin(run_of("1"), key=key)
        assert await store.begin(run_of("2"), key=key) == first
        await store.append("1", 0, 9, [Finished(state="done")])
        assert (await store.begin(run_of("3"), key=key)).state == "done"
        assert (await store.begin(run_of("4", namespace="other"), key=key)).id == "4"
        assert (await store.begin(run_of("5"))).id == "5"
        with pytest.raises(KeyReused):
            await store.begin(run_of("6"), key=RunKey("k", "another"))
        await store.remove(["1"])
        assert (await store.begin(run_of("7"), key=RunKey("k", "another"))).id == "7"

    play(story)


def test_runs_are_listed_the_newest_first(play: Play) -> None:
    async def story(store: RunLog) -> None:
        for at in range(4):
            await store.begin(run_of(str(at), started=at // 2))
        await store.begin(run_of("else", namespace="other", started=9))
        await store.append("1", 0, 9, [Finished(state="failed")])

        async def ids(**fields: Any) -> list[str]:
            return [run.id for run in await store.listed(RunQuery(namespace="team", **fields))]

        assert await ids() == ["3", "2", "1", "0"]
        assert await ids(limit=2) == ["3", "2"]
        assert await ids(state="failed") == ["1"]
        assert await ids(state="running", flow="f") == ["3", "2", "0"]
        assert await ids(flow="g") == []
        assert [run.id for run in await store.under_way()] == ["0", "2", "3", "else"]

    play(story)


def test_what_is_not_there_is_missing(play: Play) -> None:
    async def story(store: RunLog) -> None:
        with pytest.raises(NotFound):
            await store.get("none")
        assert await store.log("none") == []
        assert await store.size("none") == 0
        await store.remove(["none"])

    play(story)


def test_a_namespace_goes_with_all_its_runs(play: Play) -> None:
    async def story(store: RunLog) -> None:
        await store.begin(run_of("mine"), [Logged(1, 1, ALL[0])])
        await store.begin(run_of("theirs", namespace="other"), [Logged(1, 1, ALL[0])])
        await store.forget(parse_namespace("team"))
        assert await store.log("mine") == []
        assert len(await store.log("theirs")) == 1
        with pytest.raises(NotFound):
            await store.get("mine")

    play(story)


def test_what_is_over_goes_when_it_is_old_or_too_much_and_what_is_under_way_stays(play: Play) -> None:
    async def story(store: RunLog) -> None:
        for at in range(6):
            await store.begin(run_of(str(at), namespace="team" if at < 5 else "other"))
            if at != 2:
                await store.append(str(at), 0, 100 + at, [Finished(state="done")])
        assert await store.trim(101, 2) == 2
        left = [run.id for name in ("team", "other") for run in await store.listed(RunQuery(namespace=name))]
        assert sorted(left) == ["2", "3", "4", "5"]
        assert await store.log("0") == []
        assert await store.trim(0, 2) == 0

    play(story)


def test_the_disk_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "flows" / "flows.db"

    async def main() -> None:
        store = SqliteRuns(path)
        with pytest.raises(StoreUnavailable, match="not open"):
            await store.under_way()
        await store.open()
        await store.begin(run_of())
        await store.append("r", 0, 10, ALL[:2])
        await store.close()
        again = SqliteRuns(path)
        await again.open()
        assert await again.under_way() == [run_of()]
        assert len(await again.log("r")) == 2
        await again.close()

    asyncio.run(main())
    assert os.stat(path).st_mode & 0o777 == 0o600


def test_every_commit_is_flushed_and_what_is_deleted_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "flows.db"

    async def main() -> None:
        store = SqliteRuns(path)
        await store.open()
        assert await store._do(lambda db: db.execute("PRAGMA synchronous").fetchone()) == (2,)
        await store.begin(run_of(input="hidden-away"))
        await store.remove(["r"])
        await store.close()

    asyncio.run(main())
    assert b"hidden-away" not in path.read_bytes()


def test_a_newer_layout_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "flows.db"
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()

    async def main() -> None:
        with pytest.raises(StoreUnavailable, match="newer"):
            await SqliteRuns(path).open()

    asyncio.run(main())


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "flows.db"

    async def main() -> None:
        store = SqliteRuns(path)
        await store.open()
        await store.begin(run_of(), [Logged(1, 1, ALL[0])])
        await store._do(lambda db: db.execute("UPDATE entries SET entry = '{}'").rowcount)
        with pytest.raises(StoreUnavailable, match="cannot be read"):
            await store.log("r")
        await store.close()

    asyncio.run(main())
