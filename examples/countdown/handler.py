"""An answer that comes piece by piece: each line is sent when it is made."""

import asyncio


async def handle(event, context):
    """Count down from `?from=`, ten when not given, five numbers a second."""
    for number in range(min(int(event.query.get("from", "10")), 100), 0, -1):
        yield f"{number}\n"
        await asyncio.sleep(0.2)
    yield "lift-off\n"
