"""The storm: thousands of damaged requests on a listener of a running platform, every answer foreseen.

For each of them the engine itself, fed in this process, says what must happen: how many answers, whether a refusal
follows and with which status, whether the connection is closed. A listener that does anything else, is late, or
answers with an error of its own, is told of. So is the number of calls that a canary behind it must have had.
"""

import asyncio
import time
from collections.abc import Iterable

import msgspec

from dayfly.gateway.routes import route
from dayfly.http1.limits import Limits
from dayfly.http1.refusal import Refusal
from dayfly.http1.server import ServerConnection
from fuzz.engine import Verdict, read

DEADLINE_S = 10.0
CANARY = (b"canary", b"canary.openfaas-fn")
_CONTROL_BODY_BYTES = 68_157_440
_LONGEST = 12


class Outcome(msgspec.Struct):
    """What a storm came to."""

    sent: int = 0
    answers: int = 0
    refused: int = 0
    calls: int = 0
    """How many requests must have reached the canary."""
    unsure: int = 0
    """How many of these may not have reached it, and were answered so."""
    slowest_s: float = 0.0
    wrong: list[str] = []
    """What happened otherwise than foreseen."""

    def add(self, what: str, raw: bytes) -> None:
        """Note that something went wrong."""
        self.wrong.append(f"{what}: {raw!r}")


def foreseen(raw: bytes, *, public: bool) -> Verdict:
    """Return what a listener must make of a connection's bytes."""

    def admit(connection: ServerConnection, target: bytes) -> None:
        if not public or route(target) is None:
            connection.body_limit = _CONTROL_BODY_BYTES

    return read([raw], Limits(), admit)


def is_call(target: bytes) -> bool:
    """Whether a request with this target is a call of the canary."""
    try:
        found = route(target)
    except Refusal:
        return False
    return found is not None and found.name in CANARY


async def storm(host: str, port: int, sequences: Iterable[bytes], *, public: bool, connections: int = 16) -> Outcome:
    """Send every sequence on a connection of its own, so many at a time, and return what happened."""
    outcome = Outcome()
    source = iter(sequences)

    async def work() -> None:
        for raw in source:
            verdict = foreseen(raw, public=public)
            outcome.sent += 1
            if public:
                outcome.calls += sum(is_call(each.head.target) for each in verdict.accepted)
            began = time.monotonic()
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await _converse(host, port, raw, verdict, outcome)
            except TimeoutError:
                outcome.add(f"no answer within {DEADLINE_S:g} s", raw)
            except (OSError, asyncio.IncompleteReadError, ValueError) as fault:
                outcome.add(f"the connection broke ({fault!r})", raw)
            outcome.slowest_s = max(outcome.slowest_s, time.monotonic() - began)

    await asyncio.gather(*(work() for _ in range(connections)))
    return outcome


async def _converse(host: str, port: int, raw: bytes, verdict: Verdict, outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    try:
        writer.write(raw)
        for accepted in verdict.accepted:
            status = await read_answer(reader, bodiless=accepted.head.method == b"HEAD")
            outcome.answers += 1
            if status == 502 and b"upgrade:" in raw.lower():
                # What asks for an upgrade is not sent again when the replica's connection ends under it.
                outcome.unsure += 1
            elif status >= 500 and status != 505:
                outcome.add(f"answered with {status}", raw)
        if verdict.status:
            status = await read_answer(reader, bodiless=False)
            outcome.refused += 1
            if status != verdict.status:
                outcome.add(f"refused with {status} instead of {verdict.status}", raw)
        if verdict.closed and await reader.read(_LONGEST):
            outcome.add("something came after the end", raw)
    finally:
        writer.transport.abort()


async def read_answer(reader: asyncio.StreamReader, *, bodiless: bool) -> int:
    """Read a whole answer, interim ones passed over, and return its status. Raises IncompleteReadError, ValueError."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status >= 200:
            break
    headers: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n")[1:-2]:
        name, _, value = line.partition(b": ")
        headers[name.lower()] = value
    if bodiless or status in (204, 304):
        return status
    if headers.get(b"transfer-encoding") == b"chunked":
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        while await reader.readline() != b"\r\n":
            pass
    elif b"content-length" in headers:
        await reader.readexactly(int(headers[b"content-length"]))
    else:
        await reader.read()
    return status
