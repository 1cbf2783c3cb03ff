"""What the platform knows of itself, and what it does by itself: records, figures, alerts, the clock, trials, budgets.

It stands between getting to know it and its failures: the functions are those of test_cluster.
"""

import json
from typing import Any

import pytest
from tests.kubernetes.installation import NAMESPACE, PLACE, Installation, saying, until

pytestmark = pytest.mark.timeout(600)


def _json(cluster: Installation, *argv: str) -> Any:
    return json.loads(cluster.dayfly(*argv, "-o", "json"))


def test_calls_lines_and_figures_are_found(cluster: Installation) -> None:
    cluster.answers("teller", "swordfish in /var/openfaas/secrets")
    calls = until(lambda: _json(cluster, "calls", "--function", "teller"), "no call is recorded")
    assert {each["status"] for each in calls} <= {200, 503}
    until(lambda: "it was asked" in cluster.dayfly("logs", "--search", '"was asked"'), "the line is not found")
    sql = "select distinct function from calls where function = 'teller'"
    assert _json(cluster, "query", "ask", sql, "--save", "made") == [{"function": "teller"}]
    assert _json(cluster, "query", "run", "made") == [{"function": "teller"}]
    asked = ("metrics", "query", "sum(gateway_function_invocation_total)")
    until(lambda: any(float(each["value"][1]) > 0 for each in _json(cluster, *asked)["series"]), "no figure is kept")


def test_the_machine_is_the_cluster(cluster: Installation) -> None:
    found = _json(cluster, "machine")
    pods = cluster.pods_of("teller")
    assert pods
    assert {pod["spec"]["nodeName"] for pod in pods} <= {each["name"] for each in found["nodes"]}
    assert {pod["metadata"]["name"] for pod in pods} <= {each["name"] for each in found["containers"]}


def test_what_was_done_is_in_the_audit_log(cluster: Installation) -> None:
    assert "word" in cluster.dayfly("audit", "list", "--action", "secret")
    cluster.dayfly("audit", "verify")


def test_an_alert_fires_and_a_report_is_read(cluster: Installation) -> None:
    cluster.deploy("failing", "def handle(event, context):\n    raise ValueError('it fails')\n")
    rule = ("--kind", "error_rate", "--function", "failing", "--threshold", "0.05", "--window", "5m")
    cluster.dayfly("alert", "rule", "set", "fails", *rule, "--namespace", PLACE)

    def fires() -> bool:
        assert cluster.call("failing").status_code == 500
        return "fails" in cluster.dayfly("alert", "list")

    until(fires, "no alert", lambda: cluster.dayfly("alert", "rule", "list"))
    cluster.dayfly("report", "create", "daily", "--every", "day")
    assert "daily" in cluster.dayfly("report", "list")
    assert cluster.dayfly("report", "show", "daily").strip()
    cluster.dayfly("report", "remove", "daily")
    cluster.dayfly("alert", "rule", "remove", "fails", "--namespace", PLACE)
    cluster.dayfly("remove", "failing")


def test_the_clock_calls_and_a_flow_runs(cluster: Installation) -> None:
    cluster.deploy("stamp", "def handle(event, context):\n    return event.body + b' stamped'\n")
    cluster.dayfly("trigger", "create", "tick", "--function", "stamp", "--kind", "cron", "--set", "schedule=@every 2s")
    until(
        lambda: _json(cluster, "calls", "--function", "stamp", "--trigger", "trigger tick"),
        "the clock makes no call",
        lambda: cluster.dayfly("trigger", "list"),
    )
    cluster.dayfly("trigger", "remove", "tick")
    cluster.dayfly("flow", "create", "twice", "--step", "stamp", "--step", "stamp")
    assert cluster.dayfly("flow", "run", "twice", "--wait", "-d", "post").strip() == "post stamped stamped"
    assert "twice" in cluster.dayfly("flow", "runs")
    cluster.dayfly("flow", "remove", "twice")
    cluster.dayfly("remove", "stamp")


def test_a_trial_is_promoted_and_rolled_back(cluster: Installation) -> None:
    cluster.deploy("tried", saying("old"))
    cluster.answers("tried", "old")
    cluster.deploy("tried", saying("new"), "--canary", "50", "--canary-no-promote")
    until(lambda: {cluster.call("tried").text for _ in range(20)} == {"old", "new"}, "both are not called")
    cluster.dayfly("promote", "tried")
    until(lambda: {cluster.call("tried").text for _ in range(20)} == {"new"}, "the trial does not end")
    cluster.dayfly("rollback", "tried")
    cluster.answers("tried", "old")
    cluster.dayfly("remove", "tried")


def test_a_budget_by_kubectl_stops_calls_and_tells_how_far_it_is_used(cluster: Installation) -> None:
    cluster.deploy("bounded", saying("within"))
    cluster.answers("bounded", "within")
    meta = {"name": "bounded", "namespace": PLACE}
    spec: dict[str, object] = {"function": "bounded", "calls": {"day": 5}}
    budget = {"apiVersion": "dayfly.dev/v1", "kind": "Budget", "metadata": meta, "spec": spec}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(budget))

    def shown() -> str:
        return cluster.kubectl("-n", PLACE, "get", "budgets")

    until(lambda: "calls=5/day" in shown(), "kubectl does not show the allowance", shown)
    statuses = {cluster.call("bounded").status_code for _ in range(8)}
    assert statuses <= {200, 429}
    until(lambda: cluster.call("bounded").status_code == 429, "calls go on beyond it", shown)
    until(lambda: "used up" in shown(), "kubectl does not show that it is used up", shown)
    spec["calls"] = {"day": 100_000}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(budget))
    cluster.answers("bounded", "within")
    cluster.kubectl("-n", PLACE, "delete", "budget", "bounded")
    cluster.dayfly("remove", "bounded")


def test_the_doctor_finds_what_is_wrong_and_an_installation_mends_it(cluster: Installation) -> None:
    argv = ("doctor", "--kubernetes", "--namespace", NAMESPACE)
    cluster.dayfly(*argv)
    cluster.kubectl("delete", "clusterrolebinding", f"dayfly:{NAMESPACE}:control")
    assert "bound to nobody" in cluster.dayfly(*argv, fails=True)
    cluster.install({})
    cluster.dayfly(*argv)
    cluster.deploy("mended", saying("again"))
    cluster.answers("mended", "again")
    cluster.dayfly("remove", "mended")
