"""--remote-builder: what publish and up say, send and deploy."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from tests.unit.build.sources import signature

from dayfly.build.context import Context, read_context
from dayfly.cli.main import cli
from dayfly.cli.session import Session
from dayfly.oci.sealed import builder_key, unseal

Run = Callable[..., Any]

STACK = """\
provider: {name: openfaas}
functions:
  hello:
    lang: python3-http
    handler: ./hello
    image: registry.example.com/team/hello:1
    environment: {A: b}
  mail:
    lang: python
    handler: ./hello
  theirs:
    image: theirs:1
"""
PRIVATE = bytes(range(32))


class Builder:
    """A builder beside a small platform."""

    def __init__(self, platform: Any) -> None:
        self.seen: list[tuple[str, Context]] = []
        self.last: dict[str, Any] = {"status": "success"}
        self.status = 200
        self.asked_for_key = 0
        self._platform = platform

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "builder.example.com":
            answer: httpx2.Response = self._platform(request)
            return answer
        if request.url.path == "/publickey":
            self.asked_for_key += 1
            key = builder_key(PRIVATE)
            return httpx2.Response(200, json={"key_id": key.key_id, "algorithm": "x", "public_key": key.public_key})
        body = request.read()
        assert request.headers["x-build-signature"] == signature(body, "hush")
        assert "authorization" not in request.headers
        context = read_context(io.BytesIO(body))
        self.seen.append((str(request.url), context))
        lines = [{"log": [f"step of {context.wish.image}"], "status": "in_progress"}, self.last]
        return httpx2.Response(self.status, content=(json.dumps(line).encode() + b"\n" for line in lines))


@pytest.fixture
def builder(platform: Any) -> Builder:
    return Builder(platform)


@pytest.fixture
def remotely(builder: Builder, home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with a builder that the variables name."""
    monkeypatch.setenv("OPENFAAS_REMOTE_BUILDER", "https://builder.example.com/some/path")
    monkeypatch.setenv("OPENFAAS_PAYLOAD_SECRET", str(home / "payload-secret"))
    monkeypatch.setenv("DAYFLY_TOKEN", "")
    (home / "payload-secret").write_text("hush\n")
    (home / "hello").mkdir()
    (home / "hello/handler.py").write_text("def handle(event, context): return ''\n")
    (home / "stack.yaml").write_text(STACK)

    def run(*args: str) -> Any:
        return CliRunner().invoke(cli, list[str](args), obj=Session(httpx2.MockTransport(builder)))

    return run


def lines(text: str) -> list[str]:
    """What was said, without how long it took."""
    return [line.partition(" in ")[0].partition("time: ")[0] for line in text.splitlines()]


def test_publish_sends_sources_and_tells_what_the_builder_does(remotely: Run, builder: Builder) -> None:
    outcome = remotely("publish", "--platforms", "linux/amd64,linux/arm64", "--build-arg", "X=y")
    assert outcome.exit_code == 0, outcome.stderr
    assert lines(outcome.stdout) == [
        "Skipping build of: theirs.",
        "[0] > Building hello.",
        "Building: registry.example.com/team/hello:1 with python template. Please wait..",
        "step of registry.example.com/team/hello:1",
        "Image: registry.example.com/team/hello:1 built.",
        "[0] < Building hello done",
        "[0] > Building mail.",
        "Building: mail:latest with python template. Please wait..",
        "step of mail:latest",
        "Image: mail:latest built.",
        "[0] < Building mail done",
        "[0] Worker done.",
        "",
        "Total build ",
    ]
    assert {url for url, _ in builder.seen} == {"https://builder.example.com/build"}
    wish = builder.seen[0][1].wish
    assert (wish.platforms, wish.build_args) == (("linux/amd64", "linux/arm64"), {"X": "y", "ADDITIONAL_PACKAGE": ""})
    assert builder.asked_for_key == 0


def test_up_deploys_what_the_builder_built_by_its_name(remotely: Run, builder: Builder, platform: Any) -> None:
    outcome = remotely("up", "--publish", "--no-wait")
    assert outcome.exit_code == 0, outcome.stderr
    assert len(builder.seen) == 2
    deployed = {name: status.spec for (_, name), status in platform.functions.items()}
    assert {name: (spec.runtime, spec.image, spec.bundle) for name, spec in deployed.items()} == {
        "hello": ("image", "registry.example.com/team/hello:1", ""),
        "mail": ("image", "mail:latest", ""),
        "theirs": ("image", "theirs:1", ""),
    }
    assert (deployed["hello"].env, deployed["hello"].process) == ({"A": "b"}, "")


def test_up_without_publish_minds_the_option_and_not_the_variable(
    remotely: Run, builder: Builder, platform: Any
) -> None:
    assert remotely("up", "hello", "--no-wait", "--skip-push").exit_code == 0
    assert builder.seen == []
    (status,) = platform.functions.values()
    assert status.spec.runtime == "python"
    outcome = remotely("up", "hello", "--no-wait", "--remote-builder", "https://builder.example.com")
    assert outcome.exit_code == 0, outcome.stderr
    (status,) = platform.functions.values()
    assert (len(builder.seen), status.spec.runtime) == (1, "image")


@pytest.mark.parametrize(
    ("last", "status", "code", "told"),
    [
        ({"status": "failed", "error": "pip said no"}, 200, 65, "pip said no"),
        ({"status": "in_progress"}, 200, 69, "broke off"),
        ({}, 401, 77, "`dayfly builder secret`"),
    ],
)
def test_a_build_that_failed_is_not_deployed(
    remotely: Run, builder: Builder, platform: Any, last: dict[str, Any], status: int, code: int, told: str
) -> None:
    builder.last, builder.status = last, status
    outcome = remotely("up", "hello", "--publish", "--no-wait")
    assert outcome.exit_code == code
    assert told in outcome.stderr
    assert "built." not in outcome.stdout
    assert platform.functions == {}


def test_one_of_several_that_fails_ends_it_with_an_error(remotely: Run, builder: Builder, platform: Any) -> None:
    builder.last = {"status": "failed", "error": "pip said no"}
    outcome = remotely("up", "--publish", "--no-wait", "--parallel", "2")
    assert outcome.exit_code == 65
    assert "2 of 2 functions failed to build: hello, mail" in outcome.stderr
    assert platform.functions == {}


def test_nothing_leaves_with_a_credential_in_it(remotely: Run, builder: Builder, home: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6" * 3
    (home / "hello/config.txt").write_text(f"{token}\n")
    outcome = remotely("publish", "hello")
    assert outcome.exit_code == 64
    assert "config.txt:1: " in outcome.stderr
    assert token not in outcome.stderr + outcome.stdout
    assert builder.seen == []
    outcome = remotely("publish", "hello", "--allow-secret", "github-token:config.txt")
    assert outcome.exit_code == 0, outcome.stderr
    assert (builder.seen[0][1].wish.build_args or {})["DAYFLY_ALLOW_SECRET"] == "github-token:config.txt"


def test_build_secrets_are_sealed_for_the_key_that_is_given_or_told(
    remotely: Run, builder: Builder, home: Path
) -> None:
    (home / "token").write_bytes(b"quiet")
    (home / "stack.yaml").write_text(
        STACK.replace("lang: python\n", "lang: python\n    build_secrets: {pip: ./token}\n")
    )
    for options, asked in (((), 1), (("--builder-public-key", builder_key(PRIVATE).public_key), 1)):
        outcome = remotely("publish", "mail", *options)
        assert outcome.exit_code == 0, outcome.stderr
        assert unseal(PRIVATE, builder.seen[-1][1].sealed) == {"pip": b"quiet"}
        assert builder.asked_for_key == asked


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--sign-key", "k"), "--sign-key: a builder elsewhere"),
        (("--base", "x", "--extra-tag", "2"), "--base, --extra-tag: a builder elsewhere"),
        (("--payload-secret", "empty"), "empty is empty"),
        (("--payload-secret", ""), "--remote-builder takes --payload-secret FILE"),
        (("--remote-builder", "ftp://x"), "is not a gateway's URL"),
    ],
)
def test_what_does_not_go_together_is_refused(
    remotely: Run, builder: Builder, home: Path, args: tuple[str, ...], told: str
) -> None:
    (home / "empty").write_text("\n")
    outcome = remotely("publish", *args)
    assert outcome.exit_code == 64
    assert told in outcome.stderr
    assert builder.seen == []


def test_shrinkwrap_sends_nothing(remotely: Run, builder: Builder, home: Path) -> None:
    assert remotely("publish", "hello", "--shrinkwrap").exit_code == 0
    assert (home / "build/hello/handler.py").exists()
    assert builder.seen == []


def test_what_a_builder_prints_cannot_steer_a_terminal(remotely: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.cli.remote_build.for_stdout", lambda text: text.replace("step", "shown"))
    outcome = remotely("publish", "hello")
    assert "shown of registry.example.com/team/hello:1" in outcome.stdout
    assert "of registry" not in remotely("publish", "hello", "--quiet").stdout


def test_what_is_deployed_by_image_is_not_built(remotely: Run, platform: Any) -> None:
    outcome = remotely("deploy", "mail", "--by-image", "--no-wait")
    assert outcome.exit_code == 0, outcome.stderr
    (status,) = platform.functions.values()
    assert (status.spec.runtime, status.spec.image, status.spec.bundle) == ("image", "mail:latest", "")
