"""Receivers of alerts and reports. What they keep secret is written and never read back."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.alerts import ALERTS, check_same, name_in, read_owner, write_owner
from dayfly.api.decoding import read_json
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.receiver import Receiver, ReceiverStatus

RECEIVERS = ALERTS + "/receivers"
RECEIVER = RECEIVERS + "/{name}"

routes = Routes()


class ReceiverRequest(Receiver, kw_only=True, frozen=True):
    """A receiver; its name and namespace may be left out, since the address says them."""

    name: str = ""
    namespace: str = ""
    secret: str | None = None
    """The password, key or URL that its kind keeps secret; null to leave it as it is, empty to take it away."""

    def receiver(self, namespace: str, name: str) -> Receiver:
        """Return the receiver of this name. Raises InvalidRequest when the body names another."""
        check_same("receiver", (self.namespace, namespace), (self.name, name))
        fields = msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}
        del fields["secret"]
        return Receiver(**fields)


class Tested(msgspec.Struct, frozen=True):
    """What became of a test."""

    trouble: str
    """What there is to tell of it though it was taken, such as an address that was refused; empty as a rule."""


@routes.route(
    "GET", RECEIVERS, access="deploy", scope="visible", summary="List receivers", response=list[ReceiverStatus]
)
async def list_receivers(services: Services, request: Request) -> Response:
    """Return the receivers ordered by name, and how each does."""
    return json_answer(services.alerts.receivers(read_owner(request)))


@routes.route("GET", RECEIVER, access="deploy", scope="visible", summary="Describe a receiver", response=ReceiverStatus)
async def describe(services: Services, request: Request) -> Response:
    """Return the receiver, and how it does."""
    return json_answer(services.alerts.receiver(write_owner(request), name_in(request)))


@routes.route(
    "PUT", RECEIVER, access="admin", scope="visible", summary="Create or replace a receiver", request=ReceiverRequest,
    response=ReceiverStatus, statuses=(200, 201),
)  # fmt: skip
async def put(services: Services, request: Request) -> Response:
    """Tell them from now on; 201 when the receiver is new."""
    asked = await read_json(request, ReceiverRequest)
    receiver = asked.receiver(write_owner(request), name_in(request))
    status, done = await services.alerts.put_receiver(receiver, asked.secret)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", RECEIVER, access="admin", scope="visible", summary="Remove a receiver", statuses=(204,))
async def remove(services: Services, request: Request) -> Response:
    """Tell them nothing more, and forget what they keep secret."""
    await services.alerts.remove_receiver(write_owner(request), name_in(request))
    return Response(status_code=204)


@routes.route(
    "POST", RECEIVER + "/test", access="admin", scope="visible", summary="Send a receiver a test", response=Tested
)
async def test(services: Services, request: Request) -> Response:
    """Send something that looks like an alert and says that it is none; 503 with the reason when that fails."""
    who = principal_of(request).name
    return json_answer(Tested(await services.alerts.test(write_owner(request), name_in(request), who)))
