"""Queued calls: how one stands and what came of it, cancelling it, and the dead letters of a namespace."""

import contextlib
from collections.abc import AsyncGenerator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import MAX_JSON_BYTES, decode_json, read_body, read_query
from dayfly.api.functions import FUNCTION, key_in
from dayfly.api.responses import Lines, json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest, InvalidSpec, NotFound, NotSupported
from dayfly.model.invocation import Invocation
from dayfly.model.names import is_call_id, parse_function_name
from dayfly.model.quantities import parse_duration
from dayfly.model.queued import CallStatus

CALL = "/v1/calls/{call}"
DEAD = "/v1/namespaces/{namespace}/dead-letters"
MAX_WAIT_S = 60.0
OVER = frozenset(("done", "dead", "cancelled"))
_BEAT_S = 15.0
"""How often a stream of events says that it is still there."""

_UNBUFFERED = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""Proxies keep an answer until it is whole where nobody tells them not to."""

routes = Routes()


class WaitQuery(msgspec.Struct, frozen=True):
    """How long to wait for a call's end."""

    wait: str = ""
    """A duration, up to a minute; the answer comes at once when the call is over."""


class CallsQuery(msgspec.Struct, frozen=True):
    """Which calls are wanted."""

    state: str = ""
    function: str = ""
    limit: int = 100
    """At most so many, the oldest; up to 1000."""


class DeadLetters(msgspec.Struct, frozen=True):
    """Which dead letters are meant: these, those of a function, or with neither all."""

    ids: tuple[str, ...] = ()
    function: str = ""


class Moved(msgspec.Struct, frozen=True):
    """How many calls something was done with."""

    calls: int


@routes.route(
    "GET", FUNCTION + "/may-call", access="invoke", scope=IN_PATH,
    summary="Whether the credential is good for calls of a function, which need not exist", statuses=(204,),
)  # fmt: skip
async def may_call(services: Services, request: Request) -> Response:
    """Say that it is: whoever's is not has been refused before."""
    del services
    key_in(request)
    return Response(status_code=204)


@routes.route(
    "GET", CALL, access="invoke", scope="visible", summary="How a call stands; of a queued one its answer",
    query=WaitQuery, response=CallStatus,
)  # fmt: skip
async def call(services: Services, request: Request) -> Response:
    """Return the call; with `wait`, when it is over."""
    wait_s = wait_seconds(read_query(request, WaitQuery).wait)
    try:
        seen = await _seen(services, request)
    except (NotFound, NotSupported):
        recorded = await _recorded(services, request)
        if recorded is None:
            raise
        return json_answer(recorded)
    if not wait_s or seen.state in OVER:
        return json_answer(seen)
    return json_answer(await services.queue.status(seen.id, wait_s))


@routes.route(
    "DELETE", CALL, access="invoke", scope="visible", summary="Cancel a queued or running call", response=CallStatus
)
async def cancel(services: Services, request: Request) -> Response:
    """Cancel the call."""
    seen = await _seen(services, request)
    return json_answer(await services.queue.cancel(seen.id))


@routes.route(
    "GET", CALL + "/events", access="invoke", scope="visible", summary="Follow a queued call to its end",
    response=CallStatus, media_type="text/event-stream", streams=True,
)  # fmt: skip
async def events(services: Services, request: Request) -> Response:
    """Send where the call stands, and again whenever that changes, as server-sent events.

    Who comes back with the id of the last one gets what came since, and 204, which ends a browser's coming back, when
    that was the end.
    """
    seen = await _seen(services, request)
    last = request.headers.get("last-event-id", "")
    if last == _event_id(seen) and seen.state in OVER:
        return Response(status_code=204)
    watch = partial(services.tokens.watch, principal_of(request))
    lines = Lines(_events(services, seen, last), media_type="text/event-stream", watch=watch)
    lines.headers.update(_UNBUFFERED)
    return lines


@routes.route(
    "GET", "/v1/namespaces/{namespace}/calls", access="deploy", scope=IN_PATH, summary="List queued calls",
    query=CallsQuery, response=list[CallStatus],
)  # fmt: skip
async def calls(services: Services, request: Request) -> Response:
    """Return the namespace's calls in the queue, the oldest first, without their answers."""
    return json_answer(await _listed(services, request, read_query(request, CallsQuery)))


@routes.route(
    "GET", DEAD, access="deploy", scope=IN_PATH, summary="List dead letters", query=CallsQuery,
    response=list[CallStatus],
)  # fmt: skip
async def dead_letters(services: Services, request: Request) -> Response:
    """Return the namespace's calls that failed for good, the oldest first; GET /v1/calls/ID has the last answer."""
    asked = msgspec.structs.replace(read_query(request, CallsQuery), state="dead")
    return json_answer(await _listed(services, request, asked))


@routes.route(
    "POST", DEAD + "/redrive", access="deploy", scope=IN_PATH, summary="Try dead letters again", request=DeadLetters,
    response=Moved,
)  # fmt: skip
async def redrive(services: Services, request: Request) -> Response:
    """Let dead letters begin anew, with all their attempts."""
    return json_answer(Moved(await services.queue.redrive(await _meant(services, request))))


@routes.route(
    "POST", DEAD + "/purge", access="deploy", scope=IN_PATH, summary="Let go of dead letters", request=DeadLetters,
    response=Moved,
)  # fmt: skip
async def purge(services: Services, request: Request) -> Response:
    """Forget dead letters and what they were sent."""
    return json_answer(Moved(await services.queue.purge(await _meant(services, request))))


async def _seen(services: Services, request: Request) -> CallStatus:
    """Return the call, if it is of a namespace that the credential is good for. Raises NotFound."""
    call_id = request.path_params["call"]
    unknown = NotFound(f"There is no call {call_id[:80]}; what came of a call is kept for a day")
    if not is_call_id(call_id):
        raise unknown
    try:
        status = await services.queue.status(call_id)
    except NotFound:
        raise unknown from None
    if not principal_of(request).sees(status.namespace):
        raise unknown
    return status


async def _recorded(services: Services, request: Request) -> CallStatus | None:
    """Return how a call ended that was never queued, or long ago; None when nothing is recorded of it."""
    call_id, principal = request.path_params["call"], principal_of(request)
    if not is_call_id(call_id):
        return None
    await services.plane.refresh_load()
    found = [each for each in await services.records.of_id(call_id) if principal.sees(each.namespace)]
    return _status(found) if found else None


def _status(attempts: list[Invocation]) -> CallStatus:
    last = attempts[-1]
    return CallStatus(
        id=last.id,
        function=f"{last.function}.{last.namespace}",
        namespace=last.namespace,
        state="done",
        attempts=len(attempts),
        accepted_unix_ms=attempts[0].started_unix_ms,
        finished_unix_ms=last.started_unix_ms + round(last.total_ms),
        status=last.status,
        reason=last.error,
        seconds=last.run_ms / 1000,
    )


async def _listed(services: Services, request: Request, asked: CallsQuery) -> list[CallStatus]:
    namespace = namespace_of(request)
    function = f"{parse_function_name(asked.function)}.{namespace}" if asked.function else ""
    if not 1 <= asked.limit <= 1000:
        raise InvalidRequest(f"limit: {asked.limit} must be from 1 to 1000")
    return await services.queue.listed([namespace], asked.state, function, asked.limit)


async def _meant(services: Services, request: Request) -> list[str]:
    """Return the ids of the dead letters that the body means; others' are as if they did not exist."""
    body = await read_body(request, MAX_JSON_BYTES)
    asked = decode_json(body, DeadLetters) if body.strip() else DeadLetters()
    query = CallsQuery(state="dead", function=asked.function, limit=1000)
    found = [status.id for status in await _listed(services, request, query)]
    return found if not asked.ids else [call_id for call_id in asked.ids if call_id in set(found)]


def _event_id(status: CallStatus) -> str:
    return f"{status.state}-{status.attempts}"


async def _events(services: Services, seen: CallStatus, last: str) -> AsyncGenerator[bytes, None]:
    with contextlib.suppress(NotFound):  # what came of it is not kept for ever
        while True:
            if _event_id(seen) != last:
                event = (_event_id(seen).encode(), seen.state.encode(), msgspec.json.encode(seen))
                yield b"id: %b\nevent: %b\ndata: %b\n\n" % event
            if seen.state in OVER:
                return
            before = seen
            while (seen.state, seen.attempts) == (before.state, before.attempts):
                seen = await services.queue.changed(seen.id, before, _BEAT_S)
                if (seen.state, seen.attempts) == (before.state, before.attempts):
                    yield b": still there\n\n"


def wait_seconds(text: str) -> float:
    """Return the seconds of a `wait` in a query string. Raises InvalidRequest."""
    try:
        wait_s = parse_duration(text) if text else 0.0
    except InvalidSpec as error:
        raise InvalidRequest(f"wait: {error}") from None
    if wait_s > MAX_WAIT_S:
        raise InvalidRequest(f"wait: {text[:40]!r} is more than a minute; ask again when it is over")
    return wait_s
