"""The servers that hand out messages, as sources of triggers: what each needs to be told."""

import re
from typing import ClassVar, Literal

from dayfly.model.endpoint import Endpoint, check_endpoints, check_names, check_words, parse_endpoint
from dayfly.model.errors import InvalidSpec
from dayfly.model.trigger_source import Source

_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}(\.[A-Za-z_][A-Za-z0-9_$]{0,62})?", re.ASCII)


class Server(Source, frozen=True, kw_only=True):
    """A source that is one server."""

    PORT: ClassVar[int]
    TLS_PORT: ClassVar[int]

    host: str
    port: int = 0
    """0 for the usual one."""
    tls: bool = False

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The hosts and ports that the control plane connects to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (parse_endpoint("source.host", host, self.port or (self.TLS_PORT if self.tls else self.PORT)),)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        if not 0 <= self.port <= 65_535:
            raise InvalidSpec(f"source.port: {self.port} must be from 1 to 65535")
        _ = self.endpoints


class NatsSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="nats"):
    """Subjects of a NATS server."""

    servers: tuple[str, ...]
    """`HOST` or `HOST:PORT` each, of one cluster."""
    tls: bool = False
    subjects: tuple[str, ...]
    """With `*` and `>` as NATS has them."""
    queue: str = ""
    """The queue group that shares the subjects' messages."""
    durable: str = ""
    """The name of a JetStream consumer, which keeps what comes meanwhile; empty for core NATS, which does not."""
    start: Literal["latest", "earliest"] = "latest"
    """Where a JetStream consumer begins that is not there yet."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The hosts and ports that the control plane connects to."""
        return tuple(parse_endpoint("source.servers", server, 4222) for server in self.servers)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        check_endpoints("source.servers", self.servers, 4222)
        check_names("source.subjects", self.subjects, most_length=255)
        if any(" " in subject for subject in self.subjects):
            raise InvalidSpec("source.subjects: a subject has no spaces")
        check_words(queue=self.queue, durable=self.durable)
        if "." in self.durable:
            raise InvalidSpec("source.durable: a consumer's name has no dots")


class KafkaSource(Source, frozen=True, kw_only=True, tag_field="kind", tag="kafka"):
    """Topics of a Kafka cluster."""

    brokers: tuple[str, ...]
    """`HOST` or `HOST:PORT` each; the cluster then names further ones."""
    tls: bool = False
    sasl: Literal["plain", "scram-sha-256", "scram-sha-512"] = "plain"
    """How the secret's user and password are shown; without a secret nobody is asked."""
    topics: tuple[str, ...]
    group: str = ""
    """The consumer group whose place in the topics is kept; empty for `dayfly.NAMESPACE.TRIGGER`."""
    start: Literal["latest", "earliest"] = "latest"
    """Where a group begins that has no place yet."""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """The hosts and ports that the control plane connects to."""
        return tuple(parse_endpoint("source.brokers", broker, 9092) for broker in self.brokers)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        check_endpoints("source.brokers", self.brokers, 9092)
        check_names("source.topics", self.topics, most_length=249)
        for topic in self.topics:
            check_words(topics=topic)
        check_words(group=self.group)


class MqttSource(Server, frozen=True, kw_only=True, tag_field="kind", tag="mqtt"):
    """Topics of an MQTT broker."""

    PORT: ClassVar[int] = 1883
    TLS_PORT: ClassVar[int] = 8883

    topics: tuple[str, ...]
    """With `+` and `#` as MQTT has them."""
    qos: Literal[0, 1, 2] = 1
    client_id: str = ""
    """By which the broker keeps what comes meanwhile; empty for one made of namespace and trigger."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        super().check()
        check_names("source.topics", self.topics)
        check_words(client_id=self.client_id)


class AmqpSource(Server, frozen=True, kw_only=True, tag_field="kind", tag="amqp"):
    """A queue of RabbitMQ or another broker of AMQP 0-9-1, or an exchange, for which it has a queue of its own."""

    PORT: ClassVar[int] = 5672
    TLS_PORT: ClassVar[int] = 5671

    vhost: str = "/"
    queue: str = ""
    """One that is there; or, with an exchange, what its own is called, instead of a name of namespace and trigger."""
    exchange: str = ""
    """One that is there, to which its queue is bound."""
    routing_keys: tuple[str, ...] = ()
    """By which it is bound; empty for all messages."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        super().check()
        if not (self.queue or self.exchange):
            raise InvalidSpec("source.queue: an amqp source needs a queue, or an exchange")
        if self.routing_keys and not self.exchange:
            raise InvalidSpec("source.routing_keys: are for an exchange; a queue is bound already")
        check_names("source.vhost", (self.vhost,), most_length=255)
        for field, name in (("queue", self.queue), ("exchange", self.exchange)):
            check_names(f"source.{field}", tuple(filter(None, (name,))), least=0, most_length=255)
        check_names("source.routing_keys", self.routing_keys, least=0, most_length=255)


class RedisSource(Server, frozen=True, kw_only=True, tag_field="kind", tag="redis"):
    """Streams of a Redis server."""

    PORT: ClassVar[int] = 6379
    TLS_PORT: ClassVar[int] = 6379

    db: int = 0
    streams: tuple[str, ...]
    group: str = ""
    """The consumer group whose place in the streams is kept; empty for `dayfly.NAMESPACE.TRIGGER`."""
    start: Literal["latest", "earliest"] = "latest"
    """Where a group begins that has no place yet."""
    field: str = ""
    """The field of an entry that is an event's data, as it is; empty for all fields, as JSON."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        super().check()
        if not 0 <= self.db <= 10_000:
            raise InvalidSpec(f"source.db: {self.db} must be from 0 to 10000")
        check_names("source.streams", self.streams)
        check_names("source.field", tuple(filter(None, (self.field,))), least=0)
        check_words(group=self.group)


class PostgresqlSource(Server, frozen=True, kw_only=True, tag_field="kind", tag="postgresql"):
    """Channels that a database is told by NOTIFY, or a table of its rows as an outbox, or both."""

    PORT: ClassVar[int] = 5432
    TLS_PORT: ClassVar[int] = 5432

    database: str
    channels: tuple[str, ...] = ()
    outbox: str = ""
    """A table, also as `SCHEMA.TABLE`, whose rows are taken away as they are delivered; channels wake it earlier."""

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidName, InvalidSpec with the field in the text."""
        super().check()
        check_names("source.database", (self.database,), most_length=63)
        check_names("source.channels", self.channels, least=0 if self.outbox else 1, most_length=63)
        if self.outbox and not _TABLE.fullmatch(self.outbox):
            raise InvalidSpec(f"source.outbox: {self.outbox[:80]!r} is not TABLE or SCHEMA.TABLE")
