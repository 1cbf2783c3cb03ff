"""What an image stands for where there are none: a server on the pod's address that says what it was told and sees.

GET /_/health answers when the variable READY names no file, or one that is there; /exit/CODE ends the process.
"""

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/exit/"):
            os._exit(int(self.path.rpartition("/")[2]))
        ready = os.environ.get("READY", "")
        is_ready = not ready or Path(ready).exists()
        secrets = Path(os.environ.get("DAYFLY_SECRETS", "/nonexistent"))
        found = {each.name: each.read_text() for each in secrets.iterdir()} if secrets.is_dir() else {}
        body = json.dumps({"env": dict(os.environ), "secrets": found}).encode()
        os.write(1, f"asked for {self.path}\n".encode())
        self.send_response(200 if is_ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    if "CRASH" in os.environ:
        sys.exit(int(os.environ["CRASH"]))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer((os.environ["POD_IP"], int(os.environ["PORT"])), _Handler).serve_forever()
