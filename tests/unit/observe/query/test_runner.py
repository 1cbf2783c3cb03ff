"""Queries in their process: how far each goes, what is left of it, and who waits for whom."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.observe.query.tables import MARK, MINE, ROWS, order, write

from dayfly.model.cost import Prices
from dayfly.model.errors import InternalError, InvalidRequest, LimitExceeded
from dayfly.model.names import NamespaceName, parse_namespace
from dayfly.observe.query.catalogue import TABLES
from dayfly.observe.query.order import ANSWER, EXPORT, Asker, Bounds, Order, Outcome
from dayfly.observe.query.runner import Found, QueryRunner
from dayfly.observe.query.seats import Seats

TEAM = parse_namespace(MINE)
Story = Callable[[QueryRunner], Awaitable[None]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: Path(path) for name, path in write(tmp_path_factory.mktemp("files")).items()}


def play(folder: Path, files: dict[str, Path], story: Story) -> None:
    async def main() -> None:
        runner = QueryRunner(folder / "queries", files, Prices(call=1.0, currency="EUR"))
        await runner.open()
        async with asyncio.timeout(150):
            await story(runner)
        assert list((folder / "queries").iterdir()) == [], "nothing of a query is left"

    asyncio.run(main())


def asker(namespace: NamespaceName | None = TEAM) -> Asker:
    return Asker(namespace=namespace, tables=frozenset(each.name for each in TABLES))


async def ask(runner: QueryRunner, sql: str, bounds: Bounds = ANSWER, **fields: Any) -> Found:
    given: dict[str, Any] = {"asker": asker(), "inventory": {}, **fields}
    return await runner.run(sql, "answer", bounds, **given)


def test_the_process_finds_the_packages_wherever_they_lie(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an image, where the interpreter by itself knows of none."""
    bare = sys._base_executable  # type: ignore[attr-defined]
    assert subprocess.run([bare, "-P", "-c", "import dayfly"], capture_output=True, env={}).returncode == 1
    monkeypatch.setattr(sys, "executable", bare)

    async def story(runner: QueryRunner) -> None:
        found = await ask(runner, "SELECT count(*) FROM calls")
        with found.file as file:
            assert json.loads(file.read())["rows"] == [[ROWS]]

    play(tmp_path, files, story)


def test_a_query_is_answered_from_files_and_inventory(tmp_path: Path, files: dict[str, Path]) -> None:
    async def story(runner: QueryRunner) -> None:
        rows = [[MINE, "hello", *[None] * 18]]
        found = await ask(
            runner, "SELECT name, (SELECT count(*) FROM calls) FROM functions", inventory={"functions": rows}
        )
        with found.file as file:
            answer = json.loads(file.read())
        assert answer == {
            "rows": [["hello", ROWS]], "truncated": False,
            "columns": [{"name": "name", "type": "text"},
                        {"name": "(SELECT count(*) FROM calls)", "type": "integer"}],
        }  # fmt: skip
        found = await ask(runner, "SELECT cost(2, 0, 0), currency(), count(*) FROM usage", asker=asker(None))
        assert json.loads(found.file.read())["rows"] == [[2.0, "EUR", 0]]
        found.file.close()
        found = await ask(runner, "SELECT path FROM calls", msgspec.structs.replace(ANSWER, rows=3))
        assert (found.rows, found.truncated) == (3, True)
        found.file.close()

    play(tmp_path, files, story)


SHORT = msgspec.structs.replace(ANSWER, seconds=1.0)
BOMBS = {
    "endless": "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r",
    "product": "SELECT count(*) FROM calls a, calls b, calls c, calls d, calls e, logs f WHERE a.path <= b.path",
    "memory": "WITH RECURSIVE r(x) AS (SELECT printf('%900000d', 1) UNION ALL SELECT printf('%900000d', random())"
    " FROM r LIMIT 2000) SELECT count(*) FROM (SELECT x FROM r ORDER BY x)",
    "long": "WITH RECURSIVE r(x) AS (SELECT 'xx' UNION ALL SELECT x || x FROM r) SELECT max(length(x)) FROM r",
    "pattern": f"SELECT 'a' LIKE '{'%' * 1500}'",
    "concatenated": "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000)"
    " SELECT group_concat(printf('%1000d', x)) FROM r",
    "nested": "SELECT " + "(" * 400 + "1" + ")" * 400 + " + " + " + ".join("1" for _ in range(400)),
    "window": "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000000)"
    " SELECT sum(x) OVER (ORDER BY x DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM r",
    "percentile": "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT percentile(x, 5) FROM r",
    "json": "SELECT count(*) FROM json_each('[' || replace(printf('%.400000c', '1'), '1', '1,') || '1]') a,"
    " json_each('[' || replace(printf('%.400000c', '1'), '1', '1,') || '1]') b",
    "columns": "SELECT " + ", ".join("1" for _ in range(300)),
    "compound": " UNION ALL ".join("SELECT 1" for _ in range(100)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_query_that_takes_too_much_is_ended_and_told_why(tmp_path: Path, files: dict[str, Path], bomb: str) -> None:
    async def story(runner: QueryRunner) -> None:
        with pytest.raises(InvalidRequest) as caught:
            await ask(runner, BOMBS[bomb], SHORT)
        told = (caught.value.message, caught.value.hint)
        assert any(word in told[0] for word in ("longer", "memory", "too", "percentile")), told

    play(tmp_path, files, story)


def test_an_answer_ends_at_its_size_and_an_export_is_refused(tmp_path: Path, files: dict[str, Path]) -> None:
    many = (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 3000)"
        " SELECT printf('%1000d', x) AS x FROM r"
    )  # fmt: skip

    async def story(runner: QueryRunner) -> None:
        found = await ask(runner, many, msgspec.structs.replace(ANSWER, rows=10_000, answer_bytes=2**20))
        with found.file as file:
            answer = json.loads(file.read())
        assert found.truncated
        assert answer["truncated"]
        assert 900 < len(answer["rows"]) < 1100
        small = msgspec.structs.replace(EXPORT, answer_bytes=2**20)
        for form in ("csv", "ndjson", "xlsx", "parquet"):
            with pytest.raises(InvalidRequest, match="more than 1 MiB"):
                await runner.run(many, form, small, asker=asker(), inventory={})
        with pytest.raises(InvalidRequest, match="more than 10 rows"):
            await runner.run(many, "csv", msgspec.structs.replace(EXPORT, rows=10), asker=asker(), inventory={})

    play(tmp_path, files, story)


def test_a_caller_that_goes_takes_its_query_along(tmp_path: Path, files: dict[str, Path]) -> None:
    others = children()  # of what other tests share

    async def story(runner: QueryRunner) -> None:
        asking = asyncio.create_task(ask(runner, BOMBS["endless"], msgspec.structs.replace(ANSWER, seconds=100.0)))
        while children() <= others:  # noqa: ASYNC110 - nothing tells of a process that begins
            await asyncio.sleep(0.02)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert children() <= others

    play(tmp_path, files, story)


def children() -> set[str]:
    return {*Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_what_an_earlier_life_left_is_cleared(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "queries" / "old").mkdir(parents=True)
    (tmp_path / "queries" / "old" / "answer").write_text("x")

    async def story(_runner: QueryRunner) -> None:
        pass

    play(tmp_path, files, story)


def test_a_process_that_fails_is_our_fault_and_said_so(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.observe.query.runner.sys.executable", "/bin/false")

    async def story(runner: QueryRunner) -> None:
        with pytest.raises(InternalError):
            await ask(runner, "SELECT 1")

    play(tmp_path, files, story)


FENCED = """
import json, os, socket, sys
from pathlib import Path
from dayfly.observe.query import fence, process
process.give_way()
layers = fence.close(sys.argv[1])
found = {"layers": layers}
for name, attempt in {
    "read": lambda: Path(sys.argv[2]).read_bytes(), "write": lambda: Path(sys.argv[2]).write_text("x"),
    "list": lambda: os.listdir("/"), "socket": lambda: socket.socket(), "unix": lambda: socket.socket(socket.AF_UNIX),
    "own": lambda: Path(sys.argv[1], "x").write_text("x"),
}.items():
    try:
        attempt(); found[name] = "done"
    except OSError as error:
        found[name] = "refused"
found["nice"] = os.nice(0)
found["oom"] = Path("/proc/self/oom_score_adj").read_text() if "landlock" not in layers else "-"
print(json.dumps(found))
"""


def test_behind_the_fence_there_are_no_files_and_no_network(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "own").mkdir()

    async def main() -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", FENCED, str(tmp_path / "own"), str(tmp_path / "secret"), stdout=subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        found: dict[str, Any] = json.loads(said)
        return found

    found = asyncio.run(main())
    assert found["own"] == "done"
    assert found["nice"] >= 10
    if "landlock" in found["layers"]:
        assert (found["read"], found["write"], found["list"]) == ("refused",) * 3
    if "seccomp" in found["layers"]:
        assert (found["socket"], found["unix"]) == ("refused", "refused")


def test_seats_are_few_and_a_tenant_has_one() -> None:
    async def main() -> None:
        seats, inside = Seats(at_once=2, waiting=3, wait_s=60), []
        leave = asyncio.Event()

        async def sit(tenant: str) -> None:
            async with seats.seat(tenant):
                inside.append(tenant)
                await leave.wait()

        sitting = [asyncio.create_task(sit(tenant)) for tenant in ("a", "a", "a", "a", "b", "c")]
        for _ in range(20):
            await asyncio.sleep(0)
        assert sorted(inside) == ["a", "b"]
        with pytest.raises(LimitExceeded):
            await sit("a")
        leave.set()
        await asyncio.gather(*sitting)
        assert sorted(inside) == ["a", "a", "a", "a", "b", "c"]
        assert not seats._tenants
        async with Seats(at_once=1, wait_s=0).seat("a"):
            pass

    asyncio.run(main())


def test_who_waits_too_long_is_sent_away() -> None:
    async def main() -> None:
        seats = Seats(at_once=1, wait_s=0.01)
        async with seats.seat("a"):
            with pytest.raises(LimitExceeded):
                async with seats.seat("b"):
                    pass
        async with seats.seat("b"):
            pass

    asyncio.run(main())


def test_an_order_and_an_outcome_travel(tmp_path: Path) -> None:
    made = order({"calls": "/x"}, tmp_path, f"SELECT '{MARK}ü'")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Order) == made
    told = Outcome(refusal="limit", message="x", rows=3, truncated=True)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Outcome) == told
