"""A function that is being written tells its caller the traceback; no other does."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dayfly.model.debug import Debug, Debugger
from dayfly.model.names import new_replica_id, parse_function_key
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import debugger

ROOT = Path(__file__).parents[3]
RAISES = {
    "python": ("python", "def handle(event, context):\n    return 1 / 0\n"),
    "async": ("python", "async def handle(event, context):\n    return 1 / 0\n"),
    "stream": ("python", "def handle(event, context):\n    1 / 0\n    yield 'x'\n"),
    "classic": ("python-classic", "def handle(req):\n    return 1 / 0\n"),
    "typed": ("python-typed", "def handle(a: int = 1) -> int:\n    return a // 0\n"),
    "asgi": ("asgi", "async def app(scope, receive, send):\n    1 / 0\n"),
    "wsgi": ("wsgi", "def app(environ, start_response):\n    1 / 0\n"),
}
CURL = {"User-Agent": "curl/8.14.1", "Accept": "*/*"}


@pytest.mark.parametrize("name", RAISES)
def test_the_traceback_is_in_the_answer_with_the_authors_paths(serve: Any, name: str) -> None:
    dialect, source = RAISES[name]
    served = serve(source, dialect, debug=Debug(source="/home/somebody/fn"))
    answer = served.call(headers={"X-Call-Id": "id-3"})
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    told = json.loads(answer.body)
    assert (told["code"], told["call_id"]) == ("function_failed", "id-3")
    assert told["detail"].startswith("the function raised ZeroDivisionError: ")
    first, where, *_ = told["traceback"].splitlines()
    assert first == "Traceback (most recent call last):"
    assert where.startswith(f'  File "/home/somebody/fn/{served.module.__name__}.py", line ')
    assert served.order.code_dir not in told["traceback"]


@pytest.mark.parametrize("name", RAISES)
def test_curl_gets_the_traceback_as_text_unless_it_asks_for_json(serve: Any, name: str) -> None:
    dialect, source = RAISES[name]
    served = serve(source, dialect, debug=Debug())
    answer = served.call(headers=CURL)
    assert (answer.status, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"Traceback (most recent call last):\n  File ")
    assert b"ZeroDivisionError" in answer.body.splitlines()[-1]
    asked = served.call(headers={**CURL, "Accept": "application/json"})
    assert asked.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", RAISES)
@pytest.mark.parametrize("headers", [{}, CURL])
def test_no_other_function_tells_one(serve: Any, name: str, headers: dict[str, str]) -> None:
    dialect, source = RAISES[name]
    answer = serve(source, dialect).call(headers=headers)
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert b"Traceback" not in answer.body
    assert b"by zero" not in answer.body


def test_a_limit_is_told_beside_the_traceback(serve: Any) -> None:
    served = serve("def handle(event, context):\n    raise MemoryError\n", debug=Debug())
    told = json.loads(served.call().body)
    assert told["code"] == "oom"
    assert "limits.memory" in told["detail"]
    assert told["traceback"].endswith("MemoryError\n")


def test_what_is_logged_has_the_authors_paths_too(serve: Any, capfd: pytest.CaptureFixture[str]) -> None:
    served = serve(RAISES["python"][1], debug=Debug(source="/home/somebody/fn"))
    served.call()
    logged = capfd.readouterr().err
    assert "/home/somebody/fn/" in logged
    assert served.order.code_dir not in logged


def test_a_handler_that_took_stderr_away_is_answered_all_the_same(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    served = serve(RAISES["python"][1])
    monkeypatch.setattr("sys.stderr", None)
    assert served.call().status == 500


def order(port: int) -> StartOrder:
    return StartOrder(
        replica=new_replica_id(), key=parse_function_key("fn"), revision=1, lang="python", dialect="auto",
        handler="handler", code_dir="/code", timeout_s=1.0, debug=Debug("/home/somebody/fn", Debugger(port, "1.8.22")),
    )  # fmt: skip


def test_a_debugger_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "debugpy", None)
    with pytest.raises(debugger.DebuggerAway, match="cannot be imported"):
        debugger.connect(order(1))


def test_a_debugger_that_nobody_answers_for_is_told_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        # In a process of its own: the debugger would be this one's for good.
        program = (
            "import os, sys\nfrom tests.unit.runtimes.test_debug import order\n"
            "from dayfly.runtimes.python import debugger\n"
            "try: debugger.connect(order(int(sys.argv[1])))\n"
            "except debugger.DebuggerAway as error: print(error, 'PATHS_FROM_ECLIPSE_TO_PYTHON' in os.environ)\n"
        )
        argv = [sys.executable, "-c", program, str(port)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=50, cwd=ROOT, check=True)
    assert f"the debugger at 127.0.0.1:{port} of the platform's machine cannot be reached" in done.stdout
    assert done.stdout.rstrip().endswith("False")


def test_who_asked_for_no_debugger_has_none() -> None:
    plain = msgspec.structs.replace(order(1), debug=Debug("/home/somebody/fn"))
    assert not debugger.wanted(plain)
    debugger.connect(plain)
    assert debugger.wanted(order(1))
