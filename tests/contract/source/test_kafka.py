"""What Kafka has that others have not: partitions, groups that share them, keys, and batches that are compressed."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiokafka.record.util import calc_crc32c
from tests.contract.source.rig import DEADLINE_S, Recorder, Relay, Server, lost, running
from tests.contract.source.servers.kafka.server import KafkaRig, KafkaServer

Check = Callable[[KafkaRig], Awaitable[None]]
CODEC_LZ4 = 3


@pytest.fixture
def kafka(servers: Callable[[str], Server]) -> KafkaServer:
    """The server."""
    server = servers("kafka")
    assert isinstance(server, KafkaServer)
    return server


def try_out(server: KafkaServer, check: Check, partitions: int = 1) -> None:
    """Run a check on a topic of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), Relay(server.port).open() as relay:
            await check(KafkaRig(server, relay, relay, partitions))

    asyncio.run(body())


def test_members_of_a_group_share_the_partitions_and_take_over(kafka: KafkaServer) -> None:
    async def check(rig: KafkaRig) -> None:
        spec = msgspec.structs.replace(rig.spec, group=f"group-{rig.name}")

        async def publish(mark: str) -> set[bytes]:
            bodies = {partition: f"{mark}{partition}".encode() for partition in range(4)}
            for partition, body in bodies.items():
                await rig.send((body, None, []), partition=partition)
            return set(bodies.values())

        async with AsyncExitStack() as stack:
            first = await stack.enter_async_context(running(rig.of(spec, name=f"{rig.name}-1")))
            async with running(rig.of(spec, name=f"{rig.name}-2")) as second:
                await publish("shared-")
                await first.until(2)
                await second.until(2)
                shared = [event.data for event in (*first.events, *second.events)]
                assert sorted(shared) == [b"shared-%d" % number for number in range(4)]
                second.gate.clear()
                alone = await publish("alone-")
                await second.until(3)
                await first.until(4)
            await first.until(6)
        assert alone == {event.data for event in first.events[2:]}

    try_out(kafka, check, partitions=4)


def test_a_message_read_again_by_another_member_is_the_same_event(kafka: KafkaServer) -> None:
    async def check(rig: KafkaRig) -> None:
        spec = msgspec.structs.replace(rig.spec, group=f"group-{rig.name}")
        async with running(rig.of(spec, name=f"{rig.name}-1")) as first:
            first.gate.clear()
            await rig.publish(b"x")
            before = (await first.until(1))[0]
        async with running(rig.of(spec, name=f"{rig.name}-2")) as second:
            assert await second.until(1) == [before]

    try_out(kafka, check)


@pytest.mark.parametrize(("start", "expected"), [("earliest", [b"old", b"new"]), ("latest", [b"new"])])
def test_a_new_group_begins_where_it_was_told(kafka: KafkaServer, start: str, expected: list[bytes]) -> None:
    async def check(rig: KafkaRig) -> None:
        await rig.publish(b"old")
        spec = msgspec.convert(msgspec.to_builtins(rig.spec) | {"start": start}, type(rig.spec))
        async with running(rig.of(spec)) as recorder:
            await rig.publish(b"new")
            assert [event.data for event in await recorder.until(len(expected))] == expected

    try_out(kafka, check)


def test_a_topic_that_is_not_there_is_named(kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.events.sources.kafka.ANSWER_S", 0.5)

    async def check(rig: KafkaRig) -> None:
        missing = msgspec.structs.replace(rig.spec, topics=("not-there",))
        assert "the cluster does not have the topics not-there" in await lost(rig.of(missing))

    try_out(kafka, check)


def test_a_refused_password_is_named_as_the_reason(kafka: KafkaServer) -> None:
    async def check(rig: KafkaRig) -> None:
        assert "refused the user or the password" in await lost(rig.unwelcome())

    try_out(kafka, check)


def test_a_batch_that_cannot_be_unpacked_is_not_passed_over(kafka: KafkaServer) -> None:
    async def check(rig: KafkaRig) -> None:
        recorder = Recorder()
        task = asyncio.create_task(lost(rig.source(), recorder))
        await recorder.is_ready.wait()
        kafka.broker.topics[rig.name][0].alter = packed
        await rig.publish(b"packed")
        assert "pip install cramjam" in await task
        assert recorder.events == []

    try_out(kafka, check)


def packed(batch: bytes) -> bytes:
    """Return a batch that says it is compressed by LZ4, for which aiokafka wants a library of its own."""
    body = batch[21:]
    body = struct.pack(">h", struct.unpack(">h", body[:2])[0] | CODEC_LZ4) + body[2:]
    return batch[:17] + struct.pack(">I", calc_crc32c(body)) + body
