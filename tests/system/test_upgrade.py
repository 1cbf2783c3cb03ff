"""Another version takes over, and is taken over from, while calls come without a pause."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from chaos import another_version as versions
from tests.system.driver import DEADLINE_S, Done, Platform, eventually, is_alive, program
from tests.system.steady_load import SteadyLoad

from dayfly import __version__
from dayfly.storage.migrations import newest

pytestmark = pytest.mark.timeout(180)  # each starts several programs, and other tests may be at work beside it
LAYOUT = newest()
ECHO = "def handle(event, context):\n    return event.body\n"
SLOW = """
import socket

def handle(event, context):
    print("began", flush=True)
    with socket.create_connection(("127.0.0.1", {port})) as waited:
        waited.recv(1)
    return "done"
"""


@pytest.fixture
def copy(scratch: Path) -> Callable[..., Path]:
    """Installs another version; in its folder, everything of it."""
    return lambda name="next", **more: versions.install(scratch / name, **more)


def run(platform: Platform, dayfly: str, *arguments: str) -> Done:
    """Run a command of this installation of Dayfly on the platform's data folder."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
    environ["DAYFLY_DATA_DIR"] = str(platform.data_dir)
    done = subprocess.run([dayfly, *arguments], env=environ, capture_output=True, text=True, timeout=120)
    return Done(done.returncode, done.stdout, done.stderr)


def replicas(platform: Platform, name: str) -> set[str]:
    return {replica["id"] for replica in platform.describe(name)["replicas"] if replica["phase"] == "ready"}


def state(platform: Platform, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(platform.data_dir / "state.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_another_version_takes_over_and_the_first_again_and_no_call_fails(
    platform: Platform, scratch: Path, copy: Callable[..., Path]
) -> None:
    platform.start("--gateways", "2")
    platform.deploy_function(scratch / "echo", ECHO)
    platform.deploy_function(scratch / "asleep", ECHO)
    platform.ok("scale", "echo", "2")
    platform.ok("scale", "asleep", "0")
    eventually("there are two", lambda: len(replicas(platform, "echo")) == 2)
    before, supervisor, url = replicas(platform, "echo"), platform.status()["pid"], platform.status()["gateway_url"]
    newer = copy()
    with SteadyLoad(platform, "echo") as load:
        done = run(platform, versions.program(newer), "upgrade")
        assert done.code == 0, f"{done.err}\n{platform.log()}"
        assert f"Changed from version {__version__} to {versions.NEXT}" in done.out
        load.wait_for(200)
        platform.deploy_function(scratch / "during", ECHO)
        eventually("all runs the new program", lambda: all_run(platform, newer, supervisor))
        eventually("there are two again", lambda: len(replicas(platform, "echo") - before) == 2)
        load.wait_for(200)
        assert replicas(platform, "echo").isdisjoint(before)
        assert (platform.status()["pid"], platform.status()["version"]) == (supervisor, versions.NEXT)
        assert platform.status()["gateway_url"] == url
        assert versions.NEXT in platform.ok("version")
        assert state(platform, "SELECT text FROM notes") == [("migrated",)]
        assert platform.ask("POST", "/function/asleep", b"woken").body == b"woken"

        done = run(platform, program()[0], "upgrade")
        assert done.code == 0, f"{done.err}\n{platform.log()}"
        load.wait_for(200)
        eventually("none runs the newer program", lambda: none_runs(platform, newer))
        eventually("there are two", lambda: len(replicas(platform, "echo")) == 2)
        load.wait_for(200)
    assert (dict(load.failed), load.answered > 900) == ({}, True)
    assert platform.status()["version"] == __version__
    assert state(platform, "SELECT count(*) FROM sqlite_schema WHERE name = 'notes'") == [(0,)]
    assert platform.ok("invoke", "during", stdin="kept") == "kept"
    names = {each["spec"]["name"] for each in json.loads(platform.ok("list", "-o", "json"))}
    assert names == {"echo", "asleep", "during"}
    assert {path.name for path in platform.data_dir.glob("state.db.*")} == {
        f"state.db.layout-{LAYOUT}",
        f"state.db.layout-{LAYOUT + 1}",
    }


def all_run(platform: Platform, copy: Path, supervisor: int) -> bool:
    pids = [process["pid"] for process in platform.status()["processes"]]
    return supervisor in pids and len(pids) > 5 and all(is_alive(pid) and versions.runs(pid, copy) for pid in pids)


def none_runs(platform: Platform, copy: Path) -> bool:
    pids = [process["pid"] for process in platform.status()["processes"]]
    return not [pid for pid in pids if is_alive(pid) and versions.runs(pid, copy)]


def test_a_call_that_takes_its_time_is_finished_by_the_version_it_began_with(
    platform: Platform, scratch: Path, copy: Callable[..., Path]
) -> None:
    platform.start()
    gate = socket.create_server(("127.0.0.1", 0))
    code = SLOW.format(port=gate.getsockname()[1])
    platform.deploy_function(scratch / "slow", code, "--network", "host")
    connection = platform.connect()
    connection.request("POST", "/function/slow", b"")
    eventually("the call began", lambda: "began" in platform.ok("logs", "slow"))
    done = run(platform, versions.program(copy()), "upgrade")
    assert done.code == 0, done.err
    assert platform.status()["version"] == versions.NEXT
    gate.accept()[0].close()
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"done")
    assert answer.getheader("connection") == "close"
    connection.close()
    gate.close()


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        ("server/apps.py", "def build_apps(*_, **__):\n    raise RuntimeError('spoiled')"),
        ("gateway/process.py", "raise RuntimeError('spoiled')"),
    ],
    ids=["control plane, with the state migrated already", "gateway"],
)
def test_a_version_that_does_not_come_up_gives_way_to_the_one_before(
    platform: Platform, scratch: Path, copy: Callable[..., Path], module: str, fault: str
) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    newer = copy()
    versions.spoil(newer, module, f"\n\n{fault}\n")
    with SteadyLoad(platform, "echo") as load:
        done = run(platform, versions.program(newer), "upgrade")
        load.wait_for(200)
    assert done.code == 70, done.out
    assert f"version {versions.NEXT} did not come up: its" in done.err
    assert f"Version {__version__} has taken over again" in done.err
    assert dict(load.failed) == {}
    assert platform.status()["version"] == __version__
    assert state(platform, "PRAGMA user_version") == [(LAYOUT,)]
    eventually("none runs the newer program", lambda: none_runs(platform, newer))
    platform.deploy_function(scratch / "after", ECHO)
    assert platform.ok("invoke", "after", stdin="fine") == "fine"


def test_a_program_that_cannot_even_begin_changes_nothing(platform: Platform, copy: Callable[..., Path]) -> None:
    platform.start()
    newer, before = copy(), {process["pid"] for process in platform.status()["processes"]}
    (newer / "src/dayfly/server/crew.py").write_text("import nothing_of_this_name\n")
    done = run(platform, versions.program(newer), "upgrade")
    assert done.code == 70
    assert {process["pid"] for process in platform.status()["processes"]} == before


def test_a_program_replaced_in_place_takes_over_and_has_no_way_back(
    platform: Platform, scratch: Path, copy: Callable[..., Path]
) -> None:
    here = copy("here", version="1.0.0", step="")
    dayfly = versions.program(here)
    assert (
        run(platform, dayfly, "start", "--detach", "--port", "0", "--console-port", "0", "--metrics-port", "0").code
        == 0
    )
    platform.deploy_function(scratch / "echo", ECHO)
    assert "runs already" in run(platform, dayfly, "upgrade").out
    versions.spoil(here, "__init__.py", '\n__version__ = "1.1.0"\n')
    with SteadyLoad(platform, "echo") as load:
        assert run(platform, dayfly, "upgrade").code == 0
        load.wait_for(100)
        assert platform.status()["version"] == "1.1.0"
        versions.spoil(here, "__init__.py", '\n__version__ = "1.2.0"\n')
        fault = here / "src/dayfly/server/apps.py"
        sound = fault.read_text()
        fault.write_text("raise RuntimeError('spoiled')\n")
        done = run(platform, dayfly, "upgrade")
        assert done.code == 70
        assert "There is no way back to 1.1.0" in done.err
        fault.write_text(sound)
        eventually("it comes up after all", lambda: platform.status().get("version") == "1.2.0")
        load.wait_for(100)
    assert dict(load.failed) == {}


def test_a_stopped_platform_is_migrated_by_the_next_start_and_taken_back_by_a_command(
    platform: Platform, scratch: Path, copy: Callable[..., Path]
) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    newer = versions.program(copy())
    assert run(platform, newer, "upgrade", "--back-to", str(LAYOUT)).code == 73
    platform.stop()
    assert run(platform, newer, "upgrade").code == 66
    free = ("--port", "0", "--console-port", "0", "--metrics-port", "0")
    assert run(platform, newer, "start", "--detach", *free).code == 0
    assert platform.status()["version"] == versions.NEXT
    platform.stop()

    bytes_before = (platform.data_dir / "state.db").read_bytes()
    done = platform.run("start", "--detach", *free)
    assert done.code != 0
    assert f"written by a newer Dayfly (layout {LAYOUT + 1}" in done.err
    assert f"dayfly upgrade --back-to {LAYOUT}" in done.err
    assert platform.run("upgrade", "--back-to", str(LAYOUT)).code != 0
    assert (platform.data_dir / "state.db").read_bytes() == bytes_before

    done = run(platform, newer, "upgrade", "--back-to", __version__)
    assert done.code == 0, done.err
    assert f"from layout {LAYOUT + 1} to {LAYOUT}" in done.out
    platform.start()
    assert platform.ok("invoke", "echo", stdin="back") == "back"


def test_only_one_change_at_a_time_and_a_stop_in_its_middle_leaves_nothing(
    platform: Platform, scratch: Path, copy: Callable[..., Path]
) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    newer = copy()
    # Its control plane never gets as far as to serve, nor does it end.
    versions.spoil(newer, "server/apps.py", "\nimport time\n\ntime.sleep(600)\n")
    environ = os.environ | {"DAYFLY_DATA_DIR": str(platform.data_dir)}
    first = subprocess.Popen([versions.program(newer), "upgrade"], env=environ, stderr=subprocess.PIPE, text=True)
    supervisor = platform.status()["pid"]
    eventually("the change began", lambda: versions.runs(supervisor, newer))
    assert "try again" in run(platform, versions.program(newer), "upgrade").err
    assert platform.ask("POST", "/function/echo", b"meanwhile").body == b"meanwhile"
    os.kill(supervisor, signal.SIGTERM)
    assert "told to stop" in first.communicate(timeout=DEADLINE_S)[1]
    eventually("all is gone", lambda: not platform.status())
