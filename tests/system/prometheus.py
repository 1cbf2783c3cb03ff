"""Debian's Prometheus and Alertmanager, which read what is counted, and tell of alerts, as a user's would."""

import contextlib
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ports import free_port
from tests.system.driver import eventually

PROMETHEUS, ALERTMANAGER = "prometheus", "prometheus-alertmanager"


def needs(*programs: str) -> pytest.MarkDecorator:
    """Return the mark of tests that need these, for where one is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"Debian's package {', '.join(missing)} is not installed")


class Server:
    """One of the two, by the configuration in the folder; it can be stopped, and started at the same address."""

    def __init__(self, program: str, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / f"{program}.log"
        self._argv = [program, f"--web.listen-address=127.0.0.1:{port}"]
        if program == ALERTMANAGER:
            # Without others of its kind.
            self._argv += [f"--config.file={folder}/alertmanager.yml", "--cluster.listen-address="]
            self._argv += [f"--storage.path={folder}/alerts"]
        else:
            self._argv += [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it answers then."""
        with self._log.open("ab") as log:
            process = self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)

        def answers() -> bool:
            assert process.poll() is None, self._log.read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/-/ready", timeout=60):
                return True
            return False

        eventually(f"{self._argv[0]} is ready", answers)

    def stop(self) -> None:
        """Kill it. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def running(program: str, folder: Path) -> Iterator[Server]:
    """Run one of the two for a while."""
    server = Server(program, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
