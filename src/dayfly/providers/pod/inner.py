"""The processes of a runtime pod: the zygote that the replica is forked from, and the egress proxy for its ways out."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.log_event import LogFormat
from dayfly.runtimes.python.command import zygote_argv
from dayfly.runtimes.python.secret_files import OWN
from dayfly.runtimes.scribe import Feed, Scribe

_ENVIRON = {"PATH": os.defpath, "LANG": "C.UTF-8"}
_OURS = ("PYTHONPATH", OWN)
"""Where the image has Dayfly, and where the pod has a place for its function's secrets."""


class Inner:
    """Both, with their sockets in `folder`. They end with the thread that started them, or at `close`."""

    def __init__(self, folder: Path, layers: Layers, log_format: LogFormat = "text") -> None:
        self.zygote_socket = folder / "zygote.sock"
        self.replicas = folder / "r"
        self.replicas.mkdir(mode=0o700, exist_ok=True)
        egress = folder / "egress.sock"
        found = ",".join(name for name in ("landlock", "seccomp") if getattr(layers, name))
        self._told, tells = os.pipe()
        proxy = [sys.executable, "-P", "-m", "dayfly.runtimes.jail.egress.process", "--socket", str(egress)]
        proxy += ["--layers", found, "--log-format", log_format, "--ready-fd", str(tells)]
        zygote = zygote_argv(
            interpreter=sys.executable,
            socket=self.zygote_socket,
            template_budget_bytes=0,
            layers=layers,
            egress=egress,
            workers=1,
        )
        environ = _ENVIRON | {name: os.environ[name] for name in _OURS if name in os.environ}
        # As text all of them write to one place; JSON has to be made of what a zygote says.
        self._scribe = Scribe("agent", log_format) if log_format == "json" else None
        self._feed: Feed | None = None
        writer = 2
        if self._scribe:
            self._feed, writer = self._scribe.listen("zygote")
        self._children = {
            "zygote": subprocess.Popen(zygote, env=environ, stdin=subprocess.DEVNULL, stdout=writer, stderr=writer),
            "egress proxy": subprocess.Popen(proxy, env=environ, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[tells]),
        }
        if self._scribe:
            os.close(writer)
        os.close(tells)
        self._pidfds = {name: os.pidfd_open(child.pid) for name, child in self._children.items()}

    def pidfds(self) -> dict[str, int]:
        """Return what becomes readable when one of them ends, by its name."""
        return self._pidfds

    def heed(self, loop: asyncio.AbstractEventLoop) -> None:
        """Pass on what the zygote says from now on."""
        if self._feed is not None:
            loop.add_reader(self._feed.fd, self._heard, loop, self._feed.fd)

    def _heard(self, loop: asyncio.AbstractEventLoop, fd: int) -> None:
        assert self._scribe is not None
        assert self._feed is not None
        self._scribe.turn([fd])
        if self._feed.fd < 0:
            loop.remove_reader(fd)

    def close(self) -> None:
        """End both, and with the zygote all it forked."""
        for child in self._children.values():
            child.kill()
            child.wait()
        if self._scribe:
            self._scribe.flush()
        for fd in (self._told, *self._pidfds.values()):
            os.close(fd)
