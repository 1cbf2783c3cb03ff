"""`dayfly alert`: what is asked of the gateway, what is printed, and what is refused before anything is asked."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.cli.conftest import Answers

from dayfly.cli.alert_rule import KINDS as RULE_KINDS
from dayfly.model.alert import WATCHED, Alert, AlertRule, Matcher, RuleStatus, Silence
from dayfly.model.past_alert import PastAlert
from dayfly.model.receiver import (
    AlertmanagerTarget,
    EmailTarget,
    Receiver,
    ReceiverStatus,
    ReceiverTarget,
    SlackTarget,
    WebhookTarget,
)

Run = Callable[..., Any]
AT_MS, AT = 1_700_000_000_000, "2023-11-14T22:13:20Z"


@pytest.fixture
def watch(platform: Any) -> Answers:
    """The platform's alerts."""
    return platform.watch  # type: ignore[no-any-return] # it has one


def an_alert(state: Any = "firing", **fields: Any) -> Alert:
    """Return an alert."""
    given = {
        "id": f"{state}-1", "rule": "errors", "namespace": "team", "kind": "error_rate", "severity": "critical",
        "labels": {"alertname": "errors", "function": "shop"}, "value": 0.5, "text": "calls of shop that failed",
        "pending_unix_ms": AT_MS, **fields,
    }  # fmt: skip
    return Alert(state=state, **given)


def a_rule(**fields: Any) -> RuleStatus:
    """Return how a rule does."""
    rule = AlertRule(**{"name": "errors", "kind": "error_rate", "threshold": 0.05, "for_": "2m", **fields})
    return RuleStatus(rule=rule, created_unix_ms=AT_MS, updated_unix_ms=AT_MS, state="firing", alerts=1)


def a_receiver(target: ReceiverTarget, **fields: Any) -> ReceiverStatus:
    """Return how a receiver does."""
    given = {"has_secret": False, "created_unix_ms": AT_MS, "updated_unix_ms": AT_MS, **fields}
    return ReceiverStatus(receiver=Receiver(name="ops", target=target), **given)


def cells(outcome: Any) -> list[list[str]]:
    """Return the fields of a table."""
    return [[field.strip() for field in line.split("\t")] for line in outcome.stdout.splitlines()]


def test_alerts_are_a_table_of_what_is_wrong_now(dayfly: Run, watch: Answers) -> None:
    watch.table["GET /v1/alerts"] = [an_alert(silences=("s1",)), an_alert("pending"), an_alert("resolved")]
    head, firing, pending = cells(dayfly("alert", "list"))
    assert head == ["STATE", "SEVERITY", "RULE", "SINCE", "SILENCED", "WHAT"]
    assert firing == ["firing", "critical", "errors", AT, "yes", "calls of shop that failed"]
    assert (pending[0], pending[4]) == ("pending", "no")
    everything = json.loads(dayfly("alert", "list", "--all", "-o", "json", "-n", "team").stdout)
    assert [each["state"] for each in everything] == ["firing", "pending", "resolved"]
    assert watch.asked == ["GET /v1/alerts", "GET /v1/alerts?namespace=team"]


def test_nothing_that_is_wrong_is_said_to_be_none(dayfly: Run, watch: Answers) -> None:
    watch.table |= {f"GET /v1/alerts{what}": [] for what in ("", "/silences", "/receivers")}
    said = [dayfly("alert", *words).stdout for words in (("list",), ("silence", "list"), ("receiver", "list"))]
    assert said == ["No alerts.\n", "No silences.\n", "No receivers. Alerts are shown, and nobody is told.\n"]
    assert dayfly("alert", "list", "-o", "json").stdout == "[]\n"


def test_what_fired_before_is_a_table_or_a_sheet(dayfly: Run, watch: Answers) -> None:
    given: dict[str, Any] = {
        "rule": "errors", "namespace": "team", "severity": "critical", "labels": {"b": "2", "a": "=1"}, "value": 0.25,
        "text": "=cmd", "fired_unix_ms": AT_MS,
    }  # fmt: skip
    watch.table["GET /v1/alerts/history"] = [
        PastAlert(number=2, id="x", state="firing", **given),
        PastAlert(number=1, id="y", state="resolved", resolved_unix_ms=AT_MS, **given),
    ]
    outcome = dayfly("alert", "history", "--rule", "errors", "--since", "24h", "--limit", "7", "-n", "team")
    assert cells(outcome) == [
        ["STATE", "SEVERITY", "RULE", "SINCE", "UNTIL", "VALUE", "WHAT"],
        ["firing", "critical", "errors", AT, "-", "0.25", "=cmd"],
        ["resolved", "critical", "errors", AT, AT, "0.25", "=cmd"],
    ]
    assert watch.asked == ["GET /v1/alerts/history?namespace=team&rule=errors&since=24h&limit=7"]
    data = dayfly("alert", "history", "-o", "csv").stdout_bytes.decode()
    first, second = csv.DictReader(io.StringIO(data, newline=""))
    assert (first["since"], first["until"], second["until"]) == (AT, "", AT)
    assert (first["labels"], first["text"], first["value"]) == ("a==1 b=2", "'=cmd", "0.25")
    assert (second["number"], second["state"], second["resolved_unix_ms"]) == ("1", "resolved", str(AT_MS))
    watch.table["GET /v1/alerts/history"] = []
    assert dayfly("alert", "history").stdout == "No such alerts fired.\n"


def test_a_rule_is_set_with_all_that_was_said(dayfly: Run, watch: Answers) -> None:
    watch.table["PUT /v1/alerts/rules/slow"] = a_rule(name="slow", kind="latency", threshold=0.5)
    outcome = dayfly(
        "alert", "rule", "set", "slow", "--kind", "latency", "--function", "shop", "--threshold", "0.5",
        "--resolve", "0.4", "--window", "10m", "--quantile", "0.9", "--for", "5m", "--keep-firing-for", "1m",
        "--severity", "critical", "--summary", "look at it", "--label", "team=a=b", "--receiver", "ops",
        "--paused", "-n", "team",
    )  # fmt: skip
    assert outcome.stdout == "Rule set: slow, latency above 0.5 for 2m\n"
    assert watch.asked == ["PUT /v1/alerts/rules/slow?namespace=team"]
    assert watch.bodies == [
        {
            "name": "slow", "namespace": "team", "kind": "latency", "function": "shop", "threshold": 0.5,
            "resolve": 0.4, "window": "10m", "quantile": 0.9, "for": "5m", "keep_firing_for": "1m",
            "severity": "critical", "summary": "look at it", "labels": {"team": "a=b"}, "receivers": ["ops"],
            "paused": True,
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--kind", "latency"), "threshold: a rule of kind latency needs one"),
        (("--kind", "error_rate", "--label", "team"), "--label: 'team' is not NAME=VALUE"),
        (("--kind", "promql"), "expr: a rule of kind promql has one"),
        (("--kind", "error_rate", "--for", "soon"), "for: "),
        (("--kind", "disk", "-n", "team"), "kind: disk is about the installation"),
    ],
)
def test_a_rule_that_cannot_be_watched_is_refused_unasked(
    dayfly: Run, watch: Answers, options: tuple[str, ...], why: str
) -> None:
    outcome = dayfly("alert", "rule", "set", "errors", *options)
    assert (outcome.exit_code, why in outcome.stderr) == (64, True), outcome.stderr
    assert watch.asked == []


def test_rules_are_listed_described_and_removed(dayfly: Run, watch: Answers) -> None:
    watch.table |= {
        "GET /v1/alerts/rules": [a_rule(), a_rule(name="own", namespace="team", threshold=None, for_="0s")],
        "GET /v1/alerts/rules/errors": a_rule(labels={"a": "b"}, resolve=0.01),
        "DELETE /v1/alerts/rules/errors": None,
    }
    head, first, second = cells(dayfly("alert", "rule", "list"))
    assert head == ["NAME", "NAMESPACE", "WATCHES", "SEVERITY", "STATE", "ALERTS"]
    assert first == ["errors", "-", "error_rate above 0.05 for 2m", "warning", "firing", "1"]
    assert second[:3] == ["own", "team", f"error_rate above {WATCHED['error_rate'].threshold:g}"]
    assert dayfly("alert", "rule", "list", "-o", "name").stdout == "errors\nown\n"
    told = dict(line.split(":", 1) for line in dayfly("alert", "rule", "describe", "errors").stdout.splitlines())
    assert (told["Namespace"].strip(), told["Labels"].strip()) == ("<the installation>", "a=b")
    assert (told["Resolved At"].strip(), told["Last Look"].strip()) == ("0.01", "<none>")
    removed = dayfly("alert", "rule", "remove", "errors", "gone", "-n", "team")
    assert (removed.exit_code, removed.stdout) == (66, "Rule removed: errors\n")
    assert watch.asked[-2:] == [f"DELETE /v1/alerts/rules/{name}?namespace=team" for name in ("errors", "gone")]


def test_every_kind_of_rule_is_told_and_can_be_chosen(dayfly: Run) -> None:
    kinds = [row[0] for row in cells(dayfly("alert", "rule", "kinds"))[1:]]
    assert kinds == list(RULE_KINDS) == list(WATCHED)


def test_a_silence_is_added_listed_and_ended(dayfly: Run, watch: Answers) -> None:
    silence = Silence(
        id="0123456789abcdef", namespace="", matchers=(Matcher("alertname", "errors"), Matcher("a", "b*", False)),
        starts_unix_ms=AT_MS, ends_unix_ms=AT_MS, comment="on it", created_by="local", created_unix_ms=AT_MS,
    )  # fmt: skip
    watch.table |= {
        "POST /v1/alerts/silences": silence, "GET /v1/alerts/silences": [silence],
        "DELETE /v1/alerts/silences/0123456789abcdef": None,
    }  # fmt: skip
    added = dayfly("alert", "silence", "add", "alertname=errors", "a!=b*", "--duration", "2h", "--comment", "on it")
    assert added.stdout == f"Silenced until {AT}: 0123456789abcdef\n"
    assert watch.bodies == [
        {
            "matchers": [
                {"name": "alertname", "value": "errors"}, {"name": "a", "value": "b*", "is_equal": False},
            ],
            "comment": "on it", "duration": "2h",
        }
    ]  # fmt: skip
    _, row = cells(dayfly("alert", "silence", "list"))
    assert row == ["0123456789abcdef", "-", "alertname=errors a!=b*", AT, AT, "local", "on it"]
    assert dayfly("alert", "silence", "end", "0123456789abcdef").stdout == "Silence ended: 0123456789abcdef\n"
    asked = len(watch.asked)
    for words in (("errors",), ("a=b", "--duration", "0s"), ("a b=c",)):
        assert dayfly("alert", "silence", "add", *words).exit_code == 64, words
    assert len(watch.asked) == asked


@pytest.mark.parametrize(
    ("options", "target", "where"),
    [
        (
            ("--kind", "email", "--host", "smtp.example.org", "--from", "a@example.org", "--to", "b@example.org",
             "--to", "c@example.org", "--username", "u", "--port", "465", "--security", "tls"),
            EmailTarget(host="smtp.example.org", port=465, security="tls", username="u", sender="a@example.org",
                        to=("b@example.org", "c@example.org")),
            "email to b@example.org, c@example.org by smtp.example.org",
        ),
        (("--kind", "slack"), SlackTarget(), "slack"),
        (("--kind", "webhook", "--url", "https://x.example.org"), WebhookTarget(url="https://x.example.org"),
         "webhook at https://x.example.org"),
        (("--kind", "alertmanager", "--url", "https://x.example.org", "--format", "webhook"),
         AlertmanagerTarget(url="https://x.example.org", format="webhook"), "alertmanager at https://x.example.org"),
    ],
)  # fmt: skip
def test_a_receiver_of_each_kind_is_set(
    dayfly: Run, watch: Answers, options: tuple[str, ...], target: ReceiverTarget, where: str
) -> None:
    watch.table["PUT /v1/alerts/receivers/ops"] = a_receiver(target)
    outcome = dayfly("alert", "receiver", "set", "ops", *options, "--match", "team=a", "--group-by", "a,b",
                     "--group-wait", "0s", "--no-resolved", "--secret-stdin", stdin="hush\n")  # fmt: skip
    assert outcome.stdout == f"Receiver set: ops, {where}\n"
    (body,) = watch.bodies
    assert body.pop("secret") == "hush"
    assert body["group_by"] == ["a", "b"]
    assert body["matchers"] == [{"name": "team", "value": "a"}]
    assert (body["group_wait"], body["send_resolved"]) == ("0s", False)
    assert body["target"]["kind"] == target.__struct_config__.tag
    assert {name: value for name, value in body["target"].items() if name != "kind"} == {
        name: list(value) if isinstance(value, tuple) else value
        for name in target.__struct_fields__
        for value in (getattr(target, name),)
    }


def test_a_receivers_secret_is_read_only_when_it_is_asked_for(dayfly: Run, watch: Answers) -> None:
    watch.table["PUT /v1/alerts/receivers/ops"] = a_receiver(WebhookTarget(url="https://x.example.org"))
    hook = ("alert", "receiver", "set", "ops", "--kind", "webhook", "--url", "https://x.example.org")
    dayfly(*hook, stdin="not meant")
    dayfly(*hook, "--secret-stdin", stdin="")
    assert ["secret" in body for body in watch.bodies] == [False, True]
    assert watch.bodies[1]["secret"] == "", "an empty one takes it away"
    for wrong in (("--kind", "webhook"), ("--kind", "email", "--host", "h"), ("--kind", "slack", "--match", "x")):
        assert dayfly("alert", "receiver", "set", "ops", *wrong).exit_code == 64, wrong
    assert len(watch.asked) == 2


def test_receivers_are_listed_described_tried_and_removed(dayfly: Run, watch: Answers) -> None:
    kept = a_receiver(
        WebhookTarget(url="https://x.example.org"), has_secret=True, secret_unix_ms=AT_MS, sent=3, sent_unix_ms=AT_MS,
        trouble="it answered 500",
    )  # fmt: skip
    watch.table |= {
        "GET /v1/alerts/receivers": [kept], "GET /v1/alerts/receivers/ops": kept,
        "POST /v1/alerts/receivers/ops/test": {"trouble": ""}, "POST /v1/alerts/receivers/half/test": {"trouble": "x"},
        "DELETE /v1/alerts/receivers/ops": None,
    }  # fmt: skip
    _, row = cells(dayfly("alert", "receiver", "list"))
    assert row == ["ops", "-", "webhook at https://x.example.org", "3", "it answered 500"]
    told = dict(line.split(":", 1) for line in dayfly("alert", "receiver", "describe", "ops").stdout.splitlines())
    assert told["Secret"].strip() == f"kept, given {AT}"
    assert (told["Last Sent"].strip(), told["Alerts"].strip()) == (AT, "<all>")
    assert dayfly("alert", "receiver", "test", "ops").stdout == "Sent to ops\n"
    assert dayfly("alert", "receiver", "test", "half").stdout == "Sent, but: x\n"
    assert dayfly("alert", "receiver", "test", "gone").exit_code == 66
    assert dayfly("alert", "receiver", "remove", "ops").stdout == "Receiver removed: ops\n"
