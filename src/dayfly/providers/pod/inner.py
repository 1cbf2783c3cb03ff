"""The processes of a runtime pod: the zygote that the replica is forked from, and the egress proxy for its ways out."""

import os
import subprocess
import sys
from pathlib import Path

from dayfly.runtimes.jail.layers import Layers
from dayfly.runtimes.python.command import zygote_argv
from dayfly.runtimes.python.secret_files import OWN

_ENVIRON = {"PATH": os.defpath, "LANG": "C.UTF-8"}
_OURS = ("PYTHONPATH", OWN)
"""Where the image has Dayfly, and where the pod has a place for its function's secrets."""


class Inner:
    """Both, with their sockets in `folder`. They end with the thread that started them, or at `close`."""

    def __init__(self, folder: Path, layers: Layers) -> None:
        self.zygote_socket = folder / "zygote.sock"
        self.replicas = folder / "r"
        self.replicas.mkdir(mode=0o700, exist_ok=True)
        egress = folder / "egress.sock"
        found = ",".join(name for name in ("landlock", "seccomp") if getattr(layers, name))
        self._heard, tells = os.pipe()
        proxy = [sys.executable, "-P", "-m", "dayfly.runtimes.jail.egress.process", "--socket", str(egress)]
        proxy += ["--layers", found, "--ready-fd", str(tells)]
        zygote = zygote_argv(
            interpreter=sys.executable,
            socket=self.zygote_socket,
            template_budget_bytes=0,
            layers=layers,
            egress=egress,
            workers=1,
        )
        environ = _ENVIRON | {name: os.environ[name] for name in _OURS if name in os.environ}
        self._children = {
            "zygote": subprocess.Popen(zygote, env=environ, stdin=subprocess.DEVNULL, stdout=2),
            "egress proxy": subprocess.Popen(proxy, env=environ, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[tells]),
        }
        os.close(tells)
        self._pidfds = {name: os.pidfd_open(child.pid) for name, child in self._children.items()}

    def pidfds(self) -> dict[str, int]:
        """Return what becomes readable when one of them ends, by its name."""
        return self._pidfds

    def close(self) -> None:
        """End both, and with the zygote all it forked."""
        for child in self._children.values():
            child.kill()
            child.wait()
        for fd in (self._heard, *self._pidfds.values()):
            os.close(fd)
