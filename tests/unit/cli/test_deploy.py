"""deploy: from folders and stack files to requests, and the waiting afterwards."""

import io
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

Run = Callable[..., Any]

STACK = """\
version: 1.0
provider: {name: openfaas, gateway: http://127.0.0.1:8080}
functions:
  hello:
    lang: python
    handler: ./hello
    image: hello:latest
    environment: {MODE: file, LEFT: "1.0"}
  api:
    lang: asgi
    handler: ./api
"""


@pytest.fixture
def stack(home: Path) -> Path:
    for name in ("hello", "api"):
        (home / name).mkdir()
        (home / name / "handler.py").write_text("def handle(event, context): return ''\n")
    (home / "stack.yaml").write_text(STACK)
    return home


def specs(platform: Any) -> dict[str, Any]:
    sent = [
        json.loads(request.content)
        for request in platform.requests
        if "/functions/" in request.url.path and request.method == "PUT"
    ]
    return {spec["name"]: spec for spec in sent}


@pytest.mark.usefixtures("stack")
def test_it_deploys_a_stack_in_the_order_of_names_and_says_what_faas_cli_says(dayfly: Run, platform: Any) -> None:
    platform.states = ["ready", "ready"]
    outcome = dayfly("deploy")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.split("\n\n") == [
        "Deploying: api.",
        "Deployed. 200 OK.\nURL: http://127.0.0.1:8080/function/api",
        "Deploying: hello.",
        "Deployed. 200 OK.\nURL: http://127.0.0.1:8080/function/hello",
        "",
    ]
    sent = specs(platform)["hello"]
    assert sent["env"] == {"MODE": "file", "LEFT": "1.0"}
    assert sent["image"] == "hello:latest"
    assert ("openfaas-fn", sent["bundle"]) in platform.bundles


@pytest.mark.usefixtures("stack")
def test_a_bundle_that_is_there_is_not_sent_again(dayfly: Run, platform: Any) -> None:
    for _ in range(2):
        platform.states = ["ready"]
        assert dayfly("deploy", "hello").exit_code == 0
    uploads = [request for request in platform.requests if request.method == "PUT" and "bundles" in request.url.path]
    assert len(uploads) == 1


@pytest.mark.usefixtures("stack")
def test_it_deploys_a_folder_with_what_the_command_line_says(dayfly: Run, platform: Any) -> None:
    outcome = dayfly(
        "deploy", "mine", "--handler", "hello", "--lang", "python3", "-e", "A=1=2", "-l", "l=", "--annotation", "n=v",
        "--call-timeout", "5s", "--namespace", "team-a", "--memory-limit", "64Mi", "--entrypoint", "handler:main",
        "--secret", "key", "--max-body", "1Mi", "--max-log-rate", "10k", "-o", "json",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    sent = specs(platform)["mine"]
    assert sent["env"] == {"A": "1=2"}
    assert (sent["labels"], sent["annotations"]) == ({"l": ""}, {"n": "v"})
    assert (sent["timeout"], sent["namespace"], sent["dialect"]) == ("5s", "team-a", "python-classic")
    assert (sent["max_body"], sent["max_log_rate"]) == ("1Mi", "10k")
    assert (sent["limits"], sent["handler"], sent["secrets"]) == ({"memory": "64Mi"}, "handler:main", ["key"])
    assert json.loads(outcome.stdout)["state"] == "ready"


@pytest.mark.usefixtures("stack")
def test_flags_win_over_the_stack_file(dayfly: Run, platform: Any) -> None:
    dayfly("deploy", "--filter", "hel*", "-e", "MODE=flag")
    assert specs(platform).keys() == {"hello"}
    assert specs(platform)["hello"]["env"] == {"MODE": "flag", "LEFT": "1.0"}


def test_a_mistake_in_one_function_leaves_all_undeployed(dayfly: Run, platform: Any, stack: Path) -> None:
    (stack / "stack.yaml").write_text(STACK + "    timeout: soon\n")
    outcome = dayfly("deploy")
    assert outcome.exit_code == 64
    assert "functions.api" in outcome.stderr
    assert platform.requests == []


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("flag", [("--call-timeout", "never"), ("-e", "LD_PRELOAD=x"), ("--memory-limit", "lots")])
def test_a_mistake_on_the_command_line_leaves_all_undeployed(dayfly: Run, platform: Any, flag: tuple[str, str]) -> None:
    assert dayfly("deploy", *flag).exit_code == 64
    assert platform.requests == []


def test_a_credential_stops_it_unless_it_is_accepted_and_noted(dayfly: Run, platform: Any, stack: Path) -> None:
    (stack / "api" / "key.txt").write_text("-----BEGIN PRIV" + "ATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n")
    outcome = dayfly("deploy", "api")
    assert outcome.exit_code == 64
    assert "key.txt:1: a private key (private-key)" in outcome.stderr
    assert specs(platform) == {}
    platform.states = ["ready"]
    accepted = dayfly("deploy", "api", "--allow-secret", "private-key:key.txt", "--annotation", "a=b")
    assert accepted.exit_code == 0, accepted.stderr
    noted = {"a": "b", "com.dayfly.allowed-secrets": "private-key:key.txt"}
    assert specs(platform)["api"]["annotations"] == noted


def test_an_annotation_of_the_stack_file_accepts_a_credential(dayfly: Run, platform: Any, stack: Path) -> None:
    (stack / "api" / "key.txt").write_text("-----BEGIN PRIV" + "ATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\n")
    annotation = "    annotations: {com.dayfly.allowed-secrets: 'private-key:*.txt'}\n"
    (stack / "stack.yaml").write_text(STACK + annotation)
    platform.states = ["ready"]
    outcome = dayfly("deploy", "api")
    assert outcome.exit_code == 0, outcome.stderr


def test_no_stack_file_is_told(dayfly: Run) -> None:
    outcome = dayfly("deploy")
    assert outcome.exit_code == 64
    assert "There is no stack.yaml" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_a_failing_function_ends_with_the_reason_and_the_log(dayfly: Run, platform: Any) -> None:
    platform.states, platform.reason = ["starting", "failing"], "handler.py could not be imported"
    platform.log = ["Traceback", "ImportError: nope"]
    outcome = dayfly("deploy", "hello")
    assert outcome.exit_code == 1
    assert outcome.stderr.startswith("Error: hello is failing: handler.py could not be imported\n")
    assert "ImportError: nope" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_the_headline_of_a_traceback_is_its_last_line(dayfly: Run, platform: Any) -> None:
    platform.states = ["failing"]
    platform.reason = "import failed: Traceback (most recent call last):\n  File x\nModuleNotFoundError: no y"
    lines = dayfly("deploy", "hello").stderr.splitlines()
    assert lines[0] == "Error: hello is failing: import failed: ModuleNotFoundError: no y"
    assert lines[2:] == ["  File x", "ModuleNotFoundError: no y"]


@pytest.mark.usefixtures("stack")
def test_a_failed_build_ends_with_the_build_log_and_65(dayfly: Run, platform: Any) -> None:
    platform.states, platform.reason, platform.fault = ["building", "failing"], "pip gave up", "prepare_failed"
    platform.build_log = "Collecting nope\nERROR: no matching distribution"
    outcome = dayfly("deploy", "hello")
    assert outcome.exit_code == 65
    assert outcome.stderr.startswith("Error: hello is failing: pip gave up\n")
    assert "no matching distribution" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_the_kind_of_failure_is_not_guessed_from_its_words(dayfly: Run, platform: Any) -> None:
    platform.states, platform.reason, platform.fault = ["failing"], "it could not be prepared", "import_failed"
    assert dayfly("deploy", "hello").exit_code == 1


def test_one_refused_function_does_not_keep_the_others_back(dayfly: Run, platform: Any, stack: Path) -> None:
    (stack / "api" / ".env").write_text("PASSWORD=x")
    outcome = dayfly("deploy")
    assert outcome.exit_code == 64
    assert specs(platform).keys() == {"hello"}
    assert "1 of 2 functions failed to deploy: api" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_waiting_ends_at_its_deadline(dayfly: Run, platform: Any) -> None:
    platform.states = ["building"] * 1000
    outcome = dayfly("deploy", "hello", "--wait-timeout", "50ms")
    assert outcome.exit_code == 69
    assert "hello is still building after 50ms.\n" in outcome.stderr
    platform.states, platform.reason = ["starting"] * 1000, "a replica waits until the namespace has room"
    outcome = dayfly("deploy", "hello", "--wait-timeout", "50ms")
    assert "hello is still starting after 50ms: a replica waits until the namespace has room.\n" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_no_wait_does_not_ask(dayfly: Run, platform: Any) -> None:
    assert dayfly("deploy", "hello", "--no-wait").exit_code == 0
    asked = [(request.method, request.url.path.rpartition("/")[2]) for request in platform.requests]
    assert [method for method, _ in asked] == ["HEAD", "PUT", "PUT", "GET"]
    assert asked[-1][1] == "triggers", "those that it may have had, and nothing of how it comes up"


@pytest.mark.usefixtures("stack")
def test_without_a_login_it_stops_at_once_with_77(dayfly: Run, platform: Any) -> None:
    platform.refuse = httpx2.Response(401, text="")
    outcome = dayfly("deploy")
    assert outcome.exit_code == 77
    assert "dayfly login" in outcome.stderr
    assert len(platform.requests) == 1


def test_the_stacks_gateway_counts_unless_it_is_the_default(
    dayfly: Run, platform: Any, stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAYFLY_URL", "http://127.0.0.1:7777")
    dayfly("deploy", "hello", "--no-wait")
    assert platform.requests[0].url.port == 7777
    (stack / "stack.yaml").write_text(STACK.replace("127.0.0.1:8080", "127.0.0.1:6666"))
    dayfly("deploy", "hello", "--no-wait")
    assert platform.requests[-1].url.port == 6666
    dayfly("deploy", "hello", "--no-wait", "-g", "127.0.0.1:5555")
    assert platform.requests[-1].url.port == 5555


COMPILER = "import sys; text = open('function/handler.x').read(); 'error' in text and sys.exit('handler.x:1: ' + text)"


@pytest.fixture
def compiled(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack with a function in a language of the project's own, whose compiler is a line of Python."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home.parent / "cache"))
    about = {
        "fprocess": "./x --serve",
        "dayfly": {
            "runtime": "http",
            "needs": "an x compiler",
            "check": [sys.executable, "--version"],
            "build": [[sys.executable, "-c", COMPILER]],
            "pack": {"function/handler.x": "x"},
            "environment": {"MODE": "quick", "LEVEL": "1"},
        },
    }
    (home / "template" / "x" / "function").mkdir(parents=True)
    (home / "template" / "x" / "template.yml").write_text(json.dumps(about))
    (home / "hello").mkdir()
    (home / "hello" / "handler.x").write_text("source")
    (home / "stack.yaml").write_text(
        "functions: {hello: {lang: x, handler: ./hello, environment: {LEVEL: 2}, build_args: {A: 1}}}\n"
    )
    return home


@pytest.mark.usefixtures("compiled")
def test_a_language_with_a_build_is_built_and_runs_as_its_template_says(dayfly: Run, platform: Any) -> None:
    platform.states = ["ready"]
    assert dayfly("up").exit_code == 0
    sent = specs(platform)["hello"]
    assert (sent["lang"], sent["runtime"], sent["process"]) == ("x", "http", "./x --serve")
    assert sent["env"] == {"MODE": "quick", "LEVEL": "2"}
    with tarfile.open(fileobj=io.BytesIO(platform.bundles["openfaas-fn", sent["bundle"]])) as archive:
        assert archive.getnames() == ["x"]


def test_a_function_outside_of_any_stack_is_built_too(dayfly: Run, platform: Any, compiled: Path) -> None:
    (compiled / "stack.yaml").unlink()
    platform.states = ["ready"]
    assert dayfly("deploy", "hello", "--handler", "hello", "--lang", "x", "--fprocess", "./x --other").exit_code == 0
    sent = specs(platform)["hello"]
    assert (sent["runtime"], sent["process"], sent["env"]) == ("http", "./x --other", {"MODE": "quick", "LEVEL": "1"})


def test_a_compilers_error_is_shown_whole_and_nothing_is_sent(dayfly: Run, platform: Any, compiled: Path) -> None:
    (compiled / "hello" / "handler.x").write_text("error\nin two lines")
    outcome = dayfly("deploy")
    assert outcome.exit_code == 65
    assert "ended with exit code 1:" in outcome.stderr
    assert "handler.x:1: error\nin two lines" in outcome.stderr
    assert platform.functions == {}


def test_a_missing_toolchain_is_one_sentence_with_how_to_get_it(dayfly: Run, platform: Any, compiled: Path) -> None:
    about = compiled / "template" / "x" / "template.yml"
    about.write_text(about.read_text().replace("--version", "--no-such-option"))
    outcome = dayfly("deploy")
    assert outcome.exit_code == 69
    assert "This machine cannot build x functions" in outcome.stderr
    assert "It takes an x compiler." in outcome.stderr
    assert platform.functions == {}


def test_functions_whose_language_is_missing_can_be_left_out(dayfly: Run, platform: Any, compiled: Path) -> None:
    about = compiled / "template" / "x" / "template.yml"
    about.write_text(about.read_text().replace("--version", "--no-such-option"))
    (compiled / "plain").mkdir()
    (compiled / "plain" / "handler.py").write_text("def handle(event): return ''\n")
    (compiled / "stack.yaml").write_text(
        "functions: {hello: {lang: x, handler: ./hello}, plain: {lang: python, handler: ./plain}}\n"
    )
    platform.states = ["ready"]
    outcome = dayfly("deploy", "--skip-missing")
    assert outcome.exit_code == 0, outcome.stderr
    assert "hello is left out: it needs an x compiler." in outcome.stderr
    assert set(specs(platform)) == {"plain"}


def test_an_image_that_was_made_elsewhere_is_deployed_without_a_build(dayfly: Run, platform: Any, home: Path) -> None:
    (home / "hello").mkdir()
    entry = "hello: {lang: dockerfile, handler: ./hello, image: me/hello:1, skip_build: true}"
    (home / "stack.yaml").write_text(f"functions: {{{entry}}}\n")
    platform.states = ["ready"]
    assert dayfly("deploy").exit_code == 0
    sent = specs(platform)["hello"]
    assert (sent["runtime"], sent["image"], sent.get("bundle", "")) == ("image", "me/hello:1", "")


@pytest.mark.parametrize("named", [("web",), ("--name", "web"), ("web", "--name", "web")])
@pytest.mark.usefixtures("stack")
def test_an_image_is_deployed_as_it_is_and_nothing_is_sent_but_its_name(
    dayfly: Run, platform: Any, named: tuple[str, ...]
) -> None:
    outcome = dayfly("deploy", *named, "--image", "ghcr.io/x/Web:1", "--fprocess", "cat", "-o", "json")
    assert outcome.exit_code == 64, "a capital letter is only for a registry's host"
    assert platform.requests == []
    outcome = dayfly("deploy", *named, "--image", "GHCR.io/x/web:1", "--fprocess", "cat", "-o", "json")
    assert outcome.exit_code == 0, outcome.stderr
    sent = specs(platform)["web"]
    assert (sent["image"], sent["runtime"], sent["lang"]) == ("GHCR.io/x/web:1", "image", "image")
    assert (sent["process"], sent.get("bundle")) == ("cat", None)
    assert not [request for request in platform.requests if "bundles" in request.url.path]
    assert json.loads(outcome.stdout)["spec"]["name"] == "web"


@pytest.mark.usefixtures("stack")
def test_a_function_has_one_name_and_an_image_needs_one(dayfly: Run, platform: Any) -> None:
    assert dayfly("deploy", "web", "--name", "api", "--image", "x").exit_code == 64
    assert dayfly("deploy", "--image", "x").exit_code == 64
    assert dayfly("deploy", "hello", "-f", "stack.yaml", "--image", "x").exit_code == 64
    assert platform.requests == []


@pytest.mark.usefixtures("stack")
def test_what_is_there_is_rolled_over_unless_told_otherwise(dayfly: Run, platform: Any) -> None:
    platform.states = ["ready"] * 9
    assert "attempting rolling-update" not in dayfly("deploy", "hello").stdout
    assert "Function hello already exists, attempting rolling-update.\n" in dayfly("deploy", "hello").stdout
    refused = dayfly("deploy", "hello", "--update=false")
    assert (refused.exit_code, "Function hello already exists" in refused.stderr) == (73, True)
    both = dayfly("deploy", "hello", "--replace")
    assert (both.exit_code, "cannot specify --update and --replace" in both.stderr) == (64, True)
    before = len(platform.requests)
    assert dayfly("deploy", "hello", "--replace", "--update=false").exit_code == 0
    assert "DELETE" in [request.method for request in platform.requests[before:]]
    assert platform.functions["openfaas-fn", "hello"].revision == 1
    assert dayfly("deploy", "api", "--replace=true", "--update=false").exit_code == 0


@pytest.mark.usefixtures("stack")
def test_the_image_is_called_by_its_source(dayfly: Run, platform: Any) -> None:
    from dayfly.client.image_tag import digest_of

    platform.states = ["ready"] * 9
    dayfly("deploy", "hello", "--tag", "digest")
    assert specs(platform)["hello"]["image"] == f"hello:{digest_of(Path('hello'))}"
    dayfly("deploy", "mine", "--handler", "hello", "--image", "x/mine", "--tag", "Latest")
    assert specs(platform)["mine"]["image"] == "x/mine:latest"


def test_an_images_process_is_its_templates_unless_told_otherwise(dayfly: Run, platform: Any, home: Path) -> None:
    template = home / "template/own"
    (template / "function").mkdir(parents=True)
    (template / "Dockerfile").write_text("FROM scratch\n")
    (template / "template.yml").write_text("language: own\nfprocess: ./own\n")
    (home / "stack.yaml").write_text(
        "functions:\n  a: {lang: own, handler: ./a, image: x/a, skip_build: true}\n"
        "  b: {lang: own, handler: ./a, image: x/b, skip_build: true, fprocess: mine}\n"
    )
    dayfly("deploy", "--no-wait")
    assert [spec.get("process") for spec in specs(platform).values()] == ["./own", "mine"]
    dayfly("deploy", "--no-wait", "--read-template=false")
    assert [spec.get("process") for spec in specs(platform).values()] == [None, "mine"]


@pytest.mark.usefixtures("stack")
def test_how_long_the_gateway_may_take_is_not_how_long_a_call_may(dayfly: Run, platform: Any) -> None:
    platform.states = ["ready"]
    assert dayfly("deploy", "hello", "--timeout", "7s").exit_code == 0
    assert "timeout" not in specs(platform)["hello"]
    assert platform.requests[-1].extensions["timeout"]["read"] == 7.0
    assert dayfly("deploy", "hello", "--timeout", "soon").exit_code == 64
