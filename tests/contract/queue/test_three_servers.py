"""Three servers as an installation has them, and one that is killed: what was accepted is all there."""

import asyncio
import contextlib
import random
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.server.cluster.making import find, made

from dayfly.model.errors import StoreUnavailable, Unavailable
from dayfly.model.queued import QueuedCall, Request
from dayfly.queue.binary import find_server
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.objects import Objects

PASSWORDS = {"QUEUE_PASSWORD": "wcalls", "QUEUE_SYSTEM_PASSWORD": "wsystem"}


class Servers:
    """nats-server three times, each at an address of its own, with the configuration of an installation."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder, self._path = folder, path
        net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"  # noqa: S311 - so that two tests do not meet
        self.addresses = [f"{net}.{number}" for number in (1, 2, 3)]
        nodes = made("much")
        self._config = str(find(nodes, "ConfigMap", "dayfly-queue")["data"]["nats.conf"])
        (container,) = find(nodes, "StatefulSet", "dayfly-queue")["spec"]["template"]["spec"]["containers"]
        self._environ = dict(PASSWORDS)
        for each in container["env"]:
            if "QUEUE_ROUTE" in each["name"]:
                url = each["value"].replace("$(QUEUE_SYSTEM_PASSWORD)", PASSWORDS["QUEUE_SYSTEM_PASSWORD"])
                for number, address in enumerate(self.addresses):
                    url = url.replace(f"dayfly-queue-{number}.dayfly-queue.faas.svc", address)
                self._environ[each["name"]] = url
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        address, folder = self.addresses[number], self._folder / str(number)
        folder.mkdir(exist_ok=True)
        config = self._config.replace("0.0.0.0", address).replace('"/data"', f'"{folder}"')  # noqa: S104 - what is replaced
        (folder / "nats.conf").write_text(re.sub(r"(?m)^http: .*$", "", config))
        argv = [self._path, "-c", str(folder / "nats.conf"), "-l", str(folder / "log")]
        self._running[address] = subprocess.Popen(argv, env={**self._environ, "POD_NAME": f"dayfly-queue-{number}"})

    def kill(self, number: int) -> None:
        process = self._running.pop(self.addresses[number])
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def tell(self, access: Path, number: int, nodes: int = 3) -> None:
        """Have a client find this server, as the Service's name would lead it to one that is there."""
        found = {"host": self.addresses[number], "port": 4222, "nodes": nodes,
                 "password": PASSWORDS["QUEUE_PASSWORD"],
                 "system_password": PASSWORDS["QUEUE_SYSTEM_PASSWORD"]}  # fmt: skip
        access.write_bytes(msgspec.json.encode(found))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    server = find_server({})
    if server.path is None:
        pytest.skip(server.missing)
    found = Servers(tmp_path, str(server.path))
    try:
        for number in range(3):
            found.start(number)
        yield found
    finally:
        found.stop()


def call_of(call_id: str) -> QueuedCall:
    return QueuedCall(id=call_id, function="echo.openfaas-fn", target="/", accepted_unix_ms=5, due_unix_ms=7)


@contextlib.asynccontextmanager
async def working(*parts: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def insisting(step: Any) -> Any:
    """Return what a step comes to, once the servers that are left have agreed on who leads."""
    async with asyncio.timeout(120):
        while True:
            try:
                return await step()
            except (Unavailable, StoreUnavailable):
                await asyncio.sleep(0.1)


def test_what_was_accepted_is_there_when_any_one_was_killed(servers: Servers, tmp_path: Path) -> None:
    async def main() -> None:
        access = tmp_path / "access.json"
        servers.tell(access, 0)
        store, objects = JetStreamStore(access), Objects(access)
        async with working(store, objects):
            first = [call_of(f"a{number}") for number in range(20)]
            await insisting(store.kept)
            for call in first:
                await store.accept(call, Request(b"", b"body"))
            await insisting(lambda: objects.put("sha256:x", b"code" * 50_000))
            for stream in ("calls", "results", "keys", "OBJ_bundles"):
                info = await (await store.connection.context()).stream_info(stream)
                assert info.config.num_replicas == 3, stream
            servers.tell(access, 1)
            servers.kill(0)  # the one that we are connected to
            later = call_of("b")
            await insisting(lambda: store.accept(later, Request(b"", b"body")))
            kept = {each.call.id for each in await insisting(store.kept)}
            assert kept == {call.id for call in (*first, later)}
            assert await insisting(lambda: objects.get("sha256:x")) == b"code" * 50_000
            servers.start(0)
            servers.tell(access, 2)
            servers.kill(1)
            assert {each.call.id for each in await insisting(store.kept)} == kept
            assert await insisting(lambda: store.request("a0")) is not None

    asyncio.run(main())
