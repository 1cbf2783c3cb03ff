"""A registry on the loopback of the tests' engine, in whose network it is: it serves, or fails as told."""

import ctypes
import fcntl
import hashlib
import json
import os
import socket
import struct
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from tests.engine.daemon import Daemon

_CLONE_NEWNET, _SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x40000000, 0x8913, 0x8914, 1
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar"


class Registry:
    """Has images by repository, each with the tag 1. `mode` is what happens to requests from now on."""

    def __init__(self, daemon: Daemon) -> None:
        self.mode: Literal["serves", "hangs", "cuts"] = "serves"
        self.asked = 0
        """How many requests have come."""
        self._blobs: dict[str, bytes] = {}
        self._manifests: dict[str, bytes] = {}
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(), bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.socket.close()
        self._server.socket = _listener(daemon.pid)
        self.host = f"localhost:{self._server.socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def put(self, repository: str, layer: bytes, entrypoint: Sequence[str] = (), env: Sequence[str] = ()) -> str:
        """Have an image of one layer, a tar, and return its name."""
        config = {
            "architecture": "amd64", "os": "linux", "config": {"Entrypoint": [*entrypoint], "Env": [*env]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }  # fmt: skip
        blobs = ((_CONFIG, json.dumps(config).encode()), (_LAYER, layer))
        about = [{"mediaType": kind, "size": len(data), "digest": _digest(data)} for kind, data in blobs]
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": about[0], "layers": about[1:]}
        self._blobs |= {_digest(data): data for _, data in blobs}
        self._manifests[repository] = json.dumps(manifest).encode()
        return f"{self.host}/{repository}:1"

    def close(self) -> None:
        """Be gone: whoever comes is refused, and who waits is let go. Idempotent."""
        if not self._over.is_set():
            self._over.set()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry._answer(self)

            def do_HEAD(self) -> None:
                registry._answer(self)

            def log_message(self, format: str, *_: object) -> None:
                pass

        return Handler

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        _, _, repository = request.path.partition("/v2/")
        repository, _, digest = repository.rpartition("/")
        name, _, what = repository.rpartition("/")
        data = self._manifests.get(name, b"") if what == "manifests" else self._blobs.get(digest, b"")
        known = bool(data) or request.path == "/v2/"
        if self.mode == "hangs":
            self._over.wait()
            request.close_connection = True
            return
        request.send_response(200 if known else 404)
        if what == "manifests" and known:
            request.send_header("Content-Type", _MANIFEST)
            request.send_header("Docker-Content-Digest", _digest(data))
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command == "HEAD":
            return
        cut = self.mode == "cuts" and what == "blobs"
        request.wfile.write(data[: len(data) // 2] if cut else data)
        request.close_connection = cut


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _listener(pid: int) -> socket.socket:
    """Return a listener on the loopback of that process's network, which is up then."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            made.append(_listen_in(pid))
        except OSError as error:
            made.append(error)

    # A thread of its own: it stays in that network until it ends.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


def _listen_in(pid: int) -> socket.socket:
    network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(network, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(network)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = struct.unpack("16sh", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh", b"lo", 0)))
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh", name, flags | _IFF_UP))
    return socket.create_server(("127.0.0.1", 0))
