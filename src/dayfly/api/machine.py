"""The machine or cluster: what it has and uses, and what runs there."""

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.services import Services
from dayfly.model.errors import NotSupported
from dayfly.model.machine import Machine

routes = Routes()


@routes.route(
    "GET", "/v1/machine", access="admin", scope="installation", summary="Show the machine and what runs there",
    response=Machine,
)  # fmt: skip
async def machine(services: Services, _request: Request) -> Response:
    """Return nodes, processes, replicas, containers and images, and what is used of the machine now."""
    if services.machine is None:
        raise NotSupported("this installation does not look at its machine")
    try:
        return json_answer(await services.machine.look())
    except OSError as error:
        raise NotSupported(f"the kernel tells nothing of this machine: {error}") from error
