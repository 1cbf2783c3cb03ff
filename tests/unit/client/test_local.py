"""The local instance is believed only when its files are ours alone."""

import os
from pathlib import Path

import msgspec
import pytest

from dayfly.client.local import default_data_dir, find_instance


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    write(folder, "token", b"secret-token\n")
    write(folder, "instance.json", msgspec.json.encode({"pid": os.getpid(), "gateway_url": "http://x", "more": 1}))
    return folder


def write(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    (folder / name).chmod(0o600)


def test_it_is_found(run_dir: Path) -> None:
    instance = find_instance(str(run_dir.parent))
    assert instance is not None
    assert (instance.gateway_url, instance.token) == ("http://x", "secret-token")
    assert "secret-token" not in repr(instance)


def test_it_is_found_where_run_path_says(run_dir: Path) -> None:
    run_dir.rename(run_dir.parent / "short")
    assert find_instance(str(run_dir.parent)) is None
    write(run_dir.parent, "run.path", f"{run_dir.parent / 'short'}\n".encode())
    assert find_instance(str(run_dir.parent)) is not None


@pytest.mark.parametrize("name", ["token", "instance.json"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_files_that_others_can_read_are_not_believed(run_dir: Path, name: str, mode: int) -> None:
    (run_dir / name).chmod(mode)
    assert find_instance(str(run_dir.parent)) is None


@pytest.mark.parametrize("name", ["token", "instance.json"])
def test_links_pipes_and_missing_files_are_not_believed(run_dir: Path, name: str) -> None:
    (run_dir / name).rename(run_dir / "real")
    assert find_instance(str(run_dir.parent)) is None
    (run_dir / name).symlink_to("real")
    assert find_instance(str(run_dir.parent)) is None
    (run_dir / name).unlink()
    os.mkfifo(run_dir / name, 0o600)
    assert find_instance(str(run_dir.parent)) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_files_of_somebody_else_are_not_believed(run_dir: Path) -> None:
    os.chown(run_dir / "token", 12345, -1)
    assert find_instance(str(run_dir.parent)) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"pid": "x", "gateway_url": "y"}'])
def test_nonsense_is_no_instance(run_dir: Path, content: bytes) -> None:
    write(run_dir, "instance.json", content)
    assert find_instance(str(run_dir.parent)) is None


def test_an_empty_or_binary_token_is_no_instance(run_dir: Path) -> None:
    for content in (b"\n", b"\xff\xfe"):
        write(run_dir, "token", content)
        assert find_instance(str(run_dir.parent)) is None


def test_a_dead_process_is_no_instance(run_dir: Path) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    for pid in (child, 0, -1, 2**40):
        write(run_dir, "instance.json", msgspec.json.encode({"pid": pid, "gateway_url": "http://x"}))
        assert find_instance(str(run_dir.parent)) is None


def test_the_default_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_data_dir({"DAYFLY_DATA_DIR": "/d", "HOME": "/h"}) == Path("/d")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_data_dir({"HOME": "/h"}) == Path("/h/.local/share/dayfly")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_dir({"HOME": "/h"}) == Path("/var/lib/dayfly")
