"""What others tell of alerts, made ours: bounded, printable, and a namespace's where its credential told it."""

from datetime import datetime

from dayfly.decide.alerting import Instance
from dayfly.model.alert import MAX_LABELS, MAX_TEXT, SEVERITIES
from dayfly.model.alertmanager import TheirAlert, TheirMessage
from dayfly.model.errors import InvalidRequest

MAX_HEARD = 500
"""Alerts in one message."""


def instances_of(message: TheirMessage, namespace: str, now_ms: int) -> list[Instance]:
    """Return the alerts of a message. Raises InvalidRequest."""
    if len(message.alerts) > MAX_HEARD:
        raise InvalidRequest(f"A message with {len(message.alerts)} alerts is more than the {MAX_HEARD} taken at once")
    return [_instance(each, namespace, now_ms) for each in message.alerts]


def _instance(told: TheirAlert, namespace: str, now_ms: int) -> Instance:
    labels = {name: _printable(value, 200) for name, value in list(told.labels.items())[:MAX_LABELS] if _is_label(name)}
    labels.setdefault("alertname", "unnamed")
    if labels.get("severity") not in SEVERITIES:
        labels["severity"] = "warning"
    if namespace:
        labels["namespace"] = namespace
    began, notes = _ms(told.starts_at, now_ms), told.annotations
    text = notes.get("description") or notes.get("summary") or labels["alertname"]
    resolved = told.status == "resolved"
    return Instance(
        labels=labels, state="resolved" if resolved else "firing", value=0.0, pending_unix_ms=began,
        fired_unix_ms=began, resolved_unix_ms=_ms(told.ends_at, now_ms) if resolved else 0,
        text=_printable(text, MAX_TEXT), summary=_printable(notes.get("summary", ""), MAX_TEXT), heard_unix_ms=now_ms,
    )  # fmt: skip


def _is_label(name: str) -> bool:
    return len(name) <= 64 and name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit()


def _printable(text: str, most: int) -> str:
    return "".join(each if each.isprintable() else " " for each in text[:most])


def _ms(moment: datetime | None, now_ms: int) -> int:
    """Return a time of theirs, no later than ours; Go's zero time, which they send for none, is now."""
    if moment is None or moment.year < 1971:
        return now_ms
    return min(round(moment.timestamp() * 1000), now_ms)
