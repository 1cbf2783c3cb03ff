"""A replica's log before the replica has one: a spare writes lines that belong to whoever it becomes."""

from dayfly.runtimes.python import output

MAX_HELD_LINES = 1000


class HeldLog(output.LogPipe):
    """The replica's log, which holds the lines that come before there is one."""

    def __init__(self) -> None:
        super().__init__(-1)
        self._held: list[tuple[str, str, str]] = []

    def open(self, fd: int) -> None:
        """Write to `fd` from now on."""
        self._fd = fd
        for held in self._held:
            super().line(*held)
        self._held.clear()

    def line(self, stream: str, call_id: str, text: str) -> None:
        """Write one line, or hold it; beyond MAX_HELD_LINES what comes is lost."""
        if self._fd >= 0:
            super().line(stream, call_id, text)
        elif len(self._held) < MAX_HELD_LINES:
            self._held.append((stream, call_id, text))
