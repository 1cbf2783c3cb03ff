"""The history under the addresses and in the form of Prometheus' own API, so that Grafana takes Dayfly for one.

Answers hold what the credential is good for. Where a Prometheus was named it is asked instead, by those who may see
everything: it knows no namespaces, so that others go on being answered from our own history.
"""

import itertools
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from dayfly import __version__
from dayfly.api.prometheus_form import (
    EVER_MS,
    Asked,
    limit_of,
    limited,
    moment,
    number,
    one,
    passed_on,
    read_asked,
    step_ms,
    success,
)
from dayfly.api.routes import Handler, Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.observe.history.queries import Answer, Extent, Line
from dayfly.observe.promql.parser import parse
from dayfly.observe.promql.series import Labels

routes = Routes(errors="prometheus")
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_NOW = -1


def _both(path: str, summary: str) -> Callable[[Handler], Handler]:
    """Take the question in the query string, or as a form when it is long."""

    def add(handler: Handler) -> Handler:
        routes.route("GET", path, access="look", scope="visible", summary=summary, response=dict)(handler)
        return routes.route(
            "POST", path, access="look", scope="visible", summary=summary, response=dict, request=bytes,
            takes="application/x-www-form-urlencoded",
        )(handler)  # fmt: skip

    return add


@_both("/api/v1/query", "Answer a PromQL query at one moment")
async def query(services: Services, request: Request) -> Response:
    """Return a vector, matrix, scalar or string."""
    asked = await read_asked(request)
    if theirs := await passed_on(services, request, asked):
        return theirs
    at_ms = moment(asked, "time", _NOW)
    answer = await services.history.at_moment(
        one(asked, "query"), _namespace(request), None if at_ms == _NOW else at_ms
    )
    return success(_result(answer))


@_both("/api/v1/query_range", "Answer a PromQL query over a span")
async def query_range(services: Services, request: Request) -> Response:
    """Return a matrix."""
    asked = await read_asked(request)
    if theirs := await passed_on(services, request, asked):
        return theirs
    extent = Extent(_namespace(request), moment(asked, "start", None), moment(asked, "end", None))
    answer = await services.history.over_span(one(asked, "query"), extent, step_ms(one(asked, "step")))
    return success(_result(answer))


@_both("/api/v1/series", "List series")
async def series(services: Services, request: Request) -> Response:
    """Return the labels of the series that the selectors mean."""
    asked = await read_asked(request)
    if not any(name == "match[]" for name, _ in asked):
        raise InvalidRequest("no match[] parameter provided")
    if theirs := await passed_on(services, request, asked):
        return theirs
    return limited(asked, [dict(labels) for labels in await _series(services, request, asked)])


@_both("/api/v1/labels", "List names of labels")
async def labels(services: Services, request: Request) -> Response:
    """Return the names of the labels of series."""
    asked = await read_asked(request)
    if theirs := await passed_on(services, request, asked):
        return theirs
    return limited(asked, sorted({name for each in await _series(services, request, asked) for name, _ in each}))


@routes.route(
    "GET", "/api/v1/label/{label}/values", access="look", scope="visible", summary="List values of a label",
    response=dict,
)  # fmt: skip
async def values(services: Services, request: Request) -> Response:
    """Return the values that a label has."""
    name, asked = request.path_params["label"], await read_asked(request)
    if not _LABEL.fullmatch(name):
        raise InvalidRequest(f"invalid label name: {name!r}")
    if theirs := await passed_on(services, request, asked):
        return theirs
    found = {text for each in await _series(services, request, asked) for label, text in each if label == name}
    return limited(asked, sorted(found))


@_both("/api/v1/query_exemplars", "List exemplars")
async def exemplars(services: Services, request: Request) -> Response:
    """Return none: history keeps no exemplars. A query that cannot be read is refused all the same."""
    asked = await read_asked(request)
    if theirs := await passed_on(services, request, asked):
        return theirs
    parse(one(asked, "query"))
    return success([])


@routes.route(
    "GET", "/api/v1/metadata", access="look", scope="visible", summary="Say what the metrics are", response=dict
)
async def metadata(services: Services, request: Request) -> Response:
    """Return the kind and the meaning of each metric."""
    asked = await read_asked(request)
    if theirs := await passed_on(services, request, asked):
        return theirs
    wanted = dict(asked).get("metric", "")
    found = {
        each.name: [{"type": each.kind, "help": each.help, "unit": ""}]
        for each in await services.history.families()
        if wanted in ("", each.name)
    }
    return success(dict(itertools.islice(found.items(), limit_of(asked))))


@routes.route(
    "GET", "/api/v1/status/buildinfo", access="look", scope="visible", summary="Say whose answers are given",
    response=dict,
)  # fmt: skip
async def buildinfo(services: Services, request: Request) -> Response:
    """Return the version of Prometheus whose answers ours are; programs choose by it what they ask."""
    if theirs := await passed_on(services, request, []):
        return theirs
    return success(
        {
            "version": "2.42.0", "revision": f"Dayfly {__version__}", "branch": "", "buildUser": "", "buildDate": "",
            "goVersion": "",
        }
    )  # fmt: skip


async def _series(services: Services, request: Request, asked: Asked) -> list[Labels]:
    extent = Extent(_namespace(request), moment(asked, "start", 0), moment(asked, "end", EVER_MS))
    return await services.history.series([text for name, text in asked if name == "match[]"], extent)


def _namespace(request: Request) -> str | None:
    return principal_of(request).namespace


def _result(answer: Answer) -> dict[str, object]:
    if answer.kind == "string":
        return {"resultType": "string", "result": [0, answer.text]}
    if answer.kind == "scalar":
        return {"resultType": "scalar", "result": _pair(*answer.lines[0].points[0])}
    return {"resultType": answer.kind, "result": [_line(answer, line) for line in answer.lines]}


def _line(answer: Answer, line: Line) -> dict[str, object]:
    if answer.kind == "vector":
        return {"metric": dict(line.labels), "value": _pair(*line.points[0])}
    return {"metric": dict(line.labels), "values": [_pair(*point) for point in line.points]}


def _pair(at_ms: int, value: float) -> tuple[float, str]:
    return at_ms / 1000 if at_ms % 1000 else at_ms // 1000, number(value)
