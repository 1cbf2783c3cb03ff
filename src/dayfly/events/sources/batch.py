"""Delivering what was read at once, and ending in a way that says why."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any

from dayfly.events.port import Deliver, Lost, Undeliverable
from dayfly.model.event import Event
from dayfly.model.trigger_secret import Credentials

MAX_SAID = 300
AGAIN_S = 0.5


async def hand_on(deliver: Deliver, event: Event) -> None:
    """Return once the event may be acknowledged: it is delivered, or never will be."""
    with contextlib.suppress(Undeliverable):  # Whoever runs the source has counted it.
        await deliver(event)


async def hand_on_all(deliver: Deliver, events: Iterable[Event]) -> None:
    """The same of a bounded number of events together, so that they share the queue's flushes to the disk."""
    async with asyncio.TaskGroup() as group:
        for event in events:
            group.create_task(hand_on(deliver, event))


async def first_to_end(*steps: Coroutine[Any, Any, None]) -> None:
    """Run them together until one ends, end the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(step) for step in steps]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _end(tasks)
    for task in ended:
        task.result()


async def _end(tasks: list["asyncio.Task[None]"]) -> None:
    """Cancel them until they are done: a library that waits with `asyncio.wait_for` sometimes loses a cancellation."""
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)


def heed_cancellation() -> None:
    """Raise CancelledError if we are cancelled and a library has lost that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def refused(address: str, said: str, credentials: Credentials) -> Lost:
    """Return what to raise for a server that refuses in words of its own, which may quote what it was sent."""
    for secret in (credentials.password, credentials.token):
        if secret:
            said = said.replace(secret, "***")
    words = "".join(letter if letter.isprintable() else " " for letter in said).strip(" .")
    return Lost(f"{address}: the server refused: {words[:MAX_SAID]}")
