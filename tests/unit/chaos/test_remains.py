"""What is left of a platform is found in the kernel: planted here, piece by piece."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.box import Box
from chaos.checker import remains


@pytest.fixture
def box() -> Iterator[Box]:
    with tempfile.TemporaryDirectory(prefix="dfchaos-", dir="/tmp") as folder:
        box = Box(Path(folder) / "data")
        box.data_dir.mkdir()
        yield box


@contextlib.contextmanager
def process_of(box: Box) -> Iterator["subprocess.Popen[bytes]"]:
    """One that knows the folder, and has begun: before that, the kernel does not show its environment."""
    environ = {**os.environ, "DAYFLY_DATA_DIR": str(box.data_dir)}
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate(b"\n")


def test_nothing_is_left_of_nothing(box: Box) -> None:
    assert remains(box) == []


def test_a_process_that_knows_the_folder_is_found_and_swept(box: Box) -> None:
    with process_of(box) as process:
        assert [line.split(":")[0] for line in remains(box)] == [f"process {process.pid}"]
        box.sweep()
        assert process.wait() == -9


def test_a_socket_that_is_bound_and_a_file_are_found(box: Box) -> None:
    box.run_dir.mkdir()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(box.run_dir / "left.sock"))
        assert remains(box) == [f"file {box.run_dir / 'left.sock'}", f"unix socket {box.run_dir / 'left.sock'}"]
    assert remains(box) == [f"file {box.run_dir / 'left.sock'}"]


def test_a_cgroup_that_was_seen_and_is_still_there_is_found(box: Box, tmp_path: Path) -> None:
    box.cgroups |= {tmp_path, tmp_path / "gone"}
    assert remains(box) == [f"cgroup {tmp_path}"]
