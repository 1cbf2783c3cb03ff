"""Room on the disk that the store is on.

A nats-server that has met a full disk once keeps no message any more, also when there is space again, and leaves
whoever waits for an acknowledgement without a word. So nothing is written where little room is left: that is refused at
once and truly. When there is room again after it was short, or when a write was not acknowledged for no other reason,
the server is ended; whoever supervises it starts it anew, and it has all that it ever acknowledged.
"""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable

from dayfly.model.errors import StoreFull
from dayfly.queue.access import Access

RESERVE_BYTES = 4 * 2**20
"""What has to stay free beside what is written: the server has files of its own to keep."""
LOOK_S = 1.0
_log = logging.getLogger("dayfly.queue")


class Room:
    """The room of whichever server `access` tells of; none is known before the first."""

    def __init__(self, access: Callable[[], Access | None]) -> None:
        self._access = access
        self._in_doubt = False

    def check(self, size_bytes: int) -> None:
        """Refuse a write for which there is too little room. Raises StoreFull."""
        if self._free() < size_bytes + RESERVE_BYTES:
            self._in_doubt = True
            hint = "free some space; the queue goes on by itself then, with all that it has"
            raise StoreFull("the disk is full: the queue can keep nothing at the moment", hint=hint, retry_after_s=1)

    def doubt(self) -> None:
        """Have the server started anew as soon as there is room: it did not acknowledge a write."""
        self._in_doubt = True

    async def watch(self) -> None:
        """End a server in doubt once there is room, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            free = self._free()
            if free < RESERVE_BYTES:
                self._in_doubt = True
            elif self._in_doubt and free >= 2 * RESERVE_BYTES:
                self._in_doubt = False
                self._end_server()

    def _free(self) -> float:
        access = self._access()
        try:
            found = os.statvfs(access.store) if access is not None and access.store else None
        except OSError:
            return float("inf")  # what the server says is all we know then
        return found.f_bavail * found.f_frsize if found is not None else float("inf")

    def _end_server(self) -> None:
        access = self._access()
        if access is not None and access.pid:
            _log.warning("there is room on the disk; nats-server is started anew, as it may have met its end")
            with contextlib.suppress(ProcessLookupError):
                os.kill(access.pid, signal.SIGKILL)
