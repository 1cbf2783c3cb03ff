"""Answering: the callback of a call that has run, made once, and where the call stands after that."""

import logging
from collections.abc import Callable

from dayfly.decide import queueing
from dayfly.model.queued import Standing
from dayfly.queue.callback import Deliver
from dayfly.queue.clock import Clock
from dayfly.queue.ledger import Ledger
from dayfly.queue.port import Kept, QueueStore

_LOST = "what came of the call was pushed out by newer results before its callback was made"
_log = logging.getLogger("dayfly.queue")


class Answering:
    """Makes callbacks in the name of `owner`. `jitter` gives from 0 to 1."""

    def __init__(
        self,
        store: QueueStore,
        ledger: Ledger,
        deliver: Deliver,
        *,
        owner: str,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._deliver = deliver
        self._owner = owner
        self._clock = clock
        self._jitter = jitter

    async def once(self, kept: Kept) -> Standing:
        """Return where the call stands once its callback was tried. Raises Unavailable.

        One whose result is gone fails for good: there is nothing to post, and there never will be.
        """
        call = kept.call
        result = await self._store.result(call.id)
        failure = _LOST if result is None else await self._deliver(call.callback, result)
        standing = queueing.delivered(
            kept.standing, self._owner, failure, now_unix_ms=self._clock.unix_ms(), jitter=self._jitter(),
            final=result is None,
        )  # fmt: skip
        if failure:
            is_final = standing.phase != "answering"
            if is_final:
                self._ledger.callback_failed(call.function)
            _log.warning(
                "callback failed call=%s function=%s final=%s reason=%s", call.id, call.function, is_final, failure
            )
        return standing
