"""Stack files from a URL: only by a way on which nobody can change them, and never more than 1 MiB."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dayfly.client.fetch import fetch
from dayfly.client.stack import load_stack
from dayfly.client.stack_text import MAX_BYTES, read_text
from dayfly.model.errors import InvalidRequest, InvalidSpec, Unavailable

STACK = b"""\
provider: {name: openfaas, gateway: https://faas.example.org}
functions: {far: {image: "ghcr.io/x/far:${TAG:-1}", environment_file: [env.yml]}}
"""
REDIRECTS = {"/moved": "/stack.yml", "/plain": "http://example.org/stack.yml", "/round": "/round", "/file": "file:///x"}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = {"/stack.yml": STACK, "/large": b"#" * (3 * MAX_BYTES), "/latin": b"\xff\xfe"}.get(self.path)
        self.send_response(302 if self.path in REDIRECTS else 404 if content is None else 200)
        if self.path in REDIRECTS:
            self.send_header("Location", REDIRECTS[self.path])
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client that has heard enough
            self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("path", ["/stack.yml", "/moved"])
def test_a_stack_is_read_from_a_url_and_the_rest_from_this_folder(
    server: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "env.yml").write_text("environment: {A: here}\n")
    stack = load_stack(server + path, environ={})
    (one,) = stack.functions()
    assert (stack.gateway, stack.is_here, stack.origin) == ("https://faas.example.org", False, server + path)
    assert (one.spec.name, one.spec.image, one.spec.env) == ("far", "ghcr.io/x/far:1", {"A": "here"})


@pytest.mark.parametrize(
    ("path", "error", "told"),
    [
        ("/nothing", InvalidRequest, "answered 404"),
        ("/large", InvalidSpec, "larger than 1 MiB"),
        ("/latin", InvalidSpec, "not UTF-8"),
        ("/plain", InvalidRequest, "http://example.org/stack.yml is not fetched"),
        ("/file", InvalidRequest, "is not fetched"),
        ("/round", Unavailable, "leads on"),
    ],
)
def test_what_is_not_a_stack_is_refused(server: str, path: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        read_text(server + path)


def test_plain_http_is_for_this_machine() -> None:
    with pytest.raises(InvalidRequest, match="is not fetched"):
        read_text("http://example.org/stack.yml")


def test_no_server_is_told() -> None:
    with pytest.raises(Unavailable, match="cannot be fetched"):
        fetch("http://127.0.0.1:1/stack.yml", max_bytes=1)
    with pytest.raises(InvalidRequest):
        fetch("https://[/", max_bytes=1)
