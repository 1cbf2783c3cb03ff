"""A function served from its own image, without the image: the same programs, started as a container starts them."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ports import free_port

from dayfly.model.errors import InvalidName, InvalidSpec
from dayfly.runtimes.image.settings import UNLIMITED_S, order_of, port_of

HOST = Path(__file__).parents[3] / "src" / "dayfly" / "runtimes" / "node" / "host" / "image.cjs"
PYTHON = [sys.executable, "-P", "-m", "dayfly.runtimes.image"]
NODE = ["node", str(HOST)]
DEADLINE_S = 60.0
HANDLERS = {
    "handler.py": (
        "import time\n"
        "def handle(event, context):\n"
        "    print('called\\n', end='', flush=True)\n"
        "    time.sleep(float(event.body or 0))\n"
        "    return f'{context.function} {event.path}'\n"
    ),
    "handler.js": (
        "module.exports = async (event, context) => {\n"
        "  console.log('called');\n"
        "  await new Promise((done) => setTimeout(done, 1000 * Number(event.body || 0)));\n"
        "  return `${context.function} ${event.path}`;\n"
        "};\n"
    ),
}


@pytest.fixture(params=["python", "node"])
def argv(request: pytest.FixtureRequest) -> list[str]:
    if request.param == "node" and not shutil.which("node"):
        pytest.skip("there is no Node.js on this machine")
    return PYTHON if request.param == "python" else NODE


@pytest.fixture
def code(tmp_path: Path) -> Path:
    for name, text in HANDLERS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@contextlib.contextmanager
def served(argv: list[str], code: Path, **env: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run it on a free port until it listens; end it."""
    port = free_port()
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "OPENFAAS_NAME": "hello", "port": str(port), **env}
    process = subprocess.Popen(
        argv, cwd=code, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        give_up = time.monotonic() + DEADLINE_S
        while not listens(port):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < give_up
            time.sleep(0.02)
        yield process, port
    finally:
        process.kill()
        process.communicate()


def listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def ask(port: int, path: str, body: str = "") -> tuple[int, str]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as connection:
        connection.request("POST" if body else "GET", path, body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_it_answers_and_is_well(argv: list[str], code: Path) -> None:
    with served(argv, code) as (process, port):
        assert ask(port, "/_/health") == ask(port, "/_/ready") == (200, "OK")
        assert ask(port, "/a/b") == (200, "hello /a/b")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (0, "called\n", "")


@pytest.mark.parametrize("mode", ["classic", "streaming"])
def test_a_program_is_run_for_each_call(tmp_path: Path, mode: str) -> None:
    (tmp_path / "handler.sh").write_text('cat; echo " $Http_Path"; echo a word >&2\n')
    env = {"DAYFLY_RUNTIME": "exec", "fprocess": "sh ./handler.sh", "mode": mode}
    with served(PYTHON, tmp_path, **env) as (process, port):
        assert ask(port, "/_/health") == (200, "OK")
        assert ask(port, "/a/b", "hello") == (200, "hello /a/b\n")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "a word\n" in out
    assert "\x1e" not in out


def test_a_program_that_takes_too_long_is_ended_with_all_it_started(tmp_path: Path) -> None:
    (tmp_path / "handler.sh").write_text("sleep 60 & echo $! >&2; wait\n")
    env = {"DAYFLY_RUNTIME": "exec", "fprocess": "sh ./handler.sh", "mode": "streaming", "exec_timeout": "2s"}
    with served(PYTHON, tmp_path, **env) as (process, port):
        assert ask(port, "/", "x")[0] == 504
        assert process.stdout is not None
        started = Path("/proc", process.stdout.readline().strip())
        give_up = time.monotonic() + DEADLINE_S
        while started.exists():
            assert time.monotonic() < give_up
            time.sleep(0.02)


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    env = {**os.environ, "DAYFLY_RUNTIME": "exec", "fprocess": "no-such-program"}
    done = subprocess.run(PYTHON, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert "there is no program 'no-such-program'" in done.stderr


def test_a_call_at_hand_is_finished_before_it_ends(argv: list[str], code: Path) -> None:
    with served(argv, code) as (process, port):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as connection:
            connection.request("POST", "/slow", "0.7")
            assert process.stdout is not None
            assert process.stdout.readline() == "called\n"
            process.send_signal(signal.SIGTERM)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"hello /slow")
        assert process.wait(DEADLINE_S) == 0
        assert not listens(port)


@contextlib.contextmanager
def asked(port: int, body: str) -> Iterator[http.client.HTTPConnection]:
    """A call that is on its way."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)) as connection:
        connection.request("POST", "/slow", body)
        yield connection


def told(connection: http.client.HTTPConnection) -> tuple[int, str, str]:
    """Status, who answered, and the body."""
    answer = connection.getresponse()
    return answer.status, answer.getheader("X-OpenFaaS-Internal", ""), answer.read().decode()


FULL = (429, "faas-middleware", "Concurrent request limit exceeded. Max concurrent requests: 2\n")


def test_beyond_max_inflight_a_call_is_refused(argv: list[str], code: Path) -> None:
    with served(argv, code, max_inflight="2") as (process, port):
        assert process.stdout is not None
        with asked(port, "1") as one, asked(port, "1") as two:
            assert [process.stdout.readline(), process.stdout.readline()] == ["called\n"] * 2
            with asked(port, "0") as three:
                assert told(three) == FULL
            assert ask(port, "/_/health") == (200, "OK")
            assert told(one) == told(two) == (200, "", "hello /slow")
        assert ask(port, "/slow", "0") == (200, "hello /slow")


def test_a_call_beside_one_that_holds_the_loop_is_refused(code: Path) -> None:
    with served(PYTHON, code, max_inflight="1") as (process, port):
        for _ in range(100):  # after so many quick calls they are run on the loop
            assert ask(port, "/slow", "0") == (200, "hello /slow")
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(100)] == ["called\n"] * 100
        with asked(port, "1") as one:
            assert process.stdout.readline() == "called\n"
            with asked(port, "0") as two:
                assert told(two) == (*FULL[:2], FULL[2].replace("2", "1"))
            assert told(one) == (200, "", "hello /slow")


def test_an_application_is_held_to_max_inflight_too(code: Path) -> None:
    (code / "handler.py").write_text(APPLICATION)
    with served(PYTHON, code, max_inflight="2", DAYFLY_DIALECT="asgi") as (process, port):
        assert process.stdout is not None
        with asked(port, "1") as one, asked(port, "1") as two:
            assert [process.stdout.readline(), process.stdout.readline()] == ["called\n"] * 2
            with asked(port, "0") as three:
                assert told(three) == FULL
            assert told(one) == told(two) == (200, "", "slept")


APPLICATION = """\
import asyncio
async def app(scope, receive, send):
    if scope['type'] != 'http':
        return
    wait = float((await receive())['body'])
    print('called', flush=True)
    await asyncio.sleep(wait)
    await send({'type': 'http.response.start', 'status': 200, 'headers': []})
    await send({'type': 'http.response.body', 'body': b'slept'})
"""
COROUTINE = "import asyncio\nasync def handle(event, context):\n    await asyncio.sleep(float(event.body))\n"
STREAMS = {
    "handler.py": "import time\ndef handle(event, context):\n    yield 'a'\n    time.sleep(60)\n    yield 'b'\n",
    "handler.js": (
        "module.exports = async function* (event) {\n"
        "  yield 'a';\n  await new Promise((done) => setTimeout(done, 60000));\n  yield 'b';\n};\n"
    ),
}
STREAMED = """\
import asyncio
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'a', 'more_body': True})
        await asyncio.sleep(60)
"""


@pytest.mark.parametrize(
    ("argv", "concurrency"),
    [("python", "auto"), ("python", "threads"), ("python", "inline"), ("node", "auto")],
    indirect=["argv"],
)
def test_a_call_past_its_time_is_answered(argv: list[str], code: Path, concurrency: str) -> None:
    with served(argv, code, exec_timeout="500ms", DAYFLY_CONCURRENCY=concurrency) as (process, port):
        assert ask(port, "/slow", "0") == (200, "hello /slow")
        with asked(port, "60") as late:
            status, who, body = told(late)
        assert (status, who) == (504, "of-watchdog")
        assert json.loads(body)["detail"] == "hello did not answer within its timeout of 0.5 s (exec_timeout)."
        # What nothing else can end the process ends with itself, which is the container's to start again.
        assert process.wait(DEADLINE_S) != 0


@pytest.mark.parametrize(("text", "env"), [(COROUTINE, {}), (APPLICATION, {"DAYFLY_DIALECT": "asgi"})])
def test_a_coroutine_past_its_time_ends_alone(code: Path, text: str, env: dict[str, str]) -> None:
    (code / "handler.py").write_text(text)
    with served(PYTHON, code, exec_timeout="500ms", **env) as (process, port):
        for _ in range(2):
            with asked(port, "60") as late:
                assert told(late)[:2] == (504, "of-watchdog")
            assert ask(port, "/slow", "0")[0] == 200
        assert process.poll() is None


@pytest.mark.parametrize(
    ("argv", "is_application"), [("python", False), ("python", True), ("node", False)], indirect=["argv"]
)
def test_a_stream_past_its_time_is_cut_short(argv: list[str], code: Path, is_application: bool) -> None:
    for name, text in STREAMS.items():
        (code / name).write_text(STREAMED if is_application and name == "handler.py" else text)
    env = {"DAYFLY_DIALECT": "asgi"} if is_application else {}
    with served(argv, code, exec_timeout="500ms", **env) as (_, port):
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as caller:
            caller.sendall(b"GET / HTTP/1.1\r\nHost: hello\r\n\r\n")
            said = b""
            with contextlib.suppress(ConnectionResetError):
                while piece := caller.recv(65_536):
                    said += piece
        assert said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert said.endswith(b"\r\n1\r\na\r\n"), "what came is there, and neither an end nor another answer"


def test_it_can_be_told_to_go_while_it_loads(argv: list[str], code: Path) -> None:
    (code / "handler.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(60)\n")
    (code / "handler.mjs").write_text(
        "console.log('loading'); await new Promise((done) => setTimeout(done, 60000)); export default () => '';\n"
    )
    (code / "handler.js").unlink()
    process = subprocess.Popen(argv, cwd=code, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "loading\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_S) == 0
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("env", "code_and_why"),
    [
        ({"DAYFLY_HANDLER": "nowhere"}, (1, "there is no module")),
        ({"exec_timeout": "soon"}, (64, "exec_timeout")),
        ({"max_inflight": "-1"}, (64, "max_inflight")),
        ({"port": "x"}, (64, "must be a port")),
    ],
)
def test_what_cannot_be_served_says_why(
    argv: list[str], code: Path, env: dict[str, str], code_and_why: tuple[int, str]
) -> None:
    done = subprocess.run(argv, cwd=code, env={**os.environ, **env}, capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == (code_and_why[0] if argv is PYTHON else 1)
    assert code_and_why[1] in done.stderr
    assert done.stderr.startswith("dayfly: ")


def test_what_an_import_raises_is_told_from_the_authors_frame_on(code: Path) -> None:
    (code / "handler.py").write_text("import nothing_of_the_kind\n")
    done = subprocess.run(PYTHON, cwd=code, env=dict(os.environ), capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in done.stderr
    assert "dayfly/runtimes" not in done.stderr


def test_the_variables_make_an_order() -> None:
    order = order_of({}, "/code", "box")
    assert (order.runtime, order.dialect, order.handler, order.timeout_s) == ("python", "auto", "handler", 60.0)
    assert str(order.key) == "function.openfaas-fn"
    given = {
        "DAYFLY_RUNTIME": "static", "DAYFLY_DIALECT": "wsgi", "DAYFLY_HANDLER": "a:b", "OPENFAAS_NAME": "mail",
        "OPENFAAS_NAMESPACE": "team", "exec_timeout": "2m", "DAYFLY_CONCURRENCY": "inline",
    }  # fmt: skip
    order = order_of(given, "/code", "box")
    assert (order.runtime, order.dialect, order.handler, order.timeout_s) == ("static", "wsgi", "a:b", 120.0)
    assert (str(order.key), order.concurrency, order.code_dir) == ("mail.team", "inline", "/code")
    assert order_of({"exec_timeout": "0"}, "/code", "box").timeout_s == UNLIMITED_S
    assert [order_of(env, "/code", "box").max_inflight for env in ({}, {"max_inflight": "3"})] == [0, 3]
    assert port_of({}) == 8080
    assert port_of({"PORT": "1", "port": "2"}) == 2
    for wrong in (
        {"DAYFLY_RUNTIME": "lisp"},
        {"DAYFLY_DIALECT": "x"},
        {"exec_timeout": "x"},
        {"DAYFLY_CONCURRENCY": "x"},
    ):
        with pytest.raises(InvalidSpec):
            order_of(wrong, "/code", "box")
    with pytest.raises(InvalidName):
        order_of({"OPENFAAS_NAME": "No Name"}, "/code", "box")
    for port in ("0", "65536", "٣", "-1", "1e3"):
        with pytest.raises(InvalidSpec):
            port_of({"port": port})
