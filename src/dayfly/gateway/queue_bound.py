"""What is on its way to the queue, and outlives the moment in which that is started again."""

import asyncio
import time
from typing import TYPE_CHECKING, ClassVar

from dayfly.gateway.refusals import Refusal
from dayfly.http1.exchange import Exchange

if TYPE_CHECKING:
    from dayfly.gateway.listener import PublicListener

PATIENCE_S = 5.0
"""How long a call waits for a queue that is being started again."""
_AGAIN_S = 0.05


class QueueBound(Exchange):
    """An exchange with the queue: one that did not reach it is tried again until `_hold_until`."""

    __slots__ = ()

    away: ClassVar[Refusal]
    """Says that the queue is away."""
    _gateway: "PublicListener"
    _hold_until: float

    def lost(self, why: str) -> Refusal:
        """Return what says that the queue may have it, or not."""
        raise NotImplementedError

    def failed(self, why: str, _left: bool, /) -> None:
        """Wait a moment for a queue that is being started again, else say that it is away."""
        if self.written:
            self._refuse(self.lost(why))
        elif time.monotonic() < self._hold_until:
            asyncio.get_running_loop().call_later(_AGAIN_S, self._again)
        else:
            self._refuse(self.away)

    def _again(self) -> None:
        pool = self._gateway.queue.pool
        if self.connection.receiver is self and pool is not None and not self.written:
            self.forward(pool)

    if TYPE_CHECKING:  # each kind of call has its own, which one here would come before

        def _refuse(self, refusal: Refusal) -> None: ...
