"""Which functions names and folders mean, while they are being written."""

from pathlib import Path
from typing import Any

import pytest

from dayfly.cli.sources import Wanted
from dayfly.model.errors import InvalidRequest, InvalidSpec

STACK = """
provider: {name: openfaas, gateway: https://faas.example.org}
functions:
  hello: {lang: python, handler: ./hello}
  other: {lang: python-typed, handler: ./code/other, environment_file: [env.yaml]}
"""


@pytest.fixture
def project(home: Path) -> Path:
    for name in ("hello", "code/other"):
        (home / name).mkdir(parents=True)
        (home / name / "handler.py").touch()
    (home / "env.yaml").write_text("environment: {A: '1'}")
    (home / "stack.yaml").write_text(STACK)
    return home


def names(*targets: str, **given: Any) -> list[str]:
    return [one.spec.name for one in Wanted(targets=targets, **given).find().functions]


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((), ["hello", "other"]),
        (("other",), ["other"]),
        (("other", "hello"), ["other", "hello"]),
        (("./hello",), ["hello"]),
        (("hello/",), ["hello"]),
        (("./code/other",), ["other"]),
        (("hello", "./hello"), ["hello"]),
        ((".",), ["hello", "other"]),
    ],
)
def test_names_and_folders_of_the_stack(project: Path, targets: tuple[str, ...], expected: list[str]) -> None:
    assert project.is_dir()
    assert names(*targets) == expected


def test_what_was_read_is_known_so_that_it_can_be_watched(project: Path) -> None:
    found = Wanted().find()
    assert {path.name for path in found.files} == {"stack.yaml", "env.yaml"}
    assert found.gateway == "https://faas.example.org"
    assert found.functions[1].spec.env == {"A": "1"}
    assert found.functions[1].spec.dialect == "python-typed"
    assert [path.name for path in Wanted(targets=("hello",)).find().files] == ["stack.yaml"]
    assert project.is_dir()


def test_inside_a_functions_folder_the_stack_above_says_what_it_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "hello")
    assert names() == ["hello"]
    monkeypatch.chdir(project / "code" / "other")
    # Two folders up: nobody said that it is meant.
    assert Wanted().find().functions[0].spec.dialect == "auto"


def test_a_folder_with_a_stack_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert names(str(project)) == ["hello", "other"]
    assert names(str(project / "hello")) == ["hello"]


def test_a_folder_that_no_stack_knows_gives_its_name(home: Path) -> None:
    (home / "My_Function").mkdir()
    (home / "My_Function" / "handler.py").touch()
    (one,) = Wanted(targets=("My_Function",)).find().functions
    assert (one.spec.name, one.spec.lang, one.spec.handler) == ("my-function", "python", "handler")
    (other,) = Wanted(targets=("My_Function",), lang="asgi", entrypoint="app:api").find().functions
    assert (other.spec.dialect, other.spec.handler) == ("asgi", "app:api")


@pytest.mark.parametrize(
    ("file", "lang", "runtime"),
    [
        ("handler.py", "python", "python"), ("handler.js", "node", "node"), ("handler.sh", "bash", "exec"),
        ("handler.rb", "ruby", "http"), ("handler.go", "go", "http"), ("Dockerfile", "dockerfile", "image"),
    ],
)  # fmt: skip
def test_a_language_is_known_by_the_handlers_name(home: Path, file: str, lang: str, runtime: str) -> None:
    (home / "fn").mkdir()
    (home / "fn" / file).touch()
    (one,) = Wanted(targets=("fn",)).find().functions
    assert (one.spec.lang, one.spec.runtime) == (lang, runtime)


def test_another_stack_file(project: Path) -> None:
    (project / "two.yaml").write_text("functions: {alone: {lang: python, handler: ./hello}}")
    assert names(stack_file="two.yaml") == ["alone"]


@pytest.mark.parametrize(
    ("targets", "given", "says"),
    [
        (("nobody",), {}, "neither a function nor a folder; stack.yaml has hello, other"),
        (("code",), {}, "neither a stack.yaml nor a handler"),
        (("hello",), {"stack_file": "none.yaml"}, "cannot be read"),
        (("code/other",), {"stack_file": "env.yaml"}, ""),
    ],
)
def test_what_is_nothing_is_refused(project: Path, targets: tuple[str, ...], given: dict[str, Any], says: str) -> None:
    assert project.is_dir()
    if says:
        with pytest.raises(InvalidRequest, match=says):
            Wanted(targets=targets, **given).find()
    else:
        assert names(*targets, **given) == ["other"]


def test_a_folder_whose_name_is_none_is_refused_with_the_way_out(home: Path) -> None:
    (home / "-").mkdir()
    (home / "-" / "handler.py").touch()
    with pytest.raises(InvalidRequest, match="cannot give its name") as caught:
        names("-")
    assert "dayfly new" in caught.value.hint


def test_a_language_that_is_none_is_refused(home: Path) -> None:
    (home / "fn").mkdir()
    with pytest.raises(InvalidSpec, match="cobol"):
        names("fn", lang="cobol")
