"""Telling the event loop what became of something that a writer's thread did."""

import asyncio
import logging
from collections.abc import Callable

from dayfly.model.errors import StoreUnavailable

_log = logging.getLogger("dayfly.observe")


def tell(loop: asyncio.AbstractEventLoop | None, callback: Callable[..., None], *what: object) -> None:
    """Have the loop call back with this; for a writer's thread, which has been given its loop."""
    assert loop is not None
    try:
        loop.call_soon_threadsafe(callback, *what)
    except RuntimeError:
        # The loop was closed without close(): nobody is left to be told, but what was written is in the file.
        _log.debug("a writer outlived its event loop")


def settle(done: "asyncio.Future[None]", failure: StoreUnavailable | None) -> None:
    """Let the one who waits go on, or hear of the failure; on the loop's thread."""
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
