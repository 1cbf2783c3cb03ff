"""Runs `joining` beside the first of three servers until that is done; what a server must not start with is refused."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dayfly.queue.aside import is_of_three, put_aside
from dayfly.queue.private_file import write_private

ACCESS = "joining.json"
_LISTEN, _DATA = re.compile(r'^listen: "(.+):(\d+)"$', re.MULTILINE), re.compile(r'^ *store_dir: "(.+)"$', re.MULTILINE)
_CLUSTER = re.compile(r"^cluster \{", re.MULTILINE)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - what is listened to is told by the configuration


class Joiner:
    """What becomes of the store of a server with this configuration."""

    def __init__(self, program: str, config: str, run_dir: Path, pod: str) -> None:
        listen, data = _LISTEN.search(config), _DATA.search(config)
        assert listen is not None
        assert data is not None
        self.data = Path(data[1])
        self._address = _EVERYWHERE.get(listen[1], listen[1]), int(listen[2])
        self._among = _CLUSTER.search(config) is not None
        self._is_due = self._among and pod.endswith("-0")
        self._run_dir = run_dir
        self._argv = [sys.executable, "-P", "-m", "dayfly.queue.joining", program, "--data", str(self.data)]
        self._argv += ["--run", str(run_dir), "--access", str(run_dir / ACCESS)]
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def refusal(self) -> str:
        """Why a server must not start here; nothing when it may."""
        if self._among or not is_of_three(self.data):
            return ""
        return (
            "this store is one of three servers', and one alone may lack what others have: set queue.nodes to 3 again"
        )

    def put_aside(self) -> None:
        """Have what this server kept alone be out of the way, before it starts."""
        if self._is_due:
            put_aside(self.data)

    def look(self, passwords: Mapping[str, str]) -> None:
        """Begin, and begin again what was broken off, with the passwords that the server takes now."""
        if self._child is not None:
            if (code := self._child.poll()) is None:
                return
            self._child, self._is_due = None, code != 0
        if self._is_due:
            host, port = self._address
            write_private(self._run_dir / ACCESS, json.dumps({"host": host, "port": port, **passwords}))
            self._child = subprocess.Popen(self._argv)

    def stop(self) -> None:
        """Break off what is under way."""
        if self._child is not None:
            self._child.terminate()
            self._child.wait()
