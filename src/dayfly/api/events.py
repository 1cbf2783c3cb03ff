"""Events that come in: CloudEvents posted by whoever may call functions, and webhooks signed by whoever sends them."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dayfly.api.decoding import read_body
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of
from dayfly.api.services import Services
from dayfly.events.cloudevents import STRUCTURED, read_events
from dayfly.events.s3_notification import notified_events
from dayfly.model.depth import ATTRIBUTE, HEADER
from dayfly.model.errors import InvalidName, NotFound
from dayfly.model.event import Event
from dayfly.model.names import NamespaceName, parse_namespace, parse_trigger_name

MAX_EVENTS_BYTES = 4 * 2**20
MEDIA = STRUCTURED
_HINT = "send fewer events at a time; what is large belongs into object storage, and its address into the event"

routes = Routes()
hooks = Routes()


class Published(msgspec.Struct, frozen=True):
    """What became of posted events."""

    events: int
    delivered: int
    """Of how many somebody is called for; the others no trigger wanted."""


@routes.route(
    "POST", "/v1/namespaces/{namespace}/events", access="invoke", scope=IN_PATH, summary="Post CloudEvents",
    request=bytes, takes=MEDIA, response=Published, statuses=(202,),
)  # fmt: skip
async def publish(services: Services, request: Request) -> Response:
    """Deliver CloudEvents, binary, structured or a batch, to the triggers of kind `event` that take them.

    A notification as S3's servers send it is as many events as it has records.
    202 once every call is in the queue; events that were posted before call nothing again within a day.
    """
    namespace = services.namespaces.get(namespace_of(request)).name
    events = await given_events(request, MAX_EVENTS_BYTES)
    return json_answer(Published(len(events), await services.intake.publish(namespace, events)), 202)


@hooks.route(
    "POST", "/hooks/{namespace}/{name}", access="signed", scope="open", summary="Deliver a webhook", request=bytes,
    media_type="text/plain", statuses=(200, 202), is_call=True,
)  # fmt: skip
async def receive(services: Services, request: Request) -> Response:
    """Take what was signed with the trigger's secret; 202 once the call is in the queue, 404 for no such webhook."""
    namespace, name = _hook(request)
    limit_bytes = services.intake.hook(namespace, name).body_bytes
    body = await read_body(request, limit_bytes, hint="the trigger's max_body says how large it may be")
    answer = await services.intake.receive(namespace, name, _headers(request), body)
    return PlainTextResponse(answer) if answer else Response(status_code=202)


async def given_events(request: Request, limit_bytes: int) -> list[Event]:
    """Return the events of a request, CloudEvents or a bucket's. Raises InvalidRequest, PayloadTooLarge."""
    body = await read_body(request, limit_bytes, hint=_HINT)
    events = notified_events(body) if "ce-specversion" not in request.headers else []
    events = events or read_events(request.headers.items(), body)
    depth = request.headers.get(HEADER, "")
    if not depth:
        return events
    # A function posts them, and what they lead to counts as if it had called.
    return [replace(event, extensions={**event.extensions, ATTRIBUTE: depth}) for event in events]


def _hook(request: Request) -> tuple[NamespaceName, str]:
    try:
        return parse_namespace(request.path_params["namespace"]), parse_trigger_name(request.path_params["name"])
    except InvalidName:
        raise NotFound("There is no webhook here") from None


def _headers(request: Request) -> Mapping[str, Sequence[str]]:
    return {name: request.headers.getlist(name) for name in request.headers}
