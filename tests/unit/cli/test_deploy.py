"""deploy: from folders and stack files to requests, and the waiting afterwards."""

import json
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
    assert sent["bundle"] in platform.bundles


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
        "--timeout", "5s", "--namespace", "team-a", "--memory-limit", "64Mi", "--entrypoint", "handler:main",
        "--secret", "key", "-o", "json",
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    sent = specs(platform)["mine"]
    assert sent["env"] == {"A": "1=2"}
    assert (sent["labels"], sent["annotations"]) == ({"l": ""}, {"n": "v"})
    assert (sent["timeout"], sent["namespace"], sent["dialect"]) == ("5s", "team-a", "python-classic")
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
@pytest.mark.parametrize("flag", [("--timeout", "never"), ("-e", "LD_PRELOAD=x"), ("--memory-limit", "lots")])
def test_a_mistake_on_the_command_line_leaves_all_undeployed(dayfly: Run, platform: Any, flag: tuple[str, str]) -> None:
    assert dayfly("deploy", *flag).exit_code == 64
    assert platform.requests == []


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
    assert "still building" in outcome.stderr


@pytest.mark.usefixtures("stack")
def test_no_wait_does_not_ask(dayfly: Run, platform: Any) -> None:
    assert dayfly("deploy", "hello", "--no-wait").exit_code == 0
    assert [request.method for request in platform.requests] == ["HEAD", "PUT", "PUT"]


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
