"""A function's life by the command line: deployed, called, listed, scaled, read about and removed."""

import json
from pathlib import Path

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
    assert platform.describe("hello")["invocations"] == 1
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
