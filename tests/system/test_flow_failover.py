"""A control plane of a cluster that is killed in the midst of a flow, and the one that takes its place."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.queue.conftest import NatsServer
from tests.system.driver import eventually


def driver(server: NatsServer, folder: Path, calls: Path, *hangs: str) -> "subprocess.Popen[bytes]":
    folder.mkdir()
    argv = [sys.executable, "-m", "tests.system.flow_driver", str(server.access_file), str(folder), str(calls), *hangs]
    return subprocess.Popen(argv, stdout=subprocess.PIPE)


def test_the_next_control_plane_goes_on_behind_the_last_result(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    short = tmp_path_factory.mktemp("s")  # a socket's path may not be long
    calls = tmp_path / "calls"
    calls.touch()
    server = NatsServer(tmp_path)
    server.start()
    first = second = None
    try:
        first = driver(server, short / "first", calls, "two")
        eventually("the second step is called", lambda: "first two" in calls.read_text())
        first.kill()
        first.wait()
        second = driver(server, short / "second", calls)
        said, _ = second.communicate(timeout=60)
        run = json.loads(said)
        assert run["state"] == "done"
        assert run["result"] == ["0 by first", "1 by second", "2 by second"]
        # The call that was under way is made again, which is what the queue promises; one that had its result is not.
        assert calls.read_text().split("\n")[:-1] == ["first one", "first two", "second two", "second three"]
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        server.kill()
