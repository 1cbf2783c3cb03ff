"""The stand-in for Kafka among the servers of the contract, written to by aiokafka's producer."""

import contextlib
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from tests.contract.source.rig import WRONG, Promises, Relay, Rig
from tests.contract.source.servers.certificates import made_in
from tests.contract.source.servers.kafka.broker import KafkaBroker
from tests.ports import free_port

from dayfly.events.sources.kafka import Kafka
from dayfly.model.broker import KafkaSource
from dayfly.model.trigger_secret import Credentials

USER, PASSWORD = "dayfly", "kafka-s-own"
Headers = Sequence[tuple[str, bytes]]


class KafkaServer:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = made_in(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        self.broker = KafkaBroker((self.port, self.tls_port), context, USER, PASSWORD)

    @staticmethod
    def why_none() -> str | None:
        """It is part of the tests."""
        return None

    def start(self) -> None:
        """Start it."""
        self.broker.start()

    def kill(self) -> None:
        """Stop it at once; its topics are kept."""
        self.broker.stop()

    close = kill

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a topic."""
        async with Relay(self.port).open() as relay, Relay(self.tls_port).open() as tls_relay:
            yield KafkaRig(self, relay, tls_relay)


class KafkaRig:
    """A topic that nobody else has, and a group."""

    promises = Promises(mends=True, held_bytes=10 * 64 * 1024)

    def __init__(self, server: KafkaServer, relay: Relay, tls_relay: Relay, partitions: int = 1) -> None:
        self.server = server
        self.relay = relay
        self._tls_relay = tls_relay
        self.name = uuid.uuid4().hex
        self.spec = KafkaSource(brokers=(f"localhost:{relay.port}",), topics=(self.name,))
        server.broker.make_topic(self.name, partitions)

    def source(self) -> Kafka:
        """See the protocol."""
        return self.of(self.spec)

    def unwelcome(self) -> Kafka:
        """See the protocol."""
        return Kafka(self.spec, Credentials(user=USER, password=WRONG), self.name)

    def nowhere(self) -> Kafka:
        """See the protocol."""
        return self.of(msgspec.structs.replace(self.spec, brokers=(f"localhost:{free_port()}",)))

    def secured(self, *, trusting: bool) -> Kafka:
        """See the protocol."""
        spec = msgspec.structs.replace(self.spec, brokers=(f"localhost:{self._tls_relay.port}",), tls=True)
        return self.of(spec, self.server.certificates.ca_text if trusting else "")

    def of(self, spec: KafkaSource, ca: str = "", name: str = "") -> Kafka:
        """Return a source as the specification has it, with the right password."""
        self.server.broker.advertised[name or self.name] = (self._tls_relay if spec.tls else self.relay).port
        return Kafka(spec, Credentials(user=USER, password=PASSWORD, ca=ca), name or self.name)

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        await self.send(*((body, None, []) for body in bodies))

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
        await self.send((body, None, [*headers, ("content-type", content_type.encode())]))

    async def send(self, *messages: tuple[bytes | None, bytes | None, Headers], partition: int | None = None) -> None:
        """Publish bodies with their keys and headers."""
        producer = AIOKafkaProducer(
            bootstrap_servers=f"localhost:{self.server.port}",
            security_protocol="SASL_PLAINTEXT",
            sasl_plain_username=USER,
            sasl_plain_password=PASSWORD,
            max_request_size=2**23,
        )
        await producer.start()
        try:
            sent = [
                await producer.send(self.name, body, key=key, headers=list(headers), partition=partition)
                for body, key, headers in messages
            ]
            for each in sent:
                await each
        finally:
            await producer.stop()
