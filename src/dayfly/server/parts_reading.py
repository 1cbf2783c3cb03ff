"""Reading what the parts of the platform have said of late, and say, out of the files that the supervisor keeps."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import BinaryIO

from dayfly.model.machine import PartLine
from dayfly.providers.part_lines import of_event
from dayfly.runtimes.log_event import Event, of_json
from dayfly.server.parts_log import BEFORE, FILE

_LOOK_S = 0.25
"""How often a log that is followed is looked at."""
_AT_ONCE = 256 * 1024


class PartsReader:
    """The files in a folder, read by any number of those who look."""

    def __init__(self, folder: Path) -> None:
        self._path, self._before = folder / FILE, folder / BEFORE

    def has(self, part: str) -> bool:
        """Whether one of this name has said something that is kept."""
        return any(_is_of(said, part) for said in self._kept())

    async def lines(self, part: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Yield the newest `tail` lines of one part, all for a negative number, and those to come if followed."""
        tailing = _Tailing(self._path)
        try:
            for said in await asyncio.to_thread(self._newest, part, tail, tailing):
                yield of_event(said)
            while follow:
                await asyncio.sleep(_LOOK_S)
                for said in await asyncio.to_thread(tailing.more):
                    if _is_of(said, part):
                        yield of_event(said)
        finally:
            tailing.close()

    def _newest(self, part: str, tail: int, tailing: "_Tailing") -> list[Event]:
        kept = (said for said in self._kept(tailing) if _is_of(said, part))
        return list(deque(kept, tail if tail >= 0 else None))

    def _kept(self, tailing: "_Tailing | None" = None) -> Iterator[Event]:
        with contextlib.suppress(FileNotFoundError):
            yield from _events(self._before.read_bytes().split(b"\n"))
        now = tailing or _Tailing(self._path)
        try:
            yield from now.more()
        finally:
            if tailing is None:
                now.close()


class _Tailing:
    """Where somebody is in the newest file; when that becomes the one before, its rest is read, and then the next."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def more(self) -> list[Event]:
        """Return what has come since it was last asked."""
        found: list[Event] = []
        while self._open():
            assert self._file is not None
            while piece := self._file.read(_AT_ONCE):
                *whole, self._rest = (self._rest + piece).split(b"\n")
                found += _events(whole)
            if self._is_newest():
                break
            self.close()
        return found

    def close(self) -> None:
        """Read no more. Idempotent."""
        if self._file is not None:
            self._file.close()
        self._file, self._rest = None, b""

    def _open(self) -> bool:
        if self._file is None:
            try:
                self._file = self._path.open("rb", buffering=0)
            except FileNotFoundError:
                return False
        return True

    def _is_newest(self) -> bool:
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except FileNotFoundError:
            return True


def _events(lines: list[bytes]) -> Iterator[Event]:
    for line in lines:
        if (said := of_json(line)) is not None:
            yield said


def _is_of(said: Event, part: str) -> bool:
    """Whether it is of the part of this name, or of one that has taken its place or makes way for it (`gw0.1`)."""
    return str(said["process"]).partition(".")[0] == part
