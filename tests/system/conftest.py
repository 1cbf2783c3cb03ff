"""Every system test gets a platform of its own, and none may leave anything behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.driver import Platform, born, children_of, eventually, kill, processes_that_know

from dayfly.server.settings import key_dir


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder that other accounts can pass through, as functions that run as root's guests need it."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def platform(scratch: Path) -> Iterator[Platform]:
    """A platform that is not started yet; stopped afterwards, and everything of it must be gone."""
    platform = Platform(scratch / "data")
    try:
        yield platform
    finally:
        end(platform)


@pytest.fixture(scope="module")
def shared_platform() -> Iterator[Platform]:
    """A running platform for tests that do not disturb it."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name:
        Path(name).chmod(0o755)
        platform = Platform(Path(name) / "data")
        try:
            platform.start()
            yield platform
        finally:
            end(platform)


def end(platform: Platform) -> None:
    """Stop the platform and prove that no process, socket or run file of it is left."""
    status = platform.status()
    secrets = [link.resolve() for link in (platform.data_dir / "run").glob("scratch/*/secrets")]
    pids = {process["pid"] for process in status.get("processes", ())} | children_of(status.get("pid", 0))
    everything = {pid: began for pid in pids if (began := born(pid))}
    platform.stop()
    for key in key_dir(os.environ).glob("*.key"):
        if f"{platform.data_dir}/" in key.read_text():
            key.unlink()
    try:
        eventually("all of it has ended", lambda: not [pid for pid in everything if born(pid) == everything[pid]])
    finally:
        for pid in everything:
            if born(pid) == everything[pid]:
                kill(pid)
    eventually("its processes are gone", lambda: not processes_that_know(str(platform.data_dir)))
    eventually("its sockets are gone", lambda: str(platform.data_dir) not in Path("/proc/net/unix").read_text())
    assert not (platform.data_dir / "run").exists()
    assert not [place for place in secrets if place.exists()]
