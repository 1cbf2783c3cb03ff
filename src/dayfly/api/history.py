"""The history under the addresses and in the form of Prometheus' own API, so that Grafana takes Dayfly for one.

Answers hold what the credential is good for. Where a Prometheus was named it is asked instead, by those who may see
everything: it knows no namespaces, so that others go on being answered from our own history.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from dayfly import __version__
from dayfly.api.decoding import read_body
from dayfly.api.responses import json_answer
from dayfly.api.routes import Handler, Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.errors import InvalidRequest
from dayfly.observe.history.queries import Answer, Extent, Line
from dayfly.observe.promql.lexer import duration_ms
from dayfly.observe.promql.series import Labels

routes = Routes(errors="prometheus")
MAX_FORM_BYTES = 256 * 1024
_SPAN = re.compile(r"(?:[0-9]+(?:ms|[smhdwy]))+")
_LABEL = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")
_EVER_MS = 2**53
_NOW = -1
Asked = list[tuple[str, str]]


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
    asked = await _asked(request)
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    at_ms = _moment(asked, "time", _NOW)
    answer = await services.history.at_moment(
        _one(asked, "query"), _namespace(request), None if at_ms == _NOW else at_ms
    )
    return _success(_result(answer))


@_both("/api/v1/query_range", "Answer a PromQL query over a span")
async def query_range(services: Services, request: Request) -> Response:
    """Return a matrix."""
    asked = await _asked(request)
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    extent = Extent(_namespace(request), _moment(asked, "start", None), _moment(asked, "end", None))
    answer = await services.history.over_span(_one(asked, "query"), extent, _step_ms(_one(asked, "step")))
    return _success(_result(answer))


@_both("/api/v1/series", "List series")
async def series(services: Services, request: Request) -> Response:
    """Return the labels of the series that the selectors mean."""
    asked = await _asked(request)
    if not any(name == "match[]" for name, _ in asked):
        raise InvalidRequest("no match[] parameter provided")
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    return _success([dict(labels) for labels in await _series(services, request, asked)])


@_both("/api/v1/labels", "List names of labels")
async def labels(services: Services, request: Request) -> Response:
    """Return the names of the labels of series."""
    asked = await _asked(request)
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    return _success(sorted({name for each in await _series(services, request, asked) for name, _ in each}))


@routes.route(
    "GET", "/api/v1/label/{label}/values", access="look", scope="visible", summary="List values of a label",
    response=dict,
)  # fmt: skip
async def values(services: Services, request: Request) -> Response:
    """Return the values that a label has."""
    name, asked = request.path_params["label"], await _asked(request)
    if not _LABEL.fullmatch(name):
        raise InvalidRequest(f"invalid label name: {name!r}")
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    found = {text for each in await _series(services, request, asked) for label, text in each if label == name}
    return _success(sorted(found))


@routes.route(
    "GET", "/api/v1/metadata", access="look", scope="visible", summary="Say what the metrics are", response=dict
)
async def metadata(services: Services, request: Request) -> Response:
    """Return the kind and the meaning of each metric."""
    asked = await _asked(request)
    if passed_on := await _passed_on(services, request, asked):
        return passed_on
    wanted = dict(asked).get("metric", "")
    found = {
        each.name: [{"type": each.kind, "help": each.help, "unit": ""}]
        for each in await services.history.families()
        if wanted in ("", each.name)
    }
    return _success(found)


@routes.route(
    "GET", "/api/v1/status/buildinfo", access="look", scope="visible", summary="Say whose answers are given",
    response=dict,
)  # fmt: skip
async def buildinfo(services: Services, request: Request) -> Response:
    """Return the version of Prometheus whose answers ours are; programs choose by it what they ask."""
    if passed_on := await _passed_on(services, request, []):
        return passed_on
    return _success(
        {
            "version": "2.42.0", "revision": f"Dayfly {__version__}", "branch": "", "buildUser": "", "buildDate": "",
            "goVersion": "",
        }
    )  # fmt: skip


async def _asked(request: Request) -> Asked:
    found = list(request.query_params.multi_items())
    if request.method == "POST":
        body = await read_body(request, MAX_FORM_BYTES, hint="Ask for less at a time")
        try:
            found += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000)
        except ValueError as error:
            raise InvalidRequest(f"the form cannot be read: {error}") from None
    return found


async def _passed_on(services: Services, request: Request, asked: Asked) -> Response | None:
    prometheus = services.history.prometheus
    if prometheus is None or not principal_of(request).is_everywhere:
        return None
    reply = await prometheus.ask(request.url.path, asked)
    return Response(reply.body, reply.status, media_type="application/json")


async def _series(services: Services, request: Request, asked: Asked) -> list[Labels]:
    extent = Extent(_namespace(request), _moment(asked, "start", 0), _moment(asked, "end", _EVER_MS))
    return await services.history.series([text for name, text in asked if name == "match[]"], extent)


def _namespace(request: Request) -> str | None:
    return principal_of(request).namespace


def _one(asked: Asked, name: str) -> str:
    found = next((text for each, text in asked if each == name), "")
    if not found:
        raise InvalidRequest(f'invalid parameter "{name}": it is not given')
    return found


def _moment(asked: Asked, name: str, default: int | None) -> int:
    """Return a time in milliseconds, given as seconds since 1970 or as RFC 3339 has it."""
    text = next((text for each, text in asked if each == name and text), "")
    if not text and default is not None:
        return default
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = datetime.fromisoformat(text).timestamp()
        except ValueError:
            raise InvalidRequest(
                f'invalid parameter "{name}": cannot parse {text[:40]!r} to a valid timestamp'
            ) from None
    if not 0 <= seconds < _EVER_MS / 1000:
        raise InvalidRequest(f'invalid parameter "{name}": cannot parse {text[:40]!r} to a valid timestamp')
    return round(seconds * 1000)


def _step_ms(text: str) -> int:
    if _SPAN.fullmatch(text) and len(text) < 40:
        return duration_ms(text)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < _EVER_MS / 1000:
        raise InvalidRequest(f'invalid parameter "step": cannot parse {text[:40]!r} to a valid duration')
    return max(1, round(seconds * 1000))


def _success(data: object) -> Response:
    return json_answer({"status": "success", "data": data})


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


def number(value: float) -> str:
    """Return a number as Prometheus writes it: no exponent, no zeros that say nothing."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e15:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else str(int(value))
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text
