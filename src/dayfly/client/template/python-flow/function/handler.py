"""A flow as code: what it awaits is kept, and it goes on where it was, whatever is killed meanwhile.

    dayfly flow create NAME --code NAME
    echo '{"names": ["Ann", "Bo"]}' | dayfly flow run NAME --wait

The code is run from its start each time that something has come, so it must do the same each time: leave what may
differ (requests, files, random numbers, the clock) to functions, `ctx.random`, `ctx.uuid()` and `ctx.now()`.
"""

import asyncio


async def flow(ctx, input):
    """Have everybody greeted by the function `hello`, all at once."""
    greetings = await asyncio.gather(*(ctx.call("hello", name, attempts=3) for name in input["names"]))
    ctx.log(f"{len(greetings)} were greeted")
    return greetings
