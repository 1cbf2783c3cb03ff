"""Plugins take our place; what is ours, and what is no plugin, they do not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
ARGV = [sys.executable, "-c", "from dayfly.cli.main import main; main()"]


@pytest.fixture
def folders(home: Path) -> tuple[Path, Path]:
    found = tuple(home.parent / "home" / name / "plugins" for name in (".dayfly", ".openfaas"))
    for folder in found:
        folder.mkdir(parents=True)
    return found[0], found[1]


def program(path: Path, text: str = "", mode: int = 0o755) -> None:
    path.write_text(text or f'#!/bin/sh\necho {path.parent.parent.name} "$@"\nexit 7\n')
    path.chmod(mode)


def run(*args: str) -> tuple[int, str, str]:
    done = subprocess.run([*ARGV, *args], capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout, done.stderr


def test_a_plugin_gets_the_rest_of_the_line_and_keeps_its_exit_code(folders: tuple[Path, Path]) -> None:
    program(folders[1] / "greet")
    assert run("greet", "--some", "-f", "x y") == (7, ".openfaas --some -f x y\n", "")
    program(folders[0] / "greet")
    assert run("greet") == (7, ".dayfly\n", "")


def test_what_is_ours_stays_ours(folders: tuple[Path, Path]) -> None:
    for name in ("version", "ls"):
        program(folders[0] / name)
    assert run("version", "--short-version")[0] == 0
    assert run("ls", "--help")[0] == 0


def test_what_is_no_program_is_no_plugin(folders: tuple[Path, Path]) -> None:
    program(folders[0] / "text", mode=0o644)
    program(folders[0].parent / "outside")
    (folders[0] / "folder").mkdir()
    for name in ("text", "../outside", "folder", "nothing"):
        assert run(name)[0] == 2, name


def test_a_plugin_that_cannot_be_run_is_told(folders: tuple[Path, Path]) -> None:
    program(folders[0] / "broken", "#!/no/such/shell\n")
    code, _, told = run("broken")
    assert code == 127
    assert told.startswith("Error from plugin: ")


def test_plugins_are_listed(dayfly: Run, folders: tuple[Path, Path]) -> None:
    assert "No plugins" in dayfly("plugin", "list").stderr
    program(folders[1] / "b")
    program(folders[1] / "a")
    program(folders[0] / "a")
    rows = [line.split() for line in dayfly("plugin", "ls").stdout.splitlines()]
    assert rows == [["NAME", "PATH"], ["a", str(folders[0] / "a")], ["b", str(folders[1] / "b")]]


def test_nothing_is_fetched_from_a_registry(dayfly: Run, platform: Any) -> None:
    outcome = dayfly("plugin", "get", "pro")
    assert outcome.exit_code == 69
    assert "ghcr.io/openfaasltd/pro:latest" in outcome.stderr
    assert os.path.join(".dayfly", "plugins") in outcome.stderr
    assert platform.requests == []
