"""An S3 server: rclone over a folder, which checks signatures by an implementation of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.contract.source.rig import wait_for_port
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

ACCESS, SECRET = "AKIDAYFLY", "s3-s own/+="


class S3Server:
    """The server; `folder/BUCKET` holds a bucket's objects."""

    def __init__(self, folder: Path, *, tls: bool = False) -> None:
        self.folder = folder / "buckets"
        self.port = free_port()
        self.certificates = made_in(folder)
        self.endpoint = f"{'https' if tls else 'http'}://localhost:{self.port}"
        self._tls = tls
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.folder.mkdir()

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        return None if _program() else "there is no rclone for this machine"

    def start(self) -> None:
        """Start it."""
        command = [_program() or "", "serve", "s3", f"--addr=127.0.0.1:{self.port}", f"--auth-key={ACCESS},{SECRET}"]
        command += ["--dir-cache-time=0s", "--poll-interval=0", "--config=", "--cache-dir=" + str(self._log.parent)]
        if self._tls:
            command += [f"--cert={self.certificates.certificate}", f"--key={self.certificates.key}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([*command, f":local:{self.folder}"], stdout=log, stderr=log)
        wait_for_port(self.port, self._process)

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    close = kill


def _program() -> str | None:
    return shutil.which("rclone", path=str(Path(sys.executable).parent))
