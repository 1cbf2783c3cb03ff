"""What NATS does beyond the contract: consumers that are there, what may not be read, and servers without TLS."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from nats.js.api import ConsumerConfig
from tests.contract.source.rig import DEADLINE_S, Server, lost, running
from tests.contract.source.servers.nats import PASSWORD, JetStreamRig

from dayfly.control.clock import SystemClock
from dayfly.events.sources.nats import Nats
from dayfly.model.broker import NatsSource
from dayfly.model.trigger_secret import Credentials


def try_out(servers: Callable[[str], Server], check: Callable[[JetStreamRig], Awaitable[None]]) -> None:
    """Run a check on a stream of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), servers("jetstream").rig() as rig:
            assert isinstance(rig, JetStreamRig)
            await check(rig)

    asyncio.run(body())


def test_a_server_that_has_no_tls_is_told_nothing() -> None:
    heard = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.12.0","max_payload":1024,"auth_required":true}\r\n')
        heard.extend(await reader.read())
        writer.close()

    async def check() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spec = NatsSource(servers=(f"127.0.0.1:{port}",), tls=True, subjects=("a",))
        for credentials in (Credentials(user="me", password=PASSWORD), Credentials(token=PASSWORD), Credentials()):
            assert "has no TLS" in await lost(Nats(spec, credentials, SystemClock()))
        server.close()
        await server.wait_closed()

    asyncio.run(check())
    assert bytes(heard) == b""


def test_what_was_kept_before_comes_where_it_is_wanted(servers: Callable[[str], Server]) -> None:
    async def check(rig: JetStreamRig) -> None:
        await rig.publish(b"before")
        rig.spec = msgspec.structs.replace(rig.spec, start="earliest")
        async with running(rig.source()) as recorder:
            (event,) = await recorder.until(1)
            assert event.data == b"before"
            assert event.id.startswith(f"{rig.name}/1/")

    try_out(servers, check)


def test_what_a_source_that_is_stopped_had_begun_comes_again_soon(servers: Callable[[str], Server]) -> None:
    async def check(rig: JetStreamRig) -> None:
        source = Nats(rig.spec, rig.credentials, SystemClock(), again_s=3600.0)
        async with running(source) as recorder:
            recorder.gate.clear()
            await rig.publish(b"begun")
            before = await recorder.until(1)
        async with running(rig.source()) as recorder:
            assert await recorder.until(1) == before

    try_out(servers, check)


def test_a_consumer_follows_the_trigger_s_subjects(servers: Callable[[str], Server]) -> None:
    async def check(rig: JetStreamRig) -> None:
        async with rig.server.client() as client:
            await client.jetstream().update_stream(name=rig.name, subjects=[rig.subject, f"{rig.subject}.more"])
        async with running(rig.source()):
            pass
        rig.spec = msgspec.structs.replace(rig.spec, subjects=(f"{rig.subject}.more",))
        rig.subject = f"{rig.subject}.more"
        async with running(rig.source()) as recorder:
            await rig.publish(b"more")
            assert (await recorder.until(1))[0].data == b"more"

    try_out(servers, check)


def test_a_consumer_that_cannot_be_pulled_from_is_told(servers: Callable[[str], Server]) -> None:
    async def check(rig: JetStreamRig) -> None:
        async with rig.server.client() as client:
            config = ConsumerConfig(durable_name="tests", deliver_subject="elsewhere")
            await client.jetstream().add_consumer(rig.name, config)
        assert "the consumer tests is none to pull from" in await lost(rig.source())

    try_out(servers, check)


def test_a_subject_that_no_stream_keeps_or_that_is_forbidden_is_told(servers: Callable[[str], Server]) -> None:
    async def check(rig: JetStreamRig) -> None:
        rig.spec = msgspec.structs.replace(rig.spec, subjects=("nobody.keeps",))
        assert "no JetStream stream keeps the subject nobody.keeps" in await lost(rig.source())
        rig.spec = msgspec.structs.replace(rig.spec, subjects=("forbidden.it",), durable="")
        assert "permissions violation" in await lost(rig.source())

    try_out(servers, check)
