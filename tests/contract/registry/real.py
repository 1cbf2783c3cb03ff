"""A registry for the tests: Debian's docker-registry, with a folder of its own, on a port of its own."""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ports import free_port

START_S = 60.0
USER, PASSWORD = "tester", "secret-of-tests"
_HTPASSWD = f"{USER}:$2y$04$SVMSrLgu86kxGguIG.dFN.bX1oMz/M4B9obe01M9uSovBZXO9MLV6\n"
"""The password above by bcrypt, at its least cost."""


def why_none() -> str:
    """Return why there can be no registry here; nothing when there can."""
    if not shutil.which("docker-registry"):
        return "there is no docker-registry; scripts/setup.sh installs it where it can"
    return ""


class RealRegistry:
    """A registry that answers. `auth` goes into its configuration, with `{folder}` for its folder."""

    def __init__(self, *, auth: dict[str, Any] | None = None, tls: "tuple[Path, Path] | None" = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-registry-"))
        self.port = free_port()
        self.host = f"localhost:{self.port}"
        http: dict[str, Any] = {"addr": f"127.0.0.1:{self.port}", "secret": "of tests"}
        if tls is not None:
            http["tls"] = {"certificate": str(tls[0]), "key": str(tls[1])}
        config = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "data")}},
            "http": http,
            **({"auth": auth} if auth else {}),
        }
        (self.folder / "config.yml").write_text(json.dumps(config).replace("{folder}", str(self.folder)))
        (self.folder / "htpasswd").write_text(_HTPASSWD)
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, with what it kept when it was stopped."""
        # So that it goes with these tests, should they be killed.
        argv = ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", str(self.folder / "config.yml")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        """End it at once; what it kept stays."""
        self._process.kill()
        self._process.wait(START_S)

    @classmethod
    def with_passwords(cls) -> "RealRegistry":
        """Return one that wants the tests' user and password by Basic."""
        return cls(auth={"htpasswd": {"realm": "tests", "path": "{folder}/htpasswd"}})

    def blobs(self, repository: str) -> set[str]:
        """Return the digests of what a repository has, manifests apart."""
        return _links(self.folder / "data/docker/registry/v2/repositories" / repository / "_layers/sha256")

    def _wait(self) -> None:
        give_up = time.monotonic() + START_S
        while not self._answers():
            log = (self.folder / "log").read_text(errors="replace")[-2_000:]
            assert self._process.poll() is None, f"docker-registry ended:\n{log}"
            assert time.monotonic() < give_up, f"docker-registry does not answer:\n{log}"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2):
            return True
        return False

    def close(self) -> None:
        """End it, with all that it keeps."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _links(folder: Path) -> set[str]:
    return {f"sha256:{each.name}" for each in folder.iterdir()} if folder.is_dir() else set()
