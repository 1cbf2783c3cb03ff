"""What brokers say that the one we test with does not, by a server of a few bytes."""

import asyncio
from collections.abc import Callable

import pytest

from dayfly.events.port import Lost
from dayfly.events.sources.mqtt import Mqtt
from dayfly.model.broker import MqttSource
from dayfly.model.event import Event
from dayfly.model.trigger_secret import Credentials

CONNACK = bytes.fromhex("2003000000")


async def _nobody(event: Event, /) -> None:
    raise AssertionError(event)


def told(say: Callable[[bytes], bytes | None]) -> str:
    """Return the sentence for a broker that answers so; None hangs up."""

    class Broker(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            answer = say(data)
            self.transport.write(answer) if answer is not None else self.transport.close()

    async def body() -> str:
        async with await asyncio.get_running_loop().create_server(Broker, "127.0.0.1", 0) as server:
            spec = MqttSource(host="localhost", port=server.sockets[0].getsockname()[1], topics=("a",))
            with pytest.raises(Lost) as lost:
                await Mqtt(spec, Credentials(), "me").run(_nobody, lambda: None)
        return str(lost.value)

    return asyncio.run(body())


def suback(data: bytes, code: str) -> bytes:
    """Return the answer to a subscription."""
    return b"\x90\x04" + data[2:4] + bytes.fromhex("00" + code)


def test_another_client_of_the_same_id_is_named_as_the_reason() -> None:
    def say(data: bytes) -> bytes:
        return CONNACK if data[0] == 0x10 else suback(data, "01") + bytes.fromhex("e0028e00")

    assert told(say).endswith("another client goes by the same client id")


def test_a_topic_that_is_not_ours_is_named() -> None:
    assert told(lambda data: CONNACK if data[0] == 0x10 else suback(data, "87")).endswith(
        "does not let us subscribe to a: not authorized"
    )


@pytest.mark.parametrize("noise", [b"\x20\xff\xff\xff\xff\xff", b"\x00\x00" * 9])
def test_what_is_no_broker_is_told(noise: bytes) -> None:
    assert "mqtt://localhost" in told(lambda _: noise)


def test_who_hangs_up_is_asked_in_the_older_version_and_then_told() -> None:
    versions = []

    def say(data: bytes) -> None:
        versions.append(data[8])

    assert "the connection was lost" in told(say)
    assert versions == [5, 4]
