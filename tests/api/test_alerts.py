"""Alerts over HTTP: rules, silences and receivers of a namespace and of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest
from dayfly.observe.alerts.text import alertmanager_alerts, alertmanager_body, stamp

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

HOOK = {"target": {"kind": "webhook", "url": "https://hooks.example.org/x"}, "group_wait": "0s"}


async def look(stage: Stage) -> None:
    """Look at the rules once, tell, and wait until everybody was told."""
    await stage.alerts.watch.look()
    await stage.alerts.telling.look()
    while tasks := list(stage.alerts.telling._sending.values()):
        for task in tasks:
            await task


async def of_team(stage: Stage, role: Any = "admin") -> dict[str, str]:
    """Return a credential of a role in the namespace `team`, which is made."""
    if stage.team not in stage.namespaces.names():
        await stage.namespaces.create(stage.team, NamespaceChange())
    return {"authorization": f"Bearer {(await stage.tokens.issue(stage.team, TokenRequest(role=role))).token}"}


def test_rules_are_there_from_the_start_and_tell_nobody(play: Play) -> None:
    async def story(stage: Stage) -> None:
        found = (await stage.ask("GET", "/v1/alerts/rules")).json()
        names = ["budget-used", "certificate-ends", "crash-loop", "dead-letters", "disk-nearly-full"]
        assert [each["rule"]["name"] for each in found] == names
        await look(stage)
        (alert,) = (await stage.ask("GET", "/v1/alerts")).json()
        assert (alert["rule"], alert["state"], alert["namespace"]) == ("dead-letters", "firing", "team")
        assert alert["text"] == "calls of hello.team that failed for good: 1, more than 0"
        assert stage.alerts.senders.told == []
        assert (await stage.ask("DELETE", "/v1/alerts/rules/dead-letters")).status == 204
        status = (await stage.ask("GET", "/v1/alerts/rules/dead-letters")).json()
        assert (status["state"], status["rule"]["paused"]) == ("paused", True)
        await look(stage)
        assert (await stage.ask("GET", "/v1/alerts")).json()[0]["state"] == "resolved"

    play(story)


def test_a_rule_is_made_changed_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        rule = {"kind": "queue_depth", "threshold": 2, "severity": "critical", "for": "1m"}
        made = await stage.ask("PUT", "/v1/alerts/rules/deep", data=rule)
        assert (made.status, made.json()["rule"]["for"]) == (201, "1m")
        await look(stage)
        described = (await stage.ask("GET", "/v1/alerts/rules/deep")).json()
        assert (described["state"], described["alerts"]) == ("pending", 1)
        stage.clock.advance(60)
        await look(stage)
        assert (await stage.ask("GET", "/v1/alerts/rules/deep")).json()["state"] == "firing"
        changed = await stage.ask("PUT", "/v1/alerts/rules/deep", data={**rule, "threshold": 9})
        assert changed.status == 200
        assert (await stage.ask("DELETE", "/v1/alerts/rules/deep")).status == 204
        assert (await stage.ask("DELETE", "/v1/alerts/rules/deep")).status == 404
        assert (await stage.ask("GET", "/v1/alerts/rules/deep")).status == 404

    play(story)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "latency"},
        {"kind": "unheard of"},
        {"kind": "error_rate", "name": "other"},
        {"kind": "error_rate", "receivers": ["nobody"]},
        {"kind": "error_rate", "surprise": 1},
    ],
)
def test_a_rule_that_cannot_be_watched_is_refused(play: Play, rule: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("PUT", "/v1/alerts/rules/deep", data=rule)).status == 400
        assert (await stage.ask("GET", "/v1/alerts/rules/deep")).status == 404

    play(story)


def test_a_rule_of_promql_without_a_history_says_so_in_its_standing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        made = await stage.ask("PUT", "/v1/alerts/rules/any", data={"kind": "promql", "expr": "up == 0"})
        assert made.status == 201
        await look(stage)
        status = (await stage.ask("GET", "/v1/alerts/rules/any")).json()
        assert status["state"] == "failing"
        assert "keeps no history" in status["trouble"]

    play(story)


def test_a_namespaces_credential_is_about_its_namespace_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await of_team(stage)
        rule = {"kind": "dead_letters"}
        made = await stage.ask("PUT", "/v1/alerts/rules/dead", headers=mine, data=rule)
        assert (made.status, made.json()["rule"]["namespace"]) == (201, "team")
        assert (await stage.ask("GET", "/v1/alerts/rules", headers=mine)).json()[0]["rule"]["name"] == "dead"
        assert (await stage.ask("GET", "/v1/alerts/rules/crash-loop", headers=mine)).status == 404
        assert (await stage.ask("DELETE", "/v1/alerts/rules/crash-loop", headers=mine)).status == 404
        elsewhere = await stage.ask("PUT", "/v1/alerts/rules/dead?namespace=other", headers=mine, data=rule)
        assert elsewhere.status == 403
        disk = await stage.ask("PUT", "/v1/alerts/rules/disk", headers=mine, data={"kind": "disk"})
        assert disk.status == 400
        await look(stage)
        seen = (await stage.ask("GET", "/v1/alerts", headers=mine)).json()
        assert sorted(each["rule"] for each in seen) == ["dead", "dead-letters"], "the installation's about it too"
        assert (await stage.ask("GET", "/v1/alerts?namespace=openfaas-fn")).json() == []
        in_team = await stage.ask("PUT", "/v1/alerts/rules/more?namespace=team", data=rule)
        assert in_team.json()["rule"]["namespace"] == "team"
        nowhere = await stage.ask("PUT", "/v1/alerts/rules/more?namespace=nowhere", data=rule)
        assert nowhere.status == 404

    play(story)


def test_roles_may_look_write_rules_and_make_receivers(play: Play) -> None:
    async def story(stage: Stage) -> None:
        for role, statuses in {"view": (200, 403, 403), "deploy": (200, 201, 403), "admin": (200, 200, 201)}.items():
            headers = await of_team(stage, role)
            listed = await stage.ask("GET", "/v1/alerts/receivers", headers=headers)
            rule = await stage.ask("PUT", "/v1/alerts/rules/a", headers=headers, data={"kind": "error_rate"})
            told = await stage.ask("PUT", "/v1/alerts/receivers/a", headers=headers, data=HOOK)
            assert (listed.status, rule.status, told.status) == statuses, role

    play(story)


def test_a_receiver_is_told_and_its_secret_never_shown(play: Play) -> None:
    async def story(stage: Stage) -> None:
        made = await stage.ask("PUT", "/v1/alerts/receivers/ops", data={**HOOK, "secret": "whsec_hidden"})
        assert (made.status, made.json()["has_secret"]) == (201, True)
        assert stage.alerts.vault.kept["", "alerts.ops"] == b"whsec_hidden"
        await look(stage)
        (told,) = stage.alerts.senders.told
        assert told[1].title == "[FIRING:1] dead-letters: calls of hello.team that failed for good: 1, more than 0"
        assert (await stage.ask("POST", "/v1/alerts/receivers/ops/test")).json() == {"trouble": ""}
        stage.alerts.senders.refusal = "nobody answers"
        refused = await stage.ask("POST", "/v1/alerts/receivers/ops/test")
        assert (refused.status, "nobody answers" in refused.json()["detail"]) == (503, True)
        for path in ("/v1/alerts/receivers", "/v1/alerts/receivers/ops", "/v1/alerts/rules", "/v1/alerts"):
            answer = await stage.ask("GET", path)
            assert b"whsec_hidden" not in answer.body
        assert (await stage.ask("GET", "/v1/alerts/receivers/ops")).json()["sent"] == 2
        kept = await stage.alerts.store.kept("receiver")
        assert "whsec_hidden" not in "".join(kept.values())
        assert (await stage.ask("DELETE", "/v1/alerts/receivers/ops")).status == 204
        assert stage.alerts.vault.kept == {}

    play(story)


def test_a_secret_stays_is_replaced_and_is_not_led_elsewhere(play: Play) -> None:
    async def story(stage: Stage) -> None:
        path = "/v1/alerts/receivers/ops"
        await stage.ask("PUT", path, data={**HOOK, "secret": "first"})
        await stage.ask("PUT", path, data={**HOOK, "min_severity": "critical"})
        assert stage.alerts.vault.kept["", "alerts.ops"] == b"first"
        moved = {**HOOK, "target": {"kind": "webhook", "url": "https://evil.example.org/"}}
        refused = await stage.ask("PUT", path, data=moved)
        assert (refused.status, "secret: give it again" in refused.json()["detail"]) == (400, True)
        assert (await stage.ask("PUT", path, data={**moved, "secret": "second"})).status == 200
        assert (await stage.ask("PUT", path, data={**moved, "secret": ""})).json()["has_secret"] is False
        assert stage.alerts.vault.kept == {}
        slack = await stage.ask("PUT", path, data={"target": {"kind": "slack"}})
        assert (slack.status, "needs one" in slack.json()["detail"]) == (400, True)

    play(story)


def test_what_leads_anywhere_is_the_installations_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        chat = {"target": {"kind": "apprise"}, "secret": "json://localhost"}
        mine = await of_team(stage)
        refused = await stage.ask("PUT", "/v1/alerts/receivers/chat", headers=mine, data=chat)
        assert refused.status == 403
        assert (await stage.ask("PUT", "/v1/alerts/receivers/chat", data=chat)).status == 201

    play(story)


def test_a_silence_keeps_alerts_from_being_told_and_ends(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask("PUT", "/v1/alerts/receivers/ops", data=HOOK)
        asked = {"matchers": [{"name": "alertname", "value": "dead-*"}], "duration": "1h", "comment": "on it"}
        made = await stage.ask("POST", "/v1/alerts/silences", data=asked)
        silence = made.json()
        assert (made.status, silence["created_by"], silence["comment"]) == (201, "local", "on it")
        await look(stage)
        (alert,) = (await stage.ask("GET", "/v1/alerts")).json()
        assert alert["silences"] == [silence["id"]]
        assert stage.alerts.senders.told == []
        assert (await stage.ask("DELETE", f"/v1/alerts/silences/{silence['id']}")).status == 204
        assert (await stage.ask("DELETE", f"/v1/alerts/silences/{silence['id']}")).status == 404
        await look(stage)
        assert len(stage.alerts.senders.told) == 1

    play(story)


def test_a_namespaces_silence_is_about_its_alerts_alone(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        everything = {"matchers": [{"name": "alertname", "value": "*"}], "duration": "1h"}
        await stage.ask("POST", "/v1/alerts/silences?namespace=openfaas-fn", data=everything)
        await look(stage)
        (alert,) = (await stage.ask("GET", "/v1/alerts")).json()
        assert alert["silences"] == []
        mine = await of_team(stage)
        found = await stage.ask("POST", "/v1/alerts/silences", headers=mine, data=everything)
        assert found.json()["namespace"] == "team"
        (alert,) = (await stage.ask("GET", "/v1/alerts")).json()
        assert alert["silences"] == [found.json()["id"]]
        (listed,) = (await stage.ask("GET", "/v1/alerts/silences", headers=mine)).json()
        assert listed["id"] == found.json()["id"]

    play(story)


@pytest.mark.parametrize(
    "asked",
    [
        {"matchers": [], "duration": "1h"},
        {"matchers": [{"name": "a", "value": "b"}]},
        {"matchers": [{"name": "a", "value": "b"}], "ends_unix_ms": 1},
        {"matchers": [{"name": "a b", "value": "b"}], "duration": "1h"},
    ],
)
def test_a_silence_without_an_end_or_without_a_mark_is_refused(play: Play, asked: dict[str, Any]) -> None:
    async def story(stage: Stage) -> None:
        assert (await stage.ask("POST", "/v1/alerts/silences", data=asked)).status == 400

    play(story)


def test_an_alertmanager_is_tested_by_an_alert_that_ends_by_itself(play: Play) -> None:
    """It takes no letters; and what nobody ends would fire there for ever."""

    async def story(stage: Stage) -> None:
        manager = {**HOOK, "target": {"kind": "alertmanager", "url": "https://alertmanager.example.org"}}
        await stage.ask("PUT", "/v1/alerts/receivers/manager", data=manager)
        assert (await stage.ask("POST", "/v1/alerts/receivers/manager/test")).json() == {"trouble": ""}
        ((receiver, notice),) = stage.alerts.senders.told
        assert (receiver.name, stage.alerts.senders.letters) == ("manager", [])
        (sent,) = alertmanager_alerts(notice)
        assert sent["labels"] == {"alertname": "DayflyTest", "receiver": "manager", "severity": "info"}
        assert "Nothing is wrong" in sent["annotations"]["description"]
        assert sent["endsAt"] > sent["startsAt"] == stamp(notice.at_unix_ms)
        assert (await stage.ask("GET", "/v1/alerts/receivers/manager")).json()["sent"] == 1

    play(story)


def test_what_an_alertmanager_tells_is_shown_and_told_until_it_is_over(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask("PUT", "/v1/alerts/rules/dead-letters", data={"kind": "dead_letters", "paused": True})
        await stage.ask("PUT", "/v1/alerts/receivers/ops", data={**HOOK, "group_interval": "0s"})
        manager = {**HOOK, "target": {"kind": "alertmanager", "url": "https://alertmanager.example.org"}}
        await stage.ask("PUT", "/v1/alerts/receivers/back", data=manager)
        told = {"status": "firing", "labels": {"alertname": "NodeDown", "severity": "critical", "node": "a"},
                "annotations": {"description": "node a is gone"}, "startsAt": "2023-11-14T22:00:00.5Z",
                "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prometheus", "fingerprint": "x"}  # fmt: skip
        message = {"version": "4", "groupKey": "{}:{}", "receiver": "dayfly", "alerts": [told], "truncatedAlerts": 0}
        assert (await stage.ask("POST", "/v1/alerts/incoming", data=message)).json() == {"alerts": 1}
        await look(stage)
        (alert,) = (await stage.ask("GET", "/v1/alerts")).json()
        assert (alert["kind"], alert["severity"], alert["state"]) == ("incoming", "critical", "firing")
        assert alert["text"] == "node a is gone"
        assert [receiver.name for receiver, _ in stage.alerts.senders.told] == ["ops"], "not back to an Alertmanager"
        over = {**told, "status": "resolved", "endsAt": "2023-11-14T22:10:00Z"}
        await stage.ask("POST", "/v1/alerts/incoming", data={**message, "alerts": [over]})
        await look(stage)
        assert stage.alerts.senders.told[-1][1].status == "resolved"
        mine = await of_team(stage)
        await stage.ask("POST", "/v1/alerts/incoming", headers=mine, data=message)
        (own,) = (await stage.ask("GET", "/v1/alerts", headers=mine)).json()
        assert own["labels"]["namespace"] == "team"
        assert (await stage.ask("POST", "/v1/alerts/incoming", headers={}, data=message)).status == 401

    play(story)


def test_what_an_alertmanager_tells_back_to_us_is_known_already(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.ask("PUT", "/v1/alerts/receivers/ops", data={**HOOK, "group_interval": "0s"})
        await look(stage)
        ((_, notice),) = stage.alerts.senders.told
        (ours,) = (await stage.ask("GET", "/v1/alerts")).json()
        echo = {**alertmanager_body(notice), "receiver": "dayfly"}
        assert echo["alerts"][0]["labels"] == ours["labels"]
        other = {**echo["alerts"][0], "labels": {**ours["labels"], "from": "elsewhere"}}
        told = {**echo, "alerts": [*echo["alerts"], other]}
        assert (await stage.ask("POST", "/v1/alerts/incoming", data=told)).json() == {"alerts": 1}
        await look(stage)
        shown = (await stage.ask("GET", "/v1/alerts")).json()
        assert sorted((each["kind"], "from" in each["labels"]) for each in shown) == [
            ("dead_letters", False), ("incoming", True),
        ]  # fmt: skip

    play(story)


def test_what_fired_is_told_when_it_is_long_over(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await of_team(stage)
        await look(stage)
        await stage.ask("DELETE", "/v1/alerts/rules/dead-letters")
        stage.clock.advance(60)
        await look(stage)
        stage.clock.advance(3600)
        await look(stage)
        assert (await stage.ask("GET", "/v1/alerts")).json() == []
        (past,) = (await stage.ask("GET", "/v1/alerts/history?rule=dead-letters")).json()
        assert (past["state"], past["value"], past["labels"]["function"]) == ("resolved", 1.0, "hello")
        assert past["resolved_unix_ms"] - past["fired_unix_ms"] == 60_000
        assert past["text"] == "calls of hello.team that failed for good: 1, more than 0"
        assert (await stage.ask("GET", "/v1/alerts/history", headers=mine)).json() == [past]
        for none in ("rule=other", "namespace=openfaas-fn", "since=1h", f"before={past['number']}"):
            assert (await stage.ask("GET", f"/v1/alerts/history?{none}")).json() == [], none
        since = await stage.ask("GET", "/v1/alerts/history?since=2023-11-14T22:14:00Z&limit=1")
        assert since.json() == [past]
        elsewhere = await stage.ask("GET", "/v1/alerts/history?namespace=openfaas-fn", headers=mine)
        assert elsewhere.status == 403
        for wrong in ("limit=0", "limit=1001", "since=soon", "before=-1", f"before={2**63}", "what=1"):
            assert (await stage.ask("GET", f"/v1/alerts/history?{wrong}")).status == 400, wrong

    play(story)


def test_alerts_go_with_their_namespace(play: Play) -> None:
    async def story(stage: Stage) -> None:
        mine = await of_team(stage)
        await stage.ask("PUT", "/v1/alerts/rules/a", headers=mine, data={"kind": "dead_letters"})
        await stage.ask("PUT", "/v1/alerts/receivers/a", headers=mine, data={**HOOK, "secret": "x"})
        everything = {"matchers": [{"name": "alertname", "value": "never"}], "duration": "1h"}
        await stage.ask("POST", "/v1/alerts/silences", headers=mine, data=everything)
        await look(stage)
        await stage.namespaces.remove(stage.team, force=True)
        assert stage.alerts.vault.kept == {}
        assert (await stage.ask("GET", "/v1/alerts/history?rule=a")).json() == []
        for kind in ("receiver", "silence", "rule", "told"):
            assert [key for key in await stage.alerts.store.kept(kind) if key[0] == "team"] == []

    play(story)
