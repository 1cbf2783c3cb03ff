"""Making one connection for a function: look the name up once, judge every address, connect to a judged one."""

import asyncio
import ipaddress
import socket

from dayfly.runtimes.jail.egress.policy import Address, Rules, literal

CONNECT_S = 10.0
MAX_ADDRESSES = 8
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Refused(Exception):
    """The function may not connect there; the text says why."""


class Unreachable(Exception):
    """It may, but nobody answers; the text says what happened."""


async def dial(rules: Rules, host: str, port: int) -> Streams:
    """Return a connection to `port` of `host`. Raises Refused, Unreachable."""
    name = host.strip("[]").lower()
    try:
        spelled = literal(name)
    except ValueError as error:
        raise Refused(str(error)) from None
    addresses = [spelled] if spelled is not None else await _look_up(name, port)
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


async def _look_up(name: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            found = await loop.getaddrinfo(name.encode("ascii"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, TimeoutError) as error:
        raise Unreachable(f"{name} cannot be looked up: {error}") from None
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
