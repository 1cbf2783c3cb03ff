"""/system/alert: what Prometheus' AlertManager tells, as OpenFaaS's own scaling takes it.

Dayfly scales by what its gateways count and needs no alert; this is for those who have rules of their own. A firing
alert adds a step of the label `factor` to the function's replicas, a resolved one goes back to its minimum and gives
the number back to the scaler. Alerts of a request are independent: one that names no function, or an unknown one, does
not keep the others from having their effect, and the answer tells of it by its number.
"""

import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dayfly.api.decoding import MAX_JSON_BYTES, decode_json, read_body
from dayfly.api.routes import Routes
from dayfly.api.services import Plane, Services
from dayfly.dialects.openfaas.wire import Alert, AlertMessage
from dayfly.model.errors import DayflyError, InvalidRequest
from dayfly.model.names import parse_function_key
from dayfly.model.scaling import ScalingPolicy

log = logging.getLogger("dayfly.openfaas")

routes = Routes(errors="plain")


@routes.route("POST", "/system/alert", access="deploy", scope="installation",
              summary="Scale by AlertManager's alerts", request=AlertMessage, statuses=(200,))  # fmt: skip
async def alert(services: Services, request: Request) -> Response:
    """Act on each alert; 500 with a line for each that had no effect, as OpenFaaS answers."""
    data = await read_body(request, MAX_JSON_BYTES)
    if not data.strip():
        raise InvalidRequest("Unable to read alert.")
    try:
        message = decode_json(data, AlertMessage)
    except InvalidRequest as error:
        log.info("an alert could not be read: %s", error)
        raise InvalidRequest("Unable to parse alert, bad format.") from error
    failures = [
        text for number, each in enumerate(message.alerts) if (text := await _act(services.plane, number, each))
    ]
    return PlainTextResponse("\n".join(failures), 500) if failures else Response()


def raised(policy: ScalingPolicy, replicas: int) -> int:
    """Return the replicas after a firing alert: a step of `factor` percent of the maximum more, the maximum at most."""
    step = -(-policy.maximum * policy.factor // 100)
    return min(replicas + step, policy.maximum)


async def _act(plane: Plane, number: int, alert: Alert) -> str:
    """Return what went wrong, or nothing."""
    try:
        key = parse_function_key(alert.labels.get("function_name", ""))
        status = await plane.status(key)
        policy = status.spec.scaling
        if alert.status == "resolved":
            await plane.scale(key, max(policy.minimum, 1))
            await plane.scale(key, None)
        elif policy.factor:
            await plane.scale(key, raised(policy, status.desired_replicas))
    except DayflyError as error:
        return f"[{number}] {error}"
    return ""
