"""RabbitMQ as Debian has it: a node of the tests' own, whose folder, name, cookie and ports nobody else has."""

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiormq
import msgspec
from aiormq.abc import AbstractConnection
from pamqp.commands import Basic
from pamqp.common import FieldTable
from tests.contract.source.rig import WRONG, Promises, Relay, Rig, wait_for_port, wait_until_free
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

from dayfly.events.sources.amqp import Amqp
from dayfly.model.broker import AmqpSource
from dayfly.model.trigger_secret import Credentials

USER, PASSWORD = "dayfly", "rabbit-s:own/@"
URL = "amqp://dayfly:rabbit-s%3Aown%2F%40@127.0.0.1"
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONFIG = """
listeners.tcp.1 = 127.0.0.1:{port}
listeners.ssl.1 = 127.0.0.1:{tls_port}
ssl_options.cacertfile = {certificates.ca}
ssl_options.certfile = {certificates.certificate}
ssl_options.keyfile = {certificates.key}
default_user = {user}
default_pass = {password}
mqtt.listeners.tcp.1 = 127.0.0.1:{mqtt_port}
mqtt.vhost = /
"""


class RabbitMq:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port, self.mqtt_port, self._epmd_port = (free_port() for _ in range(4))
        self.certificates = made_in(folder)
        self._process: subprocess.Popen[bytes] | None = None
        config = CONFIG.format(
            port=self.port,
            tls_port=self.tls_port,
            mqtt_port=self.mqtt_port,
            certificates=self.certificates,
            user=USER,
            password=PASSWORD,
        )
        (folder / "rabbitmq.conf").write_text(config)
        for name, content in (("env.conf", ""), ("advanced.config", "[].\n"), ("plugins", "[rabbitmq_mqtt].\n")):
            (folder / name).write_text(content)
        self._env = {
            "PATH": os.environ["PATH"] + ":/usr/sbin",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_RELAXED_COMMAND_CHECK": "1",  # or it would not end while it thinks of a node that was killed
            "RABBITMQ_NODENAME": f"t{uuid.uuid4().hex[:8]}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            # Few schedulers, and none that spins: nobody measures it, and others need the cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none +S 1:1 +SDcpu 1:1 +SDio 1",
        }

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        return None if PROGRAM.exists() else "there is no RabbitMQ; scripts/setup.sh installs it where it can"

    def start(self) -> None:
        """Start it."""
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                [PROGRAM], env=self._env, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        for port in (self.port, self.tls_port, self.mqtt_port):
            wait_for_port(port, self._process)

    def kill(self) -> None:
        """End it; killed harder it would forget the queues of its last seconds, which are not on the disk yet."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it, and the port mapper that it started."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for port in (self.port, self.tls_port, self.mqtt_port):  # The shell is gone; the server is its child.
                wait_until_free(port)
        epmd = shutil.which("epmd") or "epmd"
        subprocess.run([epmd, "-port", str(self._epmd_port), "-kill"], env=self._env, capture_output=True, check=True)

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a queue."""
        rig_name = uuid.uuid4().hex
        async with self.connected() as connection:
            channel = await connection.channel()
            await channel.queue_declare(rig_name, durable=True)
        async with Relay(self.port).open() as relay, Relay(self.tls_port).open() as tls_relay:
            yield AmqpRig(self, relay, tls_relay, rig_name)

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[AbstractConnection]:
        """Open a connection past the relay."""
        connection = await aiormq.connect(f"{URL}:{self.port}/")
        try:
            yield connection
        finally:
            await connection.close()


class AmqpRig:
    """A queue that nobody else has."""

    promises = Promises(held_bytes=20 * 64 * 1024)

    def __init__(self, server: RabbitMq, relay: Relay, tls_relay: Relay, name: str) -> None:
        self.server = server
        self.relay = relay
        self._tls_relay = tls_relay
        self.name = name
        self.spec = AmqpSource(host="localhost", port=relay.port, queue=name)

    def source(self) -> Amqp:
        """See the protocol."""
        return self.of(self.spec)

    def unwelcome(self) -> Amqp:
        """See the protocol."""
        return Amqp(self.spec, Credentials(user=USER, password=WRONG), self.name)

    def nowhere(self) -> Amqp:
        """See the protocol."""
        return self.of(msgspec.structs.replace(self.spec, port=free_port()))

    def secured(self, *, trusting: bool) -> Amqp:
        """See the protocol."""
        spec = msgspec.structs.replace(self.spec, port=self._tls_relay.port, tls=True)
        return self.of(spec, self.server.certificates.ca_text if trusting else "")

    def of(self, spec: AmqpSource, ca: str = "") -> Amqp:
        """Return a source as the specification has it, with the right password."""
        return Amqp(spec, Credentials(user=USER, password=PASSWORD, ca=ca), self.name)

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        await self.send(*((body, Basic.Properties(delivery_mode=2)) for body in bodies))

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        headers: FieldTable = {f"cloudEvents:{name}": value for name, value in attributes.items()}
        await self.send((body, Basic.Properties(delivery_mode=2, content_type=content_type, headers=headers)))

    async def send(self, *messages: tuple[bytes, Basic.Properties], exchange: str = "", key: str = "") -> None:
        """Publish bodies with their properties; aiormq gives each an id that has none."""
        async with self.server.connected() as connection:
            channel = await connection.channel(publisher_confirms=True)
            for body, properties in messages:
                await channel.basic_publish(
                    body, exchange=exchange, routing_key=key or self.name, properties=properties
                )
