"""Searching the logs of a namespace: also of functions, and of replicas, that are gone."""

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import check_count, read_query
from dayfly.api.logs import since_unix_ns
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.decide.log_search import parse_search
from dayfly.model.errors import InvalidRequest
from dayfly.model.log import FoundLines, Level
from dayfly.model.names import parse_function_name, parse_replica_id
from dayfly.observe.logs import LogSearch

MAX_LINES = 1000
routes = Routes()


class SearchQuery(msgspec.Struct, frozen=True):
    """Which lines are searched for."""

    search: str = ""
    """Words that a line has: `timeout`, `"order failed"`, `time*`, `-health`; empty for all lines."""
    function: str = ""
    since: str = ""
    """The earliest line: an RFC 3339 time, or how long ago as a duration (`10m`)."""
    until: str = ""
    """The same for the latest."""
    level: Level | Literal[""] = ""
    """Only lines that say so of themselves."""
    instance: str = ""
    """Only lines of this replica."""
    stream: Literal["", "stdout", "stderr", "platform"] = ""
    call: str = ""
    """Only lines printed in the call of this id."""
    limit: int = 100
    """At most so many, up to 1000."""
    before: int = 0
    """Only lines with lower numbers: what the last page says, for the next."""


@routes.route(
    "GET", "/v1/namespaces/{namespace}/logs", access="deploy", scope=IN_PATH, summary="Search a namespace's logs",
    query=SearchQuery, response=FoundLines,
)  # fmt: skip
async def search(services: Services, request: Request) -> Response:
    """Return a page of lines, the newest first. A page that is not full may have another: `before` is not 0 then."""
    asked = read_query(request, SearchQuery)
    check_count("limit", asked.limit, MAX_LINES)
    if not 0 <= asked.before < 2**63:
        raise InvalidRequest("before: is the number of a line")
    wanted = LogSearch(
        namespace=namespace_of(request),
        terms=parse_search(asked.search),
        function=parse_function_name(asked.function) if asked.function else "",
        replica=parse_replica_id(asked.instance) if asked.instance else "",
        stream=asked.stream,
        call_id=asked.call[:200],
        level=asked.level or None,
        since_unix_ns=since_unix_ns(asked.since),
        until_unix_ns=since_unix_ns(asked.until),
        before=asked.before,
        limit=asked.limit,
    )
    return json_answer(await services.logs.search(wanted))
