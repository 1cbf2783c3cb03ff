"""The program of a function: its words, where it is, and what it finds around it."""

import os
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.runtimes import commands
from dayfly.runtimes.python.handler import HandlerUnfit


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a template has around it."""
    monkeypatch.setattr(os, "environ", {"PATH": "/usr/bin:/bin", "OPENFAAS_NAME": "fn"})


def order(folder: Path, process: str, **changes: Any) -> StartOrder:
    return StartOrder(
        replica=new_replica_id(), key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn")), revision=1, lang="exec",
        runtime="exec", dialect="auto", handler="handler", process=process, code_dir=str(folder), timeout_s=60.0,
        **changes,
    )  # fmt: skip


def put(folder: Path, name: str, mode: int = 0o755) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)


def test_a_process_is_split_at_single_spaces_and_no_shell_reads_it(tmp_path: Path) -> None:
    assert commands.words(order(tmp_path, " sh -c $HOME;id  'a b' ")) == ["sh", "-c", "$HOME;id", "", "'a", "b'"]


@pytest.mark.parametrize("process", ["run.sh", "./run.sh", "bin/run.sh", "cat", "/bin/cat"])
def test_a_program_is_found_in_the_folder_and_on_the_path(tmp_path: Path, process: str) -> None:
    put(tmp_path, "run.sh")
    put(tmp_path, "bin/run.sh")
    assert commands.words(order(tmp_path, f"{process} x")) == [process, "x"]


def test_the_folder_comes_first(tmp_path: Path) -> None:
    environ = commands.environment(order(tmp_path, "cat"))
    assert environ["PATH"] == f"{tmp_path}:/usr/bin:/bin"
    assert (environ["PWD"], environ["OPENFAAS_NAME"], environ["PYTHONUNBUFFERED"]) == (str(tmp_path), "fn", "1")
    assert "PYTHONPATH" not in environ


def test_python_programs_find_the_layers(tmp_path: Path) -> None:
    assert commands.environment(order(tmp_path, "cat", layer_dirs=("/a", "/b")))["PYTHONPATH"] == "/a:/b"


@pytest.mark.parametrize(
    ("process", "told"),
    [
        ("nothing-of-the-kind", "no program 'nothing-of-the-kind' in the function's folder or on its PATH"),
        ("./nothing", r"no program './nothing' in the function's folder;"),
        ("plain.txt", "plain.txt is not executable; `chmod \\+x`"),
        ("./plain.txt", "./plain.txt is not executable"),
        ("bin", "no program 'bin'"),
    ],
)
def test_a_program_that_cannot_run_is_said_so(tmp_path: Path, process: str, told: str) -> None:
    put(tmp_path, "plain.txt", 0o644)
    put(tmp_path, "bin/run.sh")
    with pytest.raises(HandlerUnfit, match=told):
        commands.words(order(tmp_path, process))
