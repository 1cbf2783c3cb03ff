"""mosquitto as Debian has it, with a password, a listener for TLS, and what it keeps on the disk."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import msgspec
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from tests.contract.source.rig import WRONG, Promises, Relay, Rig, wait_for_port
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

from dayfly.events.sources.mqtt import Mqtt
from dayfly.model.broker import MqttSource
from dayfly.model.trigger_secret import Credentials

USER, PASSWORD = "dayfly", "mosquitto-s-own"
CONFIG = """
persistence true
persistence_location {folder}/
allow_anonymous false
password_file {folder}/passwords
max_queued_messages 0
user root
listener {port} 127.0.0.1
listener {tls_port} 127.0.0.1
certfile {certificates.certificate}
keyfile {certificates.key}
"""


class Mosquitto:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = made_in(folder)
        self._process: subprocess.Popen[bytes] | None = None
        subprocess.run(
            [_program("mosquitto_passwd") or "", "-b", "-c", folder / "passwords", USER, PASSWORD], check=True
        )
        config = CONFIG.format(folder=folder, port=self.port, tls_port=self.tls_port, certificates=self.certificates)
        (folder / "mosquitto.conf").write_text(config)

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        return None if _program("mosquitto") else "there is no mosquitto; scripts/setup.sh installs it where it can"

    def start(self) -> None:
        """Start it."""
        with (self.folder / "log").open("ab") as log:
            command = [_program("mosquitto") or "", "-c", str(self.folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.tls_port, self._process)

    def kill(self) -> None:
        """End it; it writes down what it keeps only now, and whoever kills it harder loses that."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            self._process = None

    close = kill

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a topic."""
        async with Relay(self.port).open() as relay, Relay(self.tls_port).open() as tls_relay:
            yield MqttRig(self, relay, tls_relay)


class MqttRig:
    """A topic that nobody else has, and a session."""

    promises = Promises(keeps_id=False, held_bytes=20 * 64 * 1024)

    def __init__(self, server: Mosquitto, relay: Relay, tls_relay: Relay) -> None:
        self.server = server
        self.relay = relay
        self._tls_relay = tls_relay
        self.name = uuid.uuid4().hex
        self.topic = f"tests/{self.name}/Zähler"
        self.spec = MqttSource(host="localhost", port=relay.port, topics=(f"tests/{self.name}/#",))

    def source(self) -> Mqtt:
        """See the protocol."""
        return self.of(self.spec)

    def unwelcome(self) -> Mqtt:
        """See the protocol."""
        return Mqtt(self.spec, Credentials(user=USER, password=WRONG), self.name)

    def nowhere(self) -> Mqtt:
        """See the protocol."""
        return self.of(msgspec.structs.replace(self.spec, port=free_port()))

    def secured(self, *, trusting: bool) -> Mqtt:
        """See the protocol."""
        spec = msgspec.structs.replace(self.spec, port=self._tls_relay.port, tls=True)
        return self.of(spec, self.server.certificates.ca_text if trusting else "")

    async def publish(self, *bodies: bytes, topic: str = "", retain: bool = False) -> None:
        """See the protocol."""
        topic = topic or self.topic
        await asyncio.to_thread(sent, self.server.port, (USER, PASSWORD), topic, bodies, retain=retain)

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it out
        properties.ContentType = content_type
        properties.UserProperty = list(attributes.items())
        await asyncio.to_thread(sent, self.server.port, (USER, PASSWORD), self.topic, [body], properties)

    def of(self, spec: MqttSource, ca: str = "") -> Mqtt:
        """Return a source as the specification has it, with the right password."""
        return Mqtt(spec, Credentials(user=USER, password=PASSWORD, ca=ca), self.name)


def sent(
    port: int,
    who: tuple[str, str],
    topic: str,
    bodies: Iterable[bytes],
    properties: Properties | None = None,
    *,
    version: int = MQTTProtocolVersion.MQTTv5,
    retain: bool = False,
) -> None:
    """Publish messages by quality of service 1; return once the broker has them all."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion(version))
    client.username_pw_set(*who)
    client.connect("localhost", port)
    client.loop_start()
    try:
        for each in [client.publish(topic, body, 1, retain, properties) for body in bodies]:
            each.wait_for_publish(30)
    finally:
        client.disconnect()
        client.loop_stop()


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin")
