"""Secrets on the disk: what a thief of the file gets, and what becomes of them when their key is lost or changed."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from dayfly.model.errors import SecretsLocked, StoreUnavailable
from dayfly.model.names import DEFAULT_NAMESPACE, NamespaceName
from dayfly.storage import private_file
from dayfly.storage.database import Database
from dayfly.storage.secrets.envelopes import Key, NotOurs
from dayfly.storage.secrets.key_file import KeyFile
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets

OURS, OTHERS = DEFAULT_NAMESPACE, NamespaceName("others")
CANARY = b"canary-0123456789"
Story = Callable[[SqliteSecrets], Awaitable[None]]


class Disk:
    """A data folder, and a key folder beside it."""

    def __init__(self, folder: Path, *, key: Path | None = None) -> None:
        self.folder = folder
        self.state = folder / "data" / "state.db"
        self._place = KeyPlace(key or folder / "keys", is_folder=key is None)

    @property
    def key(self) -> Path:
        (found,) = (self.folder / "keys").iterdir()
        return found

    def play(self, story: Story) -> None:
        """Open, let the story happen, close."""

        async def main() -> None:
            store = SqliteSecrets(Database(self.state), self._place)
            await store.open()
            try:
                await story(store)
            finally:
                await store.close()

        asyncio.run(main())

    def put(self, *names: str, namespace: NamespaceName = OURS) -> None:
        async def story(store: SqliteSecrets) -> None:
            for name in names:
                await store.put(namespace, name, CANARY + name.encode(), mode="upsert", unix_ms=1)

        self.play(story)

    def rotate(self) -> None:
        async def story(store: SqliteSecrets) -> None:
            await store.rotate_key()

        self.play(story)

    def check(self, *names: str, namespace: NamespaceName = OURS) -> None:
        """Fail unless each of these holds what `put` gave it."""

        async def story(store: SqliteSecrets) -> None:
            found = await store.contents(namespace, names)
            assert {name: each.data for name, each in found.items()} == {n: CANARY + n.encode() for n in names}

        self.play(story)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.state) as db:
            rows = db.execute(sql).fetchall()
        db.close()
        return rows

    def files(self) -> Iterator[tuple[Path, bytes]]:
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_no_content_is_in_any_file_and_the_key_is_not_where_the_data_is(disk: Disk) -> None:
    async def story(store: SqliteSecrets) -> None:
        for round_ in range(3):
            await store.put(OURS, "one", CANARY * 1000 + bytes([round_]), mode="upsert", unix_ms=1)
        for path, data in disk.files():  # the write-ahead log is among them now
            assert CANARY not in data, path
        await store.rotate_key()

    disk.play(story)
    keys = [key.data for key in KeyFile(disk.key, disk.state).read()]
    for path, data in disk.files():
        assert CANARY not in data, path
        assert path == disk.key or not any(key in data for key in keys)


def test_nothing_is_made_before_the_first_secret(disk: Disk) -> None:
    async def story(store: SqliteSecrets) -> None:
        assert await store.all() == []
        assert await store.contents(OURS, ["one"]) == {}

    disk.play(story)
    assert not (disk.folder / "keys").exists()


def test_what_is_removed_or_replaced_is_overwritten(disk: Disk) -> None:
    disk.put("one", "two")
    gone = [row[0] for row in disk.rows("SELECT sealed FROM secrets ORDER BY name")]

    async def story(store: SqliteSecrets) -> None:
        await store.delete(OURS, "one")
        await store.put(OURS, "two", b"other", mode="update", unix_ms=2)

    disk.play(story)
    for _, data in disk.files():
        assert not any(isinstance(sealed, bytes) and sealed[:20] in data for sealed in gone)


def test_a_key_that_is_lost_is_said_at_every_use_and_found_again_without_a_restart(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.put("one")
    aside = disk.folder / "aside"
    path = disk.key
    path.rename(aside)
    before = disk.rows("SELECT * FROM secrets"), disk.rows("SELECT * FROM secret_keys")

    async def story(store: SqliteSecrets) -> None:
        assert "will not start" in caplog.text
        for use in (
            lambda: store.contents(OURS, ["one"]),
            lambda: store.put(OURS, "one", b"new", mode="upsert", unix_ms=2),
            lambda: store.put(OTHERS, "two", b"new", mode="upsert", unix_ms=2),
            store.rotate_key,
        ):
            with pytest.raises(SecretsLocked, match=f"the key file {path} is not there") as refused:
                await use()
            assert "DAYFLY_SECRETS_KEY_FILE" in refused.value.hint
        assert not path.exists(), "a new key would hide that the old one is lost"
        assert [each.name for each in await store.all()] == ["one"]
        aside.rename(path)
        assert (await store.contents(OURS, ["one"]))["one"].data == CANARY + b"one"

    disk.play(story)
    assert (disk.rows("SELECT * FROM secrets"), disk.rows("SELECT * FROM secret_keys")) == before


def test_another_key_is_refused_by_its_name(disk: Disk) -> None:
    disk.put("one")
    needed, other = KeyFile(disk.key, disk.state).read()[0], Key.new()
    KeyFile(disk.key, disk.state).write([other])

    async def story(store: SqliteSecrets) -> None:
        for use in (
            lambda: store.contents(OURS, ["one"]),
            lambda: store.put(OTHERS, "two", b"new", mode="upsert", unix_ms=2),
            store.rotate_key,
        ):
            with pytest.raises(
                SecretsLocked, match=f"with the key {needed.fingerprint}, and .* holds {other.fingerprint}"
            ):
                await use()

    disk.play(story)
    KeyFile(disk.key, disk.state).write([needed])
    disk.check("one")


def test_a_key_that_goes_while_it_is_used_keeps_nothing_from_being_read_and_everything_from_being_written(
    disk: Disk,
) -> None:
    disk.put("one")

    async def story(store: SqliteSecrets) -> None:
        disk.key.unlink()
        assert (await store.contents(OURS, ["one"]))["one"].data == CANARY + b"one"
        with pytest.raises(SecretsLocked, match="is not there"):
            await store.put(OTHERS, "two", b"resting on a key in memory", mode="upsert", unix_ms=2)
        assert (await store.contents(OURS, ["one"]))["one"].data == CANARY + b"one"

    disk.play(story)


def test_who_has_lost_the_key_for_good_can_begin_anew(disk: Disk) -> None:
    disk.put("one")
    (version,) = disk.rows("SELECT version FROM secrets")[0]
    disk.key.unlink()

    async def story(store: SqliteSecrets) -> None:
        await store.delete(OURS, "one")
        fresh = await store.put(OURS, "one", CANARY + b"one", mode="create", unix_ms=2)
        assert fresh.version > int(str(version)), "a replica with the old content must not be taken for current"

    disk.play(story)
    disk.check("one")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'two') WHERE name = 'one'",
        "UPDATE secrets SET version = version + 7 WHERE name = 'one'",
        "UPDATE secrets SET sealed = x'00' WHERE name = 'one'",
        "UPDATE secret_keys SET wrapped = zeroblob(60)",
    ],
)
def test_what_was_changed_in_the_file_is_never_given_to_a_function(disk: Disk, damage: str) -> None:
    disk.put("one", "two")
    with sqlite3.connect(disk.state) as db:
        db.executescript(damage)
    db.close()

    async def story(store: SqliteSecrets) -> None:
        with pytest.raises(StoreUnavailable, match="changed in the state's file"):
            await store.contents(OURS, ["one"])

    disk.play(story)


def test_one_that_is_damaged_can_be_written_anew(disk: Disk) -> None:
    disk.put("one")
    with sqlite3.connect(disk.state) as db:
        db.execute("UPDATE secrets SET sealed = x'00'")
    db.close()
    disk.put("one")
    disk.check("one")


def test_an_envelope_of_another_namespace_does_not_open(disk: Disk) -> None:
    disk.put("one")
    disk.put("one", namespace=OTHERS)
    with sqlite3.connect(disk.state) as db:
        db.execute("UPDATE secret_keys SET wrapped = (SELECT wrapped FROM secret_keys WHERE namespace = 'others')")
    db.close()

    async def story(store: SqliteSecrets) -> None:
        with pytest.raises(StoreUnavailable, match="the namespace openfaas-fn was changed"):
            await store.contents(OURS, ["one"])

    disk.play(story)
    disk.check("one", namespace=OTHERS)


def test_who_had_the_key_and_the_state_before_a_change_of_keys_reads_nothing_that_comes_after_it(disk: Disk) -> None:
    disk.put("one")
    (stolen,) = KeyFile(disk.key, disk.state).read()
    (wrapped,) = disk.rows("SELECT wrapped FROM secret_keys")[0]
    assert isinstance(wrapped, bytes)
    data_key = Key(stolen.unseal(wrapped, "data key", OURS))
    disk.rotate()
    disk.put("one")
    disk.check("one")
    (fresh,) = KeyFile(disk.key, disk.state).read()
    assert fresh.fingerprint != stolen.fingerprint
    wrapped, used = disk.rows("SELECT wrapped, wrapped_with FROM secret_keys")[0]
    sealed, version = disk.rows("SELECT sealed, version FROM secrets")[0]
    assert used == fresh.fingerprint
    assert isinstance(wrapped, bytes)
    assert isinstance(sealed, bytes)
    with pytest.raises(NotOurs):
        stolen.unseal(wrapped, "data key", OURS)
    with pytest.raises(NotOurs):
        data_key.unseal(sealed, "secret", OURS, "one", str(version))


def test_a_key_file_that_the_platform_is_given_is_rotated_by_its_owner(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = disk.folder / "given"
    state = disk.state
    old, new = Key.new(), Key.new()
    KeyFile(given, state).write([old])
    disk = Disk(disk.folder, key=given)
    disk.put("one")
    KeyFile(given, state).write([new, old])

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(private_file, "replace", refuse)

    async def story(store: SqliteSecrets) -> None:
        done = await store.rotate_key()
        assert (done.key, done.left, done.retired) == (new.fingerprint, (old.fingerprint,), ())
        with pytest.raises(StoreUnavailable, match="could not be written") as refused:
            await store.rotate_key()
        assert "new first line" in refused.value.hint

    disk.play(story)
    monkeypatch.undo()
    KeyFile(given, state).write([new])
    disk.check("one")


ROTATE_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from dayfly.storage.database import Database
from dayfly.storage.secrets.key_file import KeyFile
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets

folder, left = Path(sys.argv[1]), int(sys.argv[2])

def step():
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

write, run = KeyFile.write, Database.run

def dying_write(self, keys):
    step()
    write(self, keys)
    step()

async def dying_run(self, operation):
    result = await run(self, operation)
    step()
    return result

async def main():
    store = SqliteSecrets(Database(folder / "data" / "state.db"), KeyPlace(folder / "keys", True))
    await store.open()
    KeyFile.write, Database.run = dying_write, dying_run
    await store.rotate_key()
    await store.close()

asyncio.run(main())
"""


def test_a_change_of_keys_that_is_killed_at_any_step_leaves_everything_readable(tmp_path: Path) -> None:
    whole = Disk(tmp_path / "whole")
    whole.put("one", "two")
    whole.put("one", namespace=OTHERS)
    several = 0
    for step in range(1, 40):
        folder = tmp_path / f"killed-at-{step}"
        shutil.copytree(whole.folder, folder)
        ended = subprocess.run([sys.executable, "-c", ROTATE_AND_DIE, str(folder), str(step)], timeout=60)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL
        disk = Disk(folder)
        several += len(KeyFile(disk.key, disk.state).read()) > 1
        disk.check("one", "two")
        disk.check("one", namespace=OTHERS)
        disk.put("three")
        disk.rotate()
        assert len(KeyFile(disk.key, disk.state).read()) == 1
        disk.check("one", "two", "three")
        disk.check("one", namespace=OTHERS)
        assert os.listdir(folder / "keys") == [disk.key.name]
    assert step >= 8, "it was killed at each step"
    assert several >= 3, "among them those with two keys"


def test_a_change_of_keys_that_was_broken_off_is_told_at_the_next_start(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.put("one")
    (key,) = KeyFile(disk.key, disk.state).read()
    KeyFile(disk.key, disk.state).write([Key.new(), key])
    disk.check("one")
    assert "was not finished" in caplog.text
