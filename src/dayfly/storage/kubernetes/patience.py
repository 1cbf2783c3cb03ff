"""Waiting for an API server that is away: what has to be done is tried until it is."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dayfly.model.errors import StoreUnavailable

WAIT_S = 1.0
_log = logging.getLogger("dayfly.storage")
Result = TypeVar("Result")


async def patiently(
    what: str, act: Callable[[], Awaitable[Result]], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Result:
    """Return what `act` returns, which is called anew while it raises StoreUnavailable, as late as that says."""
    is_away = False
    while True:
        try:
            result = await act()
        except StoreUnavailable as error:
            if not is_away:
                _log.warning("%s waits: %s", what, error)
            is_away = True
            await sleep(max(WAIT_S, error.retry_after_s))
        else:
            if is_away:
                _log.info("%s waits no longer", what)
            return result
