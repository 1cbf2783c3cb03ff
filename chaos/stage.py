"""What a scenario runs with: its time, its chance, a scratch folder, and a platform that ends with it."""

import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from chaos.box import Box

_LOG_TAIL = 4000


class Stage:
    """One run of one scenario."""

    def __init__(self, name: str, scratch: Path, *, seed: int, seconds: float, short: bool) -> None:
        self.name = name
        self.scratch = scratch
        self.seed = seed
        self.seconds = seconds
        """How long the load is meant to last; what comes before and after is not counted."""
        self.short = short
        """Whether this is the form that runs among the tests: no judgement by the clock, as others use the machine."""
        self.random = random.Random(f"{name} {seed}")
        self.began_s = time.monotonic()
        self._boxes: list[Box] = []

    def say(self, text: str) -> None:
        """Tell the person who waits what is going on."""
        at_s = time.monotonic() - self.began_s
        print(f"  {self.name} {at_s:6.1f} s: {text}", file=sys.stderr, flush=True)

    def folder(self, name: str) -> Path:
        """Return a folder of this name in the scratch folder, made when missing."""
        folder = self.scratch / name
        folder.mkdir(exist_ok=True)
        return folder

    def box(
        self,
        *,
        gateways: int = 1,
        environ: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
        start: bool = True,
    ) -> Box:
        """Return a platform on a fresh data folder, started unless told otherwise. It is swept with the stage."""
        # Short, because unix sockets are bound below it and their paths end at 107 bytes.
        box = Box(self.scratch / f"d{len(self._boxes)}", gateways=gateways, environ=environ, prefix=prefix)
        self._boxes.append(box)
        if start:
            box.start()
        return box

    def logs(self) -> str:
        """Return the last that each platform logged."""
        return "\n".join(box.log()[-_LOG_TAIL:] for box in self._boxes)

    def close(self) -> None:
        """Kill what is left of every platform."""
        for box in self._boxes:
            box.sweep()
