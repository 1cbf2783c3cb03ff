"""Messages of brokers on the real platform: each calls its function, also when the control plane is killed then."""

import asyncio
import json
import os
import signal
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pamqp.commands import Basic
from tests.contract.source.rig import Relay
from tests.contract.source.servers import mosquitto, rabbitmq
from tests.contract.source.servers.kafka import server as kafka
from tests.system.door import pid_of
from tests.system.driver import Platform, eventually

pytestmark = pytest.mark.timeout(300)  # RabbitMQ takes its time to start on a busy machine.
REFUSING = """
def handle(event, context):
    return {"statusCode": 500, "body": "not yet"}
"""
SINK = """
def handle(event, context):
    print("got", event.headers["Ce-Type"], event.body.decode(), flush=True)
"""
MANY = 20
Publish = Callable[[list[bytes]], None]


class Broker:
    """A server, what a trigger is told of it, and a way to publish."""

    def __init__(self, settings: dict[str, object], access: str, publish: Publish) -> None:
        self.settings = settings
        self.access = access
        self.publish = publish


def mqtt_broker(folder: Path, stack: ExitStack) -> Broker:
    if why := mosquitto.Mosquitto.why_none():
        pytest.skip(why)
    server = mosquitto.Mosquitto(folder)
    server.start()
    stack.callback(server.close)
    who = (mosquitto.USER, mosquitto.PASSWORD)
    return Broker(
        {"host": "localhost", "port": server.port, "topics": "sensors/+/state"},
        ":".join(who),
        lambda bodies: mosquitto.sent(server.port, who, "sensors/door/state", bodies),
    )


def amqp_broker(server: rabbitmq.RabbitMq) -> Broker:
    rig = rabbitmq.AmqpRig(server, Relay(0), Relay(0), uuid.uuid4().hex)
    exchange = "amq.topic"

    def publish(bodies: list[bytes]) -> None:
        messages = ((body, Basic.Properties(delivery_mode=2)) for body in bodies)
        asyncio.run(rig.send(*messages, exchange=exchange, key="order.made"))

    settings = {"host": "localhost", "port": server.port, "exchange": exchange, "routing_keys": "order.*"}
    return Broker(settings, json.dumps({"user": rabbitmq.USER, "password": rabbitmq.PASSWORD}), publish)


def kafka_broker(folder: Path, stack: ExitStack) -> Broker:
    server = kafka.KafkaServer(folder)
    server.start()
    stack.callback(server.close)
    rig = kafka.KafkaRig(server, Relay(0), Relay(0), partitions=3)
    return Broker(
        {"brokers": f"localhost:{server.port}", "topics": rig.name},
        f"{kafka.USER}:{kafka.PASSWORD}",
        lambda bodies: asyncio.run(rig.publish(*bodies)),
    )


BROKERS = {"mqtt": mqtt_broker, "kafka": kafka_broker}


@pytest.fixture(scope="module")
def shop(shared_platform: Platform) -> Platform:
    """A platform."""
    return shared_platform


@pytest.fixture(params=["mqtt", "amqp", "kafka"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Broker]]:
    """A broker of each kind."""
    with ExitStack() as stack:
        if request.param == "amqp":
            yield request.param, amqp_broker(request.getfixturevalue("rabbitmq"))
        else:
            yield request.param, BROKERS[request.param](tmp_path, stack)


def test_each_message_calls_also_when_the_control_plane_is_killed(shop: Platform, broker: tuple[str, Broker]) -> None:
    kind, server = broker
    # Its calls become dead letters, and are made once all is quiet: what is said while the control plane is away gets
    # lost, and the calls must not.
    function = f"sink-{kind}"
    shop.deploy_function(shop.data_dir.parent / function, REFUSING, "--annotation", "com.openfaas.retry.attempts=1")
    shop.ok("secret", "create", f"{kind}-access", "--from-literal", server.access)
    settings = [part for name, value in server.settings.items() for part in ("--set", f"{name}={value}")]
    shop.ok("trigger", "create", kind, "--function", function, "--kind", kind, "--secret", f"{kind}-access", *settings)
    eventually("the trigger runs", lambda: standing(shop, kind)["state"] == "running", deadline_s=60)

    bodies = [f"{kind}-{number}".encode() for number in range(3 * MANY)]
    server.publish(bodies[:MANY])
    os.kill(pid_of(shop, "control"), signal.SIGKILL)
    server.publish(bodies[MANY : 2 * MANY])
    eventually("the trigger runs again", lambda: is_running(shop, kind), deadline_s=60)
    server.publish(bodies[2 * MANY :])

    eventually("every message has called", lambda: len(dead_letters(shop, function)) >= len(bodies), deadline_s=60)
    shop.deploy_function(shop.data_dir.parent / function, SINK)
    shop.ok("queue", "redrive", "--function", function)
    expected = {body.decode() for body in bodies}
    eventually("every message is told", lambda: expected <= set(called(shop, function)), deadline_s=60)
    if kind != "mqtt":  # whose messages have no name by which one that comes again is known
        assert set(called(shop, function).values()) == {1}
    shop.ok("trigger", "remove", kind)
    assert server.access.partition(":")[2] not in shop.log()


def standing(shop: Platform, kind: str) -> dict[str, object]:
    """Return how the trigger does."""
    found: dict[str, object] = json.loads(shop.ok("trigger", "describe", kind, "--output", "json"))["standing"]
    return found


def is_running(shop: Platform, kind: str) -> bool:
    """Whether it runs, for who asks while the control plane may be away."""
    done = shop.run("trigger", "describe", kind, "--output", "json")
    return done.code == 0 and json.loads(done.out)["standing"]["state"] == "running"


def dead_letters(shop: Platform, function: str) -> list[str]:
    """Return the function's dead letters."""
    return shop.ok("queue", "dead", "--function", function, "--limit", "1000", "--output", "name").split()


def called(shop: Platform, function: str) -> Counter[str]:
    """Return how often the function was called with what."""
    lines = shop.ok("logs", function, "--lines", "0").splitlines()
    return Counter(line.split()[-1] for line in lines if " com.dayfly." in line)
