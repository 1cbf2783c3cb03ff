"""Making one connection for a function: look the name up once, judge every address, connect to a judged one."""

import asyncio
from collections.abc import Awaitable, Callable

from dayfly.runtimes.jail.egress.lookups import Unreachable
from dayfly.runtimes.jail.egress.policy import Address, Rules, literal

CONNECT_S = 10.0
MAX_ADDRESSES = 8
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
LookUp = Callable[[str, int], Awaitable[list[Address]]]
"""Gives the addresses of a name. Raises Unreachable."""


class Refused(Exception):
    """The function may not connect there; the text says why."""


async def dial(rules: Rules, look_up: LookUp, host: str, port: int) -> Streams:
    """Return a connection to `port` of `host`. Raises Refused, Unreachable."""
    name = host.strip("[]").lower()
    try:
        spelled = literal(name)
    except ValueError as error:
        raise Refused(str(error)) from None
    addresses = [spelled] if spelled is not None else await look_up(name, port)
    refusals = {address: why for address in addresses if (why := rules.judge(name.removesuffix("."), address, port))}
    allowed = [address for address in addresses if address not in refusals]
    if not allowed:
        raise Refused(next(iter(refusals.values())))
    failure = ""
    for address in allowed[:MAX_ADDRESSES]:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await asyncio.open_connection(str(address), port)
        except TimeoutError:
            failure = f"{address} port {port} does not answer within {CONNECT_S:g}s"
        except OSError as error:
            failure = f"{address} port {port}: {error.strerror}"
    raise Unreachable(failure)
