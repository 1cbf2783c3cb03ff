"""An engine for the tests: a Docker daemon of their own, with a data folder of its own, and nothing of it left behind.

It has a network namespace of its own, so that its bridge, its forwarding and its packet filters are none of the
machine's; functions are reached all the same, as their sockets are handed out. DAYFLY_TEST_ENGINE names the socket of
another engine to test with (Podman's, say); its images of the tests are removed afterwards.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.engine import base

BASE = "dayfly-test/watchdog:1"
START_S = 90.0


def why_none() -> str:
    """Return why there can be no engine here; nothing when there can."""
    if os.environ.get("DAYFLY_TEST_ENGINE"):
        return ""
    if os.geteuid() != 0:
        return "only root can start a Docker daemon for the tests (DAYFLY_TEST_ENGINE names another engine)"
    if not shutil.which("dockerd"):
        return "there is no dockerd; scripts/setup.sh installs it where it can (docker.io)"
    return ""


class Daemon:
    """An engine that answers, with the tests' base image in it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-engine-"))
        self.folder.chmod(0o711)
        self._containerd: subprocess.Popen[bytes] | None = None
        self._containerd_socket = self.folder / "containerd.sock"
        self._process: subprocess.Popen[bytes] | None = None
        given = os.environ.get("DAYFLY_TEST_ENGINE", "")
        self.socket = Path(given.removeprefix("unix://")) if given else self.folder / "docker.sock"
        try:
            self.start()
            changes = ("--change", 'ENTRYPOINT ["/bin/python3","/watchdog.py"]', "--change", "ENV PYTHONHOME=/")
            self.run("import", *changes, "-", BASE, stdin=base.archive())
        except BaseException:
            self.close()
            raise

    @property
    def is_ours(self) -> bool:
        """Whether the daemon is the tests' own, which they may kill."""
        return not os.environ.get("DAYFLY_TEST_ENGINE")

    @property
    def pid(self) -> int:
        """The process of the tests' own daemon."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the daemon, unless the engine is somebody else's."""
        if not self.is_ours:
            return
        if self._containerd is None:
            # Of its own, as where Docker is installed: so that containers outlive a daemon that is killed.
            argv = ["containerd", "--config", str(self._configured()), "--root", str(self.folder / "containerd")]
            argv += ["--state", str(self.folder / "state"), "--address", str(self._containerd_socket)]
            self._containerd = self._spawn(argv)
        argv = ["unshare", "--net", "dockerd", "--data-root", str(self.folder / "data"), "--iptables=false"]
        argv += ["--exec-root", str(self.folder / "exec"), "--pidfile", str(self.folder / "pid")]
        argv += ["--host", f"unix://{self.socket}", "--containerd", str(self._containerd_socket)]
        argv += ["--max-download-attempts", "1"]  # five by default, up to twenty seconds apart
        self._process = self._spawn(argv)
        give_up = time.monotonic() + START_S
        while not self.answers():
            assert self._process.poll() is None, f"the Docker daemon ended:\n{self.log()}"
            assert time.monotonic() < give_up, f"the Docker daemon does not answer:\n{self.log()}"
            time.sleep(0.02)

    def _spawn(self, argv: list[str]) -> "subprocess.Popen[bytes]":
        # So that it goes with these tests, should they be killed.
        argv = ["setpriv", "--pdeathsig", "KILL", *argv]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _configured(self) -> Path:
        path = self.folder / "containerd.toml"
        path.write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        return path

    def answers(self) -> bool:
        """Whether it can be asked something."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            return self.docker("version", check=False).returncode == 0
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End the daemon and wait for it; its containers end with it."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_S)
            self._process = None

    def docker(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> "subprocess.CompletedProcess[bytes]":
        """Run a `docker` command against it."""
        environ = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.folder)}
        done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, env=environ, timeout=120)
        assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr.decode()}"
        return done

    def run(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> str:
        """Run a `docker` command that has to succeed, unless `check` is false, and return what it printed."""
        return self.docker(*arguments, stdin=stdin, check=check).stdout.decode().strip()

    def variant(self, name: str, *changes: str) -> str:
        """Return the name of the base image with these changes, each as a Dockerfile's line."""
        container = self.run("create", BASE)
        try:
            self.run("commit", *(part for change in changes for part in ("--change", change)), container, name)
        finally:
            self.run("rm", container)
        return name

    def containers(self) -> list[str]:
        """Return the names of all containers there are."""
        return sorted(self.run("ps", "--all", "--format", "{{.Names}}").split())

    def inspect(self, name: str) -> dict[str, Any]:
        """Return what the engine knows of a container."""
        found: dict[str, Any] = json.loads(self.run("inspect", name))[0]
        return found

    def _left(self) -> list[int]:
        """Return the processes that keep containers of ours."""
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if f"{self._containerd_socket}\0".encode() in (each / "cmdline").read_bytes():
                    found.append(int(each.name))
        return found

    def log(self) -> str:
        """Return the end of what the daemon said."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3_000:] if path.exists() else ""

    def close(self) -> None:
        """End it, with all its containers, mounts and files."""
        if not self.is_ours:
            images = self.run("images", "--format", "{{.Repository}}:{{.Tag}}").split()
            ours = [image for image in images if "dayfly-test/" in image]
            self.docker("rmi", "--force", *ours, check=False)
        elif self._process is not None:
            if names := self.run("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", "--volumes", *names, check=False)
            self.stop(signal.SIGKILL)  # what it would put in order is removed
        if self._containerd is not None:
            self._containerd.kill()
            self._containerd.wait(START_S)
        for pid in self._left():
            os.kill(pid, signal.SIGKILL)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (mounted := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", mounted], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
