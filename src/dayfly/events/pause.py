"""Waiting by a clock that tests can turn by hand."""

import asyncio

from dayfly.control.clock import Clock


async def pause(clock: Clock, seconds: float, until: asyncio.Event | None = None) -> None:
    """Return after so many seconds, or once `until` is set."""
    woken = until or asyncio.Event()
    timer = clock.call_at(clock.now() + seconds, woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
