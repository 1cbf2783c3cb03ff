"""Debian's Prometheus, which reads what is counted as a user's would."""

import contextlib
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.ports import free_port
from tests.system.driver import eventually


@contextlib.contextmanager
def prometheus(folder: Path) -> Iterator[str]:
    """Run Debian's Prometheus by the configuration in the folder, and yield its address once it answers."""
    port = free_port()
    argv = (
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address=127.0.0.1:{port}",
    )  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=60):
                return True
            return False

        eventually("Prometheus is ready", answers)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
