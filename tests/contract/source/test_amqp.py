"""What RabbitMQ has that other servers have not: exchanges, queues of our own, and ways to be refused."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from pamqp.commands import Basic
from tests.contract.source.rig import DEADLINE_S, Recorder, lost, running
from tests.contract.source.servers.mosquitto import sent
from tests.contract.source.servers.rabbitmq import PASSWORD, USER, AmqpRig, RabbitMq

from dayfly.events.sources.mqtt import Mqtt
from dayfly.model.broker import MqttSource
from dayfly.model.trigger_secret import Credentials

Check = Callable[[AmqpRig], Awaitable[None]]

pytestmark = pytest.mark.timeout(300)


def try_out(server: RabbitMq, check: Check) -> None:
    """Run a check on a queue of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), server.rig() as rig:
            assert isinstance(rig, AmqpRig)
            await check(rig)

    asyncio.run(body())


def test_an_exchange_is_read_by_its_routing_keys_through_a_queue_that_stays(rabbitmq: RabbitMq) -> None:
    async def check(rig: AmqpRig) -> None:
        exchange = f"orders-{uuid.uuid4().hex}"
        async with rabbitmq.connected() as connection:
            channel = await connection.channel()
            await channel.exchange_declare(exchange, exchange_type="topic", durable=True)

        async def publish(key: str) -> None:
            await rig.send((key.encode(), Basic.Properties(delivery_mode=2)), exchange=exchange, key=key)

        spec = msgspec.structs.replace(rig.spec, queue="", exchange=exchange, routing_keys=("order.*", "refund"))
        async with running(rig.of(spec)) as recorder:
            for key in ("order.made", "other", "refund"):
                await publish(key)
            events = await recorder.until(2)
            recorder.gate.clear()
            await publish("order.last")
            await recorder.until(3)
        assert [event.subject for event in events[:2]] == ["order.made", "refund"]
        assert all(event.source.endswith(f"/%2F/{exchange}") for event in events)
        await publish("order.meanwhile")
        async with running(rig.of(spec)) as recorder:
            assert [event.data for event in await recorder.until(2)] == [b"order.last", b"order.meanwhile"]
        # With other keys nothing comes any more that was asked for before.
        changed = msgspec.structs.replace(spec, routing_keys=("refund",))
        async with running(rig.of(changed)) as recorder:
            await publish("order.unasked")
            await publish("refund")
            assert [event.data for event in await recorder.until(1)] == [b"refund"]

    try_out(rabbitmq, check)


def test_what_is_not_there_or_not_ours_is_named(rabbitmq: RabbitMq) -> None:
    async def check(rig: AmqpRig) -> None:
        missing = msgspec.structs.replace(rig.spec, queue="no-queue")
        assert "the broker does not have a queue no-queue" in await lost(rig.of(missing))
        missing = msgspec.structs.replace(rig.spec, queue="", exchange="no-exchange")
        assert "the broker does not have an exchange no-exchange" in await lost(rig.of(missing))
        missing = msgspec.structs.replace(rig.spec, vhost="no/host")
        assert "there is no virtual host no/host" in await lost(rig.of(missing))
        assert "refused the user or the password" in await lost(rig.unwelcome())

    try_out(rabbitmq, check)


def test_a_queue_that_is_deleted_is_told(rabbitmq: RabbitMq) -> None:
    async def check(rig: AmqpRig) -> None:
        recorder = Recorder()
        task = asyncio.create_task(lost(rig.source(), recorder))
        await recorder.is_ready.wait()
        async with rabbitmq.connected() as connection:
            channel = await connection.channel()
            await channel.queue_delete(rig.name)
        assert f"the queue {rig.name} was deleted" in await task

    try_out(rabbitmq, check)


def test_its_mqtt_of_the_version_before_is_read_as_well(rabbitmq: RabbitMq) -> None:
    name = uuid.uuid4().hex
    source = Mqtt(
        MqttSource(host="localhost", port=rabbitmq.mqtt_port, topics=(f"{name}/+",)),
        Credentials(user=USER, password=PASSWORD),
        name,
    )

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S):
            async with running(source) as recorder:
                recorder.gate.clear()
                await asyncio.to_thread(
                    sent, rabbitmq.mqtt_port, (USER, PASSWORD), f"{name}/a", [b"1", b"2"], version=4
                )
                assert (await recorder.until(1))[0].subject == f"{name}/a"
            async with running(source) as recorder:
                assert [event.data for event in await recorder.until(2)] == [b"1", b"2"]

    asyncio.run(body())
