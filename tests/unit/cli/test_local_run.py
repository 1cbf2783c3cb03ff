"""local-run of an image: the command a container engine gets."""

import asyncio
import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.cli.local_run import _serve
from dayfly.cli.loop.screen import Screen
from dayfly.cli.sources import Wanted
from dayfly.cli.terminal import Progress
from dayfly.client.gateway import Target
from dayfly.model.errors import Unavailable

Run = Callable[..., Any]

STACK = """\
provider: {name: openfaas}
functions:
  fig:
    image: x/fig
    fprocess: figlet -f slant
    environment: {A: "1 2"}
    limits: {memory: 1Mi, cpu: 500m}
    readonly_root_filesystem: true
    secrets: [key]
    namespace: team
"""


@pytest.fixture
def stack(home: Path) -> Path:
    (home / "stack.yaml").write_text(STACK)
    (home / ".secrets").mkdir()
    (home / ".secrets/key").write_text("hush")
    return home


@pytest.fixture
def docker(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An engine that writes down what it is asked; `info` works."""
    folder = home / "bin"
    folder.mkdir()
    engine = folder / "docker"
    engine.write_text(f'#!/bin/sh\necho "$@" >> {home}/asked\n[ "$1" != run ] || exit ${{CODE:-0}}\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return home / "asked"


def test_the_command_is_printed(dayfly: Run, stack: Path) -> None:
    outcome = dayfly("local-run", "fig", "--print", "-e", "B=2", "--port", "8081")
    assert outcome.exit_code == 0, outcome.stderr
    argv = shlex.split(outcome.stdout)
    assert argv[1:7] == ["run", "--name", "dayfly-local-fig", "--rm", "-i", "--publish=127.0.0.1:8081:8080"]
    assert argv[-1] == "x/fig:latest"
    assert set(argv[7:-1]) == {
        "--env=A=1 2", "--env=B=2", "--env=OPENFAAS_NAME=fig", "--env=OPENFAAS_NAMESPACE=team",
        "--env=fprocess=figlet -f slant", "--read-only", "--tmpfs=/tmp", "--memory-reservation=6291456", "--cpus=0.5",
        f"--volume={stack.resolve()}/.secrets:/var/openfaas/secrets:ro",
    }  # fmt: skip
    assert "--network=host" in dayfly("local-run", "--print", "--network", "host").stdout
    assert "--publish" not in dayfly("local-run", "--print", "--network", "host").stdout


@pytest.mark.usefixtures("stack")
def test_the_engine_runs_it(dayfly: Run, docker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = dayfly("local-run")
    assert outcome.exit_code == 0, outcome.stderr
    assert "Image: x/fig:latest\nStarting local-run for: fig on: http://127.0.0.1:8080\n" in outcome.stdout
    assert [line.split()[0] for line in docker.read_text().splitlines()][-2:] == ["rm", "run"]
    monkeypatch.setenv("CODE", "3")
    failed = dayfly("local-run")
    assert (failed.exit_code, "ended with exit code 3" in failed.stderr) == (1, True)


def test_secrets_have_to_be_there(dayfly: Run, stack: Path) -> None:
    (stack / ".secrets/key").unlink()
    outcome = dayfly("local-run", "--print")
    assert (outcome.exit_code, "key" in outcome.stderr) == (64, True)


def test_one_function_is_run(dayfly: Run, home: Path) -> None:
    (home / "stack.yaml").write_text("functions: {a: {image: x}, b: {image: y}}")
    assert "name one of a, b" in dayfly("local-run").stderr


def test_a_port_that_is_taken_is_told(home: Path) -> None:
    (home / "fn").mkdir()
    (home / "fn/handler.py").write_text("def handle(event, context): return ''\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve = _serve(
            lambda *_: Wanted(targets=("fn",)).find(),
            Target("http://127.0.0.1:1"),
            Screen(Progress()),
            taken.getsockname()[1],
            watches=False,
        )
        with pytest.raises(Unavailable, match="cannot be used"):
            asyncio.run(serve)
