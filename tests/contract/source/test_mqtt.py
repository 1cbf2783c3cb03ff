"""What MQTT has that others have not: sessions and retained messages; its older version is tried in `test_amqp.py`."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from tests.contract.source.rig import DEADLINE_S, Server, running
from tests.contract.source.servers.mosquitto import Mosquitto, MqttRig

Check = Callable[[MqttRig], Awaitable[None]]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def mosquitto(servers: Callable[[str], Server]) -> Mosquitto:
    """The server."""
    server = servers("mqtt")
    assert isinstance(server, Mosquitto)
    return server


def try_out(server: Mosquitto, check: Check) -> None:
    """Run a check on a topic of its own."""

    async def body() -> None:
        async with asyncio.timeout(DEADLINE_S), server.rig() as rig:
            assert isinstance(rig, MqttRig)
            await check(rig)

    asyncio.run(body())


def test_topics_that_the_trigger_no_longer_has_are_silent(mosquitto: Mosquitto) -> None:
    async def check(rig: MqttRig) -> None:
        async with running(rig.source()):
            pass
        other = f"other/{rig.name}"
        changed = rig.of(msgspec.structs.replace(rig.spec, topics=(f"$share/us/{other}",)))
        async with running(changed) as recorder:
            await rig.publish(b"of before")
            await rig.publish(b"of now", topic=other)
            assert [event.data for event in await recorder.until(1)] == [b"of now"]

    try_out(mosquitto, check)


def test_what_is_retained_comes_once_and_not_with_each_connection(mosquitto: Mosquitto) -> None:
    async def check(rig: MqttRig) -> None:
        await rig.publish(b"retained", retain=True)
        async with running(rig.source()) as recorder:
            assert (await recorder.until(1))[0].data == b"retained"
            recorder.gate.clear()
            await rig.publish(b"new")
            await recorder.until(2)
        async with running(rig.source()) as recorder:
            await rig.publish(b"last")
            assert [event.data for event in await recorder.until(2)] == [b"new", b"last"]

    try_out(mosquitto, check)
