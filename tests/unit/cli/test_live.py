"""A picture that is drawn in place, on a terminal of the test's own."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from dayfly.cli.live import Live

PROGRAM = """
from dayfly.cli.live import Live
with Live() as live:
    live.draw(["first, and more of it", "second \\x1b[31m"])
    print(live.wait(60), flush=True)
    live.draw([str(number) for number in range(10)])
    print(live.wait(60), flush=True)
print(live.wait.__name__, "is over")
"""
ROWS, COLUMNS = 4, 14


class Terminal:
    """A program on a pseudo-terminal, and what it wrote."""

    def __init__(self) -> None:
        self.near, far = pty.openpty()
        self.size(ROWS, COLUMNS)
        self.before = termios.tcgetattr(far)
        self.far = far
        environ = {name: value for name, value in os.environ.items() if name not in ("LINES", "COLUMNS")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=far, stdout=far, stderr=far, env=environ, start_new_session=True
        )
        self.text = ""

    def size(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def sees(self, what: str) -> None:
        while what not in self.text:
            assert select.select([self.near], [], [], 30)[0], f"{what!r} is not in {self.text!r}"
            self.text += os.read(self.near, 65_536).decode()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.process.kill()
    made.process.wait()
    os.close(made.near)
    os.close(made.far)


def test_it_is_drawn_over_itself_cut_to_size_and_the_terminal_given_back(terminal: Terminal) -> None:
    terminal.sees("\x1b[J")
    assert terminal.text.startswith("\x1b[?1049h\x1b[?25l")
    assert "\x1b[Hfirst, and mor\x1b[K\r\nsecond \\x1b[31\x1b[K\x1b[J" in terminal.text
    assert termios.tcgetattr(terminal.far)[3] & termios.ICANON == 0, "keys come without Enter"

    terminal.size(ROWS, COLUMNS - 1)
    terminal.process.send_signal(signal.SIGWINCH)
    terminal.sees("size\r\n")
    terminal.sees("… 7 more")
    assert "\x1b[H0\x1b[K\r\n1\x1b[K\r\n2\x1b[K\r\n… 7 more\x1b[K\x1b[J" in terminal.text

    os.write(terminal.near, b"xq")
    terminal.sees("quit\r\n")
    terminal.sees("wait is over")
    assert "\x1b[?25h\x1b[?1049l" in terminal.text
    assert terminal.process.wait(60) == 0
    assert termios.tcgetattr(terminal.far) == terminal.before


def test_a_size_that_changes_just_before_the_waiting_begins_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal between two of Python's steps has its handler run after the next one only: after the select."""
    waiting = select.select

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(select, "select", waiting)
        handler = signal.signal(signal.SIGWINCH, lambda *_: None)  # as long as the handler cannot run
        signal.raise_signal(signal.SIGWINCH)
        signal.signal(signal.SIGWINCH, handler)
        return waiting(*arguments)

    with Live() as drawn:
        monkeypatch.setattr(select, "select", late)
        assert drawn.wait(60) == "size"
