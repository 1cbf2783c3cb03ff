"""A small HTTP/1.1 client that says exactly what went wrong.

Common clients retry, hide a reset behind a general error, or swap a dead connection for a new one. Here each of these
is a result: `refused`, `reset`, `closed` (before a byte of the answer), `broken` (amid it), `timeout`.
"""

import asyncio
import contextlib

import msgspec

MAX_HEAD = 65_536


class Reply(msgspec.Struct, frozen=True):
    """An answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def keeps(self) -> bool:
        """Whether the connection may be used again."""
        return self.headers.get("connection", "").lower() != "close"


class Failure(Exception):
    """No whole answer came; the text is the reason in one word."""


class Connection:
    """One TCP connection to a listener; one exchange at a time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def usable(self) -> bool:
        """Whether it was opened and the server has not closed it, as far as was heard."""
        reader = self._reader
        return reader is not None and not reader.at_eof() and reader.exception() is None

    async def open(self, host: str, port: int) -> None:
        """Connect. Raises Failure."""
        try:
            self._reader, self._writer = await asyncio.open_connection(host, port, limit=MAX_HEAD)
        except ConnectionRefusedError:
            raise Failure("refused") from None
        except OSError as error:
            raise Failure(f"connect {error.strerror or type(error).__name__}") from error

    async def exchange(self, request: bytes) -> Reply:
        """Send a request and return the whole answer. Raises Failure; the connection is of no use afterwards."""
        assert self._reader is not None
        assert self._writer is not None
        begun = False
        try:
            self._writer.write(request)
            await self._writer.drain()
            head = await self._reader.readuntil(b"\r\n\r\n")
            begun = True
            status, headers = _parse_head(head)
            return Reply(status, headers, await self._body(status, headers))
        except asyncio.IncompleteReadError as end:
            raise Failure("broken" if begun or end.partial else "closed") from end
        except (ConnectionResetError, BrokenPipeError):
            raise Failure("broken by a reset" if begun else "reset") from None
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            raise Failure(f"unreadable {type(error).__name__}") from error

    def close(self) -> None:
        """Close at once. Idempotent."""
        writer, self._reader, self._writer = self._writer, None, None
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        assert self._reader is not None
        if status in (204, 304):
            return b""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return await self._chunks()
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        return await self._reader.read()

    async def _chunks(self) -> bytes:
        assert self._reader is not None
        pieces: list[bytes] = []
        while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            pieces.append((await self._reader.readexactly(size + 2))[:size])
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(pieces)


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}


def request_bytes(method: str, path: str, body: bytes, host: str, *, close: bool = False) -> bytes:
    """Return a request with a body of known length."""
    end = "Connection: close\r\n" if close else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n{end}\r\n"
    return head.encode("latin-1") + body
