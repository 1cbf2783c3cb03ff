"""new: what it writes deploys, its tests pass, and nothing that exists is lost."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.client.bundle import pack
from dayfly.client.stack import load_stack
from dayfly.client.template_file import Template
from dayfly.client.templates import built_in
from dayfly.model.function import Resources

Run = Callable[..., Any]


@pytest.mark.parametrize("lang", ["python", "python-classic", "python-typed", "python-flow", "asgi", "wsgi"])
def test_a_new_function_passes_its_own_test_and_can_be_deployed(dayfly: Run, home: Path, lang: str) -> None:
    outcome = dayfly("new", "hello", "--lang", lang)
    assert outcome.exit_code == 0, outcome.stderr
    names = sorted(path.name for path in (home / "hello").iterdir())
    assert names == ["handler.py", "handler_test.py", "requirements.txt"]
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "handler_test.py"]
    done = subprocess.run(argv, cwd=home / "hello", capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
    assert b"2 passed" in done.stdout
    (one,) = load_stack("stack.yaml", environ={}).functions()
    assert (one.spec.name, one.spec.lang, one.spec.image) == ("hello", lang, "hello:latest")
    pack(one.folder)


@pytest.mark.parametrize("template", built_in(), ids=lambda template: template.name)
def test_every_language_begins_with_its_starter_and_a_note(dayfly: Run, home: Path, template: Template) -> None:
    outcome = dayfly("new", "hello", "--lang", template.name)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.splitlines()[:5] == [
        "Folder: hello created.",
        "Function created in folder: hello",
        "Stack file written: stack.yaml",
        "",
        "Notes:",
    ]
    assert template.welcome in outcome.stdout
    assert files(home / "hello") == files(template.starter)
    (one,) = load_stack("stack.yaml", environ={}).functions()
    assert (one.spec.lang, one.spec.runtime, one.template) == (template.name, template.runtime, template)
    one.spec.check()


def files(folder: Path) -> dict[str, tuple[bytes, bool]]:
    """Return the files, and whether they can be executed."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): (path.read_bytes(), bool(path.stat().st_mode & 0o111)) for path in found}


def test_a_projects_own_template_is_a_language_like_any(dayfly: Run, home: Path) -> None:
    folder = home / "template" / "mine"
    (folder / "function").mkdir(parents=True)
    (folder / "function" / "handler.x").write_text("starter")
    (folder / "template.yml").write_text("welcome_message: Own words\nfprocess: ./x\ndayfly: {needs: an x compiler}\n")
    outcome = dayfly("new", "hello", "--lang", "mine@v2")
    assert "Notes:\nOwn words\n" in outcome.stdout
    assert (home / "hello" / "handler.x").read_text() == "starter"
    assert "    lang: mine@v2\n" in (home / "stack.yaml").read_text()
    assert "- mine" in dayfly("new", "--list").stdout


def test_the_list_says_what_each_needs_and_whether_it_is_here(
    dayfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = home / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    lines = dayfly("new", "--list").stdout.splitlines()
    assert lines[0].startswith("Languages available as templates")
    rows = {line.split()[1]: line.split()[2:] for line in lines[1:]}
    assert set(rows) == {template.name for template in built_in()}
    assert rows["go"] == ["—", *["Go", "1.19", "or", "later:", "apt-get", "install", "golang-go"]]
    assert rows["dockerfile"][0] == "—"
    assert rows["python"][0] == "✓"
    (empty / "go").write_text(f"#!{sys.executable}\nprint('go version go1.19')\n")
    (empty / "go").chmod(0o755)
    assert "- go              ✓" in dayfly("new", "--list").stdout


def test_an_unknown_language_is_told_with_those_there_are(dayfly: Run, home: Path) -> None:
    outcome = dayfly("new", "hello", "--lang", "cobol")
    assert outcome.exit_code == 64
    assert "'cobol' is no template" in outcome.stderr
    assert "Known: asgi, bash, bash-streaming, dockerfile, exec, go," in outcome.stderr
    assert list(home.iterdir()) == []


def test_image_gateway_and_resources_are_written(dayfly: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("--prefix", "me/", "--gateway", "http://gw:8080", "--memory-limit", "64Mi", "--cpu-request", "100m")
    assert dayfly("new", "hello", *options).exit_code == 0
    stack = load_stack("stack.yaml", environ={})
    (one,) = stack.functions()
    assert (stack.gateway, one.spec.image) == ("http://gw:8080", "me/hello:latest")
    assert one.spec.limits == Resources("64Mi", "")
    assert one.spec.requests == Resources("", "100m")
    monkeypatch.setenv("OPENFAAS_PREFIX", "ghcr.io/us")
    dayfly("new", "other", "-a", "stack.yaml")
    assert "    image: ghcr.io/us/other:latest\n" in (home / "stack.yaml").read_text()


def test_what_does_not_belong_into_a_repository_is_kept_out(dayfly: Run, home: Path) -> None:
    (home / ".gitignore").write_text("build\n*.log")
    dayfly("new", "hello")
    assert (home / ".gitignore").read_text() == "build\n*.log\ntemplate\n.secrets\n"
    dayfly("new", "other", "-a", "stack.yaml")
    assert (home / ".gitignore").read_text() == "build\n*.log\ntemplate\n.secrets\n"


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
    assert "dayfly new b --lang python --append stack.yaml" in outcome.stderr
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
