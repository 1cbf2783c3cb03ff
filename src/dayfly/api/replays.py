"""Replays: a recorded call is made once more, through a gateway as any call, and both answers are shown.

What is sent is what is kept, so that a request of which something was redacted or cut is refused: the function would
get what nobody ever sent. Whoever knows the missing part sends the request along.
"""

from contextlib import AbstractAsyncContextManager, nullcontext

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import decode_json, read_body
from dayfly.api.guard import peer_address
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.decide.redaction import redacted_body, redacted_headers
from dayfly.model.apart import Apart
from dayfly.model.direct import DirectCall, is_ours
from dayfly.model.errors import Conflict, NotFound, NotSupported
from dayfly.model.invocation import Invocation
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName, is_call_id, new_call_id
from dayfly.model.payload import CallPayload, told_payloads
from dayfly.model.replay import MAX_ANSWER_BYTES, Replay, ReplayedRequest, ReplayOrder, ReplaySide
from dayfly.model.status import FunctionStatus

_MAX_ORDER_BYTES = 4 * 2**20
_DROPPED = "header idempotency-key"
"""What a replay goes without: it is another call, and the key would be its caller's no more."""

routes = Routes()


@routes.route(
    "POST", "/v1/namespaces/{namespace}/calls/{call}/replay", access="deploy", scope=IN_PATH,
    summary="Make a recorded call once more", request=ReplayOrder, response=Replay,
)  # fmt: skip
async def replay(services: Services, request: Request) -> Response:
    """Make it now, and return both answers; 200 whatever the function answers. Its own trigger is `replay ID`."""
    if services.direct is None:
        raise NotSupported("This installation replays no calls")
    order = decode_json(await read_body(request, _MAX_ORDER_BYTES, hint="Call the function itself"), ReplayOrder)
    call_id = request.path_params["call"]
    record, payload = await _found(services, namespace_of(request), call_id, order.number)
    key = FunctionKey(NamespaceName(record.namespace), FunctionName(record.function))
    sent = order.request if order.request is not None else _as_it_was(payload)
    call = DirectCall(method=sent.method, target=sent.target, headers=sent.headers)
    call.check()
    new_id = new_call_id()
    status = await services.plane.status(key)
    async with _replica(services, status, order.revision) as apart:
        answer, body = await services.direct.call(
            key, call, sent.body,
            call_id=new_id, peer=peer_address(request), trigger=f"replay {call_id}", apart=apart,
        )  # fmt: skip
    policy = told_payloads(status.spec.annotations)
    redact = {*payload.redact, *(policy.redact if policy is not None else ())}
    body, _ = redacted_body(body, answer.headers, redact)
    headers, _ = redacted_headers(answer.headers, redact)
    new = ReplaySide(
        call_id=new_id, revision=order.revision or status.revision, status=answer.status, headers=headers,
        body=body[:MAX_ANSWER_BYTES], cut=len(body) > MAX_ANSWER_BYTES, milliseconds=answer.seconds * 1000,
    )  # fmt: skip
    old = ReplaySide(
        call_id=record.id, revision=record.revision, status=record.status, headers=payload.answer_headers,
        body=payload.answer_body, cut=payload.answer_cut, milliseconds=record.total_ms,
    )  # fmt: skip
    return json_answer(Replay(function=str(key), method=sent.method, target=sent.target, old=old, new=new))


def _replica(services: Services, status: FunctionStatus, revision: int) -> AbstractAsyncContextManager[Apart | None]:
    """Return what has a replica of the revision; none is needed where all calls get to it anyway."""
    if not revision or (status.rollout is None and revision == status.revision):
        return nullcontext()
    return services.plane.apart(status.spec.key, revision)


async def _found(services: Services, namespace: str, call_id: str, number: int) -> tuple[Invocation, CallPayload]:
    """Return the call's record and what is kept of it. Raises NotFound, Conflict."""
    records: dict[int, Invocation] = {}
    if is_call_id(call_id):
        await services.plane.refresh_load()
        found = await services.records.of_id(call_id)
        records = {each.number: each for each in found if each.namespace == namespace}
    if not records or (number and number not in records):
        raise NotFound(f"There is no record of a call {call_id[:80]} in the namespace {namespace}")
    payloads = {each.number: each for each in await services.records.payloads(namespace, call_id)}
    wanted = number or max(payloads, default=0)
    if wanted not in payloads or wanted not in records:
        raise Conflict(
            "Nothing is kept of what the call was sent",
            hint="The function's annotation com.dayfly.record.payloads says what is; docs/calls.md",
        )
    return records[wanted], payloads[wanted]


def _as_it_was(payload: CallPayload) -> ReplayedRequest:
    """Return what is kept as a request. Raises Conflict where that is not what was sent."""
    hint = "Give the request as it is to be: dayfly replay ID --edit"
    redacted = [each for each in payload.redacted if each != _DROPPED]
    if redacted:
        raise Conflict(f"It cannot be replayed as it was: redacted were {', '.join(redacted)[:300]}", hint=hint)
    if payload.body_cut:
        raise Conflict("It cannot be replayed as it was: its body was longer than what is kept of it", hint=hint)
    headers = tuple(each for each in payload.headers if not is_ours(each[0]) and each[0] != "idempotency-key")
    return ReplayedRequest(method=payload.method, target=payload.target, headers=headers, body=payload.body)
