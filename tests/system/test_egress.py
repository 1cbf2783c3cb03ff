"""The way out of a jail: what was granted is reached, by proxy or plain connection; the rest is told why not."""

import concurrent.futures
import http.server
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.conftest import end
from tests.system.driver import Platform, eventually, kill

CODE = """
import socket, urllib.request, urllib.error
def handle(event, context):
    kind, target, port = event.json()
    try:
        if kind == "http":
            with urllib.request.urlopen(f"http://{target}:{port}/page?x=1", timeout=10) as answer:
                return answer.read().decode()
        if kind == "connect":
            with socket.create_connection(("127.0.0.1", 3128), timeout=10) as sock:
                sock.sendall(f"CONNECT {target}:{port} HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n".encode())
                head = sock.recv(1000).split(b"\\r\\n")[0].decode()
                if " 200 " in head:
                    sock.sendall(b"GET /tunnel HTTP/1.0\\r\\n\\r\\n")
                    while data := sock.recv(1000):
                        head += data.decode()
                return head
        with socket.create_connection((target, port), timeout=10) as sock:
            sock.sendall(b"GET /plain HTTP/1.0\\r\\n\\r\\n")
            return b"".join(iter(lambda: sock.recv(1000), b"")).decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"
    except OSError as error:
        return repr(error)
"""


class _Outside(http.server.BaseHTTPRequestHandler):
    """A service on this machine that tells what it was asked."""

    def do_GET(self) -> None:
        body = f"outside {self.path} {sorted(name.lower() for name in self.headers)}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def outside() -> Iterator[int]:
    """The port of a service that listens on 127.0.0.2 and 127.0.0.1."""
    with http.server.ThreadingHTTPServer(("", 0), _Outside) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield int(server.server_address[1])
        server.shutdown()


class Held:
    """A service that answers a connection only when told to."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self.reached.set()
            self.go_on.wait(120)
            connection.sendall(b"held on")


@pytest.fixture
def held() -> Iterator[Held]:
    service = Held()
    yield service
    service.go_on.set()
    service.listener.close()


def test_what_was_granted_is_reached_and_nothing_else(platform: Platform, scratch: Path, outside: int) -> None:
    platform.start()
    grants = (f"127.0.0.2:{outside}", f"tcp://localhost:{outside}", f"tcp://127.0.0.3:{outside}")
    platform.deploy_function(scratch / "fn", CODE, *(part for grant in grants for part in ("--allow", grant)))

    def ask(kind: str, target: str, port: int = outside) -> str:
        return platform.ask("POST", "/function/fn", json.dumps([kind, target, port]).encode()).body.decode()

    assert "outside /page?x=1" in ask("http", "127.0.0.2")
    assert "proxy-connection" not in ask("http", "127.0.0.2")
    assert "outside /tunnel" in ask("connect", "127.0.0.2")
    assert "outside /plain" in ask("plain", "127.0.0.1")
    assert "outside /plain" in ask("plain", "127.0.0.3")
    assert ask("http", "127.0.0.4").startswith("403 Dayfly's egress proxy refuses: 127.0.0.4 is an address of this")
    assert ask("connect", "127.0.0.4").startswith("HTTP/1.1 403")
    assert ask("connect", "127.0.0.2", 1).startswith("HTTP/1.1 403")
    assert ask("http", "93.184.216.34").startswith("403 Dayfly's egress proxy refuses: nothing grants 93.184.216.34")
    assert ask("http", "0x7f.0.0.2").startswith("403")
    assert "Refused" in ask("plain", "127.0.0.5")
    (egress,) = platform.pids("egress")
    kill(egress)
    eventually("there is another", lambda: platform.pids("egress") not in ([], [egress]))
    eventually("it serves the jail", lambda: "outside /plain" in ask("plain", "127.0.0.1"))


def test_a_proxy_that_leaves_serves_what_it_has_and_another_takes_its_place(
    platform: Platform, scratch: Path, outside: int, held: Held
) -> None:
    platform.start()
    grants = ("--allow", f"tcp://localhost:{outside}", "--allow", f"tcp://localhost:{held.port}")
    platform.deploy_function(scratch / "fn", CODE, *grants)

    def ask(port: int) -> str:
        return platform.ask("POST", "/function/fn", json.dumps(["plain", "127.0.0.1", port]).encode()).body.decode()

    assert "outside /plain" in ask(outside)
    (egress,) = platform.pids("egress")
    with concurrent.futures.ThreadPoolExecutor() as calls:
        under_way = calls.submit(ask, held.port)
        assert held.reached.wait(60)
        os.kill(egress, signal.SIGTERM)
        eventually("there are two", lambda: len(platform.pids("egress")) == 2)
        assert "outside /plain" in ask(outside)
        held.go_on.set()
        assert under_way.result() == "held on"
    done = platform.run("upgrade", "--again")
    assert done.code == 0, done.err
    eventually("the first has gone", lambda: egress not in platform.pids("egress"))
    eventually("there is one", lambda: len(platform.pids("egress")) == 1)
    assert "outside /plain" in ask(outside)
    (egress,) = platform.pids("egress")
    (zygote,) = platform.pids("zygote")
    os.kill(zygote, signal.SIGTERM)
    eventually("there is another zygote", lambda: platform.pids("zygote") not in ([], [zygote]))
    eventually("the first has gone", lambda: zygote not in platform.pids("zygote"))
    assert "outside /plain" in ask(outside)
    assert platform.pids("egress") == [egress]


class Silent(Platform):
    """A platform whose machine has a resolver that takes questions and never answers, until it is told otherwise."""

    def __init__(self, scratch: Path) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(60)
        place = f"127.77.{os.getpid() % 250 + 1}.53"
        try:
            self.socket.bind((place, 53))
        except OSError as error:
            pytest.skip(f"a resolver cannot be had at {place}: {error}")
        (scratch / "nsswitch.conf").write_text("hosts: files dns\n")
        self._resolvers = scratch / "resolv.conf"
        self.ask_at(place)
        files = [name for name in ("resolv.conf", "nsswitch.conf") if Path("/etc", name).exists()]
        mounts = [f"mount --bind {scratch}/{name} /etc/{name}" for name in files]
        inside = ("unshare", "--mount", "sh", "-c", " && ".join([*mounts, 'exec "$@"']), "sh")
        if "resolv.conf" not in files or subprocess.run([*inside, "true"], check=False).returncode:
            pytest.skip("another resolver takes root and a mount namespace")
        super().__init__(scratch / "data", prefix=inside)

    def ask_at(self, place: str) -> None:
        """Let the machine ask there from now on."""
        self._resolvers.write_text(f"nameserver {place}\noptions timeout:5 attempts:2\n")


@pytest.fixture
def silent(scratch: Path) -> Iterator[Silent]:
    platform = Silent(scratch)
    try:
        yield platform
    finally:
        end(platform)
        platform.socket.close()


@pytest.mark.timeout(150)
def test_a_resolver_that_hangs_or_refuses_is_told_and_keeps_nobody_else_waiting(
    silent: Silent, scratch: Path, outside: int
) -> None:
    silent.start()
    patient = CODE.replace("timeout=10", "timeout=50")
    silent.deploy_function(scratch / "asks", patient, "--allow", "public")
    silent.deploy_function(scratch / "other", patient, "--allow", f"tcp://localhost:{outside}")

    def ask(name: str, kind: str, target: str, port: int) -> str:
        return silent.ask("POST", f"/function/{name}", json.dumps([kind, target, port]).encode()).body.decode()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, "asks", "http", f"name{number}.example.com", 80) for number in range(8)]
        for _ in range(4):
            silent.socket.recv(512)
        token = {"Authorization": f"Bearer {(silent.data_dir / 'run' / 'token').read_text()}"}
        body = json.dumps(["plain", "127.0.0.1", outside]).encode()
        hook = {"X-Callback-Url": "http://hook.example.com/", **token}
        assert silent.ask("POST", "/async-function/other", body, headers=hook).status == 202
        again = silent.ask("POST", "/async-function/other", body).headers["x-call-id"]
        assert "outside /plain" in ask("other", "plain", "127.0.0.1", outside), "its door leads to a name as well"
        done = silent.ask("GET", f"/v1/calls/{again}?wait=50s", headers=token).json()
        assert done["state"] == "done", done
        for answer in asked:
            said = answer.result(60)
            assert said.startswith("502 Dayfly's egress proxy: name"), said
            assert "cannot be looked up: no resolver answers within 8s." in said
    silent.ask_at("127.77.0.1")
    assert "cannot be looked up: Temporary failure in name resolution." in ask("asks", "http", "name.example.com", 80)
