"""Files of a Secret that are others by now: taken up while everything goes on.

Kubernetes replaces all files of a mounted Secret at once, up to a minute after it was changed. What cannot be used
leaves what was there before, and the log says so once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from dayfly.model.errors import ConfigError

POLL_S = 5.0
_log = logging.getLogger("dayfly.server")


class Renewal:
    """Calls `take` whenever one of the files has another content; it may raise ConfigError."""

    def __init__(self, files: Sequence[Path], take: Callable[[], None], poll_s: float = POLL_S) -> None:
        self._files = files
        self._take = take
        self._poll_s = poll_s
        self._known = self._contents()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        found = await asyncio.to_thread(self._contents)
        if found == self._known:
            return
        self._known = found
        try:
            self._take()
        except ConfigError as error:
            _log.error("changed credentials are not taken up: %s", error)
        else:
            _log.info("changed credentials are taken up")

    def _contents(self) -> list[bytes]:
        return [path.read_bytes() if path.is_file() else b"" for path in self._files]
