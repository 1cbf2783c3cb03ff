"""Alert rules and alerts as Prometheus' own API tells of them: shapes of its documentation, and who sees what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.api.test_alerts import look, of_team
from tests.api.test_history import past, server

from dayfly.model.token import TokenRequest
from dayfly.observe.history.remote import Prometheus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Play, Stage

STARTED = "2023-11-14T22:13:20.000Z"


async def told(stage: Stage, target: str, headers: dict[str, str] | None = None) -> Any:
    answer = await stage.ask("GET", f"/api/v1/{target}", headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer.body
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def test_rules_and_their_alerts_have_the_shapes_of_prometheus(play: Play) -> None:
    async def story(stage: Stage) -> None:
        rule = {"kind": "queue_depth", "threshold": 2, "for": "1m", "labels": {"team": "a"}, "summary": "Scale it."}
        await stage.ask("PUT", "/v1/alerts/rules/deep", data=rule)
        assert {each["health"] for each in (await told(stage, "rules"))["groups"][0]["rules"]} == {"unknown"}
        await look(stage)
        (group,) = (await told(stage, "rules"))["groups"]
        rules = {each["name"]: each for each in group.pop("rules")}
        assert group == {
            "name": "installation", "file": "dayfly", "interval": 15.0, "limit": 0, "evaluationTime": 0,
            "lastEvaluation": STARTED,
        }  # fmt: skip
        labels = {
            "alertname": "deep", "severity": "warning", "team": "a", "namespace": "team", "function": "hello",
        }  # fmt: skip
        (alert,) = rules["deep"]["alerts"]
        description = alert["annotations"].pop("description")
        assert "hello.team" in description
        assert alert == {
            "labels": labels, "annotations": {"summary": "Scale it."}, "state": "pending", "activeAt": STARTED,
            "value": alert["value"],
        }  # fmt: skip
        assert float(alert["value"]) > 2
        assert rules["deep"] == {
            "type": "alerting", "name": "deep", "query": "queue_depth > 2", "duration": 60.0, "keepFiringFor": 0.0,
            "labels": {"severity": "warning", "team": "a"}, "annotations": {"summary": "Scale it."},
            "alerts": rules["deep"]["alerts"], "state": "pending", "health": "ok", "evaluationTime": 0,
            "lastEvaluation": STARTED,
        }  # fmt: skip
        assert (rules["crash-loop"]["state"], rules["crash-loop"]["alerts"]) == ("inactive", [])
        stage.clock.advance(60)
        await look(stage)
        assert (await told(stage, "rules?rule_name%5B%5D=deep"))["groups"][0]["rules"][0]["state"] == "firing"
        found = (await told(stage, "alerts"))["alerts"]
        assert {(each["labels"]["alertname"], each["state"]) for each in found} == {
            ("deep", "firing"), ("dead-letters", "firing"),
        }  # fmt: skip

    play(story)


def test_an_expression_is_told_with_its_threshold_and_what_fails_with_its_trouble(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for name, rule in (
            ("any", {"kind": "promql", "expr": "a or b", "threshold": 3, "direction": "below"}),
            ("bare", {"kind": "promql", "expr": "up == 0"}),
            ("one", {"kind": "latency", "threshold": 0.5, "function": "hello", "namespace": "team"}),
        ):
            where = f"{name}?namespace=team" if "namespace" in rule else name
            await of_team(stage)
            assert (await stage.ask("PUT", f"/v1/alerts/rules/{where}", data=rule)).status == 201
        await look(stage)
        groups = (await told(stage, "rules"))["groups"]
        rules = {each["name"]: each for group in groups for each in group["rules"]}
        assert [group["name"] for group in groups] == ["installation", "team"]
        assert rules["any"]["query"] == "(a or b) < 3"
        assert rules["bare"]["query"] == "up == 0"
        assert rules["one"]["query"] == 'latency{namespace="team",function="hello"} > 0.5'
        assert (rules["bare"]["health"], "history" in rules["bare"]["lastError"]) == ("err", True)
        assert rules["bare"]["lastEvaluation"] == "0001-01-01T00:00:00Z"

    play(story)


def test_what_is_asked_for_is_told_and_what_is_not_looked_at_is_not(play: Play) -> None:
    async def story(stage: Stage) -> None:
        assert await told(stage, "rules?type=record") == {"groups": []}
        assert len((await told(stage, "rules?type=alert"))["groups"][0]["rules"]) == 5
        assert await told(stage, "rules?rule_group%5B%5D=team") == {"groups": []}
        assert await told(stage, "rules?rule_name%5B%5D=nothing") == {"groups": []}
        await look(stage)
        await stage.ask("DELETE", "/v1/alerts/rules/dead-letters")
        await look(stage)
        names = {each["name"] for each in (await told(stage, "rules"))["groups"][0]["rules"]}
        assert "dead-letters" not in names, "it is paused"
        assert (await told(stage, "alerts"))["alerts"] == [], "it is resolved"
        answer = await stage.ask("GET", "/api/v1/rules?type=both")
        assert (answer.status, answer.json()["errorType"]) == (400, "bad_data")

    play(story)


@pytest.mark.parametrize("role", ["query", "view", "deploy", "admin"])
def test_who_may_see_alerts_sees_them_here_and_others_see_none(play: Play, role: Any) -> None:
    async def story(stage: Stage) -> None:
        mine = await of_team(stage, role)
        await stage.ask("PUT", "/v1/alerts/rules/mine?namespace=team", data={"kind": "dead_letters"})
        await stage.ask("PUT", "/v1/alerts/rules/crash-loop?namespace=team", data={"kind": "dead_letters"})
        await look(stage)
        groups = (await told(stage, "rules", mine))["groups"]
        alerts = (await told(stage, "alerts", mine))["alerts"]
        if role == "query":
            assert (groups, alerts) == ([], [])
            return
        assert [group["name"] for group in groups] == ["team"]
        assert [(each["name"], len(each["alerts"])) for each in groups[0]["rules"]] == [("crash-loop", 1), ("mine", 1)]
        assert {each["labels"]["alertname"] for each in alerts} == {"crash-loop", "dead-letters", "mine"}
        everywhere = (await told(stage, "rules"))["groups"]
        ours = {each["name"]: each for each in everywhere[0]["rules"]}
        assert ours["crash-loop"]["alerts"] == [], "the one of this name is the namespace's"

    play(story)


def test_who_calls_sees_neither_and_a_prometheus_is_asked_instead(play: Play, tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        calls = await of_team(stage, "invoke")
        for path in ("rules", "alerts"):
            assert (await stage.ask("GET", f"/api/v1/{path}", headers=calls)).status == 403
        with server() as (url, heard):
            store = await past(stage, tmp_path, Prometheus(url))
            everywhere = await stage.tokens.issue(None, TokenRequest(role="query"))
            for path in ("rules?type=alert", "alerts", "query_exemplars?query=up"):
                headers = {"authorization": f"Bearer {everywhere.token}"}
                assert json.loads((await stage.ask("GET", f"/api/v1/{path}", headers=headers)).body) == {"theirs": True}
            assert [each.split()[0] for each in heard] == [
                "/api/v1/rules?type=alert", "/api/v1/alerts?", "/api/v1/query_exemplars?query=up",
            ]  # fmt: skip
            await store.close()

    play(story)
