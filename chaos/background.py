"""Something that goes on beside a scenario, in a thread of its own, until the end of its `with` block."""

import threading
from types import TracebackType
from typing import Self


class Background:
    """Takes `step` after `step`, `pause_s` seconds apart; what breaks one is raised at the end of the block."""

    def __init__(self, name: str, pause_s: float = 0.0) -> None:
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name)

    def step(self) -> None:
        """Do it once."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()
        if self._broken is not None:
            raise self._broken

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._pause_s):
                self.step()
        except BaseException as error:  # handed to whoever waits for the thread
            self._broken = error
