"""A function's life by the command line: deployed, called, listed, scaled, read about and removed."""

import json
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.system.driver import Platform, eventually

GREETER = """
def handle(event, context):
    print("greeting", event.body.decode())
    return f"Hello, {event.body.decode()}!"
"""


def test_a_function_from_new_to_removed(shared_platform: Platform, scratch: Path) -> None:
    platform = shared_platform
    platform.ok("new", "hello", "--lang", "python", cwd=scratch)
    platform.ok("deploy", cwd=scratch)
    assert platform.ok("invoke", "hello", stdin="Dayfly") == "Hello, Dayfly!\n"
    assert "hello" in platform.ok("list")
    eventually("the call is counted", lambda: platform.describe("hello")["invocations"] == 1)
    platform.ok("remove", "hello")
    assert platform.ask("POST", "/function/hello").status == 404
    assert "hello" not in platform.ok("list", "--output", "name").split()


def test_what_a_function_prints_is_read_by_logs(shared_platform: Platform, scratch: Path) -> None:
    shared_platform.deploy_function(scratch / "greeter", GREETER)
    shared_platform.ok("invoke", "greeter", stdin="log")
    eventually("the line is kept", lambda: "greeting log" in shared_platform.ok("logs", "greeter"))
    shared_platform.ok("scale", "greeter", "0")
    eventually("it has no replica", lambda: shared_platform.describe("greeter")["ready_replicas"] == 0)
    assert "greeting log" in shared_platform.ok("logs", "greeter")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone may let a process go before others")
def test_the_gateway_goes_before_what_it_calls(shared_platform: Platform) -> None:
    def nice(role: str) -> set[int]:
        return {os.getpriority(os.PRIO_PROCESS, pid) for pid in shared_platform.pids(role)}

    assert (nice("gateway"), nice("control"), nice("zygote")) == ({-5}, {0}, {0})


def test_scaling_up_to_zero_and_from_zero(shared_platform: Platform, scratch: Path) -> None:
    shared_platform.deploy_function(scratch / "elastic", GREETER)
    shared_platform.ok("scale", "elastic", "3")
    eventually("there are three", lambda: shared_platform.describe("elastic")["ready_replicas"] == 3)
    shared_platform.ok("scale", "elastic", "0")
    eventually("there is none", lambda: shared_platform.describe("elastic")["ready_replicas"] == 0)
    reply = shared_platform.ask("POST", "/function/elastic", b"again")
    assert (reply.status, reply.body) == (200, b"Hello, again!")


def test_a_new_revision_replaces_the_old_without_a_gap(shared_platform: Platform, scratch: Path) -> None:
    shared_platform.deploy_function(scratch / "versioned", "def handle(event, context):\n    return 'one'\n")
    assert shared_platform.ask("GET", "/function/versioned").body == b"one"
    shared_platform.deploy_function(scratch / "versioned", "def handle(event, context):\n    return 'two'\n")
    eventually("the new one answers", lambda: shared_platform.ask("GET", "/function/versioned").body == b"two")
    assert shared_platform.describe("versioned")["revision"] == 2


def test_an_exception_is_a_500_with_its_traceback_in_the_log(shared_platform: Platform, scratch: Path) -> None:
    shared_platform.deploy_function(scratch / "faulty", "def handle(event, context):\n    return 1 / 0\n")
    reply = shared_platform.ask("POST", "/function/faulty")
    assert reply.status == 500
    assert b"Traceback" not in reply.body
    eventually("it is logged", lambda: "ZeroDivisionError" in shared_platform.ok("logs", "faulty"))


def test_requirements_that_cannot_be_installed_are_told_with_the_installers_words(
    shared_platform: Platform, scratch: Path
) -> None:
    folder = scratch / "wishful"
    folder.mkdir()
    (folder / "handler.py").write_text(GREETER)
    (folder / "requirements.txt").write_text("git+https://example.org/repo\n")
    done = shared_platform.run("deploy", "wishful", "--handler", str(folder), "--lang", "python")
    assert done.code != 0
    assert "requirements.txt line 1" in done.out + done.err


def test_info_names_this_platform(shared_platform: Platform) -> None:
    version = json.loads(shared_platform.ok("version", "--output", "json"))
    assert shared_platform.status()["version"] in json.dumps(version)


BUSY = """
import time

def handle(event, context):
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    return "done"
"""


def test_a_scraper_that_reads_nothing_holds_nobody_up(shared_platform: Platform, scratch: Path) -> None:
    shared_platform.deploy_function(scratch / "on", "def handle(event, context):\n    return 'on'\n")
    token = (shared_platform.data_dir / "run" / "token").read_text().strip()
    address = urlsplit(shared_platform.status()["metrics_url"])
    request = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with socket.socket() as stuck:
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stuck.settimeout(60)
        stuck.connect((address.hostname, address.port))
        stuck.sendall(request * 300)
        assert stuck.recv(8, socket.MSG_PEEK) == b"HTTP/1.1"
        for _ in range(5):
            assert shared_platform.ask("POST", "/function/on").body == b"on"
            headers = {"Authorization": f"Bearer {token}"}
            page = shared_platform.ask("GET", "/metrics", listener="metrics_url", headers=headers)
            assert (page.status, b"gateway_function_invocation_total" in page.body) == (200, True)


def test_what_a_function_uses_is_in_describe_in_top_and_in_the_metrics(
    shared_platform: Platform, scratch: Path
) -> None:
    shared_platform.deploy_function(scratch / "busy", BUSY)
    shared_platform.ok("invoke", "busy")
    status = shared_platform.describe("busy")
    (replica,) = status["replicas"]
    assert status["cpu_s"] == replica["cpu_s"] > 0.2  # the kernel counts in ticks
    assert status["memory_bytes"] == replica["memory_bytes"] > 1 << 20
    assert "of CPU" in shared_platform.ok("describe", "busy")

    with ThreadPoolExecutor(1) as pool:
        looked = pool.submit(lambda: shared_platform.ok("top", "busy", "--output", "json"))
        while not looked.done():
            assert shared_platform.ask("POST", "/function/busy").body == b"done"
        (row,) = json.loads(looked.result())
    assert row["replicas"][0]["id"] == replica["id"]
    assert row["cpu_percent"] == row["replicas"][0]["cpu_percent"] > 0
    used_s = shared_platform.describe("busy")["cpu_s"]
    assert used_s > 0.5

    label = 'function_name="busy.openfaas-fn"'
    login = {"Authorization": f"Bearer {(shared_platform.data_dir / 'run' / 'token').read_text().strip()}"}
    text = shared_platform.ask("GET", "/metrics", listener="metrics_url", headers=login).body.decode()
    used = {line.partition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if label in line}
    assert used[f"dayfly_function_cpu_seconds_total{{{label}}}"] >= used_s
    assert used[f"dayfly_function_memory_bytes{{{label}}}"] > 1 << 20
    assert used[f'dayfly_replica_cpu_seconds_total{{{label},replica="{replica["id"]}"}}'] >= used_s
    shared_platform.ok("scale", "busy", "0")
    eventually("it is at zero", lambda: not shared_platform.describe("busy")["replicas"])
    gone = shared_platform.describe("busy")
    assert (gone["cpu_s"] >= used_s, gone["memory_bytes"]) == (True, 0)
