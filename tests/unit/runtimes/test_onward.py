"""Calls that a handler makes of functions say how deep they are."""

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

CALLING = """
import http.client, threading, urllib.request

def ask(url):
    with urllib.request.urlopen(url) as answer:
        return answer.read()

def {handle}(event, context):
    url, how = event.text.split(" ")
    if how == "thread":
        said = []
        thread = threading.Thread(target=lambda: said.append(ask(url)))
        thread.start()
        thread.join()
        return said[0]
    if how == "proxied":
        _, _, place, path = url.split("/", 3)
        connection = http.client.HTTPConnection(place)
        connection.request("GET", url)
        return connection.getresponse().read()
    return ask(url)
"""


@pytest.fixture
def far() -> Iterator[str]:
    """The address of a server that answers with the depth that it is told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = ",".join(self.headers.get_all("X-Dayfly-Depth", ["none"])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("concurrency", ["inline", "threads"])
@pytest.mark.parametrize("handle", ["def handle", "async def handle"])
def test_the_depth_that_came_goes_on(serve: Any, far: str, concurrency: str, handle: str) -> None:
    served = serve(CALLING.replace("def {handle}", handle), concurrency=concurrency)

    def said(path: str, how: str = "plain", depth: str = "4") -> str:
        text = served.call(f"{far}{path} {how}".encode(), headers={"X-Dayfly-Depth": depth} if depth else {})
        return str(text.body.decode())

    assert said("/function/f") == said("/async-function/f/x?y=1") == said("/function/f", "proxied") == "4"
    assert said("/function/f", depth="9") == "9"
    assert said("/function/f", depth="") == "none"
    assert said("/other") == said("/x/function/f") == "none"
    assert said("/function/f", "thread") == "none"
