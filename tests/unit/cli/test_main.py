"""The frame of the command line: lazy loading, help, exit codes, interruptions; in process and as a real process."""

import functools
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import httpx2
import pytest

from dayfly.cli.main import COMMANDS, cli
from dayfly.model import errors

Run = Callable[..., Any]
ARGV = [sys.executable, "-c", "from dayfly.cli.main import main; main()"]
DEADLINE_S = 60.0


def process(*args: str, **kwargs: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*ARGV, *args], capture_output=True, check=False, timeout=DEADLINE_S, **kwargs)


@pytest.fixture
def unused_url() -> Iterator[str]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_its_summary_and_examples(dayfly: Run, name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").splitlines()[0] == COMMANDS[name]
    text = dayfly(name, "--help").stdout
    assert "Examples:" in text
    assert f"dayfly {name}" in text


def test_commands_below_commands_have_examples_too(dayfly: Run) -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        group = cli.get_command(context, name)
        for below in group.list_commands(context) if isinstance(group, click.Group) else ():
            assert "Examples:" in dayfly(name, below, "--help").stdout, f"{name} {below}"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("depoly", "No such command 'depoly'. Did you mean deploy or replay?"),
        ("discribe", "No such command 'discribe'. Did you mean describe?"),
        ("xyzzy", "No such command 'xyzzy'."),
    ],
)
def test_a_word_that_is_no_command_is_told_what_it_may_mean(dayfly: Run, word: str, told: str) -> None:
    outcome = dayfly(word)
    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines()[-1] == f"Error: {told}"


def test_help_lists_the_commands_and_loads_none_of_them() -> None:
    program = (
        "import sys\nfrom dayfly.cli.main import cli\n"
        "try: cli.main(['--help'])\nexcept SystemExit: pass\nprint(*sys.modules)"
    )
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, check=True, timeout=DEADLINE_S, text=True)
    *text, modules = done.stdout.splitlines()
    assert all(any(line.split()[:1] == [name] for line in text) for name in COMMANDS)
    names = set(modules.split())
    assert not names & {
        "httpx2",
        "rich",
        "yaml",
        "msgspec",
        "asyncio",
        "dayfly.client",
        "dayfly.server",
        "dayfly.cli.list",
    }


@pytest.mark.parametrize("alias", ["ls", "rm", "delete", "inspect"])
def test_aliases_work_and_are_not_listed(dayfly: Run, alias: str) -> None:
    assert dayfly(alias, "--help").exit_code == 0
    assert f"  {alias} " not in dayfly("--help").stdout


CLASSES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.DayflyError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_each_error_has_its_exit_code_one_line_and_a_hint(
    dayfly: Run, monkeypatch: pytest.MonkeyPatch, kind: type[errors.DayflyError]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise kind("it went wrong \x1b[2J", hint="do\nthis")

    monkeypatch.setattr("dayfly.client.blocking.Client.list_functions", fail)
    outcome = dayfly("list")
    assert outcome.exit_code == kind.exit_code
    assert outcome.stderr == "Error: it went wrong \\x1b[2J\ndo this\n"
    assert outcome.stdout == ""


def test_further_lines_of_an_error_follow_the_hint(dayfly: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise errors.BuildFailed("no\n  line one\n  line two", hint="fix it")

    monkeypatch.setattr("dayfly.client.blocking.Client.list_functions", fail)
    assert dayfly("list").stderr == "Error: no\nfix it\n  line one\n  line two\n"


@pytest.mark.parametrize("args", [("frobnicate",), ("list", "--nope"), ("describe",), ("list", "-o", "xml")])
def test_a_wrong_command_line_exits_2(dayfly: Run, args: tuple[str, ...]) -> None:
    assert dayfly(*args).exit_code == 2


def test_plain_http_to_elsewhere_is_warned_of(dayfly: Run) -> None:
    assert (
        "WARNING! You are not using an encrypted connection" in dayfly("list", "-g", "http://faas.example.org").stderr
    )
    assert "WARNING" not in dayfly("list", "-g", "https://faas.example.org").stderr
    assert "WARNING" not in dayfly("list").stderr


def test_a_process_ends_with_the_code_of_its_error(unused_url: str) -> None:
    done = process("list", "-g", unused_url)
    assert done.returncode == 69
    assert done.stderr.startswith(b"Error: No gateway answers at")
    assert len(done.stderr.splitlines()) == 2
    assert process("list", "--nope").returncode == 2
    assert process("describe", "UPPER", "-g", unused_url).returncode == 64
    assert process("--version").returncode == 0


def test_a_bug_is_told_without_a_traceback(tmp_path: Path) -> None:
    broken = "import dayfly.cli.list as m, dayfly.cli.main as main\nm.command.callback = lambda **_: 1 / 0\nmain.main()"
    environ = {**os.environ, "HOME": str(tmp_path)}
    argv = [sys.executable, "-c", broken, "list"]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=DEADLINE_S, env=environ)
    assert done.returncode == 70
    assert done.stderr.startswith(b"Error: A bug in dayfly: ZeroDivisionError")
    assert b"Traceback" not in done.stderr
    traced = subprocess.run(
        argv, capture_output=True, check=False, timeout=DEADLINE_S, env={**environ, "DAYFLY_DEBUG": "1"}
    )
    assert b"Traceback" in traced.stderr


@pytest.fixture
def silent_gateway() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE_S)
        yield listener


def test_ctrl_c_ends_with_130_and_no_traceback(silent_gateway: socket.socket) -> None:
    url = f"http://127.0.0.1:{silent_gateway.getsockname()[1]}"
    # A job of a shell without job control ignores Ctrl-C, and so would the command that these tests start.
    heeding = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(
        [*ARGV, "list", "-g", url], stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=heeding
    )
    connection, _ = silent_gateway.accept()
    with connection, child:
        assert connection.recv(1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=DEADLINE_S)
    assert (child.returncode, out, err.strip()) == (130, b"", b"")


def test_a_reader_that_goes_away_is_no_error() -> None:
    child = subprocess.Popen([*ARGV, "list", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    with child.stderr:
        assert child.stderr.read() == b""
    assert child.wait(DEADLINE_S) != 0


def test_the_mock_transport_reaches_every_command(dayfly: Run, platform: Any) -> None:
    platform.refuse = httpx2.Response(401, text="")
    for args in (["list"], ["describe", "x"], ["logs", "x"], ["scale", "x", "1"], ["remove", "x"], ["ready", "x"]):
        assert dayfly(*args).exit_code == 77, args
