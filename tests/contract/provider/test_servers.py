"""Replicas of the runtime `http`: a program that stays, from its start to its end; and of `static`, for comparison."""

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.provider.conftest import Audience, LocalStage, alive, call, connect, eventually, staged

from dayfly.model.replica import StartOrder
from dayfly.providers.port import Provider
from dayfly.runtimes.jail import landlock
from dayfly.runtimes.jail.detect import detect

STAGES = ("local", "kubernetes")
supervisors = pytest.mark.local_only("it is between the supervisor and its program, of which a pod has the same two")

SERVER = """
import http.server, os, signal, socketserver, subprocess, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        action, _, value = self.path.strip("/").partition("/")
        status, body = 200, ACTIONS[action](value)
        if isinstance(body, tuple):
            status, body = body
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *arguments):
        pass

def slowly(value):
    print("begun")
    time.sleep(float(value))
    return "slowly"

def orphan(value):
    subprocess.run(["sh", "-c", "(sleep 0.05; echo orphan) & exit"])
    return "orphaned"

def said(text):
    print("to stdout " + text)
    print("to stderr " + text, file=sys.stderr)
    return "said"

def ready(value):
    print("asked")
    return 200 if os.path.exists("ready") else 503, "perhaps"

ACTIONS = {
    "": lambda value: "hello from " + os.environ["PORT"],
    "env": lambda value: repr(dict(os.environ)),
    "end": lambda value: os._exit(int(value)),
    "kill": lambda value: os.kill(os.getpid(), int(value)),
    "slowly": slowly, "say": said, "orphan": orphan, "ready": ready,
    "status": lambda value: open("/proc/self/status").read(),
}
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

STOP = os.environ.get("ON_TERM")
if STOP == "ignore":
    signal.signal(signal.SIGTERM, lambda *_: print("not now"))
elif STOP == "exit":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
Server(("127.0.0.1", int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT"])), Handler).serve_forever()
"""
ECHO = """
import os, socket
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    connection, _ = listener.accept()
    while data := connection.recv(65536):
        connection.sendall(data)
    connection.sendall(b"over")
    connection.close()
"""


@pytest.fixture(scope="module")
def servers(request: pytest.FixtureRequest) -> Iterator[LocalStage]:
    """A stage of a kind for all tests here: they differ in their functions, and none harms another's."""
    if not detect(lambda: "").namespaces:
        pytest.skip("this machine gives functions no network of their own, without which there is no runtime http")
    with staged(request) as made:
        yield made


def place(stage: LocalStage, source: str = SERVER, process: str = "python3 server.py", **changes: Any) -> StartOrder:
    """Return an order for a program whose server.py is `source`."""
    order = stage.order("", runtime="http", process=process, lang="http", **changes)
    path = Path(order.code_dir) / "server.py"
    path.write_text(source)
    path.chmod(0o644)
    return order


class Scene:
    """One replica, and who watches it."""

    def __init__(self, provider: Provider, audience: Audience, order: StartOrder, address: str) -> None:
        self.provider = provider
        self.audience = audience
        self.order = order
        self.address = address

    async def get(self, path: str = "/", **headers: str) -> bytes:
        answer = await call(self.address, method="GET", target=path, headers=headers)
        assert answer.status == 200, answer
        return answer.body

    async def stop(self, grace_s: float = 10) -> tuple[str, str]:
        await self.provider.stop(self.order.replica, grace_s=grace_s)
        return await self.end()

    async def end(self) -> tuple[str, str]:
        ended = await self.audience.exited(self.order.replica)
        return ended.reason, ended.detail


def play(stage: LocalStage, order: StartOrder, scene: Callable[[Scene], Awaitable[None]]) -> None:
    """Start the order's replica, run `scene` with it, and end it if the scene has not."""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            ready = await audience.ready(order.replica)
            try:
                await scene(Scene(provider, audience, order, ready.address))
            finally:
                await provider.stop(order.replica, grace_s=0)
                await audience.exited(order.replica)

    asyncio.run(main())


def failure(stage: LocalStage, order: StartOrder) -> tuple[str, str]:
    """Return how a replica that must not become ready ends."""

    async def main() -> tuple[str, str]:
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert len(audience.events) == 1
            return ended.reason, ended.detail

    return asyncio.run(main())


def test_a_program_serves_until_it_is_told_to_end(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        assert await on.get() == b"hello from 8080"
        assert await on.stop() == ("stopped", "the process was ended by signal SIGTERM")

    play(servers, place(servers), scene)


_TRIES = """
def tried(reach):
    try:
        reach().close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

ACTIONS["listen"] = lambda value: tried(lambda: socket.create_server(("127.0.0.1", 0)))
ACTIONS["connect"] = lambda port: tried(lambda: socket.create_connection(("127.0.0.1", int(port))))
class Server("""
TRYING = SERVER.replace("import http", "import errno, socket, http", 1).replace("class Server(", _TRIES, 1)


@pytest.mark.skipif(not landlock.can_limit_tcp(), reason="this kernel's Landlock knows nothing of TCP")
@pytest.mark.parametrize("network", ["proxy", "none"])
def test_in_a_pods_network_a_program_has_the_port_that_it_is_told_and_no_other(network: str) -> None:
    async def scene(on: Scene) -> None:
        assert (await on.get()).startswith(b"hello from ")
        assert await on.get("/listen") == b"EACCES"
        assert await on.get(f"/connect/{other.getsockname()[1]}") == b"EACCES"
        await on.audience.line("sandbox: tier B: a pod may not have all of it")
        await on.audience.line("sandbox: no cgroups can be made in this pod")
        assert not [line.text for line in on.audience.lines if "systemd-run" in line.text or "doctor" in line.text]

    stage = LocalStage(namespaces=False, alone=True, grouped=False)
    try:
        with socket.create_server(("127.0.0.1", 0)) as other:
            play(stage, place(stage, TRYING, network=network), scene)
    finally:
        stage.close()


def test_in_a_machines_network_a_program_has_no_port() -> None:
    stage = LocalStage(namespaces=False)
    try:
        reason, detail = failure(stage, place(stage))
        assert (reason, "this machine gives functions none" in detail) == ("start_failed", True), detail
    finally:
        stage.close()


def test_its_exit_status_is_the_replicas(servers: LocalStage) -> None:
    for action, told in (
        ("/end/3", "exit code 3"),
        ("/end/0", "exit code 0"),
        ("/kill/11", "SIGSEGV"),
        ("/kill/9", "SIGKILL"),
    ):

        async def scene(on: Scene, action: str = action, told: str = told) -> None:
            reader, writer = await connect(on.address, f"GET {action} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert await reader.read() == b""
            writer.close()
            reason, detail = await on.end()
            assert reason == ("killed" if told == "SIGKILL" else "crashed")
            assert detail.endswith(told), detail

        play(servers, place(servers), scene)


def test_replicas_have_the_same_port_and_a_box_each(servers: LocalStage) -> None:
    async def main() -> None:
        async with servers.opened() as (provider, audience):
            first = place(servers)
            orders = [first, servers.again(first), place(servers)]
            for order in orders:
                await provider.start(order)
            addresses = [(await audience.ready(order.replica)).address for order in orders]
            assert len(set(addresses)) == 3
            bodies = [(await call(address, method="GET")).body for address in addresses]
            assert bodies == [b"hello from 8080"] * 3
            for order in orders:
                await provider.stop(order.replica, grace_s=0)
                await audience.exited(order.replica)

    asyncio.run(main())


def test_bytes_pass_unread(servers: LocalStage) -> None:
    """Upgrades, trailers, pipelines and what is no HTTP at all: whatever the two ends agree on."""

    async def scene(on: Scene) -> None:
        sent = b"HELLO 1/0\r\n\xff\x00" + os.urandom(1 << 20)
        reader, writer = await connect(on.address, sent)
        assert await reader.readexactly(len(sent)) == sent
        writer.write_eof()
        assert await reader.read() == b"over"
        writer.close()

    play(servers, place(servers, ECHO), scene)


def test_a_program_finds_its_port_and_the_functions_environment(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        told = eval(await on.get("/env"))  # noqa: S307 - the repr of a dict, by our own server
        assert (told["PORT"], told["GREETING"]) == ("3000", "hi")
        assert told["OPENFAAS_NAME"] == told["DAYFLY_FUNCTION"] == on.order.key.name
        assert told["DAYFLY_REPLICA"] == told["HOSTNAME"] == on.order.replica
        assert told["PWD"] == str(servers.code(on.order))

    play(servers, place(servers, env={"PORT": "3000", "GREETING": "hi"}), scene)


@supervisors
def test_a_program_with_a_port_of_its_own_is_found_there(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        assert await on.get() == b"hello from 5000"

    order = place(servers, process="python3 server.py 5000", env={"upstream_url": "http://127.0.0.1:5000"})
    play(servers, order, scene)


def test_what_it_prints_is_logged_by_stream(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        await on.get("/say/hello")
        for text, stream in (("to stdout hello", "stdout"), ("to stderr hello", "stderr")):
            line = await on.audience.line(text)
            assert (line.text, line.stream, line.call_id) == (text, stream, "")

    play(servers, place(servers), scene)


def test_last_words_without_a_line_end_are_read_before_the_end_is_told(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        reader, writer = await connect(on.address, b"x")
        await reader.read()
        writer.close()
        await on.end()
        assert [line.text for line in on.audience.lines if line.stream == "stderr"] == ["farewell"]

    source = ECHO.replace("connection.recv(65536)", "connection.recv(1)").replace(
        "connection.sendall(data)", "os.write(2, b'farewell'); os._exit(1)"
    )
    play(servers, place(servers, source), scene)


@pytest.mark.parametrize(
    ("source", "env", "told"),
    [
        (
            "import sys\nprint('configuring')\nsys.exit('no database')",
            {},
            ["ended with exit code 1 before it had taken a connection on port 8080; the last it said:", "no database"],
        ),
        (
            "import os\nos.kill(os.getpid(), 11)",
            {},
            ["was ended by signal SIGSEGV before it had taken a connection on port 8080, and said nothing"],
        ),
        (
            "import time\nprint('thinking', flush=True)\ntime.sleep(300)",
            {"start_timeout": "4s"},
            ["had not taken a connection on port 8080 after 4 s (start_timeout); the last it said:", "thinking"],
        ),
    ],
)
def test_a_program_that_does_not_come_up_is_told_with_its_last_lines(
    servers: LocalStage, source: str, env: dict[str, str], told: list[str]
) -> None:
    reason, detail = failure(servers, place(servers, source, env=env))
    assert reason == "start_failed"
    for text in told:
        assert text in detail


@supervisors
def test_a_program_that_does_not_become_ready_in_time_is_told(servers: LocalStage) -> None:
    order = place(servers, env={"start_timeout": "4s", "ready_path": "/ready"})
    reason, detail = failure(servers, order)
    assert reason == "start_failed"
    assert "had not answered GET /ready with 200 on port 8080 after 4 s (start_timeout)" in detail


@pytest.mark.parametrize(
    ("process", "told"),
    [
        ("nothing", "process: there is no program 'nothing'"),
        ("./server.py", "process: ./server.py is not executable"),
    ],
)
def test_a_program_that_is_not_there_is_said_so(servers: LocalStage, process: str, told: str) -> None:
    reason, detail = failure(servers, place(servers, process=process))
    assert (reason, told in detail) == ("start_failed", True), detail


def test_an_interpreter_that_is_not_there_is_said_so(servers: LocalStage) -> None:
    order = place(servers, "#!/no/such/interpreter\n", process="./server.py")
    (Path(order.code_dir) / "server.py").chmod(0o755)
    reason, detail = failure(servers, order)
    assert reason == "start_failed"
    assert "./server.py could not be started: No such file or directory; is the interpreter there" in detail


def test_a_ready_path_is_waited_for(servers: LocalStage) -> None:
    async def main() -> None:
        async with servers.opened() as (provider, audience):
            order = place(servers, env={"ready_path": "/ready"})
            await provider.start(order)
            await audience.until(lambda: [line for line in audience.lines if line.text == "asked"][1:])
            assert audience.events == []
            (servers.code(order) / "ready").touch()
            address = (await audience.ready(order.replica)).address
            assert (await call(address, method="GET")).status == 200
            await provider.stop(order.replica, grace_s=0)
            await audience.exited(order.replica)

    asyncio.run(main())


def test_a_replica_stopped_before_it_was_ready_only_ends(servers: LocalStage) -> None:
    async def main() -> None:
        async with servers.opened() as (provider, audience):
            order = place(servers, "import time\nprint('thinking', flush=True)\ntime.sleep(300)")
            await provider.start(order)
            await audience.line("thinking")
            await provider.stop(order.replica, grace_s=5)
            assert (await audience.exited(order.replica)).reason == "stopped"
            assert len(audience.events) == 1

    asyncio.run(main())


def test_a_stop_lets_the_call_at_hand_finish(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        reader, writer = await connect(on.address, b"GET /slowly/0.5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        await on.audience.line("begun")
        await on.provider.stop(on.order.replica, grace_s=10)
        assert (await reader.read()).endswith(b"slowly")
        writer.close()
        assert (await on.end())[0] == "stopped"

    play(servers, place(servers), scene)


def test_a_program_that_exits_well_when_told_has_exited_well(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        assert await on.stop() == ("stopped", "the process ended with exit code 0")

    play(servers, place(servers, env={"ON_TERM": "exit"}), scene)


@supervisors
def test_a_wrappers_child_hears_of_the_end_too(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        assert (await on.stop())[0] == "stopped"

    # sh would wait for its child, which it does not tell.
    order = place(servers, process="sh wrapper.sh")
    (Path(order.code_dir) / "wrapper.sh").write_text("trap 'echo told' TERM\npython3 server.py\nexit 0\n")
    play(servers, order, scene)


def test_who_does_not_end_is_killed_with_all_it_started(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        below = [pid for pid in servers.below() if b"server.py" in _cmdline(pid)]
        assert below
        reason, detail = await on.stop(grace_s=2)
        assert (reason, "had not finished in time" in detail) == ("killed", True)
        assert "not now" in [line.text for line in on.audience.lines]
        await eventually(lambda: not any(map(alive, below)))

    play(servers, place(servers, env={"ON_TERM": "ignore"}), scene)


def _cmdline(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@supervisors
def test_a_connection_that_stays_does_not_keep_the_end_from_the_program(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        reader, writer = await connect(on.address)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"hello")
        # It is kept open, and nobody says anything: the program is told shortly before its time is over.
        assert await on.stop(grace_s=4) == ("stopped", "the process ended with exit code 0")
        writer.close()

    play(servers, place(servers, env={"ON_TERM": "exit"}), scene)


def is_zombie(pid: int) -> bool:
    """Whether the process has ended and nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def test_orphans_of_the_program_leave_no_zombies(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        for _ in range(5):
            await on.get("/orphan")
        await on.audience.until(lambda: [line for line in on.audience.lines if line.text == "orphan"][4:])
        await eventually(lambda: not any(map(is_zombie, servers.below())))

    play(servers, place(servers), scene)


def test_what_the_program_uses_is_the_replicas(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        found = (await on.provider.stats())[on.order.replica]
        assert found.memory_bytes > 65_000_000

    play(servers, place(servers, f"ballast = b'x' * 40_000_000\n{SERVER}"), scene)


def test_a_program_is_held_in_the_functions_box(servers: LocalStage) -> None:
    async def scene(on: Scene) -> None:
        status = dict(line.split(":\t", 1) for line in (await on.get("/status")).decode().splitlines())
        assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    play(servers, place(servers), scene)


@pytest.mark.local_only("two pods have a network each, in which their programs may well have the same port")
def test_on_the_machines_network_ports_are_chosen_for_the_program(servers: LocalStage) -> None:
    async def main() -> None:
        async with servers.opened() as (provider, audience):
            first = place(servers, network="host")
            orders = [first, servers.again(first)]
            for order in orders:
                await provider.start(order)
            said = [(await call((await audience.ready(order.replica)).address, method="GET")).body for order in orders]
            assert len(set(said)) == 2
            for order in orders:
                await provider.stop(order.replica, grace_s=0)
                await audience.exited(order.replica)

    asyncio.run(main())


@pytest.mark.local_only("in a pod's network there is nobody else whose port a program could take for its own")
def test_on_the_machines_network_a_port_in_use_is_no_programs(servers: LocalStage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        order = place(servers, network="host", env={"upstream_url": f"http://127.0.0.1:{port}"})
        reason, detail = failure(servers, order)
        assert reason == "start_failed"
        assert f"port {port} of this machine" in detail
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()


def test_replicas_are_found_again_after_the_control_plane_was_away(servers: LocalStage) -> None:
    async def main() -> None:
        order = place(servers)
        async with servers.opened() as (provider, audience):
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
        async with servers.opened() as (provider, audience):
            assert [(each.order, each.address) for each in await provider.recover()] == [(order, address)]
            assert (await call(address, method="GET")).status == 200
            await provider.stop(order.replica, grace_s=5)
            assert (await audience.exited(order.replica)).reason == "stopped"

    asyncio.run(main())


def test_files_are_served_by_a_replica(servers: LocalStage) -> None:
    async def main() -> None:
        async with servers.opened() as (provider, audience):
            order = servers.order("secret = 1", runtime="static", lang="static", env={"static_path": "public"})
            folder = Path(order.code_dir) / "public"
            folder.mkdir(mode=0o755)
            (folder / "index.html").write_text("<h1>hi</h1>")
            (folder / "large.bin").write_bytes(b"x" * 3_000_000)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            index = await call(address, method="GET")
            assert (index.status, index.body) == (200, b"<h1>hi</h1>")
            assert index.headers["content-type"] == "text/html; charset=utf-8"
            assert (await call(address, method="GET", headers={"If-None-Match": index.headers["etag"]})).status == 304
            large = await call(address, method="GET", target="/large.bin")
            assert (large.headers["content-length"], len(large.body)) == ("3000000", 3_000_000)
            part = await call(address, method="GET", target="/large.bin", headers={"Range": "bytes=1-9"})
            assert (part.status, part.body) == (206, b"x" * 9)
            head = await call(address, method="HEAD", target="/large.bin")
            assert (head.headers["content-length"], head.body) == ("3000000", b"")
            missing = await call(address, method="GET", target="/../handler.py", headers={"X-Call-Id": "call-1"})
            assert (missing.status, json.loads(missing.body)["call_id"]) == (404, "call-1")
            assert (await call(address, b"x" * 1_000_000)).status == 405
            assert (await call(address, method="GET", target="/_/health")).body == b"OK"
            assert (await call(address, method="GET", target="/_/other")).status == 404
            await provider.stop(order.replica, grace_s=5)
            assert (await audience.exited(order.replica)).reason == "stopped"

    asyncio.run(main())


def test_a_folder_that_is_not_there_is_said_so(servers: LocalStage) -> None:
    order = servers.order("", runtime="static", env={"static_path": "public"})
    reason, detail = failure(servers, order)
    assert (reason, "there is no folder 'public'" in detail) == ("start_failed", True)
