"""Triggers: write, look at, pause and remove them, and give one an event to see what it does."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_json, read_query
from dayfly.api.events import MAX_EVENTS_BYTES, MEDIA, given_events
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.model.names import NamespaceName, parse_trigger_name
from dayfly.model.trigger import TriggerMode, TriggerSpec, TriggerStatus

TRIGGERS = "/v1/namespaces/{namespace}/triggers"
TRIGGER = TRIGGERS + "/{name}"

routes = Routes()


class TriggerRequest(TriggerSpec, kw_only=True, frozen=True):
    """A trigger; its name and namespace may be left out, since the path says them."""

    name: str = ""
    namespace: str = ""

    def spec(self, namespace: NamespaceName, name: str) -> TriggerSpec:
        """Return the trigger of this name. Raises InvalidRequest when the body names another."""
        if self.name not in ("", name) or self.namespace not in ("", namespace):
            raise InvalidRequest(f"The body names another trigger than the path, which names {name}.{namespace}")
        return TriggerSpec(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


class TriggerQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a trigger is written."""

    mode: TriggerMode = "upsert"
    """create refuses one that exists, update one that does not."""


class Tried(msgspec.Struct, frozen=True):
    """What became of an event that was given by hand."""

    delivered: bool
    """Whether its calls are in the queue; false when the filter left it, or no function wanted it."""


@routes.route(
    "GET", TRIGGERS, access="deploy", scope=IN_PATH, summary="List a namespace's triggers",
    response=list[TriggerStatus],
)  # fmt: skip
async def list_triggers(services: Services, request: Request) -> Response:
    """Return the triggers ordered by name, and how they do."""
    return json_answer(services.triggers.in_namespace(services.namespaces.get(namespace_of(request)).name))


@routes.route("GET", TRIGGER, access="deploy", scope=IN_PATH, summary="Describe a trigger", response=TriggerStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return what it is, and how it does."""
    return json_answer(services.triggers.get(*_named(request)))


@routes.route(
    "PUT", TRIGGER, access="deploy", scope=IN_PATH, summary="Create or replace a trigger", request=TriggerRequest,
    query=TriggerQuery, response=TriggerStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Let the trigger be this; 201 when it is new."""
    mode = read_query(request, TriggerQuery).mode
    spec = (await read_json(request, TriggerRequest)).spec(*_named(request))
    principal = principal_of(request)
    is_admin = principal.is_everywhere and principal.role == "admin"
    status, done = await services.triggers.put(spec, mode=mode, is_admin=is_admin)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", TRIGGER, access="deploy", scope=IN_PATH, summary="Remove a trigger", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Remove it; what it has queued is called."""
    await services.triggers.remove(*_named(request))
    return Response(status_code=204)


@routes.route(
    "POST", TRIGGER + "/pause", access="deploy", scope=IN_PATH, summary="Pause a trigger", response=TriggerStatus
)
async def pause(services: Services, request: Request) -> Response:
    """Let it rest: its source is left, and events that come to it are not taken."""
    return json_answer(await services.triggers.pause(*_named(request), paused=True))


@routes.route(
    "POST", TRIGGER + "/resume", access="deploy", scope=IN_PATH, summary="Resume a trigger", response=TriggerStatus
)
async def resume(services: Services, request: Request) -> Response:
    """Let it go on."""
    return json_answer(await services.triggers.pause(*_named(request), paused=False))


@routes.route(
    "POST", TRIGGER + "/test", access="deploy", scope=IN_PATH, summary="Give a trigger an event", request=bytes,
    takes=MEDIA, response=Tried,
)  # fmt: skip
async def test(services: Services, request: Request) -> Response:
    """Deliver a CloudEvent as if the trigger's source had, and say whether anybody wanted it."""
    events = await given_events(request, MAX_EVENTS_BYTES)
    if len(events) != 1:
        raise InvalidRequest("A trigger is tried with one event")
    return json_answer(Tried(await services.intake.give(*_named(request), events[0])))


def _named(request: Request) -> tuple[NamespaceName, str]:
    return namespace_of(request), parse_trigger_name(request.path_params["name"])
