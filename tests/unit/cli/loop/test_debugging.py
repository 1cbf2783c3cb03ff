"""What `--debug` makes of a deployment, and what it refuses; an editor at work is in the system tests."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.cli.loop.debugging import Adapter
from dayfly.model.debug import Debug
from dayfly.model.errors import NotSupported
from dayfly.model.function import FunctionSpec

Run = Callable[..., Any]
DOOR = "tcp://127.0.0.1:4242"


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    monkeypatch.setattr(Adapter, "_start", lambda _self: 4242)
    return Adapter(5678)


@pytest.mark.parametrize(
    ("given", "network", "allow"),
    [
        ({}, "proxy", ("public", DOOR)),
        ({"allow": ("*.example.com",)}, "proxy", ("*.example.com", DOOR)),
        ({"network": "none"}, "proxy", (DOOR,)),
        ({"network": "host"}, "host", ("public",)),
    ],
)
def test_the_function_reaches_what_it_did_and_the_adapter(
    adapter: Adapter, given: dict[str, Any], network: str, allow: tuple[str, ...]
) -> None:
    spec = FunctionSpec(name="hello", labels={"mine": "kept"}, debug=Debug("/home/ada/hello"), **given)
    made = asyncio.run(adapter.attach(spec))
    made.check()
    assert (made.network, made.allow) == (network, allow)
    assert made.debug is not None
    assert made.debug.debugger is not None
    assert (made.debug.source, made.debug.debugger.port) == ("/home/ada/hello", 4242)
    assert (made.timeout_s, made.concurrency, made.scaling.minimum, made.scaling.maximum) == (86_400, "inline", 1, 1)
    assert made.labels["mine"] == "kept"


def test_without_debugpy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(NotSupported, match="needs debugpy") as caught:
        Adapter(5678)
    assert "dayfly[debug]" in caught.value.hint


@pytest.mark.parametrize(
    ("file", "arguments", "says"),
    [
        ("handler.js", (), "--debug is for Python functions; fn is none"),
        ("handler.py", ("-g", "https://faas.example.org"), "--debug needs a platform on this machine"),
    ],
)
def test_what_cannot_be_debugged_is_refused_before_anything_is_sent(
    dayfly: Run, platform: Any, home: Path, file: str, arguments: tuple[str, ...], says: str
) -> None:
    (home / "fn").mkdir()
    (home / "fn" / file).touch()
    done = dayfly("dev", "./fn", "--debug", *arguments)
    assert done.exit_code == 69
    assert says in done.stderr
    assert platform.requests == []
