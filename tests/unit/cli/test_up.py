"""up: what is built, pushed and deployed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def stack(home: Path) -> Path:
    (home / "hello").mkdir()
    (home / "hello/handler.py").write_text("def handle(event, context): return ''\n")
    (home / "stack.yaml").write_text(
        "functions: {hello: {lang: python, handler: ./hello, image: 'hello:1'}, far: {image: x/far}}"
    )
    return home


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("args", [(), ("--skip-push",)])
def test_code_needs_no_image(dayfly: Run, platform: Any, args: tuple[str, ...]) -> None:
    assert dayfly("up", "--no-wait", *args).exit_code == 0
    assert sorted(name for _, name in platform.functions) == ["far", "hello"]


@pytest.mark.usefixtures("stack")
def test_it_takes_what_deploy_takes(dayfly: Run, platform: Any) -> None:
    assert dayfly("up", "hello", "--no-wait", "--env", "A=1", "--label", "l=2", "--tag", "latest").exit_code == 0
    (status,) = platform.functions.values()
    assert (status.spec.env, status.spec.labels) == ({"A": "1"}, {"l": "2"})


@pytest.mark.usefixtures("stack")
def test_one_spelling_is_one_parts_option(dayfly: Run) -> None:
    told = dayfly("up", "--help").stdout
    assert "-o, --build-option" in told
    assert "--output [table|json|yaml|name]" in told
    outcome = dayfly("up", "hello", "--no-wait", "--output", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.lstrip().startswith(("{", "["))
