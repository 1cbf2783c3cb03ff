"""What lies here for a container: secrets in memory and for nobody else, and what is remembered."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dayfly.model.errors import NotSupported, Unavailable
from dayfly.providers.docker import folders
from dayfly.providers.docker.folders import Folder, is_in_memory, secrets_root
from dayfly.providers.docker.frames import Cursor

needs_memory = pytest.mark.skipif(not is_in_memory(Path("/dev/shm")), reason="/dev/shm is no tmpfs here")


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dayfly-test-", dir="/dev/shm") as name:
        yield Path(name)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@needs_memory
def test_secrets_are_readable_to_who_is_shown_them_and_to_nobody_beside(tmp_path: Path, memory: Path) -> None:
    folder = Folder(tmp_path / "r", memory / "ours" / "r")
    before = os.umask(0o077)
    try:
        folder.make(None, "127.0.0.1 localhost\n", {"key": b"\x00value", "other": b""})
    finally:
        os.umask(before)
    assert (mode(memory / "ours"), mode(folder.secrets), mode(folder.secrets / "key")) == (0o700, 0o555, 0o444)
    assert folder.read_secrets() == {"key": b"\x00value", "other": b""}
    folder.remove()
    folder.remove()
    assert list(memory.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_secrets_are_written_to_no_disk(tmp_path: Path) -> None:
    if is_in_memory(tmp_path):
        pytest.skip("the folder for tests is in memory here")
    folder = Folder(tmp_path / "r", tmp_path / "ours" / "r")
    with pytest.raises(NotSupported, match="kept in memory"):
        folder.make(None, "127.0.0.1 localhost\n", {"key": b"value"})
    assert not (tmp_path / "ours").exists()
    folder.make(None, "127.0.0.1 localhost\n", {})
    assert folder.sockets.is_dir()


@needs_memory
@pytest.mark.parametrize("how", ["open", "link"])
def test_a_folder_for_secrets_that_somebody_else_made_is_refused(tmp_path: Path, memory: Path, how: str) -> None:
    place = memory / "ours"
    if how == "open":
        place.mkdir()
        place.chmod(0o777)
    else:
        elsewhere = memory / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        place.symlink_to(elsewhere)
    with pytest.raises(Unavailable, match="not this account's alone"):
        Folder(tmp_path / "r", place / "r").make(None, "127.0.0.1 localhost\n", {"key": b"value"})
    assert not list(memory.rglob("key"))


def test_what_is_remembered_outlives_who_remembers(tmp_path: Path) -> None:
    def another() -> Folder:
        return Folder(tmp_path / "r", tmp_path / "none" / "r")

    folder = another()
    folder.make(None, "127.0.0.1 localhost\n", {})
    assert (folder.was_ready, folder.stop_at, folder.cursor, folder.read_secrets()) == (False, None, Cursor(), {})
    folder.mark_ready()
    folder.mark_stopping(12.5)
    folder.move_cursor(Cursor(1_795_941_065_678_695_070, 12))
    folder.move_cursor(Cursor(1_795_941_065_678_695_071, 3))
    later = another()
    assert (later.was_ready, later.stop_at, later.cursor) == (True, 12.5, Cursor(1_795_941_065_678_695_071, 3))
    folder.close()


def test_nobody_is_let_in_once_the_entry_is_closed(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "r", tmp_path / "none" / "r")
    folder.make(None, "127.0.0.1 localhost\n", {})
    folder.entry.touch()
    folder.exit.touch()
    folder.close_entry()
    folder.close_entry()
    assert list(folder.sockets.iterdir()) == []


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot be written"):
        Folder(tmp_path / "r", tmp_path / "none" / "r").make(None, "127.0.0.1 localhost\n", {})


def test_the_accounts_own_memory_goes_before_everybodys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(folders, "is_in_memory", lambda path: path != Path("/disk"))
    assert secrets_root({"XDG_RUNTIME_DIR": str(tmp_path)}) == tmp_path
    assert secrets_root({"XDG_RUNTIME_DIR": "/disk"}) == Path("/dev/shm")
    assert secrets_root({}) == Path("/dev/shm")
