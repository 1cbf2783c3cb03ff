"""The lock: one holder, named, and gone with it."""

import os
from pathlib import Path

import pytest

from dayfly.model.errors import Conflict
from dayfly.server.lock import holder, take_lock, wait_released


def test_a_second_taker_is_told_who_holds_it(tmp_path: Path) -> None:
    fd = take_lock(tmp_path)
    try:
        with pytest.raises(Conflict, match=f"process {os.getpid()}"):
            take_lock(tmp_path)
        assert holder(tmp_path) == os.getpid()
        assert not wait_released(tmp_path, 0.05)
    finally:
        os.close(fd)
    assert holder(tmp_path) is None
    assert wait_released(tmp_path, 0)


def test_what_a_dead_holder_wrote_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\n")
    assert holder(tmp_path) is None
    os.close(take_lock(tmp_path))


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "missing") is None


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Exception, match="cannot be opened"):
        take_lock(tmp_path)
    assert (tmp_path / "victim").read_text() == "precious"
