"""Telling whoever waits on the event loop what became of something that a writer's thread did."""

import asyncio

from dayfly.model.errors import StoreUnavailable


def settle(done: "asyncio.Future[None]", failure: StoreUnavailable | None) -> None:
    """Let the one who waits go on, or hear of the failure; on the loop's thread."""
    if done.done():
        return
    if failure is None:
        done.set_result(None)
    else:
        done.set_exception(failure)
