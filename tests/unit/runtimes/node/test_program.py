"""The host's command line, environment and surroundings, as pure functions of an order."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, ReplicaId
from dayfly.model.replica import StartOrder
from dayfly.runtimes.node import program
from dayfly.runtimes.python.handler import HandlerUnfit


def order(**changes: Any) -> StartOrder:
    settled: dict[str, Any] = {
        "replica": ReplicaId("abc"), "key": FunctionKey(DEFAULT_NAMESPACE, FunctionName("f")), "revision": 1,
        "lang": "node", "runtime": "node", "dialect": "auto", "handler": "handler", "code_dir": "/code",
        "interpreter": "/usr/bin/node", "timeout_s": 5.0,
    }  # fmt: skip
    return StartOrder(**(settled | changes))


@given(st.integers(64, 65_536))
def test_the_heap_leaves_room_for_the_rest_of_the_process(limit_mib: int) -> None:
    old, young = (int(flag.partition("=")[2]) for flag in program.heap_flags(limit_mib << 20))
    assert young >= 1
    assert old >= program.LEAST_HEAP_MIB
    if limit_mib >= 128:
        assert old + 3 * young + program.BESIDE_HEAP_MIB <= limit_mib
        assert old >= limit_mib // 2


def test_the_host_is_told_what_it_needs_and_no_secret() -> None:
    told = program.argv(order(secrets={"password": b"hunter2"}, env={"TOKEN": "hunter2"}))
    assert told[0] == "/usr/bin/node"
    assert json.loads(told[-1])["timeoutMs"] == 5000
    assert "hunter2" not in " ".join(told)


def test_the_environment_is_the_authors_but_for_the_channel() -> None:
    around = {"NODE_ENV": "test", "NODE_CHANNEL_FD": "9", "PATH": "/bin"}
    found = program.environment(order(interpreter="/opt/node/bin/node"), around)
    assert found == {
        "NODE_ENV": "test",
        "NODE_USE_ENV_PROXY": "1",
        "PATH": "/opt/node/bin:/bin",
        "NODE_CHANNEL_FD": "3",
    }
    assert program.environment(order(), {})["NODE_ENV"] == "production"


def test_what_is_shown_is_the_host_and_the_installation(tmp_path: Path) -> None:
    alone = tmp_path / "bin" / "node"
    assert program.shown(order(interpreter=str(alone))) == (program.HOST_DIR, str(alone))
    (tmp_path / "lib" / "node_modules").mkdir(parents=True)
    assert program.shown(order(interpreter=str(alone))) == (program.HOST_DIR, str(tmp_path))
    assert program.shown(order(runtime="python")) == ()


def test_an_interpreter_in_bin_shows_itself_and_never_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "isdir", lambda _path: True)  # as where /lib has node_modules
    assert program.shown(order(interpreter="/bin/node")) == (program.HOST_DIR, "/bin/node")
    assert program.shown(order(interpreter="/usr/bin/node")) == (program.HOST_DIR, "/usr")


def test_only_node_may_have_more_data_than_memory() -> None:
    assert program.data_allowance(order()) > 0
    assert program.data_allowance(order(runtime="python")) == 0


def test_an_interpreter_that_cannot_be_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HandlerUnfit, match="cannot be run by this function's user"):
        program.check(order(interpreter=str(tmp_path / "node")))
    if os.access("/bin/sh", os.X_OK):
        program.check(order(interpreter="/bin/sh"))
