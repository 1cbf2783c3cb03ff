"""Prometheus and Alertmanager as operators have them, beside a platform that reads the one and talks with the other."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import pytest
from playwright.sync_api import Locator, Page, expect
from tests.system.browser import Watched
from tests.system.conftest import started
from tests.system.console import PASSWORD
from tests.system.driver import Platform, Reply, eventually
from tests.system.prometheus import ALERTMANAGER, PROMETHEUS, Server, needs, running
from tests.unit.observe.alerts.servers import Posts, http_server

CODE = "def handle(event, context):\n    return 'on'\n"
AGO_S = range(3 * 3600, 2 * 3600, -60)
"""When there was no platform yet, and there are samples all the same."""
OLD = {
    'dayfly_function_memory_bytes{function_name="f.openfaas-fn"}': 777 * 2**20,
    'dayfly_machine_memory_bytes{kind="used"}': 555 * 2**30,
    'only_there{room="cellar"}': 42,
}
READS = """\
global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}
rule_files: [{folder}/rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: dayfly
    authorization: {{credentials_file: {folder}/token}}
    file_sd_configs: [{{files: [{folder}/platform.json]}}]
  - job_name: gone
    file_sd_configs: [{{files: [{folder}/gone.json]}}]
"""
RULES = """\
groups:
  - name: theirs
    rules:
      - alert: NodeGone
        expr: up{job="gone"} == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.instance }} is gone"}
"""
TELLS = """\
route: {{receiver: all, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers:
  - name: all
    webhook_configs:
      - url: {dayfly}/v1/alerts/incoming
        http_config: {{authorization: {{credentials_file: {folder}/hook}}}}
      - url: http://127.0.0.1:{port}/witness
"""
pytestmark = [needs(PROMETHEUS, ALERTMANAGER), pytest.mark.timeout(240)]


class Around(msgspec.Struct):
    """What is beside the platform: both servers, and who else the Alertmanager tells."""

    folder: Path
    prometheus: Server
    alertmanager: Server
    witness: Posts

    def ask(self, server: Server, path: str) -> Any:
        """Return what one of them says by itself."""
        with urllib.request.urlopen(server.url + path, timeout=60) as answer:
            return json.load(answer)

    def watch(self, name: str, *targets: str) -> None:
        """Have Prometheus read these; it sees by itself that the file has changed."""
        new = self.folder / f"{name}.new"
        new.write_text(json.dumps([{"targets": targets}]))
        new.rename(self.folder / f"{name}.json")


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Around]:
    """Both, from before there was a platform."""
    folder, now, witness = tmp_path_factory.mktemp("around"), int(time.time()), Posts()
    samples = [f"{name} {value} {now - ago}\n" for name, value in OLD.items() for ago in AGO_S]
    (folder / "old.txt").write_text("".join(samples) + "# EOF\n")
    argv = ("promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "old.txt", folder / "tsdb")
    subprocess.run(argv, check=True, capture_output=True)
    (folder / "rules.yml").write_text(RULES)
    (folder / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with running(ALERTMANAGER, folder) as alertmanager, http_server(witness) as port:
        target = urlsplit(alertmanager.url).netloc
        (folder / "prometheus.yml").write_text(READS.format(folder=folder, alertmanager=target))
        (folder / "port").write_text(str(port))
        with running(PROMETHEUS, folder) as prometheus:
            yield Around(folder, prometheus, alertmanager, witness)


@pytest.fixture(scope="module")
def installed(around: Around) -> Iterator[Platform]:
    """A platform that reads the one, and that the other tells."""
    reads = {"DAYFLY_PROMETHEUS_URL": around.prometheus.url}
    with started({"DAYFLY_ADMIN_PASSWORD": PASSWORD, "DAYFLY_ALERT_INTERVAL": "1s", **reads}) as (platform, folder):
        platform.deploy_function(folder / "f", CODE)
        assert platform.ask("POST", "/function/f", b"x").status == 200
        for name, role in (("token", "view"), ("hook", "deploy")):
            made = platform.ok("token", "create", "--all-namespaces", "--role", role)
            (around.folder / name).write_text(made.strip())
        told = TELLS.format(
            dayfly=platform.status()["gateway_url"], folder=around.folder, port=(around.folder / "port").read_text()
        )
        (around.folder / "alertmanager.yml").write_text(told)
        urllib.request.urlopen(f"{around.alertmanager.url}/-/reload", data=b"", timeout=60).close()
        around.watch("platform", urlsplit(platform.status()["metrics_url"]).netloc)
        eventually("Prometheus has read it", lambda: found(platform, "dayfly_function_memory_bytes"))
        yield platform


def ask(platform: Platform, path: str, token: str = "", **asked: str) -> Reply:
    """Ask the platform, as who may see everything unless a token says otherwise."""
    token = token or (platform.data_dir / "run" / "token").read_text()
    target = f"/api/v1/{path}?{urlencode(asked)}"
    return platform.ask("GET", target, headers={"Authorization": f"Bearer {token}"})


def found(platform: Platform, query: str, token: str = "") -> list[dict[str, Any]]:
    answer = ask(platform, "query", token, query=query)
    assert answer.status == 200, answer.body
    result: list[dict[str, Any]] = answer.json()["data"]["result"]
    return result


def test_what_is_asked_is_answered_by_the_real_prometheus(installed: Platform, around: Around) -> None:
    begin = int(time.time()) - AGO_S.start
    span = {"start": str(begin), "end": str(begin + 1800), "step": "600"}
    for path, asked in {
        "query": {"query": "only_there", "time": str(begin + 1800)},
        "query_range": {"query": "dayfly_function_memory_bytes", **span},
        "series": {"match[]": "only_there"}, "labels": {"match[]": "only_there"}, "label/room/values": span,
        "metadata": {"metric": "dayfly_machine_load1"}, "status/buildinfo": {}, "rules": {"type": "alert"},
    }.items():  # fmt: skip
        answer = ask(installed, path, **asked)
        assert answer.status == 200, answer.body
        assert answer.json() == around.ask(around.prometheus, f"/api/v1/{path}?{urlencode(asked)}")
        assert answer.json()["data"], path
    # What is counted now is there as well, read by it from the platform, and what no history of ours has.
    assert found(installed, 'up{job="dayfly"}')[0]["value"][1] == "1"
    assert "instance" in found(installed, "gateway_function_invocation_total")[0]["metric"]
    assert "\t777" not in installed.ok("metrics", "query", "only_there", "--since", "1h")
    assert "only_there" in installed.ok("metrics", "query", "only_there", "--since", "6h")
    assert "dayfly_machine_load1" in installed.ok("metrics", "list")
    # It knows no namespaces, so who may see one is answered by ours.
    mine = installed.ok("token", "create", "--role", "view").strip()
    assert found(installed, "only_there", mine) == []
    (own,) = found(installed, "gateway_function_invocation_total", mine)
    assert own["metric"].keys() == {"__name__", "function_name", "code"}


def table(page: Page, title: str) -> Locator:
    """Have a chart's figures as a table, and return it."""
    page.get_by_role("button", name=f"Table of {title}", exact=True).click()
    return page.get_by_role("region", name=f"{title} as a table", exact=True)


def test_the_pages_charts_are_its_figures(page: Page, console: str) -> None:
    """Those of hours ago nobody else has; those of now it has read from the platform."""
    for place, now, before in (
        ("machine", "Processors at work", "555 GiB"), ("functions/openfaas-fn/f/charts", "Replicas", "777 MiB"),
    ):  # fmt: skip
        page.goto(f"{console}/#/{place}")
        page.get_by_label("Time").select_option("last 15 minutes")
        expect(table(page, now)).to_contain_text(re.compile(r"[0-9]{2}:[0-9]{2}"))
        page.get_by_label("Time").select_option("last 6 hours")
        expect(table(page, "Memory")).to_contain_text(before)


def test_a_rule_asks_it_what_no_history_of_ours_knows(installed: Platform, around: Around) -> None:
    del around
    installed.ok("alert", "rule", "set", "read", "--kind", "promql", "--expr", 'count_values("up", up{job="dayfly"})')
    eventually("it fires", lambda: "read" in shown(installed, state="firing"))
    (alert,) = [each for each in alerts_of(installed) if each["rule"] == "read"]
    assert (alert["labels"]["up"], alert["value"]) == ("1", 1)
    installed.ok("alert", "rule", "remove", "read")


def test_an_alertmanager_is_told_that_an_alert_fires_and_that_it_is_over(installed: Platform, around: Around) -> None:
    manager = ("--kind", "alertmanager", "--url", around.alertmanager.url)
    installed.ok("alert", "receiver", "set", "up", *manager, "--group-wait", "0s", "--group-interval", "0s")
    rule = ("alert", "rule", "set", "busy", "--kind", "promql", "--expr", "vector(7)", "--severity", "critical")
    installed.ok(*rule, "--threshold", "5")

    def held() -> dict[str, Any]:
        """What the Alertmanager says that there is."""
        told = around.ask(around.alertmanager, "/api/v2/alerts")
        return {each["labels"]["alertname"]: each for each in told}

    eventually("it holds the alert", lambda: "busy" in held())
    alert = held()["busy"]
    assert (alert["labels"]["severity"], alert["status"]["state"]) == ("critical", "active")
    assert alert["annotations"]["description"]
    eventually("it tells of it", lambda: ("busy", "firing") in told_of(around.witness))
    # It tells us as well, who know it.
    assert [each["kind"] for each in alerts_of(installed) if each["rule"] == "busy"] == ["promql"]
    installed.ok(*rule, "--threshold", "9")
    eventually("it is over there", lambda: "busy" not in held())
    eventually("it tells of the end", lambda: ("busy", "resolved") in told_of(around.witness))
    assert [each["kind"] for each in alerts_of(installed) if each["labels"]["alertname"] == "busy"] == ["promql"]
    installed.ok("alert", "rule", "remove", "busy")
    installed.ok("alert", "receiver", "remove", "up")


def test_what_a_prometheus_finds_comes_by_the_alertmanager_and_is_told_on(installed: Platform, around: Around) -> None:
    posts = Posts()
    with http_server(posts) as port:
        hook = ("--kind", "webhook", "--url", f"http://127.0.0.1:{port}/", "--match", "alertname=NodeGone")
        installed.ok("alert", "receiver", "set", "ops", *hook, "--group-wait", "0s", "--group-interval", "0s")
        around.watch("gone", "127.0.0.1:9")
        eventually("it is shown", lambda: "NodeGone" in shown(installed, kind="incoming", state="firing"))
        (alert,) = [each for each in alerts_of(installed) if each["kind"] == "incoming"]
        assert (alert["severity"], alert["summary"]) == ("critical", "127.0.0.1:9 is gone")
        eventually("it is told on", lambda: posts.taken)
        around.watch("gone")
        eventually("it is over", lambda: "NodeGone" in shown(installed, kind="incoming", state="resolved"))
        eventually("that is told on", lambda: len(posts.taken) == 2)
        assert [json.loads(each.body)["status"] for each in posts.taken] == ["firing", "resolved"]
        installed.ok("alert", "receiver", "remove", "ops")


def test_while_it_is_away_a_sentence_says_so_and_calls_are_made(
    page: Page, window: Watched, installed: Platform, around: Around, console: str
) -> None:
    mine = installed.ok("token", "create", "--role", "view").strip()
    installed.ok("alert", "rule", "set", "read", "--kind", "promql", "--expr", 'up{job="dayfly"} == 1')
    eventually("it fires", lambda: "read" in shown(installed, state="firing"))
    around.prometheus.stop()
    sentence = f"the Prometheus at {around.prometheus.url} does not answer: Connection refused"
    answer = ask(installed, "query", query="up")
    assert (answer.status, answer.json()["error"]) == (503, f"{sentence} (DAYFLY_PROMETHEUS_URL says where it is)")
    asked = installed.run("metrics", "query", "up")
    assert (asked.code != 0, sentence in asked.err) == (True, True)
    page.goto(f"{console}/#/functions/openfaas-fn/f/charts")
    expect(page.get_by_role("region", name="Memory", exact=True).get_by_role("alert")).to_contain_text(sentence)
    page.goto("about:blank")
    assert [error for error in window.errors if "503 (Service Unavailable)" not in error] == []
    window.errors.clear()
    eventually("the rule says why", lambda: sentence in installed.ok("alert", "rule", "describe", "read"))
    assert "read" in shown(installed, state="firing"), "what fires goes on where nobody can look"
    assert installed.ask("POST", "/function/f", b"x").status == 200
    assert found(installed, "gateway_function_invocation_total", mine)
    around.prometheus.start()
    eventually("it is asked again", lambda: found(installed, "only_there[6h]"))
    installed.ok("alert", "rule", "remove", "read")
    page.goto(console)  # what it has kept is looked at there
    page.get_by_role("heading", name="Functions").wait_for()


def alerts_of(platform: Platform) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(platform.ok("alert", "list", "--all", "--output", "json"))
    return told


def shown(platform: Platform, **wanted: str) -> set[str]:
    """The names of the alerts that are shown and are as it is wanted."""
    return {
        each["labels"]["alertname"]
        for each in alerts_of(platform)
        if all(each[name] == value for name, value in wanted.items())
    }


def told_of(posts: Posts) -> set[tuple[str, str]]:
    """Which alerts the Alertmanager has told somebody of, and as what."""
    bodies = [json.loads(each.body) for each in posts.taken]
    return {(each["labels"]["alertname"], each["status"]) for body in bodies for each in body["alerts"]}
