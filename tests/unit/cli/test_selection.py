"""Which functions commands are about, and flags as faas-cli's users write them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from dayfly.cli.group import plain_flags

Run = Callable[..., Any]

STACK = """\
provider: {name: openfaas}
functions: {one: {image: "x/one:${TAG:-1}"}, two: {image: x/two}, other: {image: x/other}}
"""


@pytest.fixture
def stack(home: Path) -> Path:
    (home / "stack.yml").write_text(STACK)
    return home


def deployed(platform: Any) -> list[str]:
    return sorted(name for _, name in platform.functions)


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((), ["one", "other", "two"]),
        (("--filter", "o*"), ["one", "other"]),
        (("--regex", "t"), ["other", "two"]),
        (("one",), ["one"]),
    ],
)
def test_functions_of_the_stack_file_here(dayfly: Run, platform: Any, args: tuple[str, ...], expected: Any) -> None:
    assert dayfly("deploy", *args, "--no-wait").exit_code == 0
    assert deployed(platform) == expected


def test_a_stack_file_may_be_named_before_the_command(dayfly: Run, platform: Any, home: Path) -> None:
    (home / "mine.yml").write_text(STACK)
    assert dayfly("-f", "mine.yml", "--filter", "t*", "deploy", "--no-wait").exit_code == 0
    assert dayfly("--yaml", "mine.yml", "--regex", "^on", "deploy", "--no-wait").exit_code == 0
    assert deployed(platform) == ["one", "two"]
    assert dayfly("-f", "none.yml", "rm", "--filter", "t*").exit_code == 64
    assert dayfly("-f", "mine.yml", "rm", "--filter", "t*").exit_code == 0
    assert deployed(platform) == ["one"]


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--filter", "x*"), "no functions matching --filter/--regex were found in the YAML file"),
        (("--filter", "o*", "--regex", "t"), "pass in a regex or a filter, not both"),
        (("one", "--filter", "o*"), "not both"),
        (("none",), "none is not in stack.yml"),
        (("-f", "http://example.org/stack.yml"), "is not fetched"),
    ],
)
def test_what_cannot_be_meant_is_refused(dayfly: Run, platform: Any, args: tuple[str, ...], told: str) -> None:
    outcome = dayfly("deploy", *args)
    assert outcome.exit_code == 64
    assert told in outcome.stderr
    assert platform.requests == []


@pytest.mark.usefixtures("stack")
def test_variables_may_be_left_as_they_are(dayfly: Run, platform: Any) -> None:
    assert dayfly("deploy", "one", "--no-wait", "--envsubst=true").exit_code == 0
    assert platform.functions["openfaas-fn", "one"].spec.image == "x/one:1"
    assert "image" in dayfly("deploy", "one", "--no-wait", "--envsubst=false").stderr


@click.command
@click.option("--on/--no-on", "-o", default=True)
@click.option("--quiet", "-q", is_flag=True)
@click.option("--text")
def flagged(**_: Any) -> None:
    pass


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--on=false", "--quiet=true"], ["--no-on", "--quiet"]),
        (["--on=T", "--quiet=0", "x"], ["--on", "x"]),
        (["-o=false", "-q=1"], ["--no-on", "-q"]),
        (["--on=maybe"], ["--on=maybe"]),
        (["--text=false", "on=false"], ["--text=false", "on=false"]),
        (["--", "--on=false"], ["--", "--on=false"]),
    ],
)
def test_flags_with_a_value(args: list[str], expected: list[str]) -> None:
    assert plain_flags(flagged, args) == expected
