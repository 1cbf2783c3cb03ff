"""Slow clients: callers that cost the gateway a connection and do nothing with it, and the honest ones beside them."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine

import msgspec

from fuzz.storm import read_answer


class Slowness(msgspec.Struct, frozen=True):
    """How many of each kind."""

    headers: int = 800
    """Connections that send a byte of their headers now and then."""
    bodies: int = 200
    """Connections that do so with their body."""
    reads: int = 200
    """Connections that ask for something large and never read it."""


class Toll(msgspec.Struct):
    """What became of slow clients and of honest callers."""

    closed: int = 0
    longest_s: float = 0.0
    """How long the most patient slow connection lasted."""
    served: int = 0
    failed: list[str] = []
    latencies_s: list[float] = []

    def percentile_s(self, share: float) -> float:
        """Return a percentile of the honest callers' times."""
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))]


async def assault(host: str, port: int, slowness: Slowness, path: str, *, give_up_s: float, rate: float) -> Toll:
    """Open all slow connections and call `path` honestly at `rate` a second until the gateway has closed them all.

    `path` answers a GET of `path/SIZE` with that many bytes. What is not closed after `give_up_s` is not counted.
    """
    toll = Toll()
    over = asyncio.Event()
    honest = asyncio.create_task(_call_honestly(host, port, f"{path}/10", rate, over, toll))
    kinds: list[tuple[int, Callable[[asyncio.StreamWriter], Coroutine[None, None, None]], bytes, bool]] = [
        (slowness.bodies, _drip, f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n".encode(), True),
        (slowness.reads, _wait, f"GET {path}/33554432 HTTP/1.1\r\nHost: h\r\n\r\n".encode(), False),
        (slowness.headers, _drip, f"GET {path}/10 HTTP/1.1\r\nHost: h\r\n".encode(), True),
    ]
    slow = [
        _be_slow(host, port, head, what, reads, give_up_s, toll)
        for count, what, head, reads in kinds
        for _ in range(count)
    ]
    await asyncio.gather(*slow)
    over.set()
    await honest
    return toll


async def _be_slow(
    host: str,
    port: int,
    head: bytes,
    go_on: Callable[[asyncio.StreamWriter], Coroutine[None, None, None]],
    reads: bool,
    give_up_s: float,
    toll: Toll,
) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=4096)
    began = time.monotonic()
    writer.write(head)
    dripping = asyncio.create_task(go_on(writer))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(give_up_s):
            await (_until_end(reader) if reads else _until_reset(writer))
            toll.closed += 1
            toll.longest_s = max(toll.longest_s, time.monotonic() - began)
    dripping.cancel()
    writer.transport.abort()


async def _drip(writer: asyncio.StreamWriter) -> None:
    while not writer.transport.is_closing():
        writer.write(b"X")
        await asyncio.sleep(0.5)


async def _wait(_writer: asyncio.StreamWriter) -> None:
    """Do nothing at all."""


async def _until_end(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await reader.read(4096):
            pass


async def _until_reset(writer: asyncio.StreamWriter) -> None:
    # Who does not read learns of the end by poll's error flags alone, or when he writes.
    sock = writer.transport.get_extra_info("socket")
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # typed for writing only
    while not writer.transport.is_closing():
        info = sock.getsockopt(6, 11, 1)  # IPPROTO_TCP, TCP_INFO: the first byte is the state, 1 is established
        if info[0] != 1:
            return
        await asyncio.sleep(0.1)


async def _call_honestly(host: str, port: int, target: str, rate: float, over: asyncio.Event, toll: Toll) -> None:
    calls: set[asyncio.Task[None]] = set()
    while not over.is_set():
        call = asyncio.create_task(_call(host, port, target, toll))
        calls.add(call)
        call.add_done_callback(calls.discard)
        await asyncio.sleep(1 / rate)
    await asyncio.gather(*calls)


async def _call(host: str, port: int, target: str, toll: Toll) -> None:
    began = time.monotonic()
    try:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(f"GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            status = await read_answer(reader, bodiless=False)
            writer.transport.abort()
    except (OSError, TimeoutError, asyncio.IncompleteReadError) as fault:
        toll.failed.append(repr(fault))
        return
    if status != 200:
        toll.failed.append(str(status))
        return
    toll.served += 1
    toll.latencies_s.append(time.monotonic() - began)
