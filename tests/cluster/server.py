"""A Kubernetes API server for tests: over HTTP what `registry` keeps, with faults on demand. It runs in a thread.

    with Double() as double:
        connection = connect(double.kubeconfig())
        double.fail(503, method="PATCH", path="/pods/", times=2)

There is no scheduler and no kubelet. A controller is a callable in `controllers`: it is called after every change, in
the server's thread, and changes the registry (see `deployments`). Nothing is timed but a watch's own `timeoutSeconds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType

import uvicorn
from tests.cluster.access import ADMIN, Deed, User, service_account
from tests.cluster.faults import Fault, Seen
from tests.cluster.handler import Handler
from tests.cluster.registry import Registry
from tests.cluster.resources import Object, Refused, Resource


class Double:
    """The server on a free port of loopback; with `tls`, a certificate's and a key's files, it speaks TLS."""

    def __init__(self, registry: Registry | None = None, tls: tuple[str, str] | None = None) -> None:
        self.registry = registry or Registry()
        self.seen: list[Seen] = []
        self.away = False
        """Whether every connection is dropped."""
        self.deaf = False
        """Whether watches stay open and tell nothing, as over a connection of which only one end is left."""
        self.version = {"major": "1", "minor": "36", "gitVersion": "v1.36.2"}
        self.faults: list[Fault] = []
        self.controllers: list[Callable[[], None]] = []
        self.broken: list[Exception] = []
        """What controllers raised."""
        self.beside: Callable[[str, dict[str, str]], AsyncIterator[bytes] | None] = lambda _path, _params: None
        """Answers what the API server passes on to kubelets, in pieces; see `kubelet`."""
        self.deeds: dict[str, set[Deed]] = {}
        """Which rights whoever asked made use of, by their name."""
        self.tokens: dict[str, User] = {"admin": ADMIN}
        self._wakers: dict[asyncio.Event, str] = {}
        self.epoch, self.drops, self.bookmarks = 0, False, 0
        self._tls = tls
        self.url = "http://double"

    def __enter__(self) -> Double:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._socket.getsockname()[1]}"
        self._loop = asyncio.new_event_loop()
        certificate, key = self._tls or (None, None)
        self._server = uvicorn.Server(
            uvicorn.Config(
                Handler(self), lifespan="off", log_level="critical", access_log=False, timeout_graceful_shutdown=1,
                ssl_certfile=certificate, ssl_keyfile=key, loop="asyncio", ws="none",
            )
        )  # fmt: skip
        self._thread = threading.Thread(target=self._run, name="kubernetes double", daemon=True)
        self.registry.listeners.append(self.wake)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.should_exit = True
        self.end_watches()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the double did not end"
        self.registry.listeners.remove(self.wake)
        assert not self.broken, self.broken

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._server.serve(sockets=[self._socket]))
        finally:
            self._loop.close()
            self._socket.close()

    def kubeconfig(self, token: str = "admin", namespace: str = "default") -> Object:
        """Return what a kubeconfig file for this server holds."""
        # Without it every client reads all the certificates that this machine trusts, which takes a while.
        cluster = {"server": self.url, "insecure-skip-tls-verify": True}
        context = {"cluster": "double", "user": "double", "namespace": namespace}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "double",
            "clusters": [{"name": "double", "cluster": cluster}],
            "users": [{"name": "double", "user": {"token": token}}],
            "contexts": [{"name": "double", "context": context}],
        }  # fmt: skip

    def token(self, namespace: str, account: str) -> str:
        """Return a token of a service account; what it may do is what roles kept here allow it."""
        token = secrets.token_hex(8)
        self.tokens[token] = service_account(namespace, account)
        return token

    def fail(
        self,
        status: int = 0,
        *,
        method: str = "",
        path: str = "",
        times: int = 1,
        retry_after_s: int = 0,
        drop: str = "",
        skip: int = 0,
    ) -> Fault:
        """Have the next `times` requests, whose method and path match these patterns, fail; 0 for all from now on.

        `skip` of them are let through first.

        `drop` is `before` or `after`: the connection goes without the request being carried out, or with it; with
        `never` it stays, and nothing is ever answered.
        """
        fault = Fault(re.compile(method), re.compile(path), times or 1_000_000_000, status, retry_after_s, drop, skip)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """Have no fault any more."""
        self.faults.clear()
        self.away = self.deaf = False

    def end_watches(self, *, drop: bool = False) -> None:
        """End every watch under way, as a time-out does or, with `drop`, as a lost connection does."""
        self.epoch, self.drops = self.epoch + 1, drop
        self.wake()

    def bookmark(self) -> None:
        """Send a bookmark to every watch that asked for them."""
        self.bookmarks += 1
        self.wake()

    def wake(self, what: str = "") -> None:
        """Have the watches look, and the controllers; or, with `what`, only who waits for that."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._woken, what)

    def _woken(self, what: str) -> None:
        for event, waits_for in list(self._wakers.items()):
            if what in ("", waits_for):
                event.set()
        if what:
            return
        for controller in self.controllers:
            try:
                controller()
            except Exception as error:  # it must not end the server; the test is told at the end
                self.broken.append(error)

    @contextlib.contextmanager
    def waking(self, what: str) -> Iterator[asyncio.Event]:
        """Yield what is set whenever something happens, for a watch of this path."""
        event = asyncio.Event()
        self._wakers[event] = what
        try:
            yield event
        finally:
            del self._wakers[event]

    def watches(self, plural: str, namespace: str = "") -> int:
        """Return how many watches of objects of a kind are under way."""
        return list(self._wakers.values()).count(f"{namespace}/{plural}")

    def fault_for(self, method: str, path: str) -> Fault | None:
        """Return what befalls this request."""
        for fault in self.faults:
            if fault.hit < fault.times and fault.method.search(method) and fault.path.search(path):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.hit += 1
                return fault
        return None

    def resource(self, plural: str) -> Resource:
        """Return the kind of this plural name, in the first version that serves it."""
        return next(each for each in self.registry.resources() if each.plural == plural)

    def objects(self, plural: str, namespace: str = "") -> list[Object]:
        """Return the objects of a kind."""
        return self.registry.all(self.resource(plural), namespace)

    def object(self, plural: str, namespace: str, name: str) -> Object | None:
        """Return the object, None where there is none."""
        try:
            return self.registry.get(self.resource(plural), namespace, name)
        except Refused:
            return None

    def create(self, plural: str, namespace: str, obj: Object) -> Object:
        """Keep an object as somebody else would."""
        return self.registry.create(self.resource(plural), namespace, obj)

    def define(self, definitions: list[Object]) -> None:
        """Keep CustomResourceDefinitions."""
        for each in definitions:
            self.create("customresourcedefinitions", "", each)

    def namespaces(self, *names: str) -> None:
        """Make namespaces."""
        for name in names:
            self.create("namespaces", "", {"metadata": {"name": name}})

    def written(self) -> list[str]:
        """Return which writes came, as `PUT /api/v1/…`."""
        return [f"{each.method} {each.path}" for each in self.seen if each.writes]
