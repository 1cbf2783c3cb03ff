"""new: what it writes deploys, its tests pass, and nothing that exists is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.cli.new import LANGUAGES
from dayfly.client.bundle import pack
from dayfly.client.stack import load_stack

Run = Callable[..., Any]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_new_function_passes_its_own_test_and_can_be_deployed(dayfly: Run, home: Path, lang: str) -> None:
    outcome = dayfly("new", "hello", "--lang", lang)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.splitlines()[:3] == [
        "Folder: hello created.",
        "Function created in folder: hello",
        "Stack file written: stack.yaml",
    ]
    names = sorted(path.name for path in (home / "hello").iterdir())
    assert names == ["handler.py", "handler_test.py", "requirements.txt"]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "handler_test.py"]
    done = subprocess.run(argv, cwd=home / "hello", capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    assert b"2 passed" in done.stdout
    (one,) = load_stack("stack.yaml", environ={}).functions()
    assert (one.spec.name, one.spec.lang, one.spec.image) == ("hello", lang, "hello:latest")
    pack(one.folder)


def test_the_written_stack_deploys(dayfly: Run, platform: Any) -> None:
    dayfly("new", "hello")
    platform.states = ["ready"]
    assert dayfly("deploy").exit_code == 0


def test_append_keeps_the_file_and_its_comments(dayfly: Run, home: Path) -> None:
    before = "# mine\nfunctions:\n  a:  # first\n    handler: ./a\n    lang: python\n\n# after\nconfiguration: {}\n"
    (home / "stack.yaml").write_text(before)
    assert dayfly("new", "b", "--lang", "wsgi", "--append", "stack.yaml").exit_code == 0
    text = (home / "stack.yaml").read_text()
    assert [line for line in text.splitlines() if line in before.splitlines()] == before.splitlines()
    assert sorted(load_stack("stack.yaml", environ={}).entries) == ["a", "b"]


@pytest.mark.parametrize("before", ["functions: {}\n", "version: 1.0\nfunctions:\n", "functions:\n  a: {handler: a}"])
def test_append_to_small_files(dayfly: Run, home: Path, before: str) -> None:
    (home / "stack.yaml").write_text(before)
    assert dayfly("new", "b", "-a", "stack.yaml").exit_code == 0
    assert "b" in load_stack("stack.yaml", environ={}).entries


@pytest.mark.parametrize("before", ["functions: {a: {handler: a}}\n", "other: 1\n"])
def test_append_refuses_a_file_that_it_would_break(dayfly: Run, home: Path, before: str) -> None:
    (home / "stack.yaml").write_text(before)
    assert dayfly("new", "b", "-a", "stack.yaml").exit_code == 64
    assert (home / "stack.yaml").read_text() == before
    assert not (home / "b").exists()


def test_nothing_that_exists_is_overwritten(dayfly: Run, home: Path) -> None:
    dayfly("new", "a")
    outcome = dayfly("new", "b")
    assert outcome.exit_code == 73
    assert "file: stack.yaml already exists" in outcome.stderr
    assert "--append" in outcome.stderr
    assert not (home / "b").exists()
    assert dayfly("new", "a", "-a", "stack.yaml").exit_code == 73
    (home / "c").mkdir()
    before = (home / "stack.yaml").read_text()
    assert "folder: c already exists" in dayfly("new", "c", "-a", "stack.yaml").stderr
    assert (home / "stack.yaml").read_text() == before


@pytest.mark.parametrize("name", ["Upper", "a_b", "-a", "a/b", "..", ""])
def test_bad_names_write_nothing(dayfly: Run, home: Path, name: str) -> None:
    assert dayfly("new", "--", name).exit_code == 64
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["123", "no", "null", "0x1", "1e3", "true"])
def test_names_that_yaml_would_misread_stay_names(dayfly: Run, home: Path, name: str) -> None:
    import yaml

    dayfly("new", name)
    assert list(yaml.safe_load((home / "stack.yaml").read_text())["functions"]) == [name]


@pytest.mark.parametrize("folder", ["my functions/a: b", "it's", 'say "x"', "#x", "äöü", "${HOME}"])
def test_folders_of_any_name_are_found_again(dayfly: Run, folder: str) -> None:
    assert dayfly("new", "a", "--handler", folder).exit_code == 0
    (one,) = load_stack("stack.yaml", environ={"HOME": "elsewhere"}).functions()
    assert (one.folder / "handler.py").exists()


def test_quiet_prints_nothing(dayfly: Run) -> None:
    assert dayfly("new", "a", "-q").stdout == ""


def test_a_folder_that_cannot_be_made_is_told(dayfly: Run, home: Path) -> None:
    (home / "file").touch()
    assert dayfly("new", "a", "--handler", "file/x").exit_code == 64
    assert not (home / "stack.yaml").exists()
