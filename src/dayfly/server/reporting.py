"""How a child tells the supervisor that it serves, or why it cannot: one JSON line on the pipe it inherited.

One that may run beside its successor keeps the pipe, to say one more line when it is leaving.
"""

import contextlib
import json
import os

from dayfly.model.errors import DayflyError


class Reporter:
    """The pipe to the supervisor. Of `ready` and `failed` only the first counts."""

    def __init__(self, fd: int, *, overlaps: bool = False) -> None:
        self._fd: int | None = fd
        self._overlaps = overlaps
        self._said = False
        os.set_inheritable(fd, False)

    def ready(self, *, password: str = "") -> None:
        """Say that this process serves, and hand over a password to be shown once."""
        self._say({"password": password} if password else {"ready": "yes"})

    def standby(self) -> None:
        """Say that this process has begun, and waits for the one before it to end."""
        self._write({"standby": "yes"})

    def failed(self, error: DayflyError) -> None:
        """Say why this process cannot serve."""
        text = f"{error} ({error.hint})" if error.hint else str(error)
        self._say({"error": text, "exit_code": str(error.exit_code)})

    def leaving(self) -> None:
        """Say that this process finishes what it has and takes nothing new. Idempotent."""
        self._write({"leaving": "yes"})
        self._close()

    def _say(self, message: dict[str, str]) -> None:
        if not self._said:
            self._said = True
            self._write(message)
            if not self._overlaps:
                self._close()

    def _write(self, message: dict[str, str]) -> None:
        if self._fd is not None:
            with contextlib.suppress(BrokenPipeError):  # a supervisor that changes over does not listen to us any more
                os.write(self._fd, json.dumps(message).encode() + b"\n")

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
