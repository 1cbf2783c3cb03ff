"""A host in this process: a handler written on the spot, served on a unix socket by a thread of its own."""

import asyncio
import contextlib
import http.client
import itertools
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvloop

from dayfly.model.debug import Debug
from dayfly.model.function import Concurrency, Dialect
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName, new_replica_id
from dayfly.model.replica import StartOrder
from dayfly.runtimes.python import loader
from dayfly.runtimes.python.family import listen
from dayfly.runtimes.python.host import Host

DEADLINE_S = 60.0
_numbers = itertools.count()


class Answer(NamedTuple):
    """What a call was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes


class Served:
    """A handler being served."""

    def __init__(
        self,
        folder: Path,
        source: str,
        dialect: Dialect,
        handler: str,
        concurrency: Concurrency,
        debug: Debug | None,
    ) -> None:
        self.path = str(folder / f"{next(_numbers)}.sock")
        module = f"handler_{next(_numbers)}"
        (folder / f"{module}.py").write_text(source)
        self.order = StartOrder(
            replica=new_replica_id(),
            key=FunctionKey(DEFAULT_NAMESPACE, FunctionName("fn")),
            revision=1,
            lang="python",
            dialect=dialect,
            handler=module + handler,
            code_dir=str(folder),
            timeout_s=60.0,
            concurrency=concurrency,
            debug=debug,
        )
        self.handler = loader.load(self.order)
        self.module = sys.modules[module]
        self.channel, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.channel.settimeout(DEADLINE_S)
        self.exit_code = -1
        self._listener = listen(self.path)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        loop = uvloop.new_event_loop()
        with socket.socket(fileno=self._listener) as listener, self._far:
            host = Host(loop, self.handler, self.order)
            self.exit_code = loop.run_until_complete(host.serve("replica", listener, self._far))
            # What was served beside the loop is given back when its answer is read already, and no test is to have
            # another's sockets.
            for thread in threading.enumerate():
                if thread.name == "dayfly-rescued":
                    thread.join(DEADLINE_S)
            loop.run_until_complete(asyncio.sleep(0))
            if host._adoptions:
                loop.run_until_complete(asyncio.wait(host._adoptions))
            for connection in list(host.connections):
                connection.transport.abort()
            loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("fn.example", timeout=DEADLINE_S)
        connection.sock = self.socket()
        return connection

    def socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(DEADLINE_S)
        sock.connect(self.path)
        return sock

    def call(
        self, body: Any = b"", *, method: str = "POST", target: str = "/", headers: dict[str, str] | None = None
    ) -> Answer:
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def close(self) -> int:
        """Hang up, as the zygote does at its end; return the exit code."""
        self.channel.close()
        return self.wait()

    def wait(self) -> int:
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        return self.exit_code


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve a handler: `serve(source, dialect, handler=":attribute", concurrency=…, debug=…)`."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[Served] = []

    def make(
        source: str,
        dialect: Dialect = "auto",
        *,
        handler: str = "",
        concurrency: Concurrency = "auto",
        debug: Debug | None = None,
    ) -> Served:
        made.append(Served(tmp_path, source, dialect, handler, concurrency, debug))
        return made[-1]

    yield make
    for served in made:
        served.close()
        sys.modules.pop(served.module.__name__, None)
