"""Every system test gets a platform of its own, and none may leave anything behind."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.driver import Platform, children_of, eventually, is_alive, kill, processes_that_know

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
    everything = {process["pid"] for process in status.get("processes", ())} | children_of(status.get("pid", 0))
    platform.stop()
    for key in key_dir(os.environ).glob("*.key"):
        if f"{platform.data_dir}/" in key.read_text():
            key.unlink()
    left = [pid for pid in everything if is_alive(pid)]
    for pid in left:
        kill(pid)
    assert not left, f"processes {left} outlived the platform\n{platform.log()}"
    eventually("its processes are gone", lambda: not processes_that_know(str(platform.data_dir)))
    sockets = [line for line in Path("/proc/net/unix").read_text().splitlines() if str(platform.data_dir) in line]
    assert sockets == []
    assert not (platform.data_dir / "run").exists()
    assert not [place for place in secrets if place.exists()]
