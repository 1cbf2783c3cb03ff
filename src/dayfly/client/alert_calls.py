"""The API's calls about alerts, without their transport; see `calls`.

A namespace that is empty is left to the credential: its own, or the installation for one that is good for all.
"""

from typing import Any

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.alert import Alert, AlertRule, RuleStatus, Silence, SilenceRequest
from dayfly.model.alertmanager import Heard, TheirMessage
from dayfly.model.names import parse_alert_name
from dayfly.model.past_alert import PastAlert
from dayfly.model.receiver import Receiver, ReceiverStatus


class Tested(msgspec.Struct, frozen=True):
    """What became of a test."""

    trouble: str


def list_alerts(namespace: str) -> Call[list[Alert]]:
    """What is pending, fires, or is resolved not long ago."""
    return Call("GET", "/v1/alerts", reads(list[Alert]), query=of(namespace))


def list_past_alerts(namespace: str, rule: str, since: str, limit: int, before: int) -> Call[list[PastAlert]]:
    """Alerts that fired, the newest first."""
    wanted = (("rule", rule), ("since", since), ("limit", str(limit)), ("before", str(before) if before else ""))
    query = (*of(namespace), *((name, text) for name, text in wanted if text))
    return Call("GET", "/v1/alerts/history", reads(list[PastAlert]), query=query)


def hear_alerts(message: TheirMessage, namespace: str) -> Call[int]:
    """Alerts of another system."""
    read = reads(Heard)
    content = msgspec.json.encode(message)
    return Call(
        "POST", "/v1/alerts/incoming", lambda reply: read(reply).alerts, query=of(namespace), content=content,
        content_type=JSON,
    )  # fmt: skip


def list_rules(namespace: str) -> Call[list[RuleStatus]]:
    """The rules."""
    return Call("GET", "/v1/alerts/rules", reads(list[RuleStatus]), query=of(namespace))


def get_rule(name: str, namespace: str) -> Call[RuleStatus]:
    """One rule."""
    return Call("GET", _path("rules", name), reads(RuleStatus), query=of(namespace))


def put_rule(rule: AlertRule) -> Call[RuleStatus]:
    """Create or replace a rule."""
    rule.check()
    content = msgspec.json.encode(rule)
    path, query = _path("rules", rule.name), of(rule.namespace)
    return Call("PUT", path, reads(RuleStatus), query=query, content=content, content_type=JSON)


def remove_rule(name: str, namespace: str) -> Call[None]:
    """Take a rule away."""
    return Call("DELETE", _path("rules", name), nothing, query=of(namespace), expected=(204,))


def list_silences(namespace: str) -> Call[list[Silence]]:
    """The silences."""
    return Call("GET", "/v1/alerts/silences", reads(list[Silence]), query=of(namespace))


def add_silence(asked: SilenceRequest, namespace: str) -> Call[Silence]:
    """Silence alerts."""
    asked.check()
    content = msgspec.json.encode(asked)
    return Call("POST", "/v1/alerts/silences", reads(Silence), query=of(namespace), content=content, content_type=JSON)


def end_silence(name: str, namespace: str) -> Call[None]:
    """End a silence."""
    return Call("DELETE", _path("silences", name), nothing, query=of(namespace), expected=(204,))


def list_receivers(namespace: str) -> Call[list[ReceiverStatus]]:
    """The receivers."""
    return Call("GET", "/v1/alerts/receivers", reads(list[ReceiverStatus]), query=of(namespace))


def get_receiver(name: str, namespace: str) -> Call[ReceiverStatus]:
    """One receiver."""
    return Call("GET", _path("receivers", name), reads(ReceiverStatus), query=of(namespace))


def put_receiver(receiver: Receiver, secret: str | None) -> Call[ReceiverStatus]:
    """Create or replace a receiver."""
    receiver.check()
    told: dict[str, Any] = msgspec.to_builtins(receiver)
    if secret is not None:
        told["secret"] = secret
    path, content = _path("receivers", receiver.name), msgspec.json.encode(told)
    return Call("PUT", path, reads(ReceiverStatus), query=of(receiver.namespace), content=content, content_type=JSON)


def remove_receiver(name: str, namespace: str) -> Call[None]:
    """Take a receiver away."""
    return Call("DELETE", _path("receivers", name), nothing, query=of(namespace), expected=(204,))


def test_receiver(name: str, namespace: str) -> Call[Tested]:
    """Send a receiver a test."""
    return Call("POST", _path("receivers", name) + "/test", reads(Tested), query=of(namespace))


def of(namespace: str) -> tuple[tuple[str, str], ...]:
    """Return the query that says whose things are meant."""
    return (("namespace", namespace),) if namespace else ()


def _path(what: str, name: str) -> str:
    return f"/v1/alerts/{what}/{parse_alert_name(name)}"
