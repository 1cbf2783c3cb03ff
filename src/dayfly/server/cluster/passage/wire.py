"""How the two ends of the passage greet each other, and how bytes are passed on.

    gateway                                   control plane
    DAYFLY/1 TOKEN CHANNEL GATEWAY \\n  ──►
                                       ◄──    + and then the channel's bytes, or - and the end

`link`, `api`, `console`, `metrics` and `queue` are sockets of the control plane. `presence` carries a pulse each way,
by which either side notices that the other is gone. `inner` goes the other way: the gateway keeps some open ahead of
need, the control plane says GO on one when it calls the gateway, and then it is a connection to its inner listener.
"""

import asyncio
import hashlib
import re

from dayfly.http1.silence import notice_silence
from dayfly.model.errors import InvalidRequest

CHANNELS = ("link", "api", "console", "metrics", "queue")
PRESENCE, INNER = "presence", "inner"
YES, NO, PULSE, GO = b"+", b"-", b".", b"!"
CONNECT_S = 5.0
"""How long either side may take to greet, and to answer."""
PULSE_S = 2.0
SILENCE_S = 10.0
"""After so long without a pulse the other side is taken for gone."""
End = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_VERSION = "DAYFLY/1"
_GREETING = re.compile(rb"DAYFLY/1 ([\x21-\x7e]{1,200}) ([a-z]{1,20}) ([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)\n")
_CHUNK = 64 * 1024


def greeting(token: str, channel: str, gateway: str) -> bytes:
    """Return what a gateway says first."""
    return f"{_VERSION} {token} {channel} {gateway}\n".encode("ascii")


def read_greeting(line: bytes) -> tuple[bytes, str, str]:
    """Return the token, the channel and the gateway's name. Raises InvalidRequest for anything else."""
    found = _GREETING.fullmatch(line)
    if found is None:
        raise InvalidRequest("this is no greeting of a gateway of this version")
    return found[1], found[2].decode(), found[3].decode()


def inner_name(gateway: str) -> str:
    """Return the name of the socket by which the control plane's side reaches a gateway: paths have few bytes."""
    return f"calls-{hashlib.sha256(gateway.encode()).hexdigest()[:16]}.sock"


async def splice(one: End, other: End) -> None:
    """Pass on bytes both ways until either side ends, and then end both."""
    ways = [asyncio.create_task(_pass_on(one[0], other[1])), asyncio.create_task(_pass_on(other[0], one[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        one[1].close()
        other[1].close()
        await asyncio.gather(*ways, return_exceptions=True)  # that a side is gone is the usual end


async def pulse(end: End, pulse_s: float = PULSE_S, silence_s: float = SILENCE_S) -> None:
    """Keep a pulse going each way; return when the other side is gone, or silent for too long."""
    reader, writer = end

    async def beat() -> None:
        while True:
            writer.write(PULSE)
            await writer.drain()
            await asyncio.sleep(pulse_s)

    beating = asyncio.create_task(beat())
    try:
        while True:
            async with asyncio.timeout(silence_s):
                if not await reader.read(64):
                    return
    except (OSError, TimeoutError):
        return
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


def keep_alive(writer: asyncio.StreamWriter) -> None:
    """Have the kernel notice a peer whose machine is gone, also where nothing is sent."""
    notice_silence(writer.get_extra_info("socket"), 2 * SILENCE_S)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
