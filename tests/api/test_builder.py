"""The remote builder over the API: who may send sources, what becomes of them, and whose the result is."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.build.sources import archive, context, seal, signature

from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import BuildFailed
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, NamespaceName
from dayfly.model.namespace import NamespaceChange
from dayfly.model.token import TokenRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.api.conftest import Answer, Play, Stage

NDJSON = {"accept": "application/x-ndjson"}
HANDLER = context("python3-http", {"handler.py": "def handle(event, context): ...", "requirements.txt": ""})


async def send(
    stage: Stage, data: bytes, *, namespace: NamespaceName = DEFAULT_NAMESPACE, sign: str = "",
    headers: Mapping[str, str] = NDJSON,
) -> Answer:  # fmt: skip
    """Send sources as faas-cli does."""
    signed = sign or signature(data, stage.builder.secret(namespace))
    half = len(data) // 2
    return await stage.ask(
        "POST", "/build", headers={**headers, "x-build-signature": signed}, body=[data[:half], data[half:]]
    )


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


async def deploy(stage: Stage, image: str, namespace: str = DEFAULT_NAMESPACE, **fields: object) -> Answer:
    data = {"service": "hello", "image": image, "namespace": namespace, "envProcess": "python index.py", **fields}
    return await stage.ask("POST", "/system/functions", data=data)


def test_sources_become_what_their_images_name_means(play: Play) -> None:
    async def story(stage: Stage) -> None:
        told = lines(await send(stage, archive(HANDLER, {"image": "ttl.sh/me/hello:1"})))
        assert [line["status"] for line in told] == ["in_progress"] * (len(told) - 1) + ["success"]
        assert {line["image"] for line in told} == {"ttl.sh/me/hello:1"}
        assert all(isinstance(line["log"], list) and line["error"] == "" for line in told)
        assert (await deploy(stage, "ttl.sh/me/hello:1")).status == 202
        spec = stage.plane.newest(FunctionKey(DEFAULT_NAMESPACE, FunctionName("hello"))).spec
        assert (spec.runtime, spec.dialect, spec.lang, spec.image) == (
            "python", "python-flask", "python3-http", "ttl.sh/me/hello:1",
        )  # fmt: skip
        assert (DEFAULT_NAMESPACE, spec.bundle) in stage.bundles.kept
        assert [each.bundle for each in stage.preparer.prepared] == [spec.bundle]

    play(story)


def test_a_second_build_under_the_same_name_is_what_the_next_deployment_gets(play: Play) -> None:
    async def story(stage: Stage) -> None:
        found: list[str] = []
        for text in ("one", "two"):
            lines(await send(stage, archive(context("python3-http", {"handler.py": text}))))
            answer = await deploy(stage, "team/fn:1") if not found else await stage.ask(
                "PUT", "/system/functions", data={"service": "hello", "image": "team/fn:1"}
            )  # fmt: skip
            assert answer.status == 202
            found.append(stage.plane.newest(FunctionKey(DEFAULT_NAMESPACE, FunctionName("hello"))).spec.bundle)
        assert found[0] != found[1]

    play(story)


def test_a_client_that_takes_no_lines_gets_one_answer(play: Play) -> None:
    async def story(stage: Stage) -> None:
        answer = await send(stage, archive(HANDLER), headers={})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        told = answer.json()
        assert (told["status"], told["image"]) == ("success", "team/fn:1")
        assert len(told["log"]) > 1

    play(story)


@pytest.mark.parametrize(
    "sign", ["sha256=" + "0" * 64, "sha1=" + "0" * 40, "x", "0" * 64, "sha256=", "sha256=" + "é" * 64]
)
def test_without_a_good_signature_nothing_is_built(play: Play, sign: str) -> None:
    async def story(stage: Stage) -> None:
        assert (await send(stage, archive(HANDLER), sign=sign)).status == 401
        assert (
            await stage.ask("POST", "/build", headers={**stage.bearer, **NDJSON}, body=archive(HANDLER))
        ).status == 401
        assert stage.bundles.kept == {}

    play(story)


def test_a_signature_is_over_all_that_is_sent(play: Play) -> None:
    async def story(stage: Stage) -> None:
        data = archive(HANDLER)
        good = signature(data, stage.builder.secret(DEFAULT_NAMESPACE))
        assert (await send(stage, data + bytes(512), sign=good)).status == 401
        assert (await send(stage, data[:-1], sign=good)).status == 401
        assert (await send(stage, data, sign=good)).status == 200

    play(story)


def test_what_one_tenant_built_is_nothing_to_another(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        assert lines(await send(stage, archive(HANDLER), namespace=stage.team))[-1]["status"] == "success"
        assert (await deploy(stage, "team/fn:1")).status == 400
        assert (await deploy(stage, "team/fn:1", stage.team)).status == 202
        assert {namespace for namespace, _ in stage.bundles.kept} == {stage.team}

    play(story)


def test_the_secret_of_a_namespace_that_is_gone_signs_nothing(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        lines(await send(stage, archive(HANDLER), namespace=stage.team))
        await stage.namespaces.remove(stage.team)
        assert (await send(stage, archive(HANDLER), namespace=stage.team)).status == 401
        await stage.namespaces.create(stage.team, NamespaceChange())
        assert (await deploy(stage, "team/fn:1", stage.team)).status == 400

    play(story)


def test_a_secret_is_shown_to_administrators_and_finds_itself(play: Play) -> None:
    async def story(stage: Stage) -> None:
        await stage.namespaces.create(stage.team, NamespaceChange())
        shown = (await stage.ask("GET", "/v1/namespaces/team/builder-secret")).json()
        assert shown == {"namespace": "team", "secret": stage.builder.secret(stage.team)}
        assert shown["secret"] != stage.builder.secret(DEFAULT_NAMESPACE)
        token = (await stage.tokens.issue(stage.team, TokenRequest(role="deploy"))).token
        refused = await stage.ask(
            "GET", "/v1/namespaces/team/builder-secret", headers={"authorization": f"Bearer {token}"}
        )
        assert refused.status == 403
        assert (await stage.ask("GET", "/v1/namespaces/none/builder-secret")).status == 404
        leak = context("python3-http", {"handler.py": "x", "a.txt": shown["secret"]})
        assert "dayfly-builder-secret" in lines(await send(stage, archive(leak)))[-1]["error"]

    play(story)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (archive({"Dockerfile": b"FROM x"}), "takes a container engine beside the platform, and none is here"),
        (archive(context("java17", {"a": "b"})), "The template java17 is none that runs here"),
        (archive(HANDLER, b"no json"), "does not say what to build"),
        (archive(HANDLER, {"image": ""}), "names no image"),
        (archive(HANDLER, {"image": "a\nb"}), "names no image"),
        (archive(context("python3-http", {})), "is empty"),
        (b"no archive", "ends in the middle"),
        (archive(HANDLER, sealed=b"no envelope"), "no envelope"),
    ],
)
def test_what_cannot_be_built_is_told_in_the_last_line(play: Play, data: bytes, what: str) -> None:
    async def story(stage: Stage) -> None:
        last = lines(await send(stage, data))[-1]
        assert last["status"] == "failed"
        assert what in last["error"]
        assert (await deploy(stage, "team/fn:1")).status == 400

    play(story)


def test_a_credential_in_the_sources_stops_the_build_unless_it_is_accepted(play: Play) -> None:
    async def story(stage: Stage) -> None:
        token = "gh" + "p_0a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R"
        leak = context("python3-http", {"handler.py": f"x = 1\nT = '{token}'\n"})
        last = lines(await send(stage, archive(leak)))[-1]
        assert "function/handler.py:2: a token of GitHub (github-token)" in last["error"]
        assert token not in str(last)
        assert stage.bundles.kept == {}
        accepted = {"buildArgs": {"DAYFLY_ALLOW_SECRET": "github-token:function/handler.py"}}
        told = lines(await send(stage, archive(leak, accepted)))
        assert told[-1]["status"] == "success"
        assert any("github-token:function/handler.py" in text for line in told for text in line["log"])
        argument = {"buildArgs": {"NPM_TOKEN": "abc123"}}
        assert "build-arg/NPM_TOKEN" in lines(await send(stage, archive(HANDLER, argument)))[-1]["error"]

    play(story)


def test_dependencies_that_cannot_be_had_fail_the_build_with_the_end_of_the_log(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.preparer.fault = BuildFailed("x" * 100_000 + " no such package")
        answer = await send(stage, archive(HANDLER))
        assert max(map(len, answer.body.splitlines())) < 60_000
        last = lines(answer)[-1]
        assert last["status"] == "failed"
        assert last["error"].endswith("no such package")
        assert (await deploy(stage, "team/fn:1")).status == 400

    play(story)


def test_secrets_of_a_build_are_opened_and_never_told(play: Play) -> None:
    async def story(stage: Stage) -> None:
        key = (await stage.ask("GET", "/publickey", headers={})).json()
        assert key.keys() == {"key_id", "algorithm", "public_key"}
        sealed = seal(key["public_key"], {"pip": b"hush hush"})
        answer = await send(stage, archive(HANDLER, sealed=sealed))
        assert lines(answer)[-1]["status"] == "success"
        assert b"pip" in answer.body
        assert b"hush" not in answer.body

    play(story)


def test_too_much_is_refused_while_it_comes(play: Play) -> None:
    async def story(stage: Stage) -> None:
        big = [bytes(2**20)] * 65
        sign = {"x-build-signature": "sha256=" + "0" * 64}
        assert (await stage.ask("POST", "/build", headers=sign, body=big)).status == 413

    play(story)


def test_a_dockerfile_is_the_engines_where_there_is_one(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.dockerfiles.missing = ""
        lines(await send(stage, archive(HANDLER)))  # what the name meant before
        args = {"A": "1", "DAYFLY_ALLOW_SECRET": "npm-token:x"}
        data = archive({"Dockerfile": b"FROM scratch", "a/b": b"c"}, {"buildArgs": args})
        told = lines(await send(stage, data))
        assert told[-1]["status"] == "success"
        assert ["Step 1/1 : FROM scratch"] in [line["log"] for line in told]
        ((image, context_sent, passed),) = stage.dockerfiles.built
        assert (image, passed) == ("team/fn:1", {"A": "1"})
        with tarfile.open(fileobj=io.BytesIO(context_sent)) as tar:
            assert tar.getnames() == ["Dockerfile", "a/b"]
        stage.engine.append(EngineState(engine=ContainerEngine(name="Docker", version="1", socket="/s")))
        assert (await deploy(stage, "team/fn:1")).status == 202
        spec = stage.plane.newest(FunctionKey(DEFAULT_NAMESPACE, FunctionName("hello"))).spec
        assert (spec.runtime, spec.bundle, spec.image) == ("image", "", "team/fn:1")

    play(story)


def test_a_step_that_fails_fails_the_build(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.dockerfiles.missing = ""
        stage.dockerfiles.fault = BuildFailed("no such file")
        last = lines(await send(stage, archive(context("java17", {"a": "b"}))))[-1]
        assert (last["status"], last["error"]) == ("failed", "no such file")

    play(story)


def test_the_engines_images_are_for_no_tenant(play: Play) -> None:
    async def story(stage: Stage) -> None:
        stage.dockerfiles.missing = ""
        await stage.namespaces.create(stage.team, NamespaceChange())
        last = lines(await send(stage, archive({"Dockerfile": b"FROM x"}), namespace=stage.team))[-1]
        assert "for openfaas-fn alone" in last["error"]
        assert stage.dockerfiles.built == []

    play(story)
