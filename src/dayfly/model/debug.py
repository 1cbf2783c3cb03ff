"""What `dayfly dev` alone asks for: that a function tells its author more than any caller should know.

A deployment that has it is for the one who is writing the function. Its answers tell tracebacks, with the paths of its
author's folder; with a debugger, its one replica connects to a debug adapter and does what that says, which is to run
any code at all within its jail.
"""

import re

import msgspec

from dayfly.model.errors import InvalidSpec

_MAX_PATH = 4096
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){1,3}", re.ASCII)


class Debugger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A debug adapter of debugpy on the platform's machine, waiting for the function to connect."""

    port: int
    """Where it listens, on 127.0.0.1."""
    version: str
    """The version of debugpy it is of; the function gets the same one."""

    @property
    def grant(self) -> str:
        """What the egress proxy must allow for the function to reach it."""
        return f"tcp://127.0.0.1:{self.port}"


class Debug(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much a function tells its author."""

    source: str = ""
    """The folder on the author's machine that the code was packed from: tracebacks name its files by it."""
    debugger: Debugger | None = None

    def check(self) -> None:
        """Refuse what cannot be meant. Raises InvalidSpec."""
        if self.source and not (self.source.startswith("/") and self.source.isprintable()):
            raise InvalidSpec(f"debug: source: {self.source[:80]!r} must be the absolute path of a folder")
        if len(self.source) > _MAX_PATH:
            raise InvalidSpec(f"debug: source: is longer than {_MAX_PATH} characters")
        if self.debugger is not None and not 0 < self.debugger.port < 65_536:
            raise InvalidSpec(f"debug: debugger: port: {self.debugger.port} must be between 1 and 65535")
        if self.debugger is not None and not _VERSION.fullmatch(self.debugger.version):
            raise InvalidSpec(f"debug: debugger: version: {self.debugger.version[:40]!r} must be one such as 1.8.22")
