"""Triggers over the API: what is written comes back, who may do what, and what comes in calls functions."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

import pytest

from dayfly.model.errors import LimitExceeded, NotSupported, PayloadTooLarge
from dayfly.model.trigger import MAX_NAMESPACE_TRIGGERS
from dayfly.storage.memory_triggers import MemoryTriggers

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Play, Stage

TRIGGERS = "/v1/namespaces/openfaas-fn/triggers"
MQTT = {"kind": "mqtt", "host": "mqtt.example.org", "topics": ["#"]}
HOOK = {"function": "hello", "source": {"kind": "webhook", "secret": "hook"}}
KEY = b"0123456789abcdef"
EVENT = {"specversion": "1.0", "id": "7", "source": "/shop", "type": "com.example.order"}
STRUCTURED = {"content-type": "application/cloudevents+json"}


async def bearer(stage: Stage, role: str, namespace: str | None) -> dict[str, str]:
    path = f"/v1/namespaces/{namespace}/tokens" if namespace else "/v1/tokens"
    issued = await stage.ask("POST", path, data={"role": role})
    return {"authorization": f"Bearer {issued.json()['token']}"}


async def put(stage: Stage, name: str, spec: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return await stage.ask("PUT", f"{TRIGGERS}/{name}", data={"function": "hello", **spec}, headers=headers)


def test_a_trigger_is_made_looked_at_changed_paused_and_removed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        spec = {"function": "hello", "source": {"kind": "event", "types": ["a*"]}, "filter": "data.n > `1`"}
        made = await stage.ask("PUT", f"{TRIGGERS}/orders", data=spec)
        assert made.status == 201
        assert made.json()["spec"] == {**spec, "name": "orders", "namespace": "openfaas-fn"}
        assert made.json()["standing"]["state"] == "running"
        assert (await stage.ask("GET", f"{TRIGGERS}/orders")).json() == made.json()
        assert (await stage.ask("GET", TRIGGERS)).json() == [made.json()]
        again = await stage.ask("PUT", f"{TRIGGERS}/orders?mode=create", data=spec)
        assert (again.status, "--replace" in again.json()["hint"]) == (409, True)
        assert (await stage.ask("PUT", f"{TRIGGERS}/other?mode=update", data=spec)).status == 404
        paused = await stage.ask("POST", f"{TRIGGERS}/orders/pause")
        assert (paused.json()["spec"]["paused"], paused.json()["standing"]["state"]) == (True, "paused")
        resumed = await stage.ask("POST", f"{TRIGGERS}/orders/resume")
        assert resumed.json()["standing"]["state"] == "running"
        assert (await stage.ask("DELETE", f"{TRIGGERS}/orders")).status == 204
        for method, path in (("DELETE", ""), ("GET", ""), ("POST", "/pause"), ("POST", "/resume")):
            assert (await stage.ask(method, f"{TRIGGERS}/orders{path}")).status == 404
        assert (await stage.ask("GET", TRIGGERS)).json() == []

    play(story)


@pytest.mark.parametrize(
    ("name", "spec", "says"),
    [
        ("orders", {"source": {"kind": "cron", "schedule": "soon"}}, "source.schedule: "),
        ("orders", {"source": {"kind": "cron", "schedule": "@daily", "timezone": "Mars"}}, "source.timezone: "),
        ("orders", {"source": {"kind": "event"}, "filter": "a b"}, "filter"),
        ("orders", {"source": {"kind": "event"}, "function": "nobody"}, "no function nobody"),
        ("orders", {"source": {"kind": "function", "name": "nobody"}}, "no function nobody"),
        ("orders", {"source": {"kind": "function", "name": "hello"}}, "without end"),
        ("orders", {"source": {"kind": "webhook", "secret": "nobody"}}, "no secret nobody"),
        ("orders", {"source": {"kind": "smoke"}}, "smoke"),
        ("orders", {"source": {"kind": "event"}, "name": "other"}, "another trigger"),
        ("orders", {"source": {"kind": "event"}, "namespace": "team"}, "another trigger"),
        ("Orders", {"source": {"kind": "event"}}, "trigger name"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(play: Play, name: str, spec: dict[str, Any], says: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        answer = await put(stage, name, spec)
        assert answer.status == 400
        assert says in answer.json()["detail"]
        assert ("first" in answer.json()["hint"]) == says.startswith("no "), "what is missing can be made"
        assert (await stage.ask("GET", TRIGGERS)).json() == []

    play(story)


def test_a_namespace_has_so_many_triggers_and_no_more(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.control.triggers.MAX_NAMESPACE_TRIGGERS", 2)
    assert MAX_NAMESPACE_TRIGGERS == 200

    async def story(stage: Stage) -> None:
        await stage.deploy()
        for name in ("a", "b", "b"):
            assert (await put(stage, name, {"source": {"kind": "event"}})).status in (200, 201)
        refused = await put(stage, "c", {"source": {"kind": "event"}})
        assert (refused.status, "2 triggers" in refused.json()["detail"]) == (429, True)

    play(story)


def test_a_kind_that_cannot_run_here_is_refused_and_leaves_nothing(play: Play) -> None:
    def check(kind: str) -> None:
        raise NotSupported(f"a trigger of kind {kind} cannot run here without it")

    async def story(stage: Stage) -> None:
        stage.triggers.check_kind = check
        refused = await put(stage, "a", {"source": {"kind": "event"}})
        assert (refused.status, refused.json()["detail"]) == (501, "a trigger of kind event cannot run here without it")
        assert stage.triggers.all() == []

    play(story)


@pytest.mark.parametrize(
    ("role", "namespace", "source", "status"),
    [
        ("admin", None, {**MQTT, "host": "10.0.0.1"}, 201),
        ("admin", None, {"kind": "files", "folder": "/srv/inbox/a"}, 201),
        ("admin", None, {"kind": "files", "folder": "/srv/inbox"}, 201),
        ("admin", None, {"kind": "files", "folder": "/srv/inboxes"}, 403),
        ("admin", None, {"kind": "files", "folder": "/etc"}, 403),
        ("deploy", None, {**MQTT, "host": "10.0.0.1"}, 403),
        ("deploy", None, MQTT, 201),
        ("admin", "openfaas-fn", MQTT, 201),
        ("admin", "openfaas-fn", {**MQTT, "host": "10.0.0.1"}, 403),
        ("admin", "openfaas-fn", {**MQTT, "port": 1884}, 403),
        ("admin", "openfaas-fn", {**MQTT, "tls": True}, 403),
        ("admin", "openfaas-fn", {"kind": "nats", "servers": ["mqtt.example.org:1883", "x"], "subjects": ["a"]}, 403),
        ("admin", "openfaas-fn", {"kind": "s3", "endpoint": "http://127.0.0.1", "bucket": "abc"}, 403),
        ("admin", "openfaas-fn", {"kind": "files", "folder": "/srv/inbox/a"}, 403),
        ("deploy", "openfaas-fn", {"kind": "event"}, 201),
        ("deploy", "openfaas-fn", {"kind": "cron", "schedule": "@daily"}, 201),
        ("view", "openfaas-fn", {"kind": "event"}, 403),
        ("invoke", "openfaas-fn", {"kind": "event"}, 403),
        ("admin", "team", {"kind": "event"}, 403),
    ],
)
def test_how_far_a_trigger_may_reach(
    play: Play, role: str, namespace: str | None, source: dict[str, Any], status: int
) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("other", namespace="team")
        headers = await bearer(stage, role, namespace)
        assert (await put(stage, "orders", {"source": source, "paused": True}, headers)).status == status

    play(story)


def test_a_namespace_may_change_what_the_administrator_made_but_not_where_it_connects(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        source = {**MQTT, "host": "10.0.0.1"}
        await put(stage, "orders", {"source": source, "paused": True})
        headers = await bearer(stage, "deploy", "openfaas-fn")
        assert (await put(stage, "orders", {"source": source, "paused": True, "filter": "data"}, headers)).status == 200
        changed = {**source, "topics": ["other"]}
        refused = await put(stage, "orders", {"source": changed, "paused": True}, headers)
        assert (refused.status, "10.0.0.1:1883" in refused.json()["detail"]) == (403, True)
        assert "DAYFLY_TRIGGER_ALLOW" in refused.json()["hint"]

    play(story)


def test_triggers_keep_a_namespace_and_go_with_it_and_are_named_by_their_secret(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy("hello", namespace="team")
        await stage.secrets.put(stage.team, "hook", KEY)
        assert (await stage.ask("PUT", "/v1/namespaces/team/triggers/hook", data=HOOK)).status == 201
        refused = await stage.ask("DELETE", "/v1/namespaces/team/secrets/hook")
        assert (refused.status, "the trigger hook" in refused.json()["detail"]) == (409, True)
        assert (await stage.ask("DELETE", "/v1/namespaces/team")).status == 409
        assert (await stage.ask("DELETE", "/v1/namespaces/team?force=true")).status in (202, 204)
        assert stage.triggers.all() == []

    play(story)


def test_a_store_that_fails_changes_nothing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        store = stage.triggers._store
        assert isinstance(store, MemoryTriggers)
        store._broken = lambda: "the disk is gone"
        assert (await put(stage, "orders", {"source": {"kind": "event"}})).status == 503
        assert (await stage.ask("GET", TRIGGERS)).json() == []

    play(story)


# -- events that come in -----------------------------------------------------------------------------------------------


async def post(
    stage: Stage, event: object = EVENT, headers: dict[str, str] | None = None, to: str = "events"
) -> Answer:
    path = f"/v1/namespaces/openfaas-fn/{to}"
    return await stage.ask(
        "POST", path, headers={**STRUCTURED, **(stage.bearer if headers is None else headers)},
        body=json.dumps(event).encode(),
    )  # fmt: skip


def test_posted_events_call_those_who_wait_for_them_once(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("hello", namespace="team")
        await put(stage, "orders", {"source": {"kind": "event", "types": ["com.example.*"]}})
        await put(stage, "paused", {"source": {"kind": "event"}, "paused": True})
        await put(stage, "clock", {"source": {"kind": "webhook", "secret": "hook"}})
        spec = {"function": "hello", "source": {"kind": "event"}}
        await stage.ask("PUT", "/v1/namespaces/team/triggers/all", data=spec)
        first = await post(stage)
        assert (first.status, first.json()) == (202, {"events": 1, "delivered": 1})
        assert (await post(stage)).status == 202
        other = await post(stage, {**EVENT, "type": "other"})
        assert other.json() == {"events": 1, "delivered": 0}
        (firing,) = stage.fired.firings.values()
        assert (str(firing.function), firing.headers["Ce-Id"]) == ("hello.openfaas-fn", "7")
        assert firing.headers["X-Connector"] == "event-connector"

    play(story)


def test_a_batch_and_binary_mode(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await put(stage, "orders", {"source": {"kind": "event"}})
        batch = {"content-type": "application/cloudevents-batch+json", **stage.bearer}
        answer = await post(stage, [EVENT, {**EVENT, "id": "8"}], batch)
        assert answer.json() == {"events": 2, "delivered": 2}
        binary = {"ce-specversion": "1.0", "ce-id": "9", "ce-source": "/s", "ce-type": "t", **stage.bearer}
        path = "/v1/namespaces/openfaas-fn/events"
        assert (await stage.ask("POST", path, headers=binary, body=b"data")).status == 202
        assert [each.body for each in stage.fired.firings.values()] == [b"", b"", b"data"]

    play(story)


@pytest.mark.parametrize(
    ("role", "namespace", "status"),
    [("invoke", "openfaas-fn", 202), ("deploy", None, 202), ("view", "openfaas-fn", 403), ("invoke", "team", 403)],
)
def test_who_may_post_events(play: Play, role: str, namespace: str | None, status: int) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("other", namespace="team")
        await put(stage, "orders", {"source": {"kind": "event"}})
        assert (await post(stage, headers=await bearer(stage, role, namespace))).status == status
        assert (await post(stage, headers={})).status == 401
        assert len(stage.fired.firings) == (status == 202)

    play(story)


def test_who_posts_hears_of_a_queue_that_is_full_and_of_what_is_no_event(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await put(stage, "orders", {"source": {"kind": "event"}})
        stage.fired.refusal = LimitExceeded("the queue is full", retry_after_s=1)
        assert (await post(stage)).status == 429
        stage.fired.refusal = PayloadTooLarge("too large")
        assert (await post(stage)).status == 413
        stage.fired.refusal = None
        assert (await post(stage, {**EVENT, "id": ""})).status == 400
        assert (await post(stage, EVENT, to="triggers/nobody/test")).status == 404
        assert stage.fired.firings == {}

    play(story)


def test_a_trigger_is_tried_with_an_event(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await put(stage, "orders", {"source": MQTT, "filter": "data.n > `1`", "paused": True})
        for number, delivered in ((1, False), (2, True)):
            tried = await post(stage, {**EVENT, "id": str(number), "data": {"n": number}}, to="triggers/orders/test")
            assert (tried.status, tried.json()) == (200, {"delivered": delivered})
        batch = {"content-type": "application/cloudevents-batch+json", **stage.bearer}
        assert (await post(stage, [EVENT, EVENT], batch, to="triggers/orders/test")).status == 400
        standing = (await stage.ask("GET", f"{TRIGGERS}/orders")).json()["standing"]
        assert (standing["delivered"], standing["filtered"]) == (1, 1)

    play(story)


def test_what_a_function_posts_knows_how_deep_it_is(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await put(stage, "orders", {"source": {"kind": "event"}})
        await post(stage, headers={**stage.bearer, "X-Dayfly-Depth": "4"})
        (firing,) = stage.fired.firings.values()
        assert firing.headers["X-Dayfly-Depth"] == "4"

    play(story)


def test_what_became_of_events_is_measured_for_whom_it_concerns(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("other", namespace="team")
        await put(stage, "orders", {"source": {"kind": "event"}, "filter": "data"})
        await put(stage, "rests", {"source": {"kind": "event"}, "paused": True})
        await post(stage)
        await post(stage, {**EVENT, "id": "8", "data": 1})
        for path, app in (("/metrics", "metrics"), ("/v1/namespaces/openfaas-fn/metrics", "public")):
            text = (await stage.ask("GET", path, app=app)).body.decode()
            for outcome, count in (("delivered", 1), ("filtered", 1), ("failed", 0)):
                label = f'{{trigger="orders.openfaas-fn",outcome="{outcome}"}}'
                assert f"dayfly_trigger_events_total{label} {count}\n" in text
            assert 'dayfly_trigger_up{trigger="orders.openfaas-fn"} 1\n' in text
            assert 'dayfly_trigger_up{trigger="rests.openfaas-fn"} 0\n' in text
        headers = await bearer(stage, "view", "team")
        assert b"orders" not in (await stage.ask("GET", "/metrics", app="metrics", headers=headers)).body

    play(story)


# -- webhooks ----------------------------------------------------------------------------------------------------------


def signed(body: bytes, key: bytes = KEY, delivery: str = "1") -> dict[str, str]:
    digest = hmac.new(key, body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery}


async def hooked(stage: Stage, **fields: object) -> None:
    await stage.deploy()
    await stage.secrets.put(stage.namespaces.names()[0], "hook", KEY + b"\n" + b"f" * 16)
    assert (await put(stage, "hook", {"source": {"kind": "webhook", "secret": "hook", **fields}})).status == 201


async def deliver(stage: Stage, body: bytes, headers: dict[str, str], name: str = "hook") -> int:
    return (await stage.ask("POST", f"/hooks/openfaas-fn/{name}", headers=headers, body=body)).status


def test_a_webhook_calls_for_what_was_signed_and_for_nothing_else(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await hooked(stage)
        body = b'{"ref": "main"}'
        for headers in ({}, stage.bearer, signed(body + b" "), signed(body, b"x" * 16),
                        {"X-Hub-Signature-256": "sha256=" + "0" * 64}):  # fmt: skip
            assert await deliver(stage, body, headers) == 401
        assert stage.fired.firings == {}
        assert await deliver(stage, body, signed(body)) == 202
        assert await deliver(stage, body, signed(body, b"f" * 16)) == 202, "the same delivery again, by another key"
        (firing,) = stage.fired.firings.values()
        assert (firing.body, firing.headers["Ce-Type"], firing.headers["X-Topic"]) == (body, "com.github.push", "push")
        assert await deliver(stage, body, signed(body, delivery="2")) == 202
        assert len(stage.fired.firings) == 2

    play(story)


def test_a_hook_that_is_none_is_not_there_whoever_signs(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await hooked(stage)
        await put(stage, "orders", {"source": {"kind": "event"}})
        for name in ("orders", "nobody", "No-Name"):
            assert await deliver(stage, b"x", signed(b"x"), name) == 404
        await stage.ask("POST", f"{TRIGGERS}/hook/pause")
        assert await deliver(stage, b"x", signed(b"x")) == 404
        await stage.ask("POST", f"{TRIGGERS}/hook/resume")
        read = await stage.ask("GET", "/hooks/openfaas-fn/hook", headers={})
        assert (read.status, read.headers["allow"]) == (405, "OPTIONS, POST")
        assert (await stage.ask("POST", "/hooks/openfaas-fn/hook", app="console", headers=signed(b""))).status == 404
        assert await deliver(stage, b"x", signed(b"x")) == 202

    play(story)


def test_a_hooks_body_is_bounded_and_its_sender_hears_of_a_full_queue_and_a_useless_secret(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await hooked(stage, max_body="1Ki")
        assert await deliver(stage, b"x" * 1025, signed(b"x" * 1025)) == 413
        stage.fired.refusal = LimitExceeded("full")
        assert await deliver(stage, b"x", signed(b"x")) == 429
        await stage.secrets.put(stage.namespaces.names()[0], "hook", b"short")
        assert await deliver(stage, b"x", signed(b"x", b"short")) == 503

    play(story)


def test_a_bucket_s_notification_is_an_event_a_record_posted_or_signed(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await hooked(stage)
        await put(stage, "objects", {"source": {"kind": "event", "types": ["com.dayfly.s3.*"]}})
        items = [{"key": "a+b", "sequencer": "1"}, {"key": "c", "sequencer": "2"}]
        named = [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "it"}, "object": each}} for each in items]
        body = json.dumps({"Records": named}).encode()
        path = "/v1/namespaces/openfaas-fn/events"
        for _ in range(2):
            answer = await stage.ask("POST", path, headers=stage.bearer, body=body)
            assert (answer.status, answer.json()) == (202, {"events": 2, "delivered": 2})
        assert [each.headers["Ce-Subject"] for each in stage.fired.firings.values()] == ["a%20b", "c"]
        assert await deliver(stage, body, signed(body)) == 202
        assert len(stage.fired.firings) == 4
        assert {each.headers["Ce-Type"] for each in stage.fired.firings.values()} == {"com.dayfly.s3.object.created"}

    play(story)


def test_a_trigger_begins_a_flow_once_for_an_event_and_no_key_of_a_caller_is_its_own(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        spec = {"flow": "ship", "source": {"kind": "event"}}
        refused = await stage.ask("PUT", f"{TRIGGERS}/orders", data=spec)
        assert (refused.status, "there is no flow ship" in refused.json()["detail"]) == (400, True)
        flow = {"steps": [{"do": "wait", "name": "word", "event": "word"}]}
        assert (await stage.ask("PUT", "/v1/namespaces/openfaas-fn/flows/ship", data=flow)).status == 201
        assert (await stage.ask("PUT", f"{TRIGGERS}/orders", data=spec)).status == 201
        both = await stage.ask("PUT", f"{TRIGGERS}/both", data={**spec, "function": "hello"})
        assert (both.status, "not both" in both.json()["detail"]) == (400, True)
        body = json.dumps(EVENT).encode()
        for depth in ("4", "5"):  # it came again by another way
            headers = {**stage.bearer, **STRUCTURED, "x-dayfly-depth": depth}
            answer = await stage.ask("POST", "/v1/namespaces/openfaas-fn/events", body=body, headers=headers)
            assert answer.json() == {"events": 1, "delivered": 1}
        (run,) = await stage.run_log.under_way()
        assert (run.input, run.depth, run.started_by) == (EVENT, 4, "trigger orders")
        (kept,) = stage.run_log._keys
        assert "\n" in kept[2]

    play(story)
