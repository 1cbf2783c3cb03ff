"""Parts that are killed: what goes on meanwhile, and what comes back."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from tests.system.driver import Platform, eventually, is_alive, kill

WHO = "import os\ndef handle(event, context):\n    return str(os.getpid()) + ' ' + context.instance_id\n"
ECHO = "def handle(event, context):\n    return event.body\n"


def test_calls_go_on_and_replicas_are_adopted_when_the_control_plane_is_killed(
    platform: Platform, scratch: Path
) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    platform.ok("scale", "echo", "2")
    eventually("there are two", lambda: platform.describe("echo")["ready_replicas"] == 2)
    before = {replica["id"] for replica in platform.describe("echo")["replicas"]}
    control = platform.pids("control")[0]
    kill(control)
    # Right away, and until it is back: no call fails.
    answers = []
    connection = platform.connect()

    def is_back() -> bool:
        connection.request("POST", "/function/echo", b"on")
        answers.append(connection.getresponse().read())
        return platform.pids("control") not in ([], [control]) and platform.run("list").code == 0

    eventually("the control plane is back", is_back)
    connection.close()
    assert set(answers) == {b"on"}
    assert not is_alive(control)
    eventually("they are ready", lambda: platform.describe("echo")["ready_replicas"] == 2)
    assert {replica["id"] for replica in platform.describe("echo")["replicas"]} == before
    assert "control was killed by signal 9; starting it again" in platform.log()


def test_a_killed_gateway_is_back_on_the_same_port(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    url, gateway = platform.status()["gateway_url"], platform.pids("gateway")[0]
    kill(gateway)
    eventually("another serves", lambda: platform.pids("gateway") not in ([], [gateway]))
    assert platform.ask("POST", "/function/echo", b"hello").body == b"hello"
    assert platform.status()["gateway_url"] == url


def test_a_gateway_that_begins_while_the_control_plane_is_away_serves_what_the_one_before_it_did(
    platform: Platform, scratch: Path
) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    assert platform.ask("POST", "/function/echo", b"before").status == 200
    control, gateway = platform.pids("control")[0], platform.pids("gateway")[0]
    os.kill(control, signal.SIGSTOP)
    try:
        kill(gateway)
        eventually("another begins", lambda: platform.pids("gateway") not in ([], [gateway]))
        assert platform.ask("POST", "/function/echo", b"meanwhile").body == b"meanwhile"
        assert platform.ask("POST", "/function/other", b"").status == 503, "nobody can say that there is none"
    finally:
        os.kill(control, signal.SIGCONT)
    eventually("all is known again", lambda: platform.ask("POST", "/function/other", b"").status == 404)
    assert platform.ask("POST", "/function/echo", b"after").body == b"after"


def test_several_gateways_share_the_port_and_one_may_die(platform: Platform, scratch: Path) -> None:
    platform.start("--gateways", "2")
    platform.deploy_function(scratch / "echo", ECHO)
    assert len(platform.pids("gateway")) == 2
    killed = platform.pids("gateway")[1]
    kill(killed)
    eventually("there are two again", lambda: len(others(platform, "gateway", [killed])) == 2)
    for _ in range(20):
        assert platform.ask("POST", "/function/echo", b"x").status == 200
    eventually("each of them was counted once", lambda: platform.describe("echo")["invocations"] == 20)


def test_a_killed_zygote_takes_its_functions_along_and_they_come_back(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    kill(platform.pids("zygote")[0])
    eventually("the function answers again", lambda: platform.ask("POST", "/function/echo", b"back").body == b"back")


def test_everything_dies_with_the_supervisor_and_the_next_start_is_clean(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "echo", ECHO)
    everything = [process["pid"] for process in platform.status()["processes"]]
    kill(everything[0])
    eventually("all are gone", lambda: not [pid for pid in everything if is_alive(pid)])
    platform.start()
    assert platform.ask("POST", "/function/echo", b"again").body == b"again"


def others(platform: Platform, role: str, known: list[int]) -> list[int]:
    """Return the processes of this role that are not known; one that was killed is listed until it is gone."""
    return [pid for pid in platform.pids(role) if pid not in known]


def ended(platform: Platform, before: int) -> bool:
    return platform.log().count("signal 9; starting it again") > before


@pytest.mark.parametrize("role", ["gateway", "control"])
def test_a_part_that_keeps_dying_is_started_again_with_patience(platform: Platform, role: str) -> None:
    platform.start()
    killed: list[int] = []
    for before in range(3):
        eventually("it runs", partial(others, platform, role, killed))
        killed += others(platform, role, killed)
        kill(killed[-1])
        eventually("its end was seen", partial(ended, platform, before))
    eventually("it serves again", lambda: platform.run("list").code == 0)
    assert "starting it again in 0.1 s" in platform.log()
