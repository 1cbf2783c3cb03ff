"""What a terminal is shown: foreign text made harmless, and a line of progress while somebody waits.

What a function printed may hold escape sequences that move the cursor, retitle the window or answer on the keyboard's
behalf. On a terminal they are shown as text; into a file or a pipe they go unchanged.
"""

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import click

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SHOWN_AFTER_S, _REDRAW_S = 1.0, 0.2


def neutralise(text: str) -> str:
    """Return the text with control characters, except newline and tab, and changes of direction written out."""
    return _CONTROL.sub(lambda found: _escaped(found[0]), text)


def for_stdout(text: str) -> str:
    """Return foreign text as it may be printed: harmless where standard output is a terminal, else unchanged."""
    return neutralise(text) if sys.stdout.isatty() else text


def for_stderr(text: str) -> str:
    """Return foreign text as it may be printed on standard error."""
    return neutralise(text) if sys.stderr.isatty() else text


def warn(text: str) -> None:
    """Print a line on standard error."""
    click.echo(neutralise(text), err=True)


class Progress:
    """One line on standard error, on a terminal only, once something has taken more than a second.

    It is drawn by a thread of its own, so that it also lives while the program waits for an answer.
    """

    def __init__(self, text: str = "") -> None:
        self._text = text
        self._began = time.monotonic()
        self._is_drawn = False
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        """Begin to show the line."""
        if self._painter is not None:
            self._painter.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Take the line away for good."""
        self._done.set()
        if self._painter is not None:
            self._painter.join()
        self.clear()

    def show(self, text: str) -> None:
        """Say what is going on now; cheap to call often. The time is counted from the first text after a `clear`."""
        if not self._text:
            self._began = time.monotonic()
        self._text = text

    @contextmanager
    def above(self) -> Iterator[None]:
        """Print other text in this block; the line comes back below it."""
        with self._lock:
            self._erase()
            yield

    def clear(self) -> None:
        """Take the line away until the next `show`, so that other text can be printed."""
        with self._lock:
            self._text = ""
            self._erase()

    def _erase(self) -> None:
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_drawn = False

    def _paint(self) -> None:
        while not self._done.wait(_REDRAW_S):
            elapsed_s = time.monotonic() - self._began
            with self._lock:
                if self._text and elapsed_s >= _SHOWN_AFTER_S:
                    sys.stderr.write(f"\r\x1b[K{neutralise(self._text)} ({elapsed_s:.0f}s)")
                    sys.stderr.flush()
                    self._is_drawn = True


def _escaped(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
