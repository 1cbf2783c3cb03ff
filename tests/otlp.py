"""An OTLP receiver for traces: an HTTP server that reads the protobuf messages as opentelemetry-proto has them."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Told(NamedTuple):
    """A span as it came."""

    name: str
    trace: str
    id: str
    parent: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: dict[str, Any]
    error: str
    service: str


class Receiver:
    """What came, and how requests are answered."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        self.status = 200
        self.headers: list[dict[str, str]] = []
        self.arrived = threading.Condition()
        self.endpoint = ""

    def named(self, name: str) -> list[Told]:
        """Return those of a name, in the order in which they came."""
        with self.arrived:
            return [each for each in self.spans if each.name == name]

    def take(self, headers: dict[str, str], body: bytes) -> None:
        """Take in a request."""
        message = ExportTraceServiceRequest.FromString(body)
        with self.arrived:
            self.headers.append(headers)
            for group in message.resource_spans:
                service = _attributes(group.resource.attributes)["service.name"]
                for scope in group.scope_spans:
                    self.spans += [_told(span, service) for span in scope.spans]
            self.arrived.notify_all()


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Have a receiver listen at a port of the kernel's choice."""
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            if found.status == 200:
                found.take(dict(self.headers), body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _told(span: Any, service: str) -> Told:
    return Told(
        name=span.name, trace=span.trace_id.hex(), id=span.span_id.hex(), parent=span.parent_span_id.hex(),
        kind=span.kind, start_ns=span.start_time_unix_nano, end_ns=span.end_time_unix_nano,
        attributes=_attributes(span.attributes), error=span.status.message if span.status.code == 2 else "",
        service=service,
    )  # fmt: skip


def _attributes(found: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in found}
