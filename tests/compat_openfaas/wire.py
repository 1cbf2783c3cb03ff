"""OpenFaaS's clients by what they put on the wire: `faas-cli`, the certifier and the page, without their programs."""

import base64
import contextlib
import gzip
import hashlib
import http.client
import io
import json
import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from tests.compat_openfaas import golike
from tests.system.driver import DEADLINE_S, eventually

USER, PASSWORD = "admin", "correct horse battery"
LOGIN = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
DEFAULT = "openfaas-fn"
ALPINE = "functions/alpine:latest"
"""An image whose programs an `envProcess` can name; native code stands in for it here."""


class Answer(msgspec.Struct, frozen=True):
    """What came back; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def read(self, check: golike.Check) -> Any:
        """Return the body as a client in Go decodes it."""
        return golike.decode(self.body, check)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class Wire:
    """A client of the gateway at `url`. Redirects are answers like others, and are not followed."""

    def __init__(self, url: str, metrics_url: str) -> None:
        self.url, self.metrics_url = url, metrics_url

    def send(
        self, method: str, path: str, data: object = None, *, headers: Mapping[str, str] = LOGIN, metrics: bool = False
    ) -> Answer:
        """Send one request, whatever its method with `data` as its body: bytes as they are, all else as JSON."""
        with self.asked(method, path, data, headers=headers, metrics=metrics) as answer:
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    @contextlib.contextmanager
    def asked(
        self, method: str, path: str, data: object = None, *, headers: Mapping[str, str] = LOGIN, metrics: bool = False
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one request, and leave it to the test to read what comes back."""
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        sent = {"Content-Type": "application/json"} if body is not None and not isinstance(data, bytes) else {}
        connection = http.client.HTTPConnection(
            urlsplit(self.metrics_url if metrics else self.url).netloc, timeout=DEADLINE_S
        )
        try:
            connection.request(method, path, body, {**sent, **headers})
            yield connection.getresponse()
        finally:
            connection.close()

    def deploy(self, service: str, process: str = "cat", **fields: object) -> Answer:
        """Deploy as `faas-cli` does: an update, and a creation when there is nothing to update. Fails on a refusal."""
        asked = deployment(service, process, **fields)
        answer = self.send("PUT", "/system/functions", asked)
        if answer.status == 404:
            answer = self.send("POST", "/system/functions", asked)
        assert answer.status in (200, 202), answer.text
        return answer

    def remove(self, service: str, namespace: str = DEFAULT) -> Answer:
        """Remove a function as `faas-cli` does, which has a body in its DELETE."""
        return self.send("DELETE", "/system/functions", {"functionName": service, "namespace": namespace})

    def function(self, service: str, query: str = "") -> Any:
        """Return what is told of a function that is there."""
        answer = self.send("GET", f"/system/function/{service}{query}")
        assert answer.status == 200, answer.text
        return answer.read(golike.FUNCTION)

    def functions(self, namespace: str = DEFAULT) -> dict[str, Any]:
        """Return what is told of all functions, by their names."""
        answer = self.send("GET", f"/system/functions?namespace={namespace}")
        assert answer.status == 200, answer.text
        return {each["name"]: each for each in answer.read(golike.FUNCTIONS)}

    def call(self, service: str, body: bytes = b"", method: str = "POST", **headers: str) -> Answer:
        """Call a function, as nobody in particular; `service` may have a path and a query, `_` in headers is `-`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(method, f"/function/{service}", body, headers=sent)

    def eventually(self, service: str, is_so: Callable[[Answer], bool]) -> Answer:
        """Call a function until its answer is so; fail when it never is."""
        answers: list[Answer] = []

        def ask() -> bool:
            answers[:] = [self.call(service)]
            return is_so(answers[0])

        eventually(f"the answer of {service}", ask)
        return answers[0]

    def talk(self, service: str) -> "contextlib.closing[Talk]":
        """Begin a call whose body is sent bit by bit."""
        return contextlib.closing(Talk(urlsplit(self.url).netloc, service))

    def upload(self, handler: str, namespace: str = DEFAULT) -> str:
        """Send a `handler.py` that is to be deployed as the image `sha256:…`."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            about = tarfile.TarInfo("handler.py")
            about.size = len(handler.encode())
            tar.addfile(about, io.BytesIO(handler.encode()))
        data = gzip.compress(archive.getvalue(), mtime=0)
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        sent = self.send("PUT", f"/v1/namespaces/{namespace}/bundles/{digest}", data)
        assert sent.status in (200, 201), sent.text
        return digest


def deployment(service: str, process: str = "cat", **fields: object) -> dict[str, object]:
    """Return the document of a deployment, with the members that `faas-cli` sends whatever it was told."""
    always: dict[str, object] = {"image": ALPINE, "network": "", "registryAuth": "", "labels": {}, "annotations": {}}
    return {"service": service, "envProcess": process, **always, **fields}


class Talk:
    """A call under way whose body is still being sent, a piece at a time."""

    def __init__(self, netloc: str, service: str) -> None:
        host, _, port = netloc.partition(":")
        self._socket = socket.create_connection((host, int(port)), DEADLINE_S)
        head = f"POST /function/{service} HTTP/1.1\r\nHost: {netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._socket.sendall(head.encode())
        self._answer: http.client.HTTPResponse | None = None

    def say(self, piece: bytes) -> bytes:
        """Send a piece and return as many bytes of the answer."""
        self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        if self._answer is None:
            self._answer = http.client.HTTPResponse(self._socket)
            self._answer.begin()
        return self._answer.read(len(piece))

    def close(self) -> None:
        """End the body and read the answer to its end."""
        self._socket.sendall(b"0\r\n\r\n")
        if self._answer is not None:
            self._answer.read()
        self._socket.close()
