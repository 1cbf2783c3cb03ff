"""Starting and stopping: what is said, what is refused, what is left."""

import json
import os
import re
import resource
import signal
import socket
from pathlib import Path

import pytest
from tests.system.driver import DEADLINE_S, Platform, eventually

LOGIN = re.compile(r"login +admin / ([0-9a-f]{64})")

SLOW = """
import time

def handle(event, context):
    print("began", flush=True)
    time.sleep(1.5)
    return "done"
"""


def test_the_first_start_shows_the_login_and_no_later_one_does(platform: Platform) -> None:
    first = LOGIN.search(platform.start())
    assert first
    platform.stop()
    assert not LOGIN.search(platform.start())
    # The password that was shown is the one that works, also after a second start.
    platform.login(first[1])


def test_start_says_where_everything_is_and_what_to_paste(platform: Platform) -> None:
    text = platform.start()
    status = json.loads(platform.ok("status", "--output", "json"))
    for url in (status["gateway_url"], status["console_url"], status["metrics_url"]):
        assert url in text
    assert f"curl -d Dayfly {status['gateway_url']}/function/hello" in text
    assert {process["role"] for process in status["processes"]} >= {
        "supervisor",
        "egress",
        "zygote",
        "control",
        "gateway",
    }


def test_a_default_port_that_is_taken_is_replaced_and_said_so(platform: Platform) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", 8080))
            taken.listen()
        except OSError:
            pass  # somebody else has it: just as good
        text = platform.start("--console-port", "0", "--metrics-port", "0", ports=False)
        port = platform.status()["gateway_url"].rpartition(":")[2]
        assert f"Port 8080 is taken; the gateway uses {port} instead" in text
        assert platform.ask("GET", "/healthz").status == 200


def test_a_port_that_was_asked_for_is_had_or_the_start_is_refused(platform: Platform) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = platform.run("start", "--detach", "--port", port, "--console-port", "0", "--metrics-port", "0")
    assert done.code == 78
    assert port in done.err
    assert "--port" in done.err


def test_a_second_start_on_the_same_folder_is_refused_naming_the_first(platform: Platform) -> None:
    platform.start()
    done = platform.run("start", "--detach", "--port", "0")
    assert done.code == 73
    assert str(platform.status()["pid"]) in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--host", "0.0.0.0"), "--tls-cert"),  # noqa: S104 - this is what must be refused
        (("--host", "::"), "--tls-cert"),
        (("--host", "example.org"), "not an IP address"),
        (("--tls-cert", "/dev/null"), "go together"),
    ],
)
def test_an_exposure_nobody_can_have_wanted_is_refused(
    platform: Platform, arguments: tuple[str, ...], says: str
) -> None:
    done = platform.run("start", "--detach", "--port", "0", *arguments)
    assert done.code == 78
    assert says in done.err


def test_insecure_http_says_what_it_gives_up(platform: Platform) -> None:
    text = platform.start("--host", "0.0.0.0", "--insecure-http")  # noqa: S104 - the flag is what is tested
    assert "without encryption" in text
    assert platform.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("password", ["", "   ", "short"])
def test_an_empty_or_short_admin_password_stops_the_start(scratch: Path, password: str) -> None:
    platform = Platform(scratch / "data", {"DAYFLY_ADMIN_PASSWORD": password})
    done = platform.run("start", "--detach", "--port", "0", "--console-port", "0", "--metrics-port", "0")
    assert done.code == 78
    assert "password" in done.err
    assert platform.status() == {}


def test_an_operator_may_let_prometheus_in_without_a_credential(scratch: Path) -> None:
    platform = Platform(scratch / "data", {"DAYFLY_METRICS_OPEN": "true"})
    try:
        platform.start()
        figures = platform.ask("GET", "/metrics", listener="metrics_url")
        assert figures.status == 200
        assert b"dayfly_gateways" in figures.body
        assert platform.ask("GET", "/system/functions").status == 401
    finally:
        platform.stop()


def test_an_empty_credential_file_stops_the_start(platform: Platform) -> None:
    platform.start()
    platform.stop()
    (platform.data_dir / "credentials" / "admin.json").write_bytes(b"")
    done = platform.run("start", "--detach", "--port", "0", "--console-port", "0", "--metrics-port", "0")
    assert done.code == 78


def test_a_deep_data_folder_gets_a_short_run_folder(scratch: Path) -> None:
    platform = Platform(scratch / ("deep" * 30) / "data")
    try:
        platform.start()
        run_dir = Path((platform.data_dir / "run.path").read_text().strip())
        assert run_dir.stat().st_mode & 0o066 == 0
        platform.deploy_function(scratch / "echo", "def handle(event, context):\n    return event.body\n")
        assert platform.ok("invoke", "echo", stdin="hello") == "hello"
    finally:
        platform.stop()
    assert not run_dir.exists()


def test_ctrl_c_ends_a_start_in_the_foreground_with_0(platform: Platform) -> None:
    process = platform.start_foreground()
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_S) == 0
    assert platform.status() == {}


def test_a_second_signal_ends_it_at_once(platform: Platform, scratch: Path) -> None:
    process = platform.start_foreground()
    platform.deploy_function(scratch / "sleepy", SLOW.replace("1.5", "60"), "--call-timeout", "2m")
    connection = platform.connect()
    connection.request("POST", "/function/sleepy", b"")
    eventually("the call began", lambda: "began" in platform.ok("logs", "sleepy"))
    process.send_signal(signal.SIGTERM)
    eventually("the gateway drains", lambda: "draining" in platform.log())
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 0
    connection.close()


def test_sigterm_lets_a_call_in_flight_finish(platform: Platform, scratch: Path) -> None:
    process = platform.start_foreground()
    platform.deploy_function(scratch / "slow", SLOW)
    connection = platform.connect()
    connection.request("POST", "/function/slow", b"")
    eventually("the call began", lambda: "began" in platform.ok("logs", "slow"))
    process.send_signal(signal.SIGTERM)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"done")
    connection.close()
    assert process.wait(DEADLINE_S) == 0


def test_sigterm_while_it_starts_ends_it_with_0(platform: Platform) -> None:
    process = platform.begin()
    eventually("the first process is started", lambda: platform.status().get("processes", [])[1:])
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert platform.status() == {}


def test_sigterm_before_there_is_a_supervisor_waits_for_it_and_leaves_nothing(platform: Platform) -> None:
    process = platform.begin()
    run_dir = platform.data_dir / "run"
    eventually("it has made its first file", lambda: (run_dir / "token").exists())
    process.terminate()
    assert process.wait(DEADLINE_S) == 0
    assert not run_dir.exists()


def test_stop_and_status_say_when_nothing_runs(platform: Platform) -> None:
    assert platform.run("status").code == 66
    assert platform.run("stop").code == 66


def test_functions_are_there_again_after_a_restart(platform: Platform, scratch: Path) -> None:
    platform.start()
    platform.deploy_function(scratch / "kept", "def handle(event, context):\n    return 'still here'\n")
    platform.stop()
    platform.start()
    assert platform.ok("invoke", "kept") == "still here"
    assert json.loads(platform.ok("list", "--output", "json"))[0]["spec"]["name"] == "kept"


def test_a_stop_leaves_nothing_behind_although_nobody_reads_the_output_any_more(platform: Platform) -> None:
    reader, writer = os.pipe()
    process = platform.begin(output=writer)
    eventually("the platform serves", lambda: platform.status().get("gateway_url"))
    os.close(reader)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_S) == 0
    assert not (platform.data_dir / "run").exists()
    assert not list(platform.data_dir.glob("state.db-*"))


def test_a_gateway_may_open_as_many_connections_as_the_account_allows(platform: Platform) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = min(soft, 512)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        platform.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    limits = Path(f"/proc/{platform.pids('gateway')[0]}/limits").read_text()
    allowed = next(line.split() for line in limits.splitlines() if line.startswith("Max open files"))
    assert (few < hard, allowed[3:5]) == (True, [str(hard), str(hard)])
