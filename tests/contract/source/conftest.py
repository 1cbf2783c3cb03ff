"""The servers that sources are tried against; each is started once a session, when its first test comes.

RabbitMQ, of the kind `amqp`, is everybody's.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.contract.source.rig import Server
from tests.contract.source.servers.drop_folder import DropFolders
from tests.contract.source.servers.kafka.server import KafkaServer
from tests.contract.source.servers.mosquitto import Mosquitto
from tests.contract.source.servers.nats import JetStreams, NatsServer
from tests.contract.source.servers.postgresql import Outboxes, PostgresqlServer
from tests.contract.source.servers.redis import Redis

KINDS: dict[str, tuple[Callable[[Path], Server], Callable[[], str | None]]] = {
    "mqtt": (Mosquitto, Mosquitto.why_none),
    "kafka": (KafkaServer, KafkaServer.why_none),
    "files": (DropFolders, DropFolders.why_none),
    "redis": (Redis, Redis.why_none),
    "nats": (NatsServer, NatsServer.why_none),
    "postgresql": (PostgresqlServer, PostgresqlServer.why_none),
}
"""A kind of source: the server, and why there is none on this machine."""
VIEWS: dict[str, tuple[str, Callable[[Any], Server]]] = {
    "jetstream": ("nats", JetStreams),
    "outbox": ("postgresql", Outboxes),
}
"""Another kind of source that a server is as well."""


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Server]]:
    """Return the server of a kind; a test for which there is none is skipped."""
    started: dict[str, Server] = {}

    def of(kind: str) -> Server:
        if kind == "amqp":
            shared: Server = request.getfixturevalue("rabbitmq")
            return shared
        if kind in VIEWS:
            seen_in, view = VIEWS[kind]
            return view(of(seen_in))
        if kind not in started:
            make, why_none = KINDS[kind]
            if why := why_none():
                pytest.skip(why)
            server = make(tmp_path_factory.mktemp(kind))
            server.start()
            started[kind] = server
        return started[kind]

    yield of
    for server in started.values():
        server.close()


@pytest.fixture(params=[*KINDS, "amqp", *VIEWS])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """The server of each kind."""
    return servers(request.param)
