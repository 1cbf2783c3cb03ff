"""Servers in the cluster that functions' code comes from: one of archives, and a registry that wants a password."""

import base64
import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kubernetes.installation import IMAGE, Installation, away_from_the_mortal

SPACE = "default"
_ARCHIVES, _REGISTRY = "dayfly-test-archives", "dayfly-test-registry"
ARCHIVES_HOST = f"{_ARCHIVES}.{SPACE}.svc"
_PORT, REGISTRY_PORT = 8000, 5099
REGISTRY_HOST = f"localhost:{REGISTRY_PORT}"
"""As the node's containerd reaches it, which speaks HTTP to itself alone; nothing else needs to."""
USER, PASSWORD = "puller", "swordfish"
_SERVE = """\
import base64, http.server, json, sys
files = {path: base64.b64decode(text) for path, text in json.loads(sys.argv[1]).items()}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content = files.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

http.server.ThreadingHTTPServer(("", int(sys.argv[2])), Handler).serve_forever()
"""
_GUARD = """\
import base64, http.server, json, pathlib, shutil, sys
root, wanted = pathlib.Path("/tmp/image"), "Basic " + base64.b64encode(sys.argv[1].encode()).decode()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.headers.get("Authorization") != wanted:
            return self.answer(401, b"{}", **{"WWW-Authenticate": 'Basic realm="tests"'})
        name = self.path.rpartition("/")[2]
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        if "/manifests/" in self.path and not name.startswith("sha256:"):
            name = json.loads((root / "index.json").read_bytes())["manifests"][0]["digest"]
        blob = root / "blobs/sha256" / name.removeprefix("sha256:")
        if not blob.is_file():
            return self.answer(404, b"{}")
        manifest = "application/vnd.oci.image.manifest.v1+json"
        kind = manifest if "/manifests/" in self.path else "application/octet-stream"
        self.answer(200, blob, **{"Content-Type": kind, "Docker-Content-Digest": name})

    do_HEAD = do_GET

    def answer(self, status, content, **headers):
        self.send_response(status)
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        for key, value in {"Content-Length": str(size), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET" and isinstance(content, bytes):
            self.wfile.write(content)
        elif self.command == "GET":
            with content.open("rb") as file:
                shutil.copyfileobj(file, self.wfile)

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""
_UNPACK = "import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r|').extractall('/tmp/image')"


@contextlib.contextmanager
def archives(cluster: Installation, files: Mapping[str, bytes]) -> Iterator[str]:
    """Have a server of these files, by their paths; return its URL, as the control plane is told that it may ask it."""
    told = json.dumps({path: base64.b64encode(content).decode() for path, content in files.items()})
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": _ARCHIVES, "namespace": SPACE},
        "spec": {"selector": {"name": _ARCHIVES}, "ports": [{"port": _PORT}]},
    }  # fmt: skip
    with _started(cluster, _ARCHIVES, ["python3", "-c", _SERVE, told, str(_PORT)], port=_PORT):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(service))
        try:
            yield f"http://{ARCHIVES_HOST}:{_PORT}"
        finally:
            cluster.kubectl("-n", SPACE, "delete", "service", _ARCHIVES)


@contextlib.contextmanager
def registry(cluster: Installation, tar: Path) -> Iterator[None]:
    """Have a registry on the node's own loopback, with the image in this archive by any name, for USER alone."""
    command = ["python3", "-c", _GUARD, f"{USER}:{PASSWORD}", str(REGISTRY_PORT)]
    with _started(cluster, _REGISTRY, command, hostNetwork=True):
        with tar.open("rb") as file:
            argv = ["kubectl", "-n", SPACE, "exec", "-i", _REGISTRY, "--", "python3", "-c", _UNPACK]
            subprocess.run(argv, stdin=file, check=True, timeout=120)
        yield


@contextlib.contextmanager
def _started(cluster: Installation, name: str, command: list[str], port: int = 0, **spec: Any) -> Iterator[None]:
    """Have a pod that runs this, which is ready once it takes connections at the port."""
    probe = {"readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1}} if port else {}
    container = {"name": "it", "image": IMAGE, "imagePullPolicy": "Never", "command": command, **probe}
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE, "labels": {"name": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **away_from_the_mortal(), **spec},
    }  # fmt: skip
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    try:
        cluster.kubectl("-n", SPACE, "wait", f"pod/{name}", "--for=condition=Ready", "--timeout=2m")
        yield
    finally:
        cluster.kubectl("-n", SPACE, "delete", "pod", name, "--grace-period=0", "--force")
