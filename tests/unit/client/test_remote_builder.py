"""What a builder answers, and what becomes of it: against a server that says what a test scripted."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.unit.build.sources import signature

from dayfly.client.gateway import Target
from dayfly.client.remote_builder import RemoteBuilder, builder_at, read_public_key
from dayfly.model.errors import BuildFailed, DayflyError, InvalidRequest, PayloadTooLarge, Unauthenticated, Unavailable
from dayfly.oci.sealing import new_pair

SECRET = b"hush"


class Double(ThreadingHTTPServer):
    """A builder with one answer, which it writes as it is."""

    answer = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def target(self) -> Target:
        return builder_at(f"http://127.0.0.1:{self.server_port}/any/path")

    def says(self, *lines: Any, status: str = "200 OK", ends: bool = True, kind: str = "application/x-ndjson") -> None:
        chunks = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        self.answer = head + body + (b"0\r\n\r\n" if ends else b"")


class Handler(BaseHTTPRequestHandler):
    server: Double

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.wfile.write(self.server.answer)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[Double]:
    with Double() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def double(server: Double) -> Double:
    server.seen.clear()
    return server


@pytest.fixture
def build(double: Double, tmp_path: Path) -> Callable[[], list[str]]:
    archive = tmp_path / "sources.tar"
    archive.write_bytes(b"sources")

    def run() -> list[str]:
        with RemoteBuilder(double.target, SECRET) as builder:
            return list(builder.build(archive))

    return run


def test_sources_are_signed_and_lines_told(double: Double, build: Callable[[], list[str]]) -> None:
    double.says({"log": ["a", "b"], "status": "in_progress"}, {"log": "c"}, {"log": None, "status": "success"})
    assert build() == ["a", "b", "c"]
    ((path, headers, body),) = double.seen
    assert (path, body) == ("/build", b"sources")
    assert headers["x-build-signature"] == signature(b"sources", "hush")
    assert headers["accept"] == "application/x-ndjson"
    assert "authorization" not in headers


def test_one_answer_for_all_of_it_is_one_line(double: Double, build: Callable[[], list[str]]) -> None:
    double.says(b'{"log": ["all"], "status": "success"}', status="202 Accepted", kind="application/json")
    assert build() == ["all"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"log": ["step 1"]}, {"status": "failed", "error": "pip said no"}], "pip said no"),
        ([{"log": ["step 1", "the end"]}, {"status": "failed"}], "the end"),
        ([{"status": "failed"}], "not why"),
    ],
)
def test_a_build_that_fails_says_why(
    double: Double, build: Callable[[], list[str]], lines: list[Any], told: str
) -> None:
    double.says(*lines)
    with pytest.raises(BuildFailed, match=told):
        build()


@pytest.mark.parametrize("ends", [True, False])
def test_an_answer_that_breaks_off_is_no_success(double: Double, build: Callable[[], list[str]], ends: bool) -> None:
    double.says({"log": ["nearly"], "status": "in_progress"}, ends=ends)
    with pytest.raises(Unavailable, match="broke off"):
        build()


@pytest.mark.parametrize("line", [b"<html>hello</html>\n", b"[]\n", b"{" * 3 + b"\n", b"\xff\n"])
def test_what_is_no_line_of_a_build_is_told(double: Double, build: Callable[[], list[str]], line: bytes) -> None:
    double.says(line)
    with pytest.raises(Unavailable, match="does not answer as a builder does"):
        build()


def test_a_line_without_an_end_is_not_kept_for_ever(double: Double, build: Callable[[], list[str]]) -> None:
    double.says(*[b"x" * 2**18] * 5)
    with pytest.raises(Unavailable, match="a line of more than 1 MiB"):
        build()


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        ("401 Unauthorized", Unauthenticated, "payload secret: no such signature"),
        ("413 Too Large", PayloadTooLarge, "no such signature"),
        ("502 Bad Gateway", Unavailable, "no such signature"),
        ("302 Found", InvalidRequest, "no such signature"),
    ],
)
def test_a_refusal_is_told(
    double: Double, build: Callable[[], list[str]], status: str, kind: type[DayflyError], told: str
) -> None:
    double.says(b"no such signature", status=status, kind="text/plain")
    with pytest.raises(kind, match=told) as refused:
        build()
    assert "dayfly login" not in refused.value.hint


def test_a_refusal_without_words_has_its_status(double: Double, build: Callable[[], list[str]]) -> None:
    double.says(b"<html>", status="404 Not Found", kind="text/html")
    with pytest.raises(DayflyError, match="The builder answered 404"):
        build()


def test_no_builder_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "sources.tar").write_bytes(b"")
    with (
        RemoteBuilder(Target("http://127.0.0.1:1"), SECRET) as builder,
        pytest.raises(Unavailable, match="No builder answers") as refused,
    ):
        list(builder.build(tmp_path / "sources.tar"))
    assert "--remote-builder" in refused.value.hint


def test_the_key_is_asked_for_where_nobody_can_put_another_in_its_place(double: Double) -> None:
    public, _ = new_pair()
    double.says({"key_id": public[:8].decode(), "algorithm": "nacl/box", "public_key": public.decode()})
    with RemoteBuilder(double.target, SECRET) as builder:
        assert builder.public_key() == read_public_key(public.decode())
    assert [path for path, _, _ in double.seen] == ["/publickey"]
    with (
        RemoteBuilder(Target("http://192.0.2.1"), SECRET) as builder,
        pytest.raises(InvalidRequest, match="is not asked for its key"),
    ):
        builder.public_key()


def test_a_key_is_given_as_text_or_in_a_file(tmp_path: Path) -> None:
    public, _ = new_pair()
    (tmp_path / "raw").write_bytes(public + b"\n")
    (tmp_path / "json").write_text(json.dumps({"key_id": "x", "algorithm": "nacl/box", "public_key": public.decode()}))
    found = [read_public_key(text) for text in (public.decode(), str(tmp_path / "raw"), str(tmp_path / "json"))]
    assert len(found[0]) == 32
    assert found == [found[0]] * 3
    with pytest.raises(InvalidRequest, match="This is no key"):
        read_public_key("no/such/file")
