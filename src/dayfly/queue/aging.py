"""Ages: dead letters that nobody came for go after a while, so that they do not fill the queue for good."""

import asyncio
import contextlib
import logging

from dayfly.decide.queueing import Misstep, has_aged
from dayfly.model.errors import Unavailable
from dayfly.queue.dispatcher import Dispatcher
from dayfly.queue.ledger import Ledger

LOOK_S = 60.0
_DAY_MS = 86_400_000
_log = logging.getLogger("dayfly.queue")


class Aging:
    """Lets go of dead letters of more than `days`."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, days: int) -> None:
        self._ledger = ledger
        self._dispatcher = dispatcher
        self._most_ms = days * _DAY_MS

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            gone = await self.sweep()
            if gone:
                _log.warning("dead letters expired count=%d days=%d", gone, self._most_ms // _DAY_MS)
            await asyncio.sleep(LOOK_S)

    async def sweep(self) -> int:
        """Let go of those that are too old now; return how many went."""
        gone = 0
        now_unix_ms = self._dispatcher.clock.unix_ms()
        with contextlib.suppress(Unavailable):
            for kept in self._ledger:
                if has_aged(kept.call, kept.standing, now_unix_ms, self._most_ms):
                    with contextlib.suppress(Misstep):
                        await self._dispatcher.purge(kept)
                        self._ledger.expired(kept.call.function)
                        gone += 1
        return gone
