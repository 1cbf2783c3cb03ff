"""list, describe, logs, scale, remove, version, ready: what they print and how they end."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

Run = Callable[..., Any]


def test_list_has_faas_clis_columns_sorted_by_name(dayfly: Run, platform: Any) -> None:
    platform.add("zebra")
    platform.add("ant", invocations=12, desired_replicas=2)
    lines = dayfly("list").stdout.splitlines()
    assert lines[0].split() == ["Function", "Invocations", "Replicas", "State"]
    assert [line.split() for line in lines[1:]] == [["ant", "12", "2", "ready"], ["zebra", "3", "1", "ready"]]
    assert lines[1].startswith(f"{'ant':<30}\t{'12':<15}\t")


def test_list_of_nothing_says_so_beside_standard_output(dayfly: Run) -> None:
    outcome = dayfly("list")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert "No functions are deployed" in outcome.stderr
    assert dayfly("list", "-o", "json").stdout == "[]\n"


def test_list_prints_for_programs(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    assert json.loads(dayfly("list", "-o", "json").stdout)[0]["spec"]["namespace"] == "openfaas-fn"
    assert dayfly("list", "-o", "name").stdout == "hello\n"
    assert dayfly("list", "-q").stdout == "hello\n"
    assert "state: ready" in dayfly("list", "-o", "yaml").stdout


def test_list_sorts_by_invocations(dayfly: Run, platform: Any) -> None:
    platform.add("a", invocations=1)
    platform.add("b", invocations=5)
    assert dayfly("list", "--sort", "invocations", "-q").stdout == "b\na\n"


def test_describe_shows_what_is_there_and_no_value_of_the_environment(dayfly: Run, platform: Any) -> None:
    from dayfly.model.function import FunctionSpec

    platform.add("hello", spec=FunctionSpec(name="hello", env={"KEY": "hush"}, labels={"a": "1"}))
    text = dayfly("describe", "hello").stdout
    assert "Status:             Ready" in text
    assert "a: 1" in text
    assert "KEY" in text
    assert "hush" not in text


def test_describe_of_an_unknown_function_exits_66_with_one_line(dayfly: Run) -> None:
    outcome = dayfly("describe", "nobody")
    assert (outcome.exit_code, outcome.stdout) == (66, "")
    assert outcome.stderr == "Error: there is no function nobody\n"


def test_list_in_full_has_faas_clis_columns_too(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    head, row = dayfly("list", "-v").stdout.splitlines()
    assert head.split() == ["Function", "Image", "Invocations", "Replicas", "CreatedAt", "State", "Revision"]
    assert row.split() == ["hello", "3", "1", "2023-11-14T22:13:20Z", "ready", "1"]


def test_functions_are_printed_in_faas_clis_json(dayfly: Run, platform: Any) -> None:
    from dayfly.model.function import FunctionSpec, Resources

    spec = FunctionSpec(
        name="hello", image="x/hello:1", process="cat", env={"A": "1"}, secrets=("key",), limits=Resources(memory="1Gi")
    )
    platform.add("hello", spec=spec, created_unix_ms=1_700_000_000_120)
    (told,) = json.loads(dayfly("list", "--json").stdout)
    assert told == {
        "name": "hello",
        "image": "x/hello:1",
        "namespace": "openfaas-fn",
        "envProcess": "cat",
        "envVars": {"A": "1"},
        "secrets": ["key"],
        "labels": {},
        "annotations": {},
        "limits": {"memory": "1Gi"},
        "invocationCount": 3,
        "replicas": 1,
        "availableReplicas": 1,
        "createdAt": "2023-11-14T22:13:20.12Z",
    }
    described = json.loads(dayfly("describe", "hello", "--json").stdout)
    assert described.items() >= told.items()
    assert (described["Status"], described["InvocationCount"]) == ("Ready", 3)
    assert described["URL"] == "http://127.0.0.1:8080/function/hello"
    assert described["AsyncURL"] == "http://127.0.0.1:8080/async-function/hello"


def test_the_stack_file_here_names_the_gateway(dayfly: Run, platform: Any, home: Any) -> None:
    platform.add("hello")
    stack = "provider: {name: openfaas, gateway: https://one.example.org}\nfunctions: {hello: {image: x, namespace: a}}"
    (home / "stack.yaml").write_text(stack)
    (home / "two.yml").write_text("provider: {name: openfaas, gateway: https://two.example.org}")
    commands = (("list",), ("describe", "hello"), ("logs", "hello"), ("version",), ("ready",), ("invoke", "hello"))
    for command in commands:
        for args, host in (
            ((), "one"), (("-f", "two.yml"), "two"), (("-g", "https://three.example.org"), "three"),
        ):  # fmt: skip
            assert dayfly(*command, *args).exit_code == 0, command
            assert platform.requests[-1].url.host == f"{host}.example.org"
    assert platform.requests[-1].url.path == "/function/hello.a"
    dayfly("invoke", "hello", "-f", "two.yml")
    assert platform.requests[-1].url.path == "/function/hello.openfaas-fn"


def test_a_stack_file_that_only_lies_here_stops_nothing(dayfly: Run, home: Any) -> None:
    (home / "stack.yml").write_text("services: [not, ours")
    assert dayfly("list").exit_code == 0
    assert dayfly("list", "-f", "stack.yml").exit_code == 64


def test_a_log_with_nothing_in_it_is_told_for_people_alone(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    platform.log = []
    outcome = dayfly("logs", "hello")
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "hello logged nothing.\n")
    assert dayfly("logs", "hello", "--since", "5m").stderr == "hello logged nothing of the kind.\n"
    assert dayfly("logs", "hello", "--tail").stderr == ""


def test_logs_prints_time_and_text_as_asked_for(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    platform.log = ["one", "two"]
    assert dayfly("logs", "hello").stdout == "2023-11-14T22:13:20Z one\n2023-11-14T22:13:20Z two\n"
    platform.log = ["one"]
    for args, line in (
        (("--name", "--instance"), "2023-11-14T22:13:20Z hello (abcdefghij) one"),
        (("--time-format", ""), "one"),
        (("--time-format", "RFC3339Nano"), "2023-11-14T22:13:20.123Z one"),
        (("-o", "keyvalue"), 'timestamp="2023-11-14T22:13:20Z" text="one"'),
        (
            ("-o", "keyvalue", "--name", "--instance", "--time-format", "15:04"),
            'timestamp="22:13" name="hello" instance="abcdefghij" text="one"',
        ),
    ):
        assert dayfly("logs", "hello", *args).stdout == line + "\n"
    told = json.loads(dayfly("logs", "hello", "--json").stdout)
    assert told["timestamp"] == "2023-11-14T22:13:20.123Z"
    assert [told[key] for key in ("name", "namespace", "instance", "text")] == [
        "hello", "openfaas-fn", "abcdefghij", "one",
    ]  # fmt: skip


def test_logs_asks_for_what_is_wanted(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    dayfly("logs", "hello", "--since", "5m", "--lines", "7", "--tail", "--replica", "abcdefghij")
    assert dict(platform.requests[-1].url.params) == {
        "since": "5m", "tail": "7", "follow": "true", "instance": "abcdefghij",
    }  # fmt: skip
    dayfly("logs", "hello", "--since-time", "2026-01-02T03:04:05Z", "--tail=false", "--lines", "0")
    query = dict(platform.requests[-1].url.params)
    assert query.pop("since") == "2026-01-02T03:04:05Z"
    assert "follow" not in query
    assert query.get("tail", "-1") == "-1"


def test_logs_for_programs_are_a_line_each(dayfly: Run, platform: Any) -> None:
    platform.add("hello")
    platform.log = ["one", "two"]
    lines = dayfly("logs", "hello", "-o", "json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["one", "two"]
    assert dayfly("logs", "hello", "-o", "name").stdout == "one\ntwo\n"


def test_logs_refuses_a_span_that_is_none(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("logs", "hello", "--since", "yesterday")
    assert outcome.exit_code == 64
    assert "--since" in outcome.stderr
    assert platform.requests == []


@pytest.mark.parametrize(("given", "sent"), [("3", 3), ("0", 0), ("auto", None)])
def test_scale_sends_the_number(dayfly: Run, platform: Any, given: str, sent: int | None) -> None:
    platform.add("hello")
    assert dayfly("scale", "hello", given).exit_code == 0
    assert json.loads(platform.requests[-1].content) == {"replicas": sent}


@pytest.mark.parametrize("given", ["many", "1.5", "+1", "٣"])
def test_scale_refuses_what_is_no_number(dayfly: Run, platform: Any, given: str) -> None:
    assert dayfly("scale", "hello", given).exit_code == 64
    assert platform.requests == []


def test_remove_goes_on_after_one_that_is_missing(dayfly: Run, platform: Any) -> None:
    platform.add("here")
    outcome = dayfly("remove", "gone", "here")
    assert outcome.exit_code == 66
    assert platform.functions == {}
    assert "gone: No existing function to remove" in outcome.stderr


def test_remove_without_a_name_is_refused(dayfly: Run) -> None:
    assert dayfly("remove").exit_code == 64


def test_names_with_a_namespace_behind_a_dot_are_understood(dayfly: Run, platform: Any) -> None:
    from dayfly.model.function import FunctionSpec

    platform.add("hello", spec=FunctionSpec(name="hello", namespace="team-a"))
    assert dayfly("describe", "hello.team-a").exit_code == 0
    assert dayfly("describe", "hello", "-n", "team-a").exit_code == 0
    assert dayfly("describe", "hello").exit_code == 66


def test_a_name_that_would_change_the_path_never_reaches_the_network(dayfly: Run, platform: Any) -> None:
    for name in ("../info", "a/b", "a%2fb", "A", ""):
        assert dayfly("describe", name).exit_code == 64
    assert platform.requests == []


def test_version_works_without_a_platform(dayfly: Run, platform: Any) -> None:
    assert "9.9.9" in dayfly("version").stdout
    import httpx2

    platform.refuse = httpx2.Response(503, text="away")
    outcome = dayfly("version", "-o", "json")
    assert outcome.exit_code == 0
    assert json.loads(outcome.stdout)["platform"] is None


def test_ready_waits_for_a_function(dayfly: Run, platform: Any) -> None:
    platform.add("hello", state="starting")
    outcome = dayfly("ready", "hello", "--interval", "1ms")
    assert outcome.exit_code == 0
    assert outcome.stdout.splitlines()[-1] == "Function hello is ready"
    assert outcome.stdout.startswith("[1/60] Waiting for function hello\n[2/60]")


def test_ready_gives_up_after_its_attempts_and_at_once_on_failure(dayfly: Run, platform: Any) -> None:
    assert dayfly("ready", "hello", "--attempts", "2", "--interval", "1ms").exit_code == 69
    platform.add("hello", state="failing", reason="ImportError")
    outcome = dayfly("ready", "hello")
    assert outcome.exit_code == 1
    assert "ImportError" in outcome.stderr


def test_ready_for_the_gateway(dayfly: Run) -> None:
    assert dayfly("ready").stdout == "[1/60] Waiting for gateway\nDayfly gateway is ready\n"


def test_describe_warns_of_a_function_that_tells_its_callers_tracebacks(dayfly: Run, platform: Any) -> None:
    from dayfly.model.debug import Debug, Debugger
    from dayfly.model.function import FunctionSpec

    platform.add("plain")
    platform.add("told", spec=FunctionSpec(name="told", debug=Debug(debugger=Debugger(5679, "1.8.22"))))
    assert "WARNING" not in dayfly("describe", "plain").stdout
    line = next(line for line in dayfly("describe", "told").stdout.splitlines() if line.startswith("Debug:"))
    assert "WARNING" in line
    assert "tracebacks" in line
    assert "127.0.0.1:5679" in line


def test_describe_tells_what_an_image_is_and_what_it_may(dayfly: Run, platform: Any) -> None:
    assert dayfly("deploy", "web", "--image", "web:1", "--network", "host", "--no-wait").exit_code == 0
    ((key, status),) = platform.functions.items()
    platform.functions[key] = msgspec.structs.replace(status, pinned_image="web@sha256:abc")
    told = dayfly("describe", "web").stdout
    assert "web:1\n" in told
    assert "pinned to web@sha256:abc" in told
    assert "container, held by its engine" in told
    assert "what any container of the engine reaches" in told
    granted = ("--annotation", "com.dayfly.run-as-root=true")
    assert dayfly("deploy", "web", "--image", "web:1", *granted, "--no-wait").exit_code == 0
    assert "WARNING: it may be root" in dayfly("describe", "web").stdout
