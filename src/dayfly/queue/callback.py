"""Callbacks: what came of a call, posted to where its caller asked for it (threat T9).

Where that leads is judged on the address that is connected to, by the rules that functions' own connections obey; what
the installation does not allow is not connected to, whatever a name says. No redirect is followed, no proxy is used,
and nothing of the answer but its status is ever looked at.
"""

import asyncio
import functools
import re
import ssl
from typing import Protocol
from urllib.parse import SplitResult

import msgspec

from dayfly.model.depth import HEADER
from dayfly.model.errors import InvalidRequest
from dayfly.model.queued import Result
from dayfly.model.url import split_url
from dayfly.queue.trust import Trust
from dayfly.runtimes.jail.egress.dial import Refused, Streams, dial
from dayfly.runtimes.jail.egress.lookups import Lookups, Unreachable
from dayfly.runtimes.jail.egress.policy import Rules

TIMEOUT_S = 10.0
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]")
_STATUS_BYTES = 4_096
_OURS = frozenset(
    (
        b"x-call-id",
        b"x-function-name",
        b"x-function-status",
        b"x-duration-seconds",
        b"x-start-time",
        HEADER.lower().encode(),
    )
)
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"host", b"date", b"trailer"))


class Deliver(Protocol):
    """Makes a callback once."""

    async def __call__(self, url: str, result: Result, /) -> str:
        """Return why it failed; nothing when it was taken."""
        ...


class Target(msgspec.Struct, frozen=True):
    """Where a callback goes."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The Host header."""
        usual = 443 if self.secure else 80
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == usual else f"{host}:{self.port}"


class Callbacks:
    """Makes callbacks to what `allow` grants. Raises InvalidSpec when it cannot be read."""

    def __init__(
        self, allow: tuple[str, ...], tls: ssl.SSLContext | None = None, lookups: Lookups | None = None
    ) -> None:
        self._rules = Rules(allow)
        self._trust = Trust(tls)
        self._lookups = lookups or Lookups()

    async def __call__(self, url: str, result: Result, /) -> str:
        """Post the result; return why that failed, or nothing."""
        try:
            target = parse_callback(url)
            async with asyncio.timeout(TIMEOUT_S):
                return await self._post(target, result)
        except (Refused, Unreachable, InvalidRequest) as why:
            return f"{why}"
        except TimeoutError:
            return f"{target.authority} did not answer within {TIMEOUT_S:g} s"
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError, ValueError) as fault:
            return f"{target.authority}: {fault}"

    async def _post(self, target: Target, result: Result) -> str:
        look_up = functools.partial(self._lookups.find, result.function)
        streams = await dial(self._rules, look_up, target.host, target.port)
        status = await post(streams, target, self._trust, callback_head(target, result), result.body)
        if not status:
            return f"{target.authority} did not answer in HTTP"
        return "" if 200 <= status < 300 else f"{target.authority} answered {status}"


async def post(streams: Streams, target: Target, trust: Trust, head: bytes, body: bytes) -> int:
    """Send a request over a new connection, which ends here, and return the answer's status; 0 when it is not HTTP."""
    reader, writer = streams
    try:
        if target.secure:
            await writer.start_tls(await asyncio.to_thread(trust.context), server_hostname=target.host)
        writer.write(head)
        writer.write(body)
        await writer.drain()
        line = await _first_line(reader)
    finally:
        writer.transport.abort()
    found = _STATUS.match(line)
    return int(found[1]) if found is not None else 0


def parse_callback(url: str) -> Target:
    """Return where a callback URL leads. Raises InvalidRequest when that is not beyond doubt."""
    return parse_url("X-Callback-Url", url)


def parse_url(field: str, url: str) -> Target:
    """Return where a URL leads that somebody gave in a field. Raises InvalidRequest when that is not beyond doubt."""
    try:
        parts = split_url(url)
    except ValueError as error:
        raise InvalidRequest(f"{field}: {error}") from None
    if "@" in parts.netloc:
        raise InvalidRequest(f"{field}: a user name or password in the URL is not taken")
    return Target(
        secure=parts.scheme == "https",
        host=parts.hostname or "",
        port=parts.port or (443 if parts.scheme == "https" else 80),
        path=_path(parts),
    )


def callback_head(target: Target, result: Result) -> bytes:
    """Return the head of a callback: the answer's headers, and who answered what."""
    passed = [line for line in result.lines.split(b"\r\n") if line and not _ends(line)]
    status = result.status or 503
    ours = [
        b"POST %b HTTP/1.1" % target.path.encode(),
        b"Host: %b" % target.authority.encode(),
        b"Connection: close",
        *passed,
        b"X-Call-Id: %b" % result.id.encode(),
        b"X-Function-Name: %b" % result.function.encode(),
        b"X-Function-Status: %d" % status,
        b"X-Duration-Seconds: %.6f" % result.seconds,
        b"%b: %d" % (HEADER.encode(), result.depth),
        b"Content-Length: %d" % len(result.body),
    ]
    return b"\r\n".join(ours) + b"\r\n\r\n"


def _ends(line: bytes) -> bool:
    name = line.partition(b":")[0].strip().lower()
    return name in _OURS or name in _FRAMING


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def _first_line(reader: asyncio.StreamReader) -> bytes:
    said = b""
    while b"\n" not in said and len(said) < _STATUS_BYTES:
        piece = await reader.read(_STATUS_BYTES)
        if not piece:
            break
        said += piece
    return said.partition(b"\n")[0] + b"\r"
