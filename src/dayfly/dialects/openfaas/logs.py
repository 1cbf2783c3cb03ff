"""/system/logs: a function's log as newline-delimited JSON; parameters that do not parse are 422."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.logs import parse_rfc3339, stream
from dayfly.api.routes import Routes
from dayfly.api.scope import Place, function_in
from dayfly.api.services import Services
from dayfly.dialects.openfaas.mapping import to_log_message
from dayfly.dialects.openfaas.wire import GO_FALSE, GO_TRUE, LogMessage
from dayfly.model.errors import InvalidRequest, Unprocessable
from dayfly.model.log import LogLine
from dayfly.model.names import parse_replica_id
from dayfly.observe.logs import LogQuery

routes = Routes(errors="plain")


@routes.route("GET", "/system/logs", access="deploy", summary="Read or follow a function's log",
              scope=Place(query="namespace", query_name="name"), response=LogMessage,
              media_type="application/x-ndjson", streams=True)  # fmt: skip
async def logs(services: Services, request: Request) -> Response:
    """Send the lines kept and, when following, those to come; without `since` all that is kept."""
    asked = dict(request.query_params)
    key = function_in(request, asked.get("name", ""))
    instance = asked.get("instance", "")
    tail = _integer(asked.get("tail", ""))
    query = LogQuery(
        key=key,
        since_unix_ns=_since(asked.get("since", "")),
        tail=tail if tail > 0 else -1,
        replica=parse_replica_id(instance) if instance else "",
    )
    follow = _truth(asked.get("follow", ""))
    services.plane.newest(key)  # raises NotFound
    return stream(services, request, query, follow=follow, encode=_encode)


def _encode(line: LogLine) -> bytes:
    return msgspec.json.encode(to_log_message(line))


def _since(text: str) -> int:
    try:
        return parse_rfc3339(text) if text else 0
    except InvalidRequest as error:
        raise Unprocessable(error.message) from None


def _integer(text: str) -> int:
    digits = text.removeprefix("-")
    if text and not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise Unprocessable(f"tail: {text[:40]!r} is not a whole number")
    return int(text or "-1")


def _truth(text: str) -> bool:
    if text and text not in GO_TRUE | GO_FALSE:
        raise Unprocessable(f"follow: {text[:40]!r} is neither true nor false")
    return text in GO_TRUE
