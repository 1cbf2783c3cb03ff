"""doctor: what this machine gives, told for a person and for a program."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.engine import ContainerEngine, EngineState

Run = Callable[..., Any]
ENGINE = ContainerEngine(
    name="Podman", version="4.3.1", socket="/run/p.sock", rootless=True, missing=("memory is not limited",)
)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (EngineState(engine=ENGINE), ["Podman 4.3.1 at /run/p.sock, rootless", "memory is not limited"]),
        (EngineState(reason="there is none"), ["<none>: there is none"]),
    ],
)
def test_it_tells_of_the_container_engine(
    dayfly: Run, monkeypatch: pytest.MonkeyPatch, state: EngineState, told: list[str]
) -> None:
    monkeypatch.setattr("dayfly.server.engine.look_for_engine", lambda _environ: state)
    shown = dayfly("doctor").stdout
    assert all(text in shown for text in told), shown
    found = json.loads(dayfly("doctor", "-o", "json").stdout)
    assert found["tier"] in shown
    assert (found["engine"]["engine"] is None) == (state.engine is None)
    assert found["engine"]["reason"] == state.reason


def test_it_looks_where_the_setting_says(dayfly: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DAYFLY_DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert f"nothing listens at {tmp_path}/none.sock" in dayfly("doctor").stdout
    monkeypatch.setenv("DAYFLY_DOCKER_HOST", "tcp://elsewhere:2375")
    assert dayfly("doctor").exit_code == 78
