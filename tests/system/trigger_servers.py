"""A server of each kind that triggers connect to, with what the examples and the pages expect to find in it."""

import asyncio
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiormq
import pytest
from pamqp.commands import Basic
from tests.contract.source.rig import Relay
from tests.contract.source.servers import mosquitto, nats, postgresql, rabbitmq, rclone, redis
from tests.contract.source.servers.kafka import server as kafka


class Servers:
    """All of them, running; and a way to have the same happen at each."""

    def __init__(self, folder: Path, stack: ExitStack, amqp: rabbitmq.RabbitMq) -> None:
        self._folder, self._stack = folder, stack
        self.mqtt: mosquitto.Mosquitto = self._server(mosquitto.Mosquitto)
        self.amqp = amqp
        self.kafka: kafka.KafkaServer = self._server(kafka.KafkaServer)
        self.redis: redis.Redis = self._server(redis.Redis)
        self.nats: nats.NatsServer = self._server(nats.NatsServer)
        self.postgresql: postgresql.PostgresqlServer = self._server(postgresql.PostgresqlServer)
        self.s3: rclone.S3Server = self._server(rclone.S3Server)
        self.drops = [folder / "drop-1", folder / "drop-2"]
        for each in (*self.drops, self.s3.folder / "photos"):
            each.mkdir()
        self._clicks = kafka.KafkaRig(self.kafka, Relay(0), Relay(0))
        self._clicks.name = "clicks"
        self.kafka.broker.make_topic("clicks", 1)

    def access(self) -> dict[str, str]:
        """Return what lets a trigger into the server of a kind."""
        told = {
            "mqtt": {"user": mosquitto.USER, "password": mosquitto.PASSWORD, "ca": self.mqtt.certificates.ca_text},
            "rabbitmq": {"user": rabbitmq.USER, "password": rabbitmq.PASSWORD, "ca": self.amqp.certificates.ca_text},
            "kafka": {"user": kafka.USER, "password": kafka.PASSWORD, "ca": self.kafka.certificates.ca_text},
            "redis": {"password": redis.PASSWORD},
            "nats": {"user": nats.USER, "password": nats.PASSWORD, "ca": self.nats.certificates.ca_text},
            "postgresql": {
                "user": postgresql.USER,
                "password": postgresql.PASSWORD,
                "ca": self.postgresql.certificates.ca_text,
            },
            "s3": {"user": rclone.ACCESS, "password": rclone.SECRET},
        }
        return {name: json.dumps(fields) for name, fields in told.items()}

    async def prepare(self, *statements: str) -> None:
        """Make what has to be there: a stream, a queue, an exchange, tables."""
        async with self.nats.client() as client:
            await client.jetstream().add_stream(name="ORDERS", subjects=["orders.>"])
        async with self.amqp.connected() as connection:
            channel = await connection.channel()
            await channel.queue_declare("jobs", durable=True)
            await channel.exchange_declare("orders", exchange_type="topic", durable=True)
        async with self.postgresql.client() as client:
            for statement in statements:
                await client.execute(statement)

    async def publish(self, number: int) -> None:
        """Have something happen at every server, for the sources of the pages and of the examples."""
        text = f"order {number}"
        who = (mosquitto.USER, mosquitto.PASSWORD)
        await asyncio.to_thread(mosquitto.sent, self.mqtt.port, who, "sensors/door/state", [text.encode()])
        await self._to_rabbitmq(text.encode())
        await self._clicks.publish(text.encode())
        async with self.redis.client() as client:
            await client.xadd("orders", {"order": text})
        async with self.nats.client() as nats_client:
            await nats_client.jetstream().publish("orders.new", text.encode())
        async with self.postgresql.client() as client:
            for table in ("outbox", "shop_outbox"):
                await client.execute(f"INSERT INTO {table} (payload) VALUES ('[{number}]')")  # noqa: S608 # ours
            await client.execute(f"NOTIFY outbox_changed; NOTIFY shop_outbox; NOTIFY news, '{text}'")
        (self.s3.folder / "photos" / f"{number}.jpg").write_bytes(b"x" * number)
        for drop in self.drops:
            hidden = drop / f".{number}"
            hidden.write_text(text)
            hidden.rename(drop / f"{number}.csv")

    async def _to_rabbitmq(self, body: bytes) -> None:
        async with self.amqp.connected() as connection:
            channel: aiormq.abc.AbstractChannel = await connection.channel(publisher_confirms=True)
            for exchange, key in (("", "jobs"), ("orders", "order.made")):
                await channel.basic_publish(
                    body, exchange=exchange, routing_key=key, properties=Basic.Properties(delivery_mode=2)
                )

    def _server(self, kind: Any) -> Any:
        if why := kind.why_none():
            pytest.skip(why)
        folder = self._folder / kind.__name__
        folder.mkdir()
        server = kind(folder)
        self._stack.callback(server.close)
        server.start()
        return server
