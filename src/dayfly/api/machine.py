"""The machine or cluster: what it has and uses, what runs there, and what the platform's own parts say."""

import contextlib
from collections.abc import AsyncGenerator
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import read_query
from dayfly.api.logs import NDJSON
from dayfly.api.responses import Lines, json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Machines, Services
from dayfly.model.errors import NotSupported
from dayfly.model.machine import Machine, PartLine

_TAIL = 200

routes = Routes()


class PartLogQuery(msgspec.Struct, frozen=True):
    """Which lines of a part are wanted."""

    tail: int = _TAIL
    """At most this many of the newest lines; a negative number means all that are kept."""
    follow: bool = False
    """Whether to go on with lines as they are written."""


@routes.route(
    "GET", "/v1/machine", access="admin", scope="installation", summary="Show the machine and what runs there",
    response=Machine,
)  # fmt: skip
async def machine(services: Services, _request: Request) -> Response:
    """Return nodes, processes, replicas, containers and images, and what is used of the machine now."""
    try:
        return json_answer(await _machine(services).look())
    except OSError as error:
        raise NotSupported(f"the kernel tells nothing of this machine: {error}") from error


@routes.route(
    "GET", "/v1/machine/logs/{part}", access="admin", scope="installation",
    summary="Read or follow the log of a process, container or pod of the platform",
    query=PartLogQuery, response=PartLine, media_type=NDJSON, streams=True,
)  # fmt: skip
async def part_log(services: Services, request: Request) -> Response:
    """Send the lines kept and, when following, those to come, until the credential is good no more.

    A process is named by the `log` that `/v1/machine` says of it, a container or pod by its name.
    """
    asked = read_query(request, PartLogQuery)
    lines = await _machine(services).log(request.path_params["part"], tail=asked.tail, follow=asked.follow)
    return Lines(_encoded(lines), media_type=NDJSON, watch=partial(services.tokens.watch, principal_of(request)))


async def _encoded(source: AsyncGenerator[PartLine, None]) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(source) as lines:
        async for line in lines:
            yield msgspec.json.encode(line) + b"\n"


def _machine(services: Services) -> Machines:
    if services.machine is None:
        raise NotSupported("this installation does not look at its machine")
    return services.machine
