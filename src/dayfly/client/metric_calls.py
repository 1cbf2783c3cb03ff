"""The API's calls about history without their transport; see `calls`. They are Prometheus' own."""

from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from dayfly.client.calls import Call, Reply, nothing, reads
from dayfly.model.errors import DayflyError, InvalidRequest, LimitExceeded, NotSupported, Unavailable
from dayfly.model.machine import Machine
from dayfly.model.metric import Metric, MetricAnswer, MetricSeries, Pair

T = TypeVar("T")
_FORM = "application/x-www-form-urlencoded"
_REFUSALS = (400, 422, 429, 501, 503, 504)


class _Told(msgspec.Struct, frozen=True, rename={"kind": "errorType"}):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    kind: str = ""
    error: str = ""


class _Answer(msgspec.Struct, frozen=True, rename={"kind": "resultType"}):
    kind: Literal["vector", "matrix", "scalar", "string"]
    result: msgspec.Raw


class _About(msgspec.Struct, frozen=True):
    type: str
    help: str


def query(text: str, at: str) -> Call[MetricAnswer]:
    """What a PromQL query comes to at one moment."""
    return _asked("/api/v1/query", {"query": text, "time": at})


def query_range(text: str, start: str, end: str, step: str) -> Call[MetricAnswer]:
    """What a PromQL query comes to over a span."""
    return _asked("/api/v1/query_range", {"query": text, "start": start, "end": end, "step": step})


def list_metrics() -> Call[list[Metric]]:
    """What the metrics are."""

    def read(reply: Reply) -> list[Metric]:
        found = _data(reply, dict[str, list[_About]])
        return [Metric(name, about[0].type, about[0].help) for name, about in sorted(found.items()) if about]

    return Call("GET", "/api/v1/metadata", read, expected=(200, *_REFUSALS))


def get_metrics(namespace: str) -> Call[str]:
    """A namespace's figures, as Prometheus reads them."""
    return Call("GET", f"/v1/namespaces/{namespace}/metrics", lambda reply: reply.body.decode())


def describe_api() -> Call[dict[str, Any]]:
    """The API, as OpenAPI has it."""
    return Call("GET", "/v1/openapi.json", reads(dict[str, Any]))


def get_machine() -> Call[Machine]:
    """What the machine has and uses, and what runs there."""
    return Call("GET", "/v1/machine", lambda reply: msgspec.json.decode(reply.body, type=Machine))


def _asked(path: str, given: dict[str, str]) -> Call[MetricAnswer]:
    content = urlencode({name: value for name, value in given.items() if value}).encode()
    return Call("POST", path, _answer, content=content, content_type=_FORM, expected=(200, *_REFUSALS))


def _answer(reply: Reply) -> MetricAnswer:
    told = _data(reply, _Answer)
    if told.kind in ("scalar", "string"):
        return MetricAnswer(told.kind, single=msgspec.json.decode(told.result, type=Pair))
    return MetricAnswer(told.kind, series=msgspec.json.decode(told.result, type=tuple[MetricSeries, ...]))


def _data(reply: Reply, kind: type[T]) -> T:
    told = msgspec.json.decode(reply.body, type=_Told)
    if told.status != "success":
        raise _refusal(reply.status, told.error)
    return msgspec.json.decode(told.data, type=kind)


def _refusal(status: int, why: str) -> DayflyError:
    kinds: dict[int, type[DayflyError]] = {429: LimitExceeded, 501: NotSupported, 503: Unavailable, 504: Unavailable}
    return kinds.get(status, InvalidRequest)(why)


def machine_log(name: str, *, tail: int, follow: bool) -> Call[None]:
    """What a part of the platform has said as a stream of lines; `client.log_lines` reads them."""
    query = (("tail", str(tail)), *((("follow", "true"),) if follow else ()))
    return Call("GET", f"/v1/machine/logs/{quote(name, safe='')}", nothing, query=query, expected=(200,))
