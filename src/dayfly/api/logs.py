"""Logs: what functions printed, as newline-delimited JSON, kept after their replicas are gone."""

import contextlib
import datetime
import re
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_query
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.responses import Lines
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest, InvalidSpec
from dayfly.model.log import LogLine
from dayfly.model.names import parse_replica_id
from dayfly.model.quantities import parse_duration
from dayfly.observe.logs import LogQuery

NDJSON = "application/x-ndjson"
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)

routes = Routes()


class LogsQuery(msgspec.Struct, frozen=True):
    """Which of a function's lines are wanted."""

    since: str = ""
    """The earliest line: an RFC 3339 time, or how long ago as a duration (`10m`)."""
    tail: int = -1
    """At most this many of the newest lines kept; a negative number means all."""
    follow: bool = False
    """Whether to go on with lines as they are printed."""
    instance: str = ""
    """Only lines of this replica."""


@routes.route(
    "GET", FUNCTION + "/logs", access="deploy", scope=IN_PATH, summary="Read or follow a function's log",
    query=LogsQuery, response=LogLine, media_type=NDJSON, streams=True,
)  # fmt: skip
async def logs(services: Services, request: Request) -> Response:
    """Send the lines kept and, when following, those to come."""
    key = key_in(request)
    asked = read_query(request, LogsQuery)
    query = LogQuery(
        key=key,
        since_unix_ns=since_unix_ns(asked.since),
        tail=asked.tail,
        replica=parse_replica_id(asked.instance) if asked.instance else "",
    )
    services.plane.newest(key)  # raises NotFound; asks no gateway for figures, unlike status()
    return stream(services, request, query, follow=asked.follow, encode=msgspec.json.encode)


def stream(
    services: Services, request: Request, query: LogQuery, *, follow: bool, encode: Callable[[LogLine], bytes]
) -> Response:
    """Return the answer that sends the lines, one JSON document each, until the credential is good no more."""
    lines = _encoded(services.logs.lines(query, follow=follow), encode)
    return Lines(lines, media_type=NDJSON, watch=partial(services.tokens.watch, principal_of(request)))


async def _encoded(
    source: AsyncGenerator[LogLine, None], encode: Callable[[LogLine], bytes]
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(source) as lines:
        async for line in lines:
            yield encode(line) + b"\n"


def since_unix_ns(text: str) -> int:
    """Return the time that `since` in a query means, 0 where nothing is said. Raises InvalidRequest."""
    return parse_since(text, time.time_ns()) if text else 0


def parse_since(text: str, now_unix_ns: int) -> int:
    """Return the time that an RFC 3339 text or a duration before now means, in Unix nanoseconds.

    Raises InvalidRequest.
    """
    if _RFC3339.fullmatch(text):
        return parse_rfc3339(text)
    try:
        return now_unix_ns - int(parse_duration(text) * 1e9)
    except InvalidSpec:
        raise InvalidRequest(f"since: {text[:40]!r} is neither an RFC 3339 time nor a duration such as 10m") from None


def parse_rfc3339(text: str) -> int:
    """Return an RFC 3339 time in Unix nanoseconds. Raises InvalidRequest."""
    match = _RFC3339.fullmatch(text)
    try:
        if match is None:
            raise ValueError(text)
        zone = match[4].replace("Z", "+00:00").replace("z", "+00:00")
        moment = datetime.datetime.fromisoformat(f"{match[1]}T{match[2]}{zone}")
    except ValueError:
        raise InvalidRequest(f"since: {text[:40]!r} is not an RFC 3339 time") from None
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return (moment - epoch) // datetime.timedelta(seconds=1) * 10**9 + int((match[3] or "0").ljust(9, "0"))
