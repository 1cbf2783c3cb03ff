"""The fence around files: what a rule names is reached, the rest is not, in children that put themselves behind it."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.runtimes.jail.throwaway import attempt, in_child

from dayfly.runtimes.jail import calls, landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")


def fenced(body: Callable[[], Any], rules: dict[str, int], ports: list[int] | None = None, own_port: int = 0) -> Any:
    """Run `body` in a child behind these rules."""

    def child() -> Any:
        calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
        fence = landlock.Ruleset(tcp_ports=ports, own_port=own_port)
        for path, rights in rules.items():
            fence.allow(path, rights)
        fence.restrict()
        return body()

    return in_child(child)


def test_only_what_a_rule_names_is_read_and_written(tmp_path: Path) -> None:
    shown, own, hidden = tmp_path / "shown", tmp_path / "own", tmp_path / "hidden"
    for folder in (shown, own, hidden):
        folder.mkdir()
        (folder / "file").write_text("x")
    link = own / "link"
    link.symlink_to(hidden / "file")

    def body() -> list[str]:
        return [
            attempt(lambda: (shown / "file").read_text()),
            attempt(lambda: os.listdir(shown)),
            attempt(lambda: (shown / "file").write_text("y")),
            attempt(lambda: (own / "new").write_text("y")),
            attempt(lambda: (own / "new").rename(own / "newer")),
            attempt(lambda: (hidden / "file").read_text()),
            attempt(lambda: os.listdir(hidden)),
            attempt(lambda: link.read_text()),
            attempt(lambda: os.truncate(shown / "file", 0)),
            attempt(lambda: os.link(shown / "file", own / "hard")),
        ]

    told = fenced(body, {str(shown): landlock.READ, str(own): landlock.OWN, "/nowhere": landlock.READ})
    assert told[:5] == ["done", "done", "EACCES", "done", "done"]
    assert told[5:8] == ["EACCES"] * 3
    assert told[8] == ("EACCES" if landlock.version() >= 3 else "done")
    assert told[9] in ("EACCES", "EXDEV")


@pytest.mark.skipif(landlock.version() < 4, reason="this kernel's Landlock knows nothing of TCP")
def test_only_the_named_port_is_connected_to_and_none_listened_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1], other.getsockname()[1]]

        def body() -> list[str]:
            tried = [attempt(lambda: socket.create_connection(("127.0.0.1", port)).close()) for port in ports]  # noqa: B023 - called at once
            return [*tried, attempt(lambda: socket.create_server(("127.0.0.1", 0)).close())]

        files = {"/": landlock.READ}
        assert fenced(body, files, ports[:1]) == ["done", "EACCES", "EACCES"]
        assert fenced(body, files) == ["done", "done", "done"]


@pytest.mark.skipif(landlock.version() < 6, reason="this kernel's Landlock knows no scopes")
def test_nobody_outside_is_signalled_or_connected_to_by_an_abstract_name() -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0dayfly-{os.urandom(6).hex()}")
        listener.listen()
        parent = os.getpid()

        def body() -> list[str]:
            with socket.socket(socket.AF_UNIX) as sock:
                return [attempt(lambda: os.kill(parent, 0)), attempt(lambda: sock.connect(listener.getsockname())),
                        attempt(lambda: os.kill(os.getpid(), signal.SIGCONT))]  # fmt: skip

        assert fenced(body, {}) == ["EPERM", "EPERM", "done"]
