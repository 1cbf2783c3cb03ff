"""The native API of functions and bundles, driven through the app."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.errors import StoreUnavailable
from dayfly.model.status import FunctionStatus

if TYPE_CHECKING:
    from tests.api.conftest import Play, Stage

FUNCTIONS = "/v1/namespaces/openfaas-fn/functions"
HELLO = FUNCTIONS + "/hello"


def test_a_function_from_its_first_deployment_to_its_removal(play: Play) -> None:
    async def story(stage: Stage) -> None:
        first = await stage.ask("PUT", HELLO, data={"bundle": stage.bundle, "timeout": "5s"})
        assert first.status == 201
        second = await stage.ask(
            "PUT", HELLO, data={"name": "hello", "namespace": "openfaas-fn", "bundle": stage.bundle}
        )
        assert (second.status, second.json()["revision"]) == (200, 2)
        status = msgspec.json.decode((await stage.ask("GET", HELLO)).body, type=FunctionStatus)
        assert (status.spec.timeout, status.invocations) == ("", 7)
        listed = (await stage.ask("GET", FUNCTIONS)).json()
        assert [item["spec"]["name"] for item in listed] == ["hello"]
        scaled = await stage.ask("POST", HELLO + "/scale", data={"replicas": 0})
        assert (scaled.status, scaled.json()["desired_replicas"]) == (200, 0)
        assert (await stage.ask("POST", HELLO + "/scale", data={"replicas": None})).json()["desired_replicas"] == 1
        revisions = (await stage.ask("GET", HELLO + "/revisions")).json()
        assert [revision["number"] for revision in revisions] == [2, 1]
        assert (await stage.ask("GET", HELLO + "/build-log")).body == b""
        removed = await stage.ask("DELETE", HELLO)
        assert (removed.status, removed.body) == (204, b"")
        gone = await stage.ask("GET", HELLO)
        assert (gone.status, gone.json()["code"]) == (404, "not_found")

    play(story)


@pytest.mark.parametrize(
    ("body", "tells"),
    [
        (b"", "needs a JSON body"),
        (b"{", "truncated"),
        (b'{"bundle": 5}', "$.bundle"),
        (b'{"env": {"A": 1}}', "$.env[...]"),
        (b'{"max_inflight": 1.5}', "$.max_inflight"),
        (b'{"max_inflight": ' + b"9" * 5000 + b"}", "$.max_inflight"),
        (b'{"max_inflight": ' + b"9" * 30 + b"}", "max_inflight"),
        (b'{"surprise": 1}', "surprise"),
        (b'{"name": "other"}', "another function"),
        (b'{"namespace": "other"}', "another function"),
        (b'{"bundle": "sha256:' + b"b" * 64 + b'"}', "is not here"),
        (b"{}", "bundle: is required"),
        (b'{"timeout": "-1s"}', "span of time"),
        (b'{"env": {"LD_PRELOAD": "x"}}', "LD_PRELOAD"),
        (b'{"labels": ' + b'{"a":' * 70 + b"1" + b"}" * 71, "deeper than 64"),
        (b'{"name": "\xff"}', "UTF-8"),
    ],
)
def test_a_bad_deployment_is_refused_where_it_is_bad(play: Play, body: bytes, tells: str) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("PUT", HELLO, body=body)
        assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
        assert tells in answer.json()["detail"]
        assert not stage.plane.changes

    play(story)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused_by_its_declared_and_by_its_true_size(play: Play, declared: bool) -> None:
    async def story(stage: Stage) -> None:
        pieces = [b" "] if declared else [b" " * 65_536] * 17
        headers = {**stage.bearer, "content-length": str(17 * 65_536)} if declared else stage.bearer
        talk = stage.talk("PUT", HELLO, headers=headers, body=pieces)
        answer = await talk.whole()
        assert (answer.status, answer.json()["code"]) == (413, "payload_too_large")

    play(story)


def test_failures_of_the_platform_say_so_and_leak_nothing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.plane.fault = StoreUnavailable("The disk is full", retry_after_s=2.2)
        full = await stage.ask("GET", HELLO, headers={**stage.bearer, "x-call-id": "abc"})
        assert (full.status, full.headers["retry-after"], full.json()["call_id"]) == (503, "3", "abc")
        assert full.json()["retryable"] is True
        stage.plane.fault = RuntimeError("password hunter2")
        bug = await stage.ask("GET", HELLO)
        assert (bug.status, bug.json()["code"]) == (500, "internal")
        assert b"hunter2" not in bug.body
        plain = await stage.ask("GET", "/system/function/hello")
        assert (plain.status, b"hunter2" in plain.body) == (500, False)

    play(story)


def test_the_installation_describes_itself(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        await stage.deploy("other", namespace="team")
        info = (await stage.ask("GET", "/v1/info")).json()
        assert (info["functions"], info["gateways"], info["provider"]) == (2, 2, "local")
        assert (await stage.ask("GET", "/v1/namespaces")).json() == ["openfaas-fn", "team"]
        health = await stage.ask("GET", "/healthz", headers={})
        assert (health.status, health.body) == (200, b"OK")
        for path in ("/", "/ui/"):
            home = await stage.ask("GET", path, headers={})
            assert (home.status, home.headers["location"]) == (307, "http://127.0.0.1:8081/")

    play(story)


def test_a_bundle_is_uploaded_once(play: Play) -> None:
    async def story(stage: Stage) -> None:
        data = b"not really a tar"
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        path = f"/v1/namespaces/openfaas-fn/bundles/{digest}"
        assert (await stage.ask("HEAD", path)).status == 404
        put = await stage.ask("PUT", path, body=[data[:4], data[4:]])
        assert (put.status, put.json()) == (201, {"digest": digest, "size_bytes": len(data)})
        assert (await stage.ask("HEAD", path)).status == 200
        assert (await stage.ask("HEAD", path.replace(":", "%3a"))).status == 200
        assert (await stage.ask("PUT", "/v1/namespaces/openfaas-fn/bundles/sha256:ABC", body=data)).status == 400
        declared = {**stage.bearer, "content-length": str(64 * 1024 * 1024 + 1)}
        assert (await stage.ask("PUT", path, headers=declared, body=data)).status == 413

    play(story)


def test_an_upload_that_is_broken_off_is_no_bug(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        talk = stage.talk("PUT", "/v1/namespaces/openfaas-fn/bundles/" + stage.bundle, headers=stage.bearer, body=[b""])
        talk.cut_after_body()
        await talk.task
        assert talk.sent.empty()

    play(story)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
