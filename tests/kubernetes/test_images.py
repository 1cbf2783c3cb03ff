"""Functions that are not Python in a pod of the pool: programs that serve a port, Node.js. Images: test_deploying."""

from pathlib import Path

import pytest
from tests.kubernetes.installation import NAMESPACE, Installation

pytestmark = pytest.mark.timeout(600)


def _folder(cluster: Installation, name: str, file: str, code: str) -> str:
    folder: Path = cluster.folder / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(code)
    return str(folder)


_SERVER = """\
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = b"served on a port: " + self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_program_that_serves_a_port_answers(cluster: Installation) -> None:
    folder = _folder(cluster, "served", "server.py", _SERVER)
    cluster.dayfly("deploy", "served", "--handler", folder, "--lang", "http", "--fprocess", "python3 server.py")
    cluster.answers("served", "served on a port: ")
    assert cluster.call("served", "hello").text == "served on a port: hello"
    cluster.dayfly("remove", "served")


def test_a_function_in_node_answers_or_is_refused_where_the_image_has_none(cluster: Installation) -> None:
    folder = _folder(cluster, "noded", "handler.js", "module.exports = async (event) => 'node says ' + event.text\n")
    argv = ("deploy", "noded", "--handler", folder, "--lang", "node")
    if not cluster.kubectl(
        "-n", NAMESPACE, "exec", "deployment/dayfly-gateway", "--", "sh", "-c", "command -v node || true"
    ).strip():
        assert "Node.js" in cluster.dayfly(*argv, fails=True)
        pytest.skip("the base image has no Node.js, and a function in it was refused")
    cluster.dayfly(*argv)
    cluster.answers("noded", "node says ")
    assert cluster.call("noded", "hello").text == "node says hello"
    cluster.dayfly("remove", "noded")
