"""Tests of receivers, asked for by hand: what says that nothing is wrong, for people and for an Alertmanager."""

from dayfly.model.alert import Alert
from dayfly.model.notice import Letter, Notice
from dayfly.model.receiver import Receiver
from dayfly.observe.alerts.text import one_line

NAME = "DayflyTest"
LASTS_MS = 5 * 60_000
"""Until when an Alertmanager holds the test for an alert: time enough to tell whoever it tells."""


def letter(receiver: Receiver, who: str, now_ms: int) -> Letter:
    """Return the test for receivers that people read."""
    return Letter(
        id=f"test-{now_ms}", title=f"[TEST] {receiver.name}", at_unix_ms=now_ms, text=f"{_said(receiver, who)}\n"
    )


def notice(receiver: Receiver, who: str, now_ms: int, url: str) -> Notice:
    """Return the test for receivers that take alerts only: one that is over by itself, whoever hears of no end."""
    labels = {"alertname": NAME, "receiver": receiver.name, "severity": "info"}
    alert = Alert(
        id=f"test-{now_ms}", rule=NAME, namespace=receiver.namespace, kind="promql", severity="info",
        state="resolved", labels=labels, value=0, text=_said(receiver, who), pending_unix_ms=now_ms,
        fired_unix_ms=now_ms, resolved_unix_ms=now_ms + LASTS_MS,
    )  # fmt: skip
    return Notice(
        id=alert.id, receiver=receiver.name, group={"alertname": NAME}, alerts=(alert,), url=url, at_unix_ms=now_ms
    )


def _said(receiver: Receiver, who: str) -> str:
    return f"This is a test of the receiver {receiver.name}, asked for by {one_line(who)}. Nothing is wrong."
