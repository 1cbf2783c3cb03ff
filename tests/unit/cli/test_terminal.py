"""What a terminal is shown: foreign text made harmless, and the line of progress."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.cli.terminal import Progress, for_stdout, neutralise

DEADLINE_S = 60.0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 数\t\n", "plain ü 数\t\n"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\x00\x7f\x08", "\\x00\\x7f\\x08"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@given(st.text())
def test_nothing_that_moves_a_cursor_is_left(text: str) -> None:
    assert all(letter in "\t\n" or letter.isprintable() or ord(letter) > 0x9F for letter in neutralise(text))
    assert neutralise(neutralise(text)) == neutralise(text)


def test_only_a_terminal_is_protected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert for_stdout("\x1b") == "\\x1b"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert for_stdout("\x1b") == "\x1b"


class Terminal:
    """Standard error, as far as the progress line knows it."""

    def __init__(self, *, is_terminal: bool) -> None:
        self.is_terminal = is_terminal
        self.written = ""
        self.drawn = threading.Event()

    def isatty(self) -> bool:
        return self.is_terminal

    def write(self, text: str) -> None:
        self.written += text
        if "working" in text:
            self.drawn.set()

    def flush(self) -> None:
        """Nothing is held back."""


def test_progress_is_drawn_by_itself_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.cli.terminal._SHOWN_AFTER_S", 0.0)
    monkeypatch.setattr("dayfly.cli.terminal._REDRAW_S", 0.001)
    terminal = Terminal(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress("working\x1b[2J"):
        assert terminal.drawn.wait(DEADLINE_S)
    assert "\r\x1b[Kworking\\x1b[2J (0s)" in terminal.written
    assert terminal.written.endswith("\r\x1b[K")


def test_progress_is_not_drawn_elsewhere_than_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.cli.terminal._SHOWN_AFTER_S", 0.0)
    terminal = Terminal(is_terminal=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    threads = threading.active_count()
    with Progress("working") as progress:
        progress.show("working on")
        assert threading.active_count() == threads
    assert terminal.written == ""


def test_logs_on_a_terminal_are_harmless(
    dayfly: Callable[..., Any], platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.add("hello")
    platform.log = ["\x1b[31mred"]
    assert "\x1b[31mred" in dayfly("logs", "hello").stdout
    monkeypatch.setattr("dayfly.cli.logs.for_stdout", neutralise)
    assert "\\x1b[31mred" in dayfly("logs", "hello").stdout
    assert "\x1b" not in dayfly("logs", "hello", "-o", "name").stdout
