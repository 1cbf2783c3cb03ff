"""What is asked of a registry and what it answers; answers are read up to a bound."""

from collections.abc import AsyncIterator, Callable, Mapping

import httpx2
import msgspec

from dayfly.model.errors import PayloadTooLarge
from dayfly.oci.registry.retrying import ATTEMPTS

Scopes = frozenset[str]
"""What somebody must be allowed to do: `repository:team/app:pull`."""
NOTHING: Scopes = frozenset()
MAX_REFUSAL = 65_536
"""How much is read of an answer that matters little."""


class Body(msgspec.Struct, frozen=True):
    """What is sent, so that it can be sent again."""

    size: int
    pieces: Callable[[], AsyncIterator[bytes]]

    @classmethod
    def of(cls, data: bytes) -> "Body":
        """Return a body of these bytes."""

        async def pieces() -> AsyncIterator[bytes]:
            yield data

        return cls(len(data), pieces)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a registry."""

    doing: str
    """What it is for, completing "could not": `push team/app`."""
    method: str
    url: httpx2.URL
    scopes: Scopes = NOTHING
    headers: dict[str, str] = {}
    body: Body | None = None
    good: frozenset[int] = frozenset({200})
    """Answers that are no refusal."""
    attempts: int = ATTEMPTS


class Answer(msgspec.Struct, frozen=True):
    """What it answered, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: httpx2.URL
    """Where it came from, after all redirects."""


async def read(answer: httpx2.Response, limit: int, request: Request) -> bytes:
    """Return the whole body and end the answer. Raises PayloadTooLarge, and what the HTTP library raises."""
    body = bytearray()
    try:
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > limit:
                raise PayloadTooLarge(f"The answer to a request to {request.doing} is larger than {limit} bytes.")
    finally:
        await answer.aclose()
    return bytes(body)


async def drain(answer: httpx2.Response, request: Request) -> bytes:
    """End an answer so that its connection may serve again, and return what it said, nothing if that was too much."""
    try:
        return await read(answer, MAX_REFUSAL, request)
    except (httpx2.HTTPError, PayloadTooLarge):
        return b""
