"""Records of calls: which there were, how each went, and what was printed meanwhile."""

import re
from collections.abc import AsyncGenerator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.calls import CALL
from dayfly.api.decoding import check_count, read_query
from dayfly.api.logs import NDJSON, since_unix_ns
from dayfly.api.responses import Lines, json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotFound
from dayfly.model.invocation import Invocation, RecordQuery
from dayfly.model.log import LogLine
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, is_call_id, parse_function_name
from dayfly.model.payload import CallPayload
from dayfly.model.quantities import parse_duration
from dayfly.model.rollup import Rollup, Span
from dayfly.observe.logs import LogQuery
from dayfly.observe.rollups import RollupQuery

MAX_RECORDS, MAX_ROLLUPS = 1000, 10_000
_STATUS = re.compile(r"[1-5]xx|[1-5][0-9]{2}")
_EARLIER_NS = 10**9
"""How long before a call's start its lines are looked for: clocks of a machine agree, but for what rounding does."""

routes = Routes()


class RecordsQuery(msgspec.Struct, frozen=True):
    """Which calls are wanted, the newest first."""

    function: str = ""
    failed: bool = False
    since: str = ""
    """The earliest start: an RFC 3339 time, or how long ago as a duration (`10m`)."""
    until: str = ""
    """The same, and only calls that started before it."""
    slow: str = ""
    """Only calls that took so long or longer, as a duration (`500ms`)."""
    status: str = ""
    """A status, or a class of them: `404`, `5xx`."""
    trigger: str = ""
    """`http`, `queue`, `cron`, `route` for all routes or `route NAME` for one, …"""
    limit: int = 100
    """At most so many, up to 1000."""
    before: int = 0
    """Only calls with lower numbers: the last one's, for the next page."""
    after: int = 0
    """Only calls with higher numbers: the newest one's, for what is new since."""


class RollupsQuery(msgspec.Struct, frozen=True):
    """Which roll-ups are wanted, the newest first."""

    by: Span = "hour"
    function: str = ""
    since: str = ""
    """The earliest: an RFC 3339 time, or how long ago as a duration (`24h`)."""
    limit: int = 1000
    """At most so many, up to 10000."""


@routes.route(
    "GET", "/v1/namespaces/{namespace}/records", access="deploy", scope=IN_PATH, summary="List calls that are over",
    query=RecordsQuery, response=list[Invocation],
)  # fmt: skip
async def records(services: Services, request: Request) -> Response:
    """Return the namespace's calls, the newest first."""
    query = _query(namespace_of(request), read_query(request, RecordsQuery))
    await services.plane.refresh_load()  # so that what was answered before this request is among them
    return json_answer(await services.records.find(query))


@routes.route(
    "GET", "/v1/namespaces/{namespace}/rollups", access="deploy", scope=IN_PATH,
    summary="What calls came to in each minute or hour", query=RollupsQuery, response=list[Rollup],
)  # fmt: skip
async def rollups(services: Services, request: Request) -> Response:
    """Return the namespace's roll-ups, the newest first."""
    asked = read_query(request, RollupsQuery)
    check_count("limit", asked.limit, MAX_ROLLUPS)
    query = RollupQuery(
        namespace=namespace_of(request),
        span=asked.by,
        function=parse_function_name(asked.function) if asked.function else "",
        since_unix_s=max(0, since_unix_ns(asked.since) // 10**9),
        limit=asked.limit,
    )
    await services.plane.refresh_load()
    return json_answer(await services.records.rolled_up(query))


@routes.route(
    "GET", CALL + "/records", access="deploy", scope="visible", summary="How a call went, with each attempt",
    response=list[Invocation],
)  # fmt: skip
async def of_call(services: Services, request: Request) -> Response:
    """Return what is recorded of a call, the oldest first: a queued call has a record for each attempt."""
    return json_answer(await _visible(services, request))


@routes.route(
    "GET", CALL + "/payloads", access="payloads", scope="visible", summary="What a call was sent and answered",
    response=list[CallPayload],
)  # fmt: skip
async def payloads_of_call(services: Services, request: Request) -> Response:
    """Return what is kept, for each attempt. It takes a credential that may deploy, not only look."""
    found = await _visible(services, request)
    kept = [
        each
        for namespace in dict.fromkeys(each.namespace for each in found)
        for each in await services.records.payloads(namespace, found[0].id)
    ]
    return json_answer(kept)


@routes.route(
    "GET", CALL + "/logs", access="deploy", scope="visible", summary="What was printed while a call was worked on",
    response=LogLine, media_type=NDJSON, streams=True,
)  # fmt: skip
async def logs_of_call(services: Services, request: Request) -> Response:
    """Send the lines that carry the call's id, of the functions that it is recorded of."""
    found = await _visible(services, request)
    watch = partial(services.tokens.watch, principal_of(request))
    return Lines(_lines(services, found), media_type=NDJSON, watch=watch)


async def _visible(services: Services, request: Request) -> list[Invocation]:
    """Return the records of the call in namespaces that the credential is good for. Raises NotFound."""
    call_id, principal = request.path_params["call"], principal_of(request)
    found: list[Invocation] = []
    if is_call_id(call_id):
        await services.plane.refresh_load()
        found = [each for each in await services.records.of_id(call_id) if principal.sees(each.namespace)]
    if not found:
        raise NotFound(f"There is no record of a call {call_id[:80]}", hint="Calls are recorded as DAYFLY_RECORDS says")
    return found


async def _lines(services: Services, found: list[Invocation]) -> AsyncGenerator[bytes, None]:
    since_ns = min(each.started_unix_ms for each in found) * 1_000_000 - _EARLIER_NS
    for namespace, name in dict.fromkeys((each.namespace, each.function) for each in found):
        key = FunctionKey(NamespaceName(namespace), FunctionName(name))
        async for line in services.logs.lines(LogQuery(key=key, since_unix_ns=since_ns, call_id=found[0].id)):
            yield msgspec.json.encode(line) + b"\n"


def _query(namespace: str, asked: RecordsQuery) -> RecordQuery:
    check_count("limit", asked.limit, MAX_RECORDS)
    if not 0 <= min(asked.before, asked.after) <= max(asked.before, asked.after) < 2**63:
        raise InvalidRequest("before and after are numbers of calls")
    if asked.status and not _STATUS.fullmatch(asked.status):
        raise InvalidRequest(f"status: {asked.status[:40]!r} is neither a status such as 404 nor a class such as 5xx")
    low, high = asked.status.replace("x", "0"), asked.status.replace("x", "9")
    return RecordQuery(
        namespace=namespace,
        function=parse_function_name(asked.function) if asked.function else "",
        failed=asked.failed,
        since_unix_ms=max(0, since_unix_ns(asked.since) // 1_000_000),
        until_unix_ms=since_unix_ns(asked.until) // 1_000_000 if asked.until else None,
        slow_ms=_slow_ms(asked.slow),
        status_from=int(low or 0),
        status_to=int(high or 999),
        trigger=asked.trigger[:300],
        limit=asked.limit,
        before=asked.before,
        after=asked.after,
    )


def _slow_ms(text: str) -> float:
    try:
        return parse_duration(text) * 1000 if text else 0.0
    except InvalidSpec as error:
        raise InvalidRequest(f"slow: {error}") from None
