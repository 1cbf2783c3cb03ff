"""Completion: scripts for three shells, and live names asked for without ever failing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest
from click.shell_completion import ShellComplete

from dayfly.cli.main import cli
from dayfly.cli.session import Session
from dayfly.model.namespace import NamespaceChange
from dayfly.model.status import RevisionStatus

Run = Callable[..., Any]


def complete(platform: Any, *words: str) -> list[str]:
    completion = ShellComplete(cli, {"obj": Session(httpx2.MockTransport(platform))}, "dayfly", "_DAYFLY_COMPLETE")
    return [item.value for item in completion.get_completions(list(words[:-1]), words[-1])]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(dayfly: Run, shell: str) -> None:
    text = dayfly("completion", shell).stdout
    assert "_DAYFLY_COMPLETE" in text
    assert f"{shell}_complete" in text


@pytest.mark.parametrize(
    "command", ["describe", "invoke", "logs", "scale", "remove", "ready", "revisions", "rollback", "promote", "top"]
)
def test_names_come_from_the_platform(platform: Any, command: str) -> None:
    platform.add("hello")
    platform.add("help-desk")
    platform.add("other")
    assert complete(platform, command, "hel") == ["hello", "help-desk"]


def test_revisions_come_from_the_function_that_was_typed(platform: Any) -> None:
    spec = platform.add("hello").spec
    platform.history = [
        RevisionStatus(number=number, spec=spec, created_unix_ms=1, role="kept") for number in (1, 2, 10, 11)
    ]
    assert complete(platform, "rollback", "hello", "--to", "1") == ["11", "10", "1"]
    assert complete(platform, "rollback", "gone", "--to", "") == []
    assert complete(platform, "rollback", "--to", "") == []


def test_the_namespace_that_was_typed_counts(platform: Any) -> None:
    assert complete(platform, "describe", "--namespace", "team-a", "") == []
    assert platform.requests[-1].url.path == "/v1/namespaces/team-a/functions"


def test_namespaces_come_from_the_platform(platform: Any) -> None:
    platform.namespaces["team-a"] = NamespaceChange()
    assert complete(platform, "namespace", "get", "te") == ["team-a"]
    assert complete(platform, "list", "--namespace", "") == ["openfaas-fn", "team-a"]


@pytest.mark.parametrize("answer", [httpx2.Response(500), httpx2.Response(200, text="<html>"), httpx2.Response(401)])
def test_a_platform_that_does_not_answer_completes_nothing(platform: Any, answer: httpx2.Response) -> None:
    platform.refuse = answer
    assert complete(platform, "describe", "") == []


def test_commands_and_options_are_completed(platform: Any) -> None:
    assert complete(platform, "de") == ["deploy", "describe", "dev"]
    assert "--output" in complete(platform, "list", "--")
    assert platform.requests == []


def test_every_command_is_there() -> None:
    context = click.Context(cli)
    assert all(cli.get_command(context, name) for name in cli.list_commands(context))


@pytest.mark.parametrize("command", ["dev", "run"])
def test_what_is_being_written_is_completed_from_the_stack_file_and_the_folders(
    platform: Any, home: Path, command: str
) -> None:
    assert complete(platform, command, "hel") == ["hel"]
    (home / "stack.yaml").write_text("functions: {hello: {lang: x}, help: {lang: y}, other: {lang: z}}")
    # The last one has the shell look for folders.
    assert complete(platform, command, "hel") == ["hello", "help", "hel"]
    (home / "stack.yaml").write_text("functions: [")
    assert complete(platform, command, "hel") == ["hel"]
    assert platform.requests == []
