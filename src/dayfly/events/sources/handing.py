"""Handing on an event while its server may go away."""

import asyncio
import contextlib

from dayfly.events.port import Deliver, Lost, Undeliverable
from dayfly.model.event import Event


async def hand_on(deliver: Deliver, event: Event, lost: "asyncio.Future[Lost]") -> None:
    """Return once the event may be acknowledged: it is delivered, or never will be.

    Raises Lost as soon as the connection is gone: the server hands the message out again, to whoever connects next.
    """
    delivery = asyncio.ensure_future(deliver(event))
    try:
        await asyncio.wait((delivery, lost), return_when=asyncio.FIRST_COMPLETED)
        if not delivery.done():
            raise lost.result()
        with contextlib.suppress(Undeliverable):  # Whoever runs the source has counted it.
            delivery.result()
    finally:
        if not delivery.done():
            delivery.cancel()
            await asyncio.wait((delivery,))
