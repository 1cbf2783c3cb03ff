"""A picture on the terminal that is drawn again and again in the same place, until somebody presses q or Ctrl-C.

It has the terminal's second screen, so that what was there before is there again afterwards. Every line is written over
the one before it, and what is left of that is erased behind it: nothing is cleared first, so nothing flickers.
"""

import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, Self

from dayfly.cli.terminal import neutralise

_SECOND_SCREEN, _FIRST_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _ERASE_LINE, _ERASE_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"

Woken = Literal["time", "size", "quit"]


class Live:
    """The terminal on standard output, in a `with` block; keys are read where standard input is one too."""

    def __init__(self) -> None:
        self._keys = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: list[Any] = []
        self._resized = self._resize = -1
        self._woken_before = -1
        self._handler: Any = None

    def __enter__(self) -> Self:
        """Take the second screen."""
        self._resized, self._resize = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # The signal itself fills the pipe: a handler would, but only once the call is over that this came just before.
        self._woken_before = signal.set_wakeup_fd(self._resize, warn_on_full_buffer=False)
        self._handler = signal.signal(signal.SIGWINCH, lambda *_: None)
        if self._keys >= 0:
            self._before = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys)
        self._write(_SECOND_SCREEN)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Give the first screen back as it was."""
        self._write(_FIRST_SCREEN)
        if self._keys >= 0:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._before)
        signal.signal(signal.SIGWINCH, self._handler)
        signal.set_wakeup_fd(self._woken_before)
        os.close(self._resized)
        os.close(self._resize)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines, cut to what the terminal holds; the last says how many there was no room for."""
        width, height = shutil.get_terminal_size()
        if len(lines) > height:
            lines = [*lines[: height - 1], f"… {len(lines) - height + 1} more"]
        shown = [f"{neutralise(line)[:width]}{_ERASE_LINE}" for line in lines]
        self._write(_HOME + "\n".join(shown) + _ERASE_BELOW)

    def wait(self, seconds: float) -> Woken:
        """Return once the time is over, the terminal's size has changed, or q was pressed."""
        until = time.monotonic() + seconds
        sources = [self._resized, *([self._keys] if self._keys >= 0 else [])]
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select(sources, [], [], left)
            if self._resized in ready:
                os.read(self._resized, 4096)
                return "size"
            if self._keys in ready:
                pressed = os.read(self._keys, 64)
                if not pressed:
                    sources.remove(self._keys)  # nobody will press anything any more
                if b"q" in pressed:
                    return "quit"
        return "time"

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
