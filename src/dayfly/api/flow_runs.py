"""Runs of flows: begin, look at, tell, cancel and rerun them."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.calls import WaitQuery, wait_seconds
from dayfly.api.decoding import read_body, read_json, read_query
from dayfly.api.flows import FLOW
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import IN_PATH, namespace_of, principal_of
from dayfly.api.services import Services
from dayfly.model.depth import HEADER, parse_depth
from dayfly.model.errors import InvalidRequest
from dayfly.model.flow_data import MAX_DATA_BYTES, to_data
from dayfly.model.flow_run import RunState
from dayfly.model.flow_status import Judgement, Rerun, RunReport, RunSummary
from dayfly.model.names import parse_flow_name

RUNS = "/v1/namespaces/{namespace}/flow-runs"
RUN = RUNS + "/{run}"
_HINT = "Keep what is large where functions find it, and pass on where that is."

routes = Routes()


class RunsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs are wanted."""

    flow: str = ""
    state: RunState | None = None
    limit: int = 100
    """At most so many, the newest; up to 1000."""


@routes.route(
    "POST", FLOW + "/runs", access="invoke", scope=IN_PATH, summary="Begin a run of a flow", request=bytes,
    query=WaitQuery, response=RunReport, statuses=(200, 202),
)  # fmt: skip
async def start(services: Services, request: Request) -> Response:
    """Begin a run with the body as its input: 202, and with `wait` 200 if it is over by then.

    With an Idempotency-Key it begins once; whoever asks again gets the first one.
    """
    wait_s = wait_seconds(read_query(request, WaitQuery).wait)
    namespace, name = namespace_of(request), parse_flow_name(request.path_params["name"])
    report = await services.runs.start(
        namespace, name, await _data(request), by=principal_of(request).name,
        key=request.headers.get("idempotency-key", ""), depth=_depth(request),
    )  # fmt: skip
    if wait_s:
        report = await services.runs.report(namespace, report.run.id, wait_s)
    return json_answer(report, 202 if report.run.state == "running" else 200)


@routes.route(
    "GET", RUNS, access="deploy", scope=IN_PATH, summary="List a namespace's runs of flows", query=RunsQuery,
    response=list[RunSummary],
)  # fmt: skip
async def list_runs(services: Services, request: Request) -> Response:
    """Return the runs, the newest first."""
    asked = read_query(request, RunsQuery)
    if not 1 <= asked.limit <= 1000:
        raise InvalidRequest(f"limit: {asked.limit} must be from 1 to 1000")
    namespace = services.namespaces.get(namespace_of(request)).name
    flow = parse_flow_name(asked.flow) if asked.flow else ""
    return json_answer(await services.runs.listed(namespace, flow=flow, state=asked.state, limit=asked.limit))


@routes.route(
    "GET", RUN, access="known", scope=IN_PATH, summary="Describe a run of a flow", query=WaitQuery, response=RunReport
)
async def describe(services: Services, request: Request) -> Response:
    """Return the run with every step it took; with `wait`, when it is over."""
    wait_s = wait_seconds(read_query(request, WaitQuery).wait)
    return json_answer(await services.runs.report(namespace_of(request), _run(request), wait_s))


@routes.route("DELETE", RUN, access="invoke", scope=IN_PATH, summary="Cancel a run of a flow", response=RunReport)
async def cancel(services: Services, request: Request) -> Response:
    """Let the run be over, and with it what it has under way."""
    await services.runs.cancel(namespace_of(request), _run(request), by=principal_of(request).name)
    return json_answer(await services.runs.report(namespace_of(request), _run(request)))


@routes.route(
    "POST", RUN + "/events/{event}", access="invoke", scope=IN_PATH, summary="Send an event to a run of a flow",
    request=bytes, statuses=(204,),
)  # fmt: skip
async def send(services: Services, request: Request) -> Response:
    """Send the event with the body as its payload; it is in the run's log when this returns.

    With an Idempotency-Key the run gets it once.
    """
    event, payload = request.path_params["event"], await _data(request)
    await services.runs.send(
        namespace_of(request), _run(request), event, payload, by=principal_of(request).name,
        key=request.headers.get("idempotency-key", ""),
    )  # fmt: skip
    return Response(status_code=204)


@routes.route(
    "POST", RUN + "/approvals/{step}", access="deploy", scope=IN_PATH, summary="Approve or reject a step of a run",
    request=Judgement, statuses=(204,),
)  # fmt: skip
async def judge(services: Services, request: Request) -> Response:
    """Say yes or no to a step that waits for it; who said so is kept."""
    said, step = await read_json(request, Judgement), request.path_params["step"]
    await services.runs.judge(namespace_of(request), _run(request), step, said, by=principal_of(request).name)
    return Response(status_code=204)


@routes.route(
    "POST", RUN + "/rerun", access="invoke", scope=IN_PATH, summary="Begin a run that goes on from a step of another",
    request=Rerun, response=RunReport, statuses=(202,),
)  # fmt: skip
async def rerun(services: Services, request: Request) -> Response:
    """Begin a run that keeps what came before the step, and takes it and all that follows anew."""
    asked = await read_json(request, Rerun)
    report = await services.runs.rerun(
        namespace_of(request), _run(request), asked, by=principal_of(request).name, depth=_depth(request)
    )
    return json_answer(report, 202)


async def _data(request: Request) -> object:
    body = await read_body(request, MAX_DATA_BYTES, hint=_HINT)
    return to_data(body, request.headers.get("content-type", ""))


def _depth(request: Request) -> int:
    """Return how deep the call of a function is that asks; 0 when none's does."""
    return parse_depth(request.headers.get(HEADER, ""))


def _run(request: Request) -> str:
    run: str = request.path_params["run"]
    return run
