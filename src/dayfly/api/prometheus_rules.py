"""Alert rules and alerts under the addresses and in the form of Prometheus' own API: Grafana lists them beside its own.

Who may see alerts here sees them there. Other credentials get lists without any rather than a refusal: Grafana asks for
rules with every credential, since Prometheus keeps recorded queries among them, of which Dayfly has none.
"""

from collections import defaultdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from dayfly.api.prometheus_form import Asked, given, number, passed_on, read_asked, success
from dayfly.api.routes import Routes
from dayfly.api.scope import principal_of
from dayfly.api.services import Services
from dayfly.decide.alerting import Terms, fingerprint
from dayfly.model.access import may
from dayfly.model.alert import Alert, AlertRule, RuleStatus
from dayfly.model.errors import InvalidRequest

INSTALLATION = "installation"
"""What the group of the rules is called that are no namespace's."""
_NEVER = "0001-01-01T00:00:00Z"
_KINDS = ("", "alert", "record")

routes = Routes(errors="prometheus")


@routes.route(
    "GET", "/api/v1/rules", access="look", scope="visible", summary="List alert rules as Prometheus does", response=dict
)
async def rules(services: Services, request: Request) -> Response:
    """Return the rules that are looked at, a group for each namespace, and their alerts."""
    asked = await read_asked(request)
    kind = given(asked, "type")
    if kind not in _KINDS:
        raise InvalidRequest(f"not supported value {kind[:40]!r}")
    if theirs := await passed_on(services, request, asked):
        return theirs
    if kind == "record" or not _sees_alerts(request):
        return success({"groups": []})
    namespace = principal_of(request).namespace
    by_name: dict[str, list[Alert]] = defaultdict(list)
    for each in _active(services, namespace):
        by_name[each.rule].append(each)
    looked_at = [each for each in services.alerts.rules(namespace) if each.state != "paused"]
    groups = [
        {
            "name": owner or INSTALLATION, "file": "dayfly", "interval": services.alerts.every_s, "limit": 0,
            "evaluationTime": 0, "lastEvaluation": _time(max(each.looked_unix_ms for each in found)),
            "rules": [_rule(each, by_name[each.rule.name]) for each in found],
        }
        for owner, found in (
            (owner, list(each)) for owner, each in groupby(looked_at, lambda status: status.rule.namespace)
        )
    ]  # fmt: skip
    return success({"groups": _chosen(groups, asked)})


@routes.route(
    "GET", "/api/v1/alerts", access="look", scope="visible", summary="List alerts as Prometheus does", response=dict
)
async def alerts(services: Services, request: Request) -> Response:
    """Return the alerts that are pending or firing, those that others told of too."""
    if theirs := await passed_on(services, request, await read_asked(request)):
        return theirs
    found = _active(services, principal_of(request).namespace) if _sees_alerts(request) else []
    return success({"alerts": [_alert(each) for each in found]})


def _sees_alerts(request: Request) -> bool:
    return may(principal_of(request).role, "deploy", "GET")


def _active(services: Services, namespace: str | None) -> list[Alert]:
    return [each for each in services.alerts.alerts(namespace) if each.state != "resolved"]


def _chosen(groups: list[dict[str, Any]], asked: Asked) -> list[dict[str, Any]]:
    """Return the groups and rules of the names that are asked for."""
    wanted = {name: {text for each, text in asked if each == name} for name in ("rule_group[]", "rule_name[]")}
    found = [each for each in groups if not wanted["rule_group[]"] or each["name"] in wanted["rule_group[]"]]
    if names := wanted["rule_name[]"]:
        found = [{**each, "rules": [rule for rule in each["rules"] if rule["name"] in names]} for each in found]
    return [each for each in found if each["rules"]]


def _rule(status: RuleStatus, called_so: list[Alert]) -> dict[str, Any]:
    """Return the rule, with those alerts of all rules called so that it found itself."""
    rule = status.rule
    mine = [each for each in called_so if each.id == fingerprint(rule.namespace, each.labels)]
    states = {each.state for each in mine}
    health = "err" if status.trouble else "ok" if status.looked_unix_ms else "unknown"
    terms = Terms.of(rule)
    return {
        "type": "alerting", "name": rule.name, "query": _query(rule, terms), "duration": terms.for_ms / 1000,
        "keepFiringFor": terms.keep_ms / 1000, "labels": {"severity": rule.severity} | rule.labels,
        "annotations": {"summary": rule.summary} if rule.summary else {}, "alerts": [_alert(each) for each in mine],
        "state": "firing" if "firing" in states else "pending" if states else "inactive", "health": health,
        "evaluationTime": 0, "lastEvaluation": _time(status.looked_unix_ms),
    } | ({"lastError": status.trouble} if status.trouble else {})  # fmt: skip


def _query(rule: AlertRule, terms: Terms) -> str:
    """Return the expression; of what is no PromQL, its kind as if it were a metric's name."""
    text = rule.expr
    if not text:
        about = {"namespace": rule.namespace, "function": rule.function}
        labels = ",".join(f'{name}="{value}"' for name, value in about.items() if value)
        text = rule.kind + (f"{{{labels}}}" if labels else "")
    elif terms.threshold is not None:
        text = f"({text})"
    return text if terms.threshold is None else f"{text} {'>' if terms.above else '<'} {terms.threshold:g}"


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "labels": alert.labels, "annotations": {"description": alert.text} | (
            {"summary": alert.summary} if alert.summary else {}
        ),
        "state": alert.state, "activeAt": _time(alert.pending_unix_ms), "value": number(alert.value),
    }  # fmt: skip


def _time(unix_ms: int) -> str:
    if not unix_ms:
        return _NEVER
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
