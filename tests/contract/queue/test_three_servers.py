"""Three servers as an installation has them, and one that is killed: what was accepted is all there."""

import asyncio
import contextlib
import functools
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.contract.queue.conftest import until
from tests.unit.server.cluster.making import find, made

from dayfly.model.errors import StoreUnavailable, Unavailable
from dayfly.model.queued import QueuedCall, Request
from dayfly.queue.binary import find_server
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.objects import Objects

PASSWORDS = {"queue-password": "wcalls", "queue-system-password": "wsystem"}
ROUTE = "wroute"


class Servers:
    """nats-server three times, each at an address and with a Secret of its own, as an installation has them."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder, self.path = folder, path
        net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"  # noqa: S311 - so that two tests do not meet
        self.addresses = [f"{net}.{number}" for number in (1, 2, 3)]
        self._config, self._alone = (
            str(find(made(name), "ConfigMap", "dayfly-queue")["data"]["nats.conf"]) for name in ("much", "plain")
        )
        (container,) = find(made("much"), "StatefulSet", "dayfly-queue")["spec"]["template"]["spec"]["containers"]
        self._environ = {"QUEUE_ROUTE_PASSWORD": ROUTE}
        for each in container["env"]:
            if "QUEUE_ROUTE" in each["name"] and "value" in each:
                url = each["value"].replace("$(QUEUE_ROUTE_PASSWORD)", ROUTE)
                for number, address in enumerate(self.addresses):
                    url = url.replace(f"dayfly-queue-{number}.dayfly-queue.faas.svc", address)
                self._environ[each["name"]] = url
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, number: int, *, alone: bool = False) -> None:
        """Start one of the three; `alone` as the only one of an installation that has one."""
        address, folder = self.addresses[number], self._folder / str(number)
        folder.mkdir(exist_ok=True)
        config = (self._alone if alone else self._config).replace("0.0.0.0", address).replace('"/data"', f'"{folder}"')  # noqa: S104 - what is replaced
        log = f'log_file: "{folder}/log"\n'
        (folder / "nats.conf").write_text(re.sub(r"(?m)^http: .*$", "", config) + log)
        self.give(number)
        argv = [sys.executable, "-P", "-m", "dayfly.queue.keeper", self.path, "--config", str(folder / "nats.conf")]
        argv += ["--credentials", str(folder), "--run", str(folder / "run"), "--poll", "0.05"]
        environ = {**self._environ, "POD_NAME": f"dayfly-queue-{number}"}
        self._running[address] = subprocess.Popen(argv, env=environ, start_new_session=True)

    def give(self, number: int, **passwords: str) -> None:
        """Have the files of a server's Secret be these, as Kubernetes brings them."""
        changed = {key.replace("_", "-"): word for key, word in passwords.items()}
        for key, word in (PASSWORDS | changed).items():
            fresh = self._folder / str(number) / f".{key}"
            fresh.write_text(word)
            fresh.replace(self._folder / str(number) / key)

    def users(self, number: int) -> str:
        """Return what a server was told of passwords last."""
        return (self._folder / str(number) / "run" / "users.conf").read_text()

    def kill(self, number: int) -> None:
        _kill(self._running.pop(self.addresses[number]))

    def end(self, number: int) -> int:
        """Wait for what runs there to end by itself, and return its code."""
        return self._running.pop(self.addresses[number]).wait(60)

    def folder(self, number: int) -> Path:
        """Return where a server keeps what it has."""
        return self._folder / str(number)

    def stop(self) -> None:
        for process in self._running.values():
            _kill(process)

    def tell(self, access: Path, number: int, changed: dict[str, str] | None = None) -> None:
        """Have a client find this server, as the Service's name would lead it to one that is there."""
        found = {"host": self.addresses[number], "port": 4222, "password": PASSWORDS["queue-password"],
                 "system_password": PASSWORDS["queue-system-password"]} | (changed or {})  # fmt: skip
        access.write_bytes(msgspec.json.encode(found))


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill the keeper and its server, as a pod that is lost."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Servers]:
    """The three, of which none is started."""
    server = find_server({})
    if server.path is None:
        pytest.skip(server.missing)
    found = Servers(tmp_path, str(server.path))
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture
def servers(places: Servers) -> Servers:
    """All three, started."""
    for number in range(3):
        places.start(number)
    return places


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


def test_passwords_are_changed_while_calls_come_in_and_none_is_lost(servers: Servers, tmp_path: Path) -> None:
    """Each server hears of it at another time, and the control plane between them."""
    new, system = {"queue_password": "wnew", "queue_system_password": "wnewsystem"}, "wsystem"
    later = {"password": "wnew", "previous": "wcalls", "system_password": "wnewsystem", "system_previous": system}

    async def main() -> None:
        access = tmp_path / "access.json"
        servers.tell(access, 0)
        store, accepted, told = JetStreamStore(access), 0, asyncio.Event()

        async def come() -> None:
            nonlocal accepted
            while not told.is_set():
                call = call_of(f"c{accepted}")
                await insisting(functools.partial(store.accept, call, Request(b"", b"body")))
                accepted += 1

        async def more() -> None:
            """Wait until calls come in after what was done."""
            before = accepted
            async with asyncio.timeout(60):
                await until(lambda: accepted >= before + 20)

        async with working(store):
            coming = asyncio.create_task(come())
            await more()
            servers.give(1, **new)  # one that we are not connected to
            await more()
            servers.give(0, **new)  # the one that we are: it has us log in anew, by the password before
            await reconnected(store, 1)
            await more()
            servers.tell(access, 2, changed=later)  # we know the new one, and the third server does not
            assert "wnew" not in servers.users(2)
            await broken(store)
            await more()
            servers.give(2, **new)
            await reconnected(store, 3)
            await more()
            told.set()
            await coming
            kept = {each.call.id for each in await insisting(store.kept)}
            assert kept == {f"c{number}" for number in range(accepted)}

    asyncio.run(main())


async def reconnected(store: JetStreamStore, times: int) -> None:
    async with asyncio.timeout(60):
        await until(lambda: store.connection.reconnects >= times and store.connection.is_up)


async def broken(store: JetStreamStore) -> None:
    """Break the connection, so that it is made anew with what is known now."""
    before = store.connection.reconnects
    client = store.connection._client
    assert client is not None
    await client.close()
    await reconnected(store, before + 1)
