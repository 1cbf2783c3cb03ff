"""Alerts: what fires, the rules that find it, and silences; and what an Alertmanager tells of.

None of the paths names a namespace. A credential for one namespace is about that alone. With one for all, `namespace`
in the query says which; without it, writing is about the installation's own, and reading about everything.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.decoding import check_count, read_json, read_query
from dayfly.api.logs import since_unix_ns
from dayfly.api.responses import json_answer
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.model.alert import Alert, AlertKind, AlertRule, RuleStatus, Silence, SilenceRequest
from dayfly.model.alertmanager import Heard, TheirMessage
from dayfly.model.errors import Forbidden, InvalidRequest
from dayfly.model.names import parse_alert_name, parse_namespace
from dayfly.model.past_alert import MAX_PAST_ALERTS, PastAlert, PastAlertQuery

ALERTS = "/v1/alerts"
RULE = ALERTS + "/rules/{name}"
SILENCES = ALERTS + "/silences"

routes = Routes()


class HistoryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which alerts that fired are wanted, the newest first."""

    namespace: str = ""
    """Only those about it."""
    rule: str = ""
    """Only those of this rule, or that others call so in the label `alertname`."""
    since: str = ""
    """Only those that fired since: an RFC 3339 time, or how long ago as a duration (`24h`)."""
    before: int = 0
    """Only lower numbers: the last one's, for the next page."""
    limit: int = 100
    """At most so many, up to 1000."""


class RuleRequest(AlertRule, kw_only=True, frozen=True, rename={"for_": "for"}):
    """A rule; its name and namespace may be left out, since the address says them."""

    name: str = ""
    namespace: str = ""
    kind: AlertKind

    def rule(self, namespace: str, name: str) -> AlertRule:
        """Return the rule of this name. Raises InvalidRequest when the body names another."""
        check_same("rule", (self.namespace, namespace), (self.name, name))
        return AlertRule(**(msgspec.structs.asdict(self) | {"name": name, "namespace": namespace}))


@routes.route("GET", ALERTS, access="deploy", scope="visible", summary="List alerts", response=list[Alert])
async def list_alerts(services: Services, request: Request) -> Response:
    """Return the alerts that are pending, firing, or resolved not long ago; those that fire come first."""
    return json_answer(services.alerts.alerts(read_owner(request)))


@routes.route(
    "GET", ALERTS + "/history", access="deploy", scope="visible", summary="List alerts that fired", query=HistoryQuery,
    response=list[PastAlert],
)  # fmt: skip
async def list_history(services: Services, request: Request) -> Response:
    """Return alerts that fired, also those that were forgotten elsewhere; the newest first."""
    asked = read_query(request, HistoryQuery)
    check_count("limit", asked.limit, MAX_PAST_ALERTS)
    if not 0 <= asked.before < 2**63:
        raise InvalidRequest("before: is the number of an alert")
    query = PastAlertQuery(
        namespace=read_owner(request), rule=asked.rule[:200], before=asked.before, limit=asked.limit,
        since_unix_ms=max(0, since_unix_ns(asked.since) // 1_000_000),
    )  # fmt: skip
    return json_answer(await services.alerts.history(query))


@routes.route(
    "GET", ALERTS + "/rules", access="deploy", scope="visible", summary="List alert rules", response=list[RuleStatus]
)
async def list_rules(services: Services, request: Request) -> Response:
    """Return the rules ordered by name, and how each does."""
    return json_answer(services.alerts.rules(read_owner(request)))


@routes.route("GET", RULE, access="deploy", scope="visible", summary="Describe an alert rule", response=RuleStatus)
async def describe_rule(services: Services, request: Request) -> Response:
    """Return the rule, and how it does."""
    return json_answer(services.alerts.rule(write_owner(request), name_in(request)))


@routes.route(
    "PUT", RULE, access="deploy", scope="visible", summary="Create or replace an alert rule", request=RuleRequest,
    response=RuleStatus, statuses=(200, 201),
)  # fmt: skip
async def put_rule(services: Services, request: Request) -> Response:
    """Watch this from now on; 201 when the rule is new."""
    rule = (await read_json(request, RuleRequest)).rule(write_owner(request), name_in(request))
    status, done = await services.alerts.put_rule(rule)
    return json_answer(status, 201 if done == "created" else 200)


@routes.route("DELETE", RULE, access="deploy", scope="visible", summary="Remove an alert rule", statuses=(204,))
async def remove_rule(services: Services, request: Request) -> Response:
    """Watch it no more; one of those that are there from the start is paused."""
    await services.alerts.remove_rule(write_owner(request), name_in(request))
    return Response(status_code=204)


@routes.route("GET", SILENCES, access="deploy", scope="visible", summary="List silences", response=list[Silence])
async def list_silences(services: Services, request: Request) -> Response:
    """Return the silences, the newest first; those that are over for less than a day too."""
    return json_answer(services.alerts.silences(read_owner(request)))


@routes.route(
    "POST", SILENCES, access="deploy", scope="visible", summary="Silence alerts", request=SilenceRequest,
    response=Silence, statuses=(201,),
)  # fmt: skip
async def silence(services: Services, request: Request) -> Response:
    """Have the alerts that all matchers fit told to nobody for a while."""
    asked = await read_json(request, SilenceRequest)
    who = principal_of(request).name
    return json_answer(await services.alerts.silence(write_owner(request), asked, who), 201)


@routes.route(
    "DELETE", SILENCES + "/{silence}", access="deploy", scope="visible", summary="End a silence", statuses=(204,)
)
async def end_silence(services: Services, request: Request) -> Response:
    """Have them told of again."""
    await services.alerts.end_silence(read_owner(request), request.path_params["silence"])
    return Response(status_code=204)


@routes.route(
    "POST", ALERTS + "/incoming", access="deploy", scope="visible", summary="Take in an Alertmanager's webhook",
    request=TheirMessage, response=Heard,
)  # fmt: skip
async def incoming(services: Services, request: Request) -> Response:
    """Show these alerts, and tell receivers of them, until they are resolved or not told of for a day."""
    message = await read_json(request, TheirMessage)
    return json_answer(Heard(await services.alerts.hear(write_owner(request), message)))


def read_owner(request: Request) -> str | None:
    """Return whose things are asked for; None for everybody's. Raises Forbidden, InvalidName."""
    return write_owner(request) or None


def write_owner(request: Request) -> str:
    """Return whose thing is meant; empty for the installation's own. Raises Forbidden, InvalidName."""
    principal, named = principal_of(request), request.query_params.get("namespace", "")
    if named:
        named = parse_namespace(named)
    if principal.namespace is None:
        return named
    if named not in ("", principal.namespace):
        raise Forbidden(f"This is about another namespace, and the credential is for {principal.namespace}")
    return principal.namespace


def name_in(request: Request) -> str:
    """Return the name in the path. Raises InvalidName."""
    return parse_alert_name(request.path_params["name"])


def check_same(what: str, *pairs: tuple[str, str]) -> None:
    """Refuse a body that names another thing than the address does. Raises InvalidRequest."""
    if any(said not in ("", meant) for said, meant in pairs):
        raise InvalidRequest(f"The body names another {what} than the address")
