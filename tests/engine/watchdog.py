"""What is in the tests' image: a program that behaves as a watchdog with a Python function behind it would.

It serves port 8080, answers `/_/health`, and gives other calls to `handle(event, context)` of the source in the
variable HANDLER. Its first process passes SIGTERM on and ends as the serving one did, by shells' custom for signals.
Standard library only; it runs on a copy of the tests' own Python.
"""

import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

calls: set[int] = set()
OWN = (signal.SIGABRT,)
"""What a call does to its process must strike it before it goes on: another thread could be slower."""


class Handler(BaseHTTPRequestHandler):
    """One connection, and the calls on it."""

    protocol_version = "HTTP/1.1"
    function: Any = None

    def answer(self) -> None:
        """Answer one call."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/_/health":
            self.reply(200, b"OK")
            return
        calls.add(threading.get_ident())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OWN)
        event = SimpleNamespace(body=body, text=body.decode(errors="replace"), method=self.command, path=self.path)
        context = SimpleNamespace(hostname=socket.gethostname(), function=os.environ["OPENFAAS_NAME"])
        try:
            answer = type(self).function(event, context)
            status, answer = answer if isinstance(answer, tuple) else (200, answer)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.reply(status, text.encode())
        finally:
            calls.discard(threading.get_ident())

    def __getattr__(self, name: str) -> Any:
        """Every method is answered alike."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def reply(self, status: int, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what the function prints is what tests look for."""


class Server(ThreadingHTTPServer):
    """Calls on threads that the end of the program does not wait for."""

    daemon_threads = True
    request_queue_size = 128


def serve() -> None:
    """Load the function and serve it until SIGTERM, and then until the calls at hand are answered."""
    sys.stdout = open(1, "w", buffering=1)  # noqa: SIM115 - for as long as the process lives; a line is told when it ends
    scope: dict[str, Any] = {"__name__": "handler", "__file__": "handler.py"}
    exec(compile(os.environ["HANDLER"], "handler.py", "exec"), scope)  # noqa: S102 - the test's own source
    Handler.function = staticmethod(scope["handle"])
    signal.pthread_sigmask(signal.SIG_BLOCK, OWN)
    server = Server(("", int(os.environ.get("PORT", "8080"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.05)
    while calls:
        threading.Event().wait(0.02)
    sys.stdout.flush()


def main() -> None:
    """Be the container's first process."""
    child = os.fork()
    if not child:
        serve()
        os._exit(0)
    signal.signal(signal.SIGTERM, lambda number, _: os.kill(child, number))
    while True:
        pid, status = os.wait()
        if pid == child:
            break
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


main()
