"""OpenFaaS's face: the statuses, texts and JSON types that its clients decide by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.status import FunctionStatus

if TYPE_CHECKING:
    from tests.api.conftest import Answer, Play, Stage


def is_go_error(answer: Answer) -> bool:
    plain = answer.headers["content-type"] == "text/plain; charset=utf-8"
    return plain and answer.headers["x-content-type-options"] == "nosniff" and answer.body.endswith(b"\n")


def test_put_then_post_then_get(play: Play) -> None:
    async def story(stage: Stage) -> None:
        deployment = {
            "service": "hello", "image": stage.bundle, "namespace": "", "network": "func", "registryAuth": "x",
            "labels": {"com.openfaas.scale.min": "2", "faas_function": "liar"}, "annotations": {"note": '{"a": [1]}'},
            "envProcess": "cat", "envVars": {"A": "1"}, "constraints": ["b=1", "a=2"],
            "secrets": ["two", "one"], "limits": {"memory": "5Mi", "cpu": "100m"}, "readOnlyRootFilesystem": True,
        }  # fmt: skip
        missing = await stage.ask("PUT", "/system/functions", data=deployment)
        assert missing.status == 404
        assert is_go_error(missing)
        unknown_image = await stage.ask("PUT", "/system/functions", data={**deployment, "image": "me/hello:1"})
        assert unknown_image.status == 404
        created = await stage.ask("POST", "/system/functions", data=deployment)
        assert (created.status, created.body) == (202, b"")
        assert (await stage.ask("PUT", "/system/functions", data=deployment)).status == 202
        shown = (await stage.ask("GET", "/system/function/hello?usage=0")).json()
        assert shown == {
            "name": "hello", "image": stage.bundle, "namespace": "openfaas-fn",
            "labels": {"com.openfaas.scale.min": "2", "faas_function": "hello"}, "annotations": {"note": '{"a": [1]}'},
            "replicas": 2, "availableReplicas": 2, "invocationCount": 7, "createdAt": "2023-11-14T22:13:20.123000000Z",
            "envProcess": "cat", "envVars": {"A": "1"}, "constraints": ["b=1", "a=2"],
            "secrets": ["two", "one"], "limits": {"memory": "5Mi", "cpu": "100m"}, "readOnlyRootFilesystem": True,
        }  # fmt: skip
        assert (await stage.ask("GET", "/system/functions")).json() == [shown]

    play(story)


def test_what_is_unset_is_absent_and_null_means_unset(play: Play) -> None:
    async def story(stage: Stage) -> None:
        fields = ("envProcess", "envVars", "constraints", "secrets", "labels", "annotations", "limits", "requests",
                  "readOnlyRootFilesystem", "namespace")  # fmt: skip
        deployment = {"service": "hello", "image": stage.bundle, **dict.fromkeys(fields)}
        assert (await stage.ask("POST", "/system/functions", data=deployment)).status == 202
        shown = (await stage.ask("GET", "/system/function/hello")).json()
        assert shown["labels"] == {"faas_function": "hello"}
        assert shown["annotations"] == {}
        assert not {"envVars", "limits", "requests", "secrets", "constraints", "envProcess"} & shown.keys()

    play(story)


@pytest.mark.parametrize(
    ("deployment", "text"),
    [
        ({"image": "x"}, b"validation failed: service: is required\n"),
        ({"service": "a"}, b"validation failed: image: is required\n"),
        (
            {"service": "A_b", "image": "x"},
            b"validation failed: service: (A_b) is invalid, must be a valid DNS entry\n",
        ),
        ({"service": "a", "image": "sha256:" + "b" * 64}, b"is not here"),
        ({"service": "a", "image": "ghcr.io/x/y:1"}, b"images need a container engine"),
        ({"service": "a", "image": "x", "labels": {"a": 1}}, b"$.labels[...]"),
        ({"service": "a", "image": "x", "replicas": "1", "envVars": []}, b"$.envVars"),
    ],
)
def test_a_bad_deployment_is_400_in_plain_text(play: Play, deployment: dict[str, object], text: bytes) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("POST", "/system/functions", data=deployment)
        assert answer.status == 400
        assert text in answer.body
        assert is_go_error(answer)
        assert not stage.plane.changes

    play(story)


def test_an_unchanged_image_keeps_the_code_and_what_openfaas_has_no_field_for(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(image="me/hello:1", timeout="5s", handler="main:app", dialect="asgi", env={"OLD": "1"})
        changed = {"service": "hello", "image": "me/hello:1", "envVars": {"NEW": "1"}}
        assert (await stage.ask("PUT", "/system/functions", data=changed)).status == 202
        (status,) = stage.plane.functions.values()
        spec = status.spec
        assert (spec.bundle, spec.timeout, spec.handler, spec.dialect) == (stage.bundle, "5s", "main:app", "asgi")
        assert (spec.env, spec.image) == ({"NEW": "1"}, "me/hello:1")
        other = await stage.ask("PUT", "/system/functions", data={**changed, "image": "me/hello:2"})
        assert other.status == 400
        exists = await stage.ask("POST", "/system/functions", data=changed)
        assert (exists.status, is_go_error(exists)) == (409, True)

    play(story)


def test_a_function_deployed_without_an_image_has_one_that_deploys_it_again(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        shown = (await stage.ask("GET", "/system/function/hello")).json()
        assert shown["image"] == stage.bundle
        assert (await stage.ask("PUT", "/system/functions", data={"service": "hello", **shown})).status == 202

    play(story)


@pytest.mark.parametrize("where", ["body", "query", "suffix", "all"])
def test_the_namespace_may_stand_anywhere(play: Play, where: str) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(namespace="team")
        in_body = {"namespace": "team"} if where in ("body", "all") else {}
        query = "?namespace=team" if where in ("query", "all") else ""
        name = "hello.team" if where in ("suffix", "all") else "hello"
        scaled = await stage.ask("POST", f"/system/scale-function/{name}{query}", data={"replicas": 0, **in_body})
        assert (scaled.status, scaled.body) == (202, b"")
        if where != "body":
            shown = await stage.ask("GET", f"/system/function/{name}{query}")
            assert (shown.status, shown.json()["replicas"]) == (200, 0)
        removed = await stage.ask("DELETE", f"/system/functions{query}", data={"functionName": name, **in_body})
        assert removed.status == 202
        assert not stage.plane.functions
        again = await stage.ask("DELETE", f"/system/functions{query}", data={"functionName": name, **in_body})
        assert (again.status, is_go_error(again)) == (404, True)

    play(story)


def test_two_namespaces_at_once_are_none(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy(namespace="team")
        await stage.deploy()
        before = list(stage.plane.changes)
        both = await stage.ask("DELETE", "/system/functions?namespace=team",
                               data={"functionName": "hello", "namespace": "openfaas-fn"})  # fmt: skip
        assert both.status == 400
        assert (await stage.ask("GET", "/system/function/hello.team?namespace=openfaas-fn")).status == 400
        assert stage.plane.changes == before

    play(story)


@pytest.mark.parametrize("replicas", [-1, 1.5, "1", None, 10**30])
def test_replicas_are_a_whole_number(play: Play, replicas: object) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        answer = await stage.ask("POST", "/system/scale-function/hello", data={"replicas": replicas})
        assert (answer.status, len(stage.plane.changes)) == (400, 1)
        unknown = await stage.ask("POST", "/system/scale-function/other", data={"replicas": 1})
        assert (unknown.status, is_go_error(unknown)) == (404, True)

    play(story)


def test_info_and_namespaces_have_every_part_that_clients_dereference(play: Play) -> None:
    async def story(stage: Stage) -> None:
        info = (await stage.ask("GET", "/system/info")).json()
        assert info["provider"]["provider"] == "dayfly"
        assert info["provider"]["orchestration"] == "local"
        assert info["arch"] == "amd64"
        for version in (info["version"], info["provider"]["version"]):
            assert version["sha"]
            assert version["release"]
        assert (await stage.ask("GET", "/system/namespaces")).json() == ["openfaas-fn"]

    play(story)


def test_a_bound_without_a_measure_is_scaled_like_openfaas_and_that_is_not_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        bound = {"com.openfaas.scale.max": "5", "a": "b"}
        chosen = {**bound, "com.openfaas.scale.type": "capacity"}
        for sent, signal in ((bound, "rps"), (chosen, "capacity"), ({}, "capacity")):
            asked = {"service": "hello", "image": stage.bundle, "labels": {**sent, "com.dayfly.scale": "openfaas"}}
            assert (await stage.ask("PUT", "/system/functions", data=asked)).status == 202
            (status,) = stage.plane.functions.values()
            assert status.spec.scaling.signal == signal
            told = (await stage.ask("GET", "/system/function/hello")).json()
            assert told["labels"] == {**sent, "faas_function": "hello"}

    play(story)


def test_what_a_function_uses_is_the_difference_of_two_looks(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(stage: Stage) -> None:
        status = await stage.deploy()
        looks = [
            msgspec.structs.replace(status, cpu_s=9.0, memory_bytes=5_000),
            msgspec.structs.replace(status, cpu_s=9.1, memory_bytes=6_000),
            msgspec.structs.replace(status, cpu_s=9.0, replicas=()),
        ]

        async def look(_key: object) -> FunctionStatus:
            return looks.pop(0)

        monkeypatch.setattr(stage.plane, "status", look)
        usage = (await stage.ask("GET", "/system/function/hello?usage=true")).json()["usage"]
        assert usage["totalMemoryBytes"] == 6_000
        assert 0 < usage["cpu"] <= 500, "a tenth of a second of work, in a fifth or more"
        resting = (await stage.ask("GET", "/system/function/hello?usage=1")).json()["usage"]
        assert resting == {"cpu": 0, "totalMemoryBytes": 0}

    play(story)


@pytest.mark.parametrize(
    ("labels", "before", "after"),
    [
        ({}, 1, 3),
        ({"com.openfaas.scale.factor": "25"}, 2, 7),
        ({"com.openfaas.scale.factor": "33", "com.openfaas.scale.max": "10"}, 1, 5),
        ({"com.openfaas.scale.max": "2"}, 2, 2),
        ({"com.openfaas.scale.factor": "100", "com.openfaas.scale.max": "9"}, 1, 9),
        ({"com.openfaas.scale.factor": "0"}, 1, 1),
    ],
)
def test_a_firing_alert_adds_a_step_and_a_resolved_one_goes_back(
    play: Play, labels: dict[str, str], before: int, after: int
) -> None:
    async def story(stage: Stage) -> None:
        status = await stage.deploy(labels=labels)
        await stage.plane.scale(status.spec.key, before)
        for state, expected in (("firing", after), ("resolved", 1)):
            alerts = [{"status": state, "labels": {"alertname": "High", "function_name": "hello.openfaas-fn"}}]
            message = {"receiver": "scale-up", "status": state, "version": "4", "alerts": alerts}
            answer = await stage.ask("POST", "/system/alert", data=message)
            assert (answer.status, answer.body) == (200, b"")
            assert (await stage.plane.status(status.spec.key)).desired_replicas == expected
        assert stage.plane.changes[-1] == "scale hello.openfaas-fn None", "the scaler decides again"

    play(story)


def test_an_alert_that_cannot_act_does_not_keep_the_others_from_it(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.deploy()
        names = [{"function_name": "nobody"}, {"function_name": "hello"}, {}, {"function_name": "../x"}]
        message = {"alerts": [{"status": "firing", "labels": labels} for labels in names]}
        answer = await stage.ask("POST", "/system/alert", data=message)
        assert answer.status == 500
        assert [line[:4] for line in answer.body.decode().splitlines()] == ["[0] ", "[2] ", "[3] "]
        assert stage.plane.changes[1:] == ["scale hello.openfaas-fn 3"]

    play(story)


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"", b"Unable to read alert.\n"), (b"{", b"Unable to parse alert, bad format.\n"),
     (b'{"alerts": [{"status": "odd"}]}', b"Unable to parse alert, bad format.\n")],
)  # fmt: skip
def test_an_unreadable_alert_is_400(play: Play, body: bytes, text: bytes) -> None:
    async def story(stage: Stage) -> None:
        answer = await stage.ask("POST", "/system/alert", body=body)
        assert (answer.status, answer.body) == (400, text)

    play(story)


IMAGE = "ghcr.io/x/y:1"
ENGINE = EngineState(engine=ContainerEngine(name="Docker", version="20.10.24", socket="/var/run/docker.sock"))


def test_an_image_is_deployed_where_there_is_an_engine_and_echoed_byte_for_byte(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.engine.append(ENGINE)
        asked = {"service": "web", "image": IMAGE, "envProcess": "cat", "annotations": {"topic": "a"}}
        assert (await stage.ask("POST", "/system/functions", data=asked)).status == 202
        (status,) = stage.plane.functions.values()
        spec = status.spec
        assert (spec.runtime, spec.bundle, spec.image, spec.process, spec.lang) == ("image", "", IMAGE, "cat", "image")
        shown = (await stage.ask("GET", "/system/function/web")).json()
        assert (shown["image"], shown["envProcess"]) == (IMAGE, "cat")
        # The engine may have gone for a while: what was an image stays one, and the platform waits for it.
        stage.engine[0] = msgspec.structs.replace(ENGINE, reason="it is away")
        assert (await stage.ask("PUT", "/system/functions", data=asked)).status == 202
        other = {**asked, "image": "busybox"}
        assert (await stage.ask("PUT", "/system/functions", data=other)).status == 202
        assert next(iter(stage.plane.functions.values())).spec.image == "busybox"

    play(story)


def test_code_becomes_an_image_and_an_image_code_and_the_rest_stays(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.engine.append(ENGINE)
        await stage.deploy(image="me/hello:1", timeout="5s", handler="main:app", dialect="asgi", network="none")
        changed = {"service": "hello", "image": IMAGE}
        assert (await stage.ask("PUT", "/system/functions", data=changed)).status == 202
        spec = next(iter(stage.plane.functions.values())).spec
        assert (spec.runtime, spec.bundle, spec.image, spec.lang) == ("image", "", IMAGE, "image")
        assert (spec.timeout, spec.network, spec.handler, spec.dialect) == ("5s", "none", "handler", "auto")
        changed["image"] = stage.bundle
        assert (await stage.ask("PUT", "/system/functions", data=changed)).status == 202
        spec = next(iter(stage.plane.functions.values())).spec
        assert (spec.runtime, spec.bundle, spec.lang, spec.timeout) == ("python", stage.bundle, "python", "5s")

    play(story)


@pytest.mark.parametrize("image", ["Bad Name", "-x", "a" * 2000])
def test_what_is_no_images_name_is_refused_with_an_engine_too(play: Play, image: str) -> None:
    async def story(stage: Stage) -> None:
        stage.engine.append(ENGINE)
        answer = await stage.ask("POST", "/system/functions", data={"service": "web", "image": image})
        assert (answer.status, is_go_error(answer)) == (400, True)
        assert not stage.plane.changes

    play(story)


def test_info_tells_of_the_engine(play: Play) -> None:
    async def story(stage: Stage) -> None:
        engine = (await stage.ask("GET", "/system/info")).json()["engine"]
        assert (engine["engine"], "looks for none" in engine["reason"]) == (None, True)
        stage.engine.append(ENGINE)
        assert (await stage.ask("GET", "/system/info")).json()["engine"]["engine"]["name"] == "Docker"
        assert (await stage.ask("GET", "/v1/info")).json()["engine"]["engine"]["version"] == "20.10.24"
        metrics = (await stage.ask("GET", "/metrics", app="metrics")).body.decode()
        assert "dayfly_container_engine_up{} 1" in metrics

    play(story)
