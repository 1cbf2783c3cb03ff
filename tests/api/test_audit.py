"""Every change, by every listener and dialect, is in the audit log, with what differs and without secrets."""

import base64
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.api.conftest import BUNDLE, Play, Stage

from dayfly.api.audit_subjects import action_of
from dayfly.model.audit import AuditDraft, AuditEntry, AuditLimits, AuditQuery, Begun, Change
from dayfly.model.errors import StoreUnavailable
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest
from dayfly.observe.audit import AuditLog
from dayfly.server.apps import CONSOLE_ROUTES, PUBLIC_ROUTES, build_apps
from dayfly.storage.sqlite_audit import SqliteAudit

NS = "/v1/namespaces/openfaas-fn"
Story = Callable[[Stage, AuditLog], Awaitable[None]]


@pytest.fixture
def audited(play: Play, tmp_path: Path) -> Callable[[Story], None]:
    """Play a story on apps that have an audit log."""

    def run(story: Story) -> None:
        async def main(stage: Stage) -> None:
            log = AuditLog(SqliteAudit(tmp_path / "audit.db"), AuditLimits(), stage.clock)
            await log.open()
            try:
                services = dataclasses.replace(stage.services, audit=log)
                stage.apps = build_apps(services, stage.credentials)
                await story(stage, log)
                assert (await log.verify()).whole
            finally:
                await log.close()

        play(main)

    return run


async def last(log: AuditLog) -> AuditEntry:
    return (await log.find(AuditQuery(limit=1)))[0]


def changed(entry: AuditEntry) -> dict[str, tuple[Any, Any]]:
    return {each.path: (each.before, each.after) for each in entry.changes}


def test_a_function_is_followed_from_its_deployment_to_its_end(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        headers = {**stage.bearer, "X-Forwarded-For": "9.9.9.9, 10.0.0.7"}
        await stage.ask("PUT", f"{NS}/functions/hello", data={"bundle": BUNDLE, "env": {"MODE": "a", "API_KEY": "k1"}})
        first = await last(log)
        assert (first.action, first.namespace, first.target, first.status) == (
            "function.put", "openfaas-fn", "hello", 201,
        )  # fmt: skip
        assert (first.who, first.role) == ("local", "admin")
        assert changed(first)["spec.env.MODE"] == (None, "a")

        changes = {"bundle": BUNDLE, "env": {"MODE": "b", "API_KEY": "k2"}}
        await stage.ask("PUT", f"{NS}/functions/hello", headers=headers, data=changes, app="console")
        second = await last(log)
        assert (second.address, second.status) == ("10.0.0.7", 200)
        assert changed(second)["spec.env.MODE"] == ("a", "b")
        assert changed(second)["spec.env.API_KEY"] == ("[redacted]", "[redacted]")
        assert "k1" not in str(second)

        await stage.ask("POST", f"{NS}/functions/hello/scale", data={"replicas": 3})
        scaled = await last(log)
        assert (scaled.action, changed(scaled)["asked.replicas"]) == ("function.scale", (None, 3))

        await stage.ask("DELETE", f"{NS}/functions/hello")
        gone = await last(log)
        assert (gone.action, gone.status, changed(gone)["spec.env.MODE"]) == ("function.remove", 204, ("b", None))
        await stage.ask("DELETE", f"{NS}/functions/hello")
        assert ((await last(log)).status, (await last(log)).changes) == (404, ())

    audited(story)


def test_openfaas_clients_are_told_of_alike(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        basic = stage.basic
        await stage.ask("POST", "/system/functions", headers=basic, data={"service": "echo", "image": BUNDLE})
        made = await last(log)
        assert (made.who, made.action, made.namespace, made.target) == ("admin", "function.put", "openfaas-fn", "echo")
        assert changed(made)["spec.name"] == (None, "echo")
        asked = {"serviceName": "echo", "replicas": 2}
        await stage.ask("POST", "/system/scale-function/echo", headers=basic, data=asked)
        assert ((await last(log)).action, (await last(log)).target) == ("function.scale", "echo")
        await stage.ask("DELETE", "/system/functions", headers=basic, data={"functionName": "echo"})
        assert ((await last(log)).action, changed(await last(log))["spec.name"]) == ("function.remove", ("echo", None))
        await stage.ask("POST", "/system/secrets", headers=basic, data={"name": "key", "value": "hush-hush"})
        secret = await last(log)
        assert (secret.action, secret.target) == ("secret.put", "key")
        assert list(changed(secret)) == ["version"]
        await stage.ask(
            "POST", "/system/namespace/", headers=basic, data={"name": "team", "annotations": {"openfaas": "1"}}
        )
        assert ((await last(log)).action, (await last(log)).namespace) == ("namespace.put", "team")
        assert "hush-hush" not in str(await log.find(AuditQuery()))

    audited(story)


def test_what_else_is_changed_is_told_with_what_differs(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        await stage.deploy("hello")
        source = {"kind": "cron", "schedule": "0 3 * * *"}
        await stage.ask("PUT", f"{NS}/triggers/nightly", data={"function": "hello", "source": source})
        assert changed(await last(log))["source.schedule"] == (None, "0 3 * * *")
        await stage.ask("POST", f"{NS}/triggers/nightly/pause")
        assert ((await last(log)).action, changed(await last(log))) == ("trigger.pause", {"paused": (None, True)})

        await stage.ask("PUT", f"{NS}/secrets/key", body=b"hush-hush")
        await stage.ask("PUT", f"{NS}/secrets/key", body=b"hush-hush too")
        (version,) = changed(await last(log)).values()
        assert version[0] < version[1]

        route = {"path": "/hi", "targets": [{"function": "hello"}]}
        await stage.ask("PUT", f"{NS}/routes/front", data=route)
        assert ((await last(log)).status, (await last(log)).action) == (201, "route.put")
        await stage.ask("PUT", f"{NS}/functions/hello/budget", data={"budget": ["calls=10/day"]})
        assert changed(await last(log))["budgets.hello.calls.day"] == (None, 10)
        await stage.ask("PUT", f"{NS}/budgets/all", data={"calls": {"day": 5}})
        assert ((await last(log)).action, changed(await last(log))["calls.day"]) == ("budget.put", (None, 5))
        await stage.ask("PUT", "/v1/namespaces/openfaas-fn", data={"labels": {"team": "x"}})
        assert ((await last(log)).action, changed(await last(log))) == ("namespace.put", {"labels.team": (None, "x")})

        issued = (await stage.ask("POST", f"{NS}/tokens", data={"role": "deploy", "note": "ci"})).json()
        told = await last(log)
        token = issued["status"]["id"]
        assert (told.action, changed(told)[f"{token}.note"]) == ("token.create", (None, "ci"))
        await stage.ask("DELETE", f"{NS}/tokens/{token}")
        assert changed(await last(log))[f"{token}.role"] == ("deploy", None)
        everything = str(await log.find(AuditQuery()))
        assert issued["token"] not in everything
        assert "hush-hush" not in everything

    audited(story)


def test_what_watches_and_reports_is_told_with_what_differs(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        rule = {"kind": "queue_depth", "threshold": 2, "labels": {"api_key": "k1"}}
        await stage.ask("PUT", "/v1/alerts/rules/deep", data=rule)
        made = changed(await last(log))
        assert (made["threshold"], made["labels.api_key"]) == ((None, 2.0), (None, "[redacted]"))
        await stage.ask("PUT", "/v1/alerts/rules/deep", data={**rule, "threshold": 9})
        entry = await last(log)
        assert (entry.action, entry.target, changed(entry)) == ("alert-rule.put", "deep", {"threshold": (2.0, 9.0)})
        await stage.ask("DELETE", "/v1/alerts/rules/dead-letters")
        assert changed(await last(log)) == {"paused": (None, True)}, "a default one is paused"

        await stage.ask("PUT", "/v1/reports/weekly", data={"every": "week"})
        await stage.ask("PUT", "/v1/reports/weekly", data={"every": "week", "at": "08:30"})
        entry = await last(log)
        assert (entry.action, changed(entry)) == ("report.put", {"at": (None, "08:30")})
        await stage.ask("DELETE", "/v1/reports/weekly")
        assert changed(await last(log))["every"] == ("week", None)

        await stage.ask("PUT", "/v1/queries/all", data={"sql": "select 1"})
        await stage.ask("PUT", "/v1/queries/all", data={"sql": "select 2"})
        entry = await last(log)
        assert (entry.action, entry.target, changed(entry)) == ("query.put", "all", {"sql": ("select 1", "select 2")})
        await stage.ask("DELETE", "/v1/queries/all")
        assert changed(await last(log)) == {"sql": ("select 2", None)}

    audited(story)


def test_a_receiver_is_told_of_without_its_secret(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        path = "/v1/alerts/receivers/ops"
        hook = {"target": {"kind": "webhook", "url": "https://hooks.example.org/x"}}
        await stage.ask("PUT", path, data={**hook, "secret": "hush-hush"})
        made = await last(log)
        assert (made.action, made.target) == ("alert-receiver.put", "ops")
        assert changed(made)["target.url"] == (None, "https://hooks.example.org/x")
        assert changed(made)["secret_given"] == (None, "[redacted]")
        stage.clock.advance(1)
        await stage.ask("PUT", path, data={**hook, "min_severity": "critical"})
        assert changed(await last(log)) == {"min_severity": (None, "critical")}, "the secret stays as it is"
        await stage.ask("PUT", path, data={**hook, "min_severity": "critical", "secret": "hush-hush too"})
        assert changed(await last(log)) == {"secret_given": ("[redacted]", "[redacted]")}
        await stage.ask("PUT", path, data={**hook, "min_severity": "critical", "secret": ""})
        assert changed(await last(log)) == {"secret_given": ("[redacted]", None)}
        await stage.ask("DELETE", path)
        assert changed(await last(log))["target.kind"] == ("webhook", None)
        assert "hush-hush" not in str(await log.find(AuditQuery()))

    audited(story)


def test_a_silence_is_told_of_from_its_beginning_to_its_end(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        asked = {"matchers": [{"name": "alertname", "value": "dead-*"}], "duration": "1h", "comment": "on it"}
        silence = (await stage.ask("POST", "/v1/alerts/silences", data=asked)).json()["id"]
        made = await last(log)
        assert (made.action, changed(made)[f"{silence}.comment"]) == ("alert-silence.create", (None, "on it"))
        stage.clock.advance(26 * 3600)
        other = (await stage.ask("POST", "/v1/alerts/silences", data=asked)).json()["id"]
        told = changed(await last(log))
        assert {path.partition(".")[0] for path in told} == {other}, "what went by its age is not somebody's doing"
        await stage.ask("DELETE", f"/v1/alerts/silences/{other}")
        ended = await last(log)
        assert (ended.action, ended.target) == ("alert-silence.remove", other)
        assert changed(ended)[f"{other}.created_by"] == ("local", None)

    audited(story)


def test_what_is_whose_without_a_path_that_says_it(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        token = await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))
        team = {"Authorization": f"Bearer {token.token}"}
        rule = {"kind": "error_rate", "threshold": 0.5}
        await stage.ask("PUT", "/v1/alerts/rules/bad", headers=team, data=rule)
        assert ((await last(log)).namespace, changed(await last(log))["namespace"]) == ("team", (None, "team"))
        await stage.ask("PUT", "/v1/alerts/rules/bad?namespace=team", data={**rule, "threshold": 0.7})
        assert ((await last(log)).namespace, changed(await last(log))) == ("team", {"threshold": (0.5, 0.7)})
        elsewhere = await stage.ask("PUT", "/v1/alerts/rules/bad?namespace=openfaas-fn", headers=team, data=rule)
        assert (elsewhere.status, (await last(log)).namespace) == (403, "team"), "another's log is not to be written"
        await stage.ask("PUT", "/v1/queries/all?namespace=openfaas-fn", headers=team, data={"sql": "select 1"})
        assert ((await last(log)).namespace, changed(await last(log))) == ("team", {"sql": (None, "select 1")})
        await stage.ask("PUT", "/v1/queries/all?namespace=team", data={"sql": "select 2"})
        assert ((await last(log)).namespace, changed(await last(log))) == ("", {"sql": (None, "select 2")})

    audited(story)


def test_calls_and_questions_are_not_changes(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        await stage.deploy("hello")
        event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "y"}
        headers = {**stage.bearer, "Content-Type": "application/cloudevents+json"}
        await stage.ask("POST", f"{NS}/events", headers=headers, data=event)
        await stage.ask("GET", f"{NS}/functions")
        await stage.ask("POST", "/hooks/openfaas-fn/none", body=b"{}")
        assert await log.find(AuditQuery()) == []

    audited(story)


def test_who_is_refused_is_told_of(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        wrong = base64.b64encode(b"root:guess").decode()
        assert (await stage.ask("GET", f"{NS}/functions", headers={"Authorization": f"Basic {wrong}"})).status == 401
        failed = await last(log)
        assert (failed.who, failed.role, failed.action, failed.status) == ("root", "", "sign-in.failed", 401)
        assert "guess" not in str(failed)
        assert (await stage.ask("PUT", f"{NS}/functions/x", headers={}, data={})).status == 401
        assert (await last(log)).sequence == failed.sequence, "who gives no credential is no one"

        token = await stage.tokens.issue(None, TokenRequest(role="view"))
        viewer = {"Authorization": f"Bearer {token.token}"}
        assert (await stage.ask("DELETE", f"{NS}/functions/x", headers=viewer)).status == 403
        barred = await last(log)
        assert (barred.who, barred.role, barred.action, barred.status) == (
            f"token {token.status.id}", "view", "function.remove", 403,
        )  # fmt: skip
        assert (await stage.ask("GET", "/v1/audit", headers=viewer)).status == 403

    audited(story)


def test_a_namespace_s_administrator_sees_its_own_alone(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, _log: AuditLog) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        token = await stage.tokens.issue(stage.team, TokenRequest(role="admin"))
        team = {"Authorization": f"Bearer {token.token}"}
        await stage.ask("PUT", f"{NS}/secrets/ours", body=b"x")
        await stage.ask("PUT", "/v1/namespaces/team/secrets/theirs", headers=team, body=b"x")
        await stage.ask("PUT", f"{NS}/secrets/ours", headers=team, body=b"x")

        mine = (await stage.ask("GET", "/v1/audit", headers=team)).json()
        assert [(each["action"], each["target"], each["status"]) for each in mine] == [
            ("secret.put", f"{NS}/secrets/ours", 403), ("secret.put", "theirs", 201),
        ]  # fmt: skip
        assert (await stage.ask("GET", "/v1/audit?namespace=openfaas-fn", headers=team)).status == 403
        assert (await stage.ask("GET", "/v1/audit/verify", headers=team)).status == 403
        everything = (await stage.ask("GET", "/v1/audit")).json()
        assert len(everything) == 3
        found = (await stage.ask("GET", "/v1/audit?action=secret&namespace=team&limit=1&since=1h")).json()
        assert len(found) <= 1
        checked = (await stage.ask("GET", "/v1/audit/verify")).json()
        assert (checked["whole"], checked["entries"], checked["head"]["hash"]) == (True, 3, everything[0]["hash"])
        noted = "/v1/audit/verify?sequence=2&hash=" + "0" * 64
        assert (await stage.ask("GET", noted)).json()["broken"] == 2
        for wrong in ("limit=0", "after=-1", "since=soon", "what=1"):
            assert (await stage.ask("GET", f"/v1/audit?{wrong}")).status == 400, wrong
        assert (await stage.ask("GET", "/v1/audit/verify?sequence=2")).status == 400

    audited(story)


class Full:
    """A log whose disk is full, at once or when something ends."""

    def __init__(self, *, begins: bool) -> None:
        self.begins = begins

    async def begin(self, draft: AuditDraft) -> Begun:
        if not self.begins:
            raise StoreUnavailable("the disk is full")
        return Begun(1, draft)

    async def end(self, begun: Begun, status: int, changes: tuple[Change, ...] = ()) -> None:
        del begun, status, changes
        raise StoreUnavailable("the disk is full")


@pytest.mark.parametrize(("begins", "is_there"), [(False, False), (True, True)])
def test_nothing_is_acknowledged_without_an_entry(play: Play, begins: bool, is_there: bool) -> None:
    async def story(stage: Stage) -> None:
        full: Any = Full(begins=begins)
        stage.apps = build_apps(dataclasses.replace(stage.services, audit=full), stage.credentials)
        answer = await stage.ask("PUT", f"{NS}/secrets/key", body=b"x")
        assert (answer.status, b"the disk is full" in answer.body) == (503, True)
        assert bool(stage.secrets.in_namespace(stage.namespaces.names()[0])) is is_there

    play(story)


def test_what_each_route_does_has_a_name() -> None:
    named = {
        f"{each.method} {each.path}": action_of(each) for each in (*PUBLIC_ROUTES, *CONSOLE_ROUTES) if each.is_change
    }
    assert (
        named.items()
        >= {
            "PUT /v1/namespaces/{namespace}": "namespace.put",
            "DELETE /v1/namespaces/{namespace}": "namespace.remove",
            "POST /v1/namespaces/{namespace}/tokens": "token.create",
            "DELETE /v1/tokens/{token}": "token.remove",
            "POST /v1/namespaces/{namespace}/functions/{name}/rollback": "function.rollback",
            "PUT /v1/namespaces/{namespace}/functions/{name}/budget": "function.budget",
            "POST /v1/namespaces/{namespace}/dead-letters/purge": "dead-letter.purge",
            "PUT /v1/hosts/{host}": "host.put",
            "POST /v1/alerts/silences": "alert-silence.create",
            "DELETE /v1/alerts/silences/{silence}": "alert-silence.remove",
            "POST /v1/alerts/incoming": "alert.incoming",
            "POST /v1/alerts/receivers/{name}/test": "alert-receiver.test",
            "PUT /v1/queries/{query}": "query.put",
            "POST /v1/secrets/rotate-key": "secret.rotate-key",
            "POST /build": "build.create",
        }.items()
    )
    assert all(name.count(".") == 1 and name.isascii() for name in named.values())


def test_every_route_that_changes_something_writes_one_entry(audited: Callable[[Story], None]) -> None:
    async def story(stage: Stage, log: AuditLog) -> None:
        for app, routes in (("public", PUBLIC_ROUTES), ("console", CONSOLE_ROUTES)):
            for route in routes:
                if route.is_change and route.access != "signed":
                    before = (await log.verify()).head.sequence
                    path = route.path
                    for name in route.parameters:
                        path = path.replace(f"{{{name}}}", "openfaas-fn" if name == "namespace" else "thing")
                    await stage.ask(route.method, path, app=app, data={"namespace": "openfaas-fn"})
                    entry = await last(log)
                    assert entry.sequence == before + 1, f"{app} {route.method} {route.path}"
                    assert entry.action == action_of(route)

    audited(story)
