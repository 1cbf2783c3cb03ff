"""Layouts, forth and back: what is kept, what is copied, what is refused with the file untouched."""

import asyncio
import contextlib
import json
import sqlite3
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dayfly.model.debug import Debug
from dayfly.model.errors import ConfigError, StoreUnavailable
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.names import DEFAULT_NAMESPACE, BundleDigest, NamespaceName, parse_function_key
from dayfly.storage import layouts, migrations
from dayfly.storage.database import Database
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets
from dayfly.storage.sqlite import SqliteStore
from dayfly.storage.sqlite_tenancy import SqliteTenancy
from dayfly.storage.steps import STEPS, Step

NOTES = Step("8.0.0", "CREATE TABLE notes (text TEXT) STRICT; INSERT INTO notes VALUES ('x')", "DROP TABLE notes")
MARKED = Step(
    "9.0.0",
    "ALTER TABLE functions ADD COLUMN marked INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE functions DROP COLUMN marked",
)
LOSSY = Step("9.1.0", "CREATE TABLE gone (x)", None)

Later = Callable[..., None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Makes this program know more layouts than it does."""
    return lambda *steps: monkeypatch.setattr(migrations, "STEPS", (*STEPS, *steps))


def function(name: str, number: int = 1, text: str = "", replicas: int | None = None) -> Function:
    spec = FunctionSpec(name=name, bundle="sha256:" + "a" * 64, env={"TEXT": text})
    revision = Revision(number=number, spec=spec, created_unix_ms=number)
    return Function(key=parse_function_key(name), revision=revision, created_unix_ms=7, replicas=replicas)


def write(path: Path, *functions: Function) -> None:
    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        for each in functions:
            await store.put(each)
        await store.save_totals({str(each.key): each.revision.number for each in functions})
        await store.close()

    asyncio.run(main())


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every table and every row of it."""
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        found = {table: sorted(database.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}  # noqa: S608 - its own names
        found[""] = [("layout", database.execute("PRAGMA user_version").fetchone()[0])]
    database.close()
    return found


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,10}[a-z0-9])?", fullmatch=True)
FUNCTIONS = st.lists(
    st.builds(
        function,
        NAMES,
        st.integers(1, 500),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        st.none() | st.integers(0, 100),
    ),
    max_size=12,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(functions=FUNCTIONS)
def test_whatever_is_in_it_is_there_after_the_way_forth_and_back(functions: list[Function], later: Later) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state.db")
        later()
        write(path, *functions)
        before = content(path)
        later(NOTES, MARKED)
        newest = {each.key: each for each in functions}
        assert layouts.rehearse(path) == len(newest)
        assert content(path) != before
        assert layouts.take_back(path, len(STEPS)) == len(STEPS) + 2
        assert content(path) == before
        # And what a copy holds is the state as it was.
        assert content(Path(folder, f"state.db.layout-{len(STEPS)}")) == before


def test_copies_are_for_the_owner_alone_and_the_newest_two(tmp_path: Path, later: Later) -> None:
    path, first = tmp_path / "state.db", len(STEPS)
    write(path, function("kept"))
    for steps in ((NOTES,), (NOTES, MARKED), (NOTES, MARKED, LOSSY)):
        later(*steps)
        layouts.rehearse(path)
    copies = sorted(tmp_path.glob("state.db.layout-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    assert [copy.name for copy in copies] == [f"state.db.layout-{first + 1}", f"state.db.layout-{first + 2}"]
    assert all(stat.S_IMODE(copy.stat().st_mode) == 0o600 for copy in copies)
    assert [("layout", first + 1)] == content(copies[0])[""]


def test_a_new_state_has_nothing_to_copy(tmp_path: Path, later: Later) -> None:
    later(NOTES, MARKED)
    write(tmp_path / "state.db")
    assert list(files(tmp_path)) == ["state.db"]


def test_the_copy_is_made_before_anything_is_changed(tmp_path: Path, later: Later) -> None:
    path = tmp_path / "state.db"
    write(path, function("kept"))
    before = content(path)
    later(NOTES, Step("9.0.0", "SELECT nonsense", None))
    with pytest.raises(StoreUnavailable):
        layouts.rehearse(path)
    assert content(tmp_path / f"state.db.layout-{len(STEPS)}") == before


@pytest.mark.parametrize(
    ("now", "to", "says"),
    [
        ((NOTES, LOSSY), 0, f"no way back from layout {len(STEPS) + 2}"),
        ((NOTES, MARKED), -len(STEPS), "cannot be taken back to 0"),
        ((NOTES,), 5, "cannot be taken back to"),
    ],
)
def test_a_way_back_that_does_not_exist_is_refused_and_nothing_is_touched(
    tmp_path: Path, later: Later, now: tuple[Step, ...], to: int, says: str
) -> None:
    path = tmp_path / "state.db"
    write(path, function("kept"))
    later(*now)
    layouts.rehearse(path)
    before = files(tmp_path)
    with pytest.raises(ConfigError, match=says):
        layouts.take_back(path, len(STEPS) + to)
    assert files(tmp_path) == before


def test_a_newer_state_is_refused_and_nothing_is_touched(tmp_path: Path, later: Later) -> None:
    path = tmp_path / "state.db"
    later(NOTES)
    write(path, function("kept"))
    before = files(tmp_path)
    later()
    with pytest.raises(StoreUnavailable, match=f"newer Dayfly.*--back-to {len(STEPS)}"):
        layouts.take_back(path, 1)
    with pytest.raises(StoreUnavailable, match=f"newer Dayfly.*--back-to {len(STEPS)}"):
        layouts.rehearse(path)
    assert files(tmp_path) == before


def test_a_copy_can_be_made_while_somebody_writes(tmp_path: Path) -> None:
    path, copy = tmp_path / "state.db", tmp_path / "copy.db"

    async def main() -> None:
        store = SqliteStore(path)
        await store.open()
        await store.put(function("first"))
        layouts.copy(path, copy)
        await store.put(function("second"))
        await store.close()

    asyncio.run(main())
    assert layouts.rehearse(copy) == 1
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_version_is_known_by_its_layout(later: Later) -> None:
    first = migrations.layout_for("0.1.0")
    later(NOTES, MARKED)
    assert [migrations.layout_for(each) for each in ("0.1.0", "7.10.3", "8.0.0", "8.10.0", "9.0.1")] == [
        first, len(STEPS), len(STEPS) + 1, len(STEPS) + 1, len(STEPS) + 2,
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="neither a layout"):
        migrations.layout_for("latest")


def test_no_layout_yet_and_what_is_no_database(tmp_path: Path) -> None:
    assert layouts.layout_of(tmp_path / "none.db") == 0
    (tmp_path / "other").write_text("no database at all" * 100)
    with pytest.raises(StoreUnavailable, match="damaged"):
        layouts.layout_of(tmp_path / "other")


def test_the_layout_without_debug_holds_specs_without_it(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    one = function("one")
    spec = msgspec.structs.replace(one.revision.spec, debug=Debug(source="/home/somebody/one"))
    write(path, msgspec.structs.replace(one, revision=msgspec.structs.replace(one.revision, spec=spec)))
    step = next(at for at, each in enumerate(STEPS) if each.down and "$.debug" in each.down)
    layouts.take_back(path, step)
    with contextlib.closing(sqlite3.connect(path)) as database:
        (kept,) = database.execute("SELECT spec FROM revisions").fetchone()
    assert msgspec.json.decode(kept, type=FunctionSpec) == one.revision.spec


def test_the_layout_without_networks_holds_specs_without_them(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    one = function("one")
    spec = msgspec.structs.replace(one.revision.spec, network="host", allow=("*.example.com",))
    write(path, msgspec.structs.replace(one, revision=msgspec.structs.replace(one.revision, spec=spec)))
    layouts.take_back(path, 2)
    with contextlib.closing(sqlite3.connect(path)) as database:
        (kept,) = database.execute("SELECT spec FROM revisions").fetchone()
    assert not {"network", "allow"} & json.loads(kept).keys()
    assert msgspec.json.decode(kept, type=FunctionSpec) == one.revision.spec


def test_the_layout_without_secrets_has_none_and_its_copy_has_them_all(tmp_path: Path) -> None:
    path, place = tmp_path / "state.db", KeyPlace(tmp_path / "keys", is_folder=True)
    without = next(number for number, step in enumerate(STEPS) if "TABLE secrets" in step.up)

    async def put() -> None:
        store = SqliteSecrets(Database(path), place)
        await store.open()
        await store.put(DEFAULT_NAMESPACE, "one", b"kept", mode="create", unix_ms=1)
        await store.close()

    async def read(state: Path) -> bytes:
        store = SqliteSecrets(Database(state), place)
        await store.open()
        found = await store.contents(DEFAULT_NAMESPACE, ["one"])
        await store.close()
        return found["one"].data if found else b""

    write(path, function("kept"))
    asyncio.run(put())
    before = content(path)
    layouts.take_back(path, without)
    assert content(path).keys() == {"", "functions", "revisions", "totals"}
    kept = len(content(path)["revisions"][0])  # what came to be known of revisions later is not there either
    assert content(path)["revisions"] == [row[:kept] for row in before["revisions"]]
    assert asyncio.run(read(path)) == b""
    assert asyncio.run(read(tmp_path / f"state.db.layout-{len(STEPS)}")) == b"kept"


def test_namespaces_in_use_and_the_code_they_ran_are_theirs_after_the_way_up(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    named = {"one.ant": 1, "two.ant": 3, "one": 2}
    for name, number in named.items():
        one = function(parse_function_key(name).name, number)
        spec = msgspec.structs.replace(one.revision.spec, namespace=parse_function_key(name).namespace, max_body="1Mi")
        revision = msgspec.structs.replace(one.revision, spec=spec)
        write(path, msgspec.structs.replace(one, key=spec.key, revision=revision, created_unix_ms=10 * number))
    layouts.take_back(path, 4)
    with contextlib.closing(sqlite3.connect(path)) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        specs = [json.loads(row[0]) for row in database.execute("SELECT spec FROM revisions")]
    assert tables == {"functions", "revisions", "totals"}
    assert not any("max_body" in spec for spec in specs)

    async def look() -> None:
        store = SqliteStore(path)
        await store.open()
        tenancy = SqliteTenancy(store.database)
        found = {each.name: each.created_unix_ms for each in await tenancy.namespaces()}
        assert found == {"ant": 10, "openfaas-fn": 20}
        digest = BundleDigest("sha256:" + "a" * 64)
        owned = [await tenancy.has_bundle(NamespaceName(name), digest) for name in ("ant", "openfaas-fn", "other")]
        assert owned == [True, True, False]
        await store.close()

    asyncio.run(look())
