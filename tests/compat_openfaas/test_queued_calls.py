"""Calls that nobody waits for: how they are accepted, and how their answers come back."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from tests.compat_openfaas.wire import LOGIN, Wire
from tests.system.driver import Platform, eventually

HANDLER = """
def handle(event, context):
    return {"statusCode": 201, "body": b"echo:" + event.body, "headers": {"X-Mine": "yes", "Content-Type": "text/x"}}
"""


class Post(msgspec.Struct, frozen=True):
    """A callback as its receiver got it."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A server on this machine that callbacks go to."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        posts = self.posts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                posts.append(Post(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextlib.contextmanager
    def serving(self) -> Iterator["Receiver"]:
        """Take callbacks."""
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where callbacks go."""
    with Receiver().serving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def echo(openfaas: Platform, wire: Wire) -> str:
    """A function that answers with what it got."""
    openfaas.deploy_function(openfaas.data_dir.parent / "queued-echo", HANDLER)
    eventually("it answers", lambda: wire.call("queued-echo").status == 201)
    return "queued-echo"


def test_a_call_is_accepted_with_an_id_and_without_a_word(wire: Wire, echo: str) -> None:
    """Behaviour 44: POST /async-function/NAME.NS is 202, an empty body and X-Call-Id."""
    for name in (echo, f"{echo}.openfaas-fn", f"{echo}.openfaas-fn/a/b?c=d"):
        answer = wire.send("POST", f"/async-function/{name}", b"in", headers={})
        assert (answer.status, answer.body) == (202, b"")
        assert answer.headers["x-call-id"]
        assert answer.headers["x-start-time"].isdigit()


def test_no_other_method_queues(wire: Wire, echo: str) -> None:
    """Behaviour 44: GET /async-function/NAME is 405."""
    for method in ("GET", "PUT", "DELETE"):
        assert wire.send(method, f"/async-function/{echo}", headers={}).status == 405


def test_the_answer_is_posted_to_the_callback(wire: Wire, echo: str, receiver: Receiver) -> None:
    """Behaviour 45: it carries who answered what in which call and how long it took, and the function's body."""
    asked = {**LOGIN, "X-Callback-Url": f"{receiver.url}/hook?a=b"}
    answer = wire.send("POST", f"/async-function/{echo}", b"in", headers=asked)
    assert answer.status == 202
    call_id = answer.headers["x-call-id"]
    eventually("the callback", lambda: [post for post in receiver.posts if post.headers["x-call-id"] == call_id])
    [post] = [post for post in receiver.posts if post.headers["x-call-id"] == call_id]
    assert (post.path, post.body) == ("/hook?a=b", b"echo:in")
    assert post.headers["x-function-name"] == f"{echo}.openfaas-fn"
    assert post.headers["x-function-status"] == "201"
    assert float(post.headers["x-duration-seconds"]) > 0
    assert (post.headers["x-mine"], post.headers["content-type"]) == ("yes", "text/x")


def test_a_callback_takes_a_credential(wire: Wire, echo: str, receiver: Receiver) -> None:
    """Behaviour 45: where it differs: OpenFaaS posts to wherever anybody says (ADR 12)."""
    for login in ({}, {"Authorization": "Basic YWRtaW46d3Jvbmc="}):
        asked = {**login, "X-Callback-Url": f"{receiver.url}/anonymous"}
        answer = wire.send("POST", f"/async-function/{echo}", b"in", headers=asked)
        assert (answer.status, "credential" in answer.body.decode()) == (403, True)
    assert not [post for post in receiver.posts if post.path == "/anonymous"]


def test_a_callback_that_is_no_url_is_refused(wire: Wire, echo: str) -> None:
    """Behaviour 45: what cannot be called back is 400, and nothing is queued."""
    answer = wire.send("POST", f"/async-function/{echo}", b"in", headers={"X-Callback-Url": "ht tp://x"})
    assert answer.status == 400
