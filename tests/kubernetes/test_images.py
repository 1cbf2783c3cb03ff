"""Functions that are not Python in a pod of the pool: images, programs that serve a port, Node.js."""

from pathlib import Path
from typing import Any

import pytest
from tests.kubernetes.installation import FUNCTIONS, NAMESPACE, Installation, saying, until

pytestmark = pytest.mark.timeout(600)


def _folder(cluster: Installation, name: str, file: str, code: str) -> str:
    folder: Path = cluster.folder / "code" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(code)
    return str(folder)


def _image(cluster: Installation, number: int) -> str:
    return cluster.image("painted", saying(f"image {number}"), str(number))


def test_an_image_of_our_builder_is_scaled_and_rolled_out(cluster: Installation) -> None:
    cluster.dayfly("deploy", "painted", "--image", _image(cluster, 1))
    cluster.answers("painted", "image 1")
    cluster.dayfly("scale", "painted", "2")
    cluster.scaled("painted", 2)
    (first,) = _deployments(cluster)
    assert first["spec"]["replicas"] == 2
    cluster.dayfly("deploy", "painted", "--image", _image(cluster, 2))
    cluster.answers("painted", "image 2")
    until(
        lambda: (
            [each["metadata"]["name"] for each in _deployments(cluster)] != [first["metadata"]["name"]]
            and len(_deployments(cluster)) == 1
        ),
        "the Deployment of the revision before stays",
    )
    cluster.dayfly("scale", "painted", "0")
    cluster.scaled("painted", 0)
    cluster.answers("painted", "image 2")
    cluster.dayfly("remove", "painted")
    until(lambda: not _deployments(cluster), "its Deployment is still there")


def _deployments(cluster: Installation) -> list[dict[str, Any]]:
    return cluster.objects("deployments", FUNCTIONS, "-l", "dayfly.dev/function=painted")


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
