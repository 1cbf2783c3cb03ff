"""Programs and files as functions of the running platform: deployed, called through the gateway, looked at."""

import base64
import hashlib
import socket
import struct
from pathlib import Path

import pytest
from tests.system.driver import DEADLINE_S, Platform, eventually

STACK = """
provider: {name: openfaas}
functions:
  shout:
    lang: bash
    handler: ./shout
    timeout: 3s
  count:
    lang: exec
    handler: ./shout
    fprocess: wc -c
  server:
    lang: http
    handler: ./server
    fprocess: python3 server.py
    labels: {com.openfaas.scale.max: "1"}
  site:
    runtime: static
    handler: ./site
"""
SHOUT = """
case "$Http_Path" in
    /slow) sleep 30 ;;
    /fail) echo 'it went wrong' >&2; exit 7 ;;
    *) tr a-z A-Z ;;
esac
"""
SERVER = """
import base64, hashlib, http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/crash":
            os._exit(9)
        if self.headers.get("Upgrade") == "websocket":
            self.talk()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Sum")
        self.end_headers()
        for number in range(3):
            self.wfile.write(b"7\\r\\ndata: %d\\r\\n" % number)
            self.wfile.flush()
            while self.path == "/wait" and not os.path.exists("/tmp/go"):
                time.sleep(0.02)
        self.wfile.write(b"0\\r\\nX-Sum: 3\\r\\n\\r\\n")

    def do_PUT(self):
        open("/tmp/go", "w").close()
        self.send_response(204)
        self.end_headers()

    def talk(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        head = self.rfile.read(6)
        text = bytes(byte ^ head[2 + at % 4] for at, byte in enumerate(self.rfile.read(head[1] & 127)))
        self.wfile.write(bytes([129, len(text)]) + text[::-1])
        self.close_connection = True

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def deployed(shared_platform: Platform) -> Platform:
    """A platform with a function of each runtime."""
    folder = shared_platform.data_dir.parent / "project"
    for name, text in {
        "stack.yaml": STACK, "shout/handler.sh": SHOUT, "server/server.py": SERVER, "site/index.html": "<h1>hi</h1>",
        "site/docs/index.html": "docs",
    }.items():  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shared_platform.ok("deploy", cwd=folder)
    return shared_platform


def test_each_runtime_answers_and_is_named(deployed: Platform) -> None:
    assert deployed.ask("POST", "/function/shout", b"hello").body == b"HELLO"
    assert deployed.ask("POST", "/function/count", b"hello").body == b"5\n"
    assert deployed.ask("GET", "/function/server").body == b"data: 0data: 1data: 2"
    assert deployed.ask("GET", "/function/site/").body == b"<h1>hi</h1>"
    assert deployed.ask("GET", "/function/site/docs").headers["location"] == "./docs/"
    for name, runtime, process in (
        ("shout", "exec", "bash handler.sh"), ("count", "exec", "wc -c"), ("server", "http", "python3 server.py"),
        ("site", "static", "<default>"),
    ):  # fmt: skip
        told = {
            line.split(":")[0]: line.partition(":")[2].strip() for line in deployed.ok("describe", name).splitlines()
        }
        assert (told["Runtime"], told["Function Process"]) == (runtime, process)


def test_a_program_that_fails_or_takes_too_long_is_told(deployed: Platform) -> None:
    failed = deployed.ask("POST", "/function/shout/fail")
    assert (failed.status, failed.body) == (500, b"exit status 7\n")
    slow = deployed.ask("POST", "/function/shout/slow")
    assert (slow.status, slow.json()["code"]) == (504, "timeout")
    call_ids = {name: reply.headers["x-call-id"] for name, reply in (("fail", failed), ("slow", slow))}

    def logged(text: str, call_id: str) -> bool:
        lines = deployed.ok("logs", "shout", "--lines", "200", "-o", "json").splitlines()
        return any(text in line and call_id in line for line in lines)

    eventually("stderr is logged with its call", lambda: logged("it went wrong", call_ids["fail"]))
    eventually("the end is logged with its call", lambda: logged("its program was ended", call_ids["slow"]))
    answer = deployed.ask("GET", "/system/logs?name=shout&follow=false", headers=credentials(deployed))
    texts = [line for line in answer.body.decode().splitlines() if "Forking fprocess." in line]
    assert texts


def credentials(platform: Platform) -> dict[str, str]:
    """Return what the admin API of this platform asks for."""
    token = (platform.data_dir / "run" / "token").read_text().strip()
    return {"Authorization": f"Bearer {token}"}


def test_a_programs_answer_streams_through_the_gateway(deployed: Platform) -> None:
    connection = deployed.connect()
    connection.request("GET", "/function/server/wait")
    answer = connection.getresponse()
    assert answer.read(7) == b"data: 0"  # the program goes on only when told to
    assert deployed.ask("PUT", "/function/server").status == 204
    assert answer.read() == b"data: 1data: 2"
    connection.close()


def test_a_websocket_reaches_the_program(deployed: Platform) -> None:
    connection = deployed.connect()
    with socket.create_connection((connection.host, connection.port), timeout=DEADLINE_S) as sock:
        key = base64.b64encode(b"0123456789abcdef").decode()
        sock.sendall(
            "GET /function/server HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        with sock.makefile("rb") as reader:
            assert b" 101 " in reader.readline()
            lines = dict(line.decode().rstrip("\r\n").split(": ", 1) for line in iter(reader.readline, b"\r\n"))
            accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324 - the protocol's
            assert lines["Sec-WebSocket-Accept"] == base64.b64encode(accept).decode()
            sock.sendall(struct.pack("!BB4s", 129, 128 | 5, b"\0\0\0\0") + b"hello")
            assert reader.read() == b"\x81\x05olleh"


def test_a_program_that_ends_is_one_lost_call_and_comes_back(deployed: Platform) -> None:
    lost = deployed.ask("GET", "/function/server/crash")
    assert (lost.status, lost.json()["code"]) == (502, "function_crashed")
    assert deployed.ask("GET", "/function/server").status == 200
    eventually("the end is counted", lambda: deployed.describe("server")["exits"].get("crashed") == 1)


def test_a_program_that_does_not_start_is_told_when_it_is_deployed(deployed: Platform, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("raise SystemExit('there is no database')")
    options = ("--lang", "http", "--fprocess", "python3 server.py", "--wait-timeout", "20s")
    done = deployed.run("deploy", "broken", "--handler", str(tmp_path), *options)
    assert done.code != 0
    assert "exit code 1 before it had taken a connection on port 8080" in done.err
    assert "there is no database" in done.err
    without = deployed.run("deploy", "broken", "--handler", str(tmp_path), "--lang", "http")
    assert (without.code, "there is no program './run' in the function's folder" in without.err) == (1, True)
    deployed.ok("remove", "broken")
