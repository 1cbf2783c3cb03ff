"""Somebody who writes functions: a folder, and `dayfly dev` in a terminal."""

import os
import signal
import subprocess
from pathlib import Path

from tests.system.driver import DEADLINE_S, Platform, eventually, is_alive, processes_that_know, program


class Author:
    """One who writes in `folder`; what they see is `text`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        self.temporary.chmod(0o755)
        self._output = folder / "output"
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, code: str, name: str = "hello/handler.py") -> None:
        """Save a file."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)

    def start(self, *arguments: str, command: str = "dev", **environ: str) -> None:
        """Run `dayfly dev`, or another command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DAYFLY_", "OPENFAAS_"))}
        # No platform of this account's own is found, and the private one's folder is where the test looks for it.
        kept |= {"DAYFLY_DATA_DIR": str(self.folder / "none"), "TMPDIR": str(self.temporary), **environ}
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                program(command, *arguments), cwd=self.folder, env=kept, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """What was printed up to now."""
        return self._output.read_text()

    @property
    def pid(self) -> int:
        """The process of `dayfly dev`."""
        assert self._process is not None
        return self._process.pid

    def sees(self, what: str) -> None:
        """Wait until this is printed; fail when it ends before."""

        def is_there() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, self.text
            return what in self.text

        try:
            eventually(what, is_there)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.text}") from late

    def platform(self) -> Platform:
        """The private platform, as another terminal finds it."""
        (folder,) = self.temporary.glob("dayfly-dev-*")
        return Platform(folder / "data")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Press Ctrl-C, or send another signal; return the exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for its end; return the exit code."""
        assert self._process is not None
        return self._process.wait(DEADLINE_S)

    def left_nothing(self, processes: set[int]) -> None:
        """Fail unless these processes, all others of the platform's, and its folder are gone."""
        eventually("they are gone", lambda: not [pid for pid in processes if is_alive(pid)])
        eventually("its processes are gone", lambda: not processes_that_know(str(self.temporary)))
        assert list(self.temporary.iterdir()) == []
