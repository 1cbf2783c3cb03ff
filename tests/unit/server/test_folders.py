"""Folders: modes by account, the short run folder, and what is cleared."""

import os
import socket
import stat
from pathlib import Path

import pytest

from dayfly.model.errors import ConfigError
from dayfly.server.folders import (
    LONGEST_SOCKET_PATH,
    find_run_dir,
    prepare_data_dir,
    prepare_run_dir,
)
from dayfly.server.traces import empty, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_ordinary_accounts_folder_is_its_own_alone(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path / "data", as_root=False)
    run_dir = prepare_run_dir(tmp_path / "data", {}, as_root=False)
    assert {mode(path) for path in (tmp_path / "data", run_dir, *(tmp_path / "data").rglob("*"))} == {0o700}


def test_roots_folder_lets_functions_pass_to_their_code_and_nowhere_else(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path / "data", as_root=True)
    data = tmp_path / "data"
    assert {mode(path) for path in (data, data / "code", data / "layers")} == {0o711}
    assert {mode(data / name) for name in ("blobs", "credentials", "log", "records")} == {0o700}


def test_modes_that_were_widened_are_set_right(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path / "data", as_root=False)
    (tmp_path / "data" / "credentials").chmod(0o755)
    prepare_data_dir(tmp_path / "data", as_root=False)
    assert mode(tmp_path / "data" / "credentials") == 0o700


def test_a_data_folder_that_cannot_be_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be used"):
        prepare_data_dir(tmp_path / "file" / "data", as_root=False)


def test_a_deep_data_folder_gets_a_short_run_folder_and_a_pointer(tmp_path: Path) -> None:
    data, runtime = tmp_path / ("d" * 100), tmp_path / "r"
    runtime.mkdir()
    prepare_data_dir(data, as_root=False)
    run_dir = prepare_run_dir(data, {"XDG_RUNTIME_DIR": str(runtime)}, as_root=False)
    try:
        assert len(os.fsencode(run_dir / "r" / "0123456789.sock")) <= LONGEST_SOCKET_PATH
        assert find_run_dir(data) == run_dir
        assert mode(run_dir) == 0o700
        assert mode(data / "run.path") == 0o600
    finally:
        empty(run_dir)


def test_a_short_run_folder_that_is_a_link_is_refused(tmp_path: Path) -> None:
    data, runtime = tmp_path / ("d" * 100), tmp_path / "r"
    runtime.mkdir()
    prepare_data_dir(data, as_root=False)
    run_dir = prepare_run_dir(data, {"XDG_RUNTIME_DIR": str(runtime)}, as_root=False)
    (run_dir / "r").rmdir()
    run_dir.rmdir()
    run_dir.symlink_to(tmp_path)
    with pytest.raises(ConfigError):
        prepare_run_dir(data, {"XDG_RUNTIME_DIR": str(runtime)}, as_root=False)


def test_a_short_run_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody = os.geteuid() + 1
    data, runtime = tmp_path / ("d" * 100), tmp_path / "r"
    runtime.mkdir()
    prepare_data_dir(data, as_root=False)
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(ConfigError, match="belongs to somebody else"):
        prepare_run_dir(data, {"XDG_RUNTIME_DIR": str(runtime)}, as_root=False)


def test_what_an_earlier_life_left_is_cleared(tmp_path: Path) -> None:
    prepare_data_dir(tmp_path, as_root=False)
    run_dir = prepare_run_dir(tmp_path, {}, as_root=False)
    (run_dir / "instance.json").touch()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(run_dir / "r" / "0123456789.sock"))
    prepare_run_dir(tmp_path, {}, as_root=False)
    assert [path.name for path in run_dir.rglob("*")] == ["r"]


def test_a_private_file_is_private_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "token", b"secret")
    finally:
        os.umask(before)
    assert mode(tmp_path / "token") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["token"]
