"""What somebody who runs `dayfly dev` sees: a line when something happens, led by the function's name.

On a terminal each function has a colour and what takes longer has a line of progress; into a file it is plain text.
"""

import os
import sys
from collections.abc import Iterable

import click

from dayfly.cli.terminal import Progress, for_stdout
from dayfly.model.errors import DayflyError
from dayfly.model.log import LogLine

_COLOURS = ("cyan", "magenta", "yellow", "blue", "green", "bright_cyan", "bright_magenta")


class Screen:
    """Lines on standard output. Use it in a `with` block of its progress."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, str] = {}
        self._width = 0

    def expect(self, names: Iterable[str]) -> None:
        """Make room for these functions' names, and give each its colour."""
        for name in names:
            self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
            self._width = max(self._width, len(name))

    def say(self, text: str) -> None:
        """Print a line about all of them."""
        self._print(for_stdout(text))

    def tell(self, name: str, text: str, *, good: bool = False) -> None:
        """Print a line about one function."""
        self._progress.clear()
        self._print(f"{self._lead(name)}  {self._styled(for_stdout(text), 'green' if good else '')}")

    def lament(self, name: str, error: DayflyError, then: str = "") -> None:
        """Print what went wrong with one function, with the traceback or the installer's words if there are any."""
        self._progress.clear()
        first, _, rest = error.message.partition("\n")
        lines = [f"{self._lead(name)}  {self._styled(for_stdout(first), 'red')}"]
        lines += [f"    {for_stdout(line)}" for line in rest.rstrip().splitlines()]
        lines += [f"{self._lead(name)}  {for_stdout(text)}" for text in (error.hint.replace("\n", " "), then) if text]
        self._print("\n".join(lines))

    def log(self, line: LogLine) -> None:
        """Print what a function printed; `!` marks the platform's word about it."""
        mark = "!" if line.stream == "platform" else "|"
        self._print(f"{self._lead(line.key.name)} {mark} {for_stdout(line.text)}")

    def wait(self, name: str, what: str) -> None:
        """Say what is being waited for."""
        self._progress.show(f"{name}: {what}")

    def rest(self) -> None:
        """There is nothing to wait for any more."""
        self._progress.clear()

    def _lead(self, name: str) -> str:
        return self._styled(name.ljust(self._width), self._colours.get(name, ""))

    def _styled(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if colour and self._is_coloured else text

    def _print(self, text: str) -> None:
        with self._progress.above():
            click.echo(text, color=True)
