"""nats-server with JetStream, with a password and TLS, to be had as core NATS and as a durable consumer."""

import contextlib
import json
import os
import ssl
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import nats
from nats.aio.client import Client
from tests.contract.source.rig import WRONG, Promises, Relay, Rig, wait_for_port
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

from dayfly.control.clock import SystemClock
from dayfly.events.sources.nats import WORKERS, Nats
from dayfly.model.broker import NatsSource
from dayfly.model.trigger_secret import Credentials
from dayfly.queue.binary import find_server

USER, PASSWORD = "dayfly", "nats-s:own/@"


class NatsServer:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.certificates = made_in(folder)
        self._process: subprocess.Popen[bytes] | None = None
        who = {"user": USER, "password": PASSWORD, "permissions": {"subscribe": {"deny": ["forbidden.>"]}}}
        config = {
            "listen": f"127.0.0.1:{self.port}", "max_payload": 4 * 2**20, "authorization": {"users": [who]},
            "tls": {"cert_file": str(self.certificates.certificate), "key_file": str(self.certificates.key)},
            "jetstream": {"store_dir": str(folder), "sync_interval": "always"},
        }  # fmt: skip
        (folder / "config").write_text(json.dumps(config))

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        return find_server(os.environ).missing or None

    def start(self) -> None:
        """Start it."""
        with (self.folder / "log").open("ab") as log:
            command = [str(find_server(os.environ).path), "-c", str(self.folder / "config")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.port, self._process)

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    close = kill

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Open a client of the tests' own."""
        tls = ssl.create_default_context(cadata=self.certificates.ca_text)
        client = await nats.connect(f"tls://localhost:{self.port}", user=USER, password=PASSWORD, tls=tls)
        try:
            yield client
        finally:
            await client.close()

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a subject."""
        async with Relay(self.port).open() as relay:
            yield NatsRig(self, relay)


class JetStreams:
    """A server whose subjects are kept in streams."""

    def __init__(self, server: NatsServer) -> None:
        self._server = server
        self.start, self.kill, self.close = server.start, server.kill, server.close

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a subject that a stream keeps."""
        async with Relay(self._server.port).open() as relay:
            rig = JetStreamRig(self._server, relay)
            async with self._server.client() as client:
                await client.jetstream().add_stream(name=rig.name, subjects=[rig.subject])
            yield rig


class NatsRig:
    """A subject that nobody else has."""

    promises = Promises(comes_again=False, waits=False, survives=False)
    durable = ""

    def __init__(self, server: NatsServer, relay: Relay) -> None:
        self.server = server
        self.relay = relay
        self.credentials = Credentials(user=USER, password=PASSWORD, ca=server.certificates.ca_text)
        self.name = uuid.uuid4().hex
        self.subject = f"tests.{self.name}.counter"
        self.spec = NatsSource(
            tls=True,
            servers=(f"localhost:{relay.port}",),
            subjects=(self.subject,),
            queue="tests",
            durable=self.durable,
        )

    def source(self) -> Nats:
        """See the protocol."""
        return self._source(self.spec)

    def unwelcome(self) -> Nats:
        """See the protocol."""
        return Nats(self.spec, msgspec.structs.replace(self.credentials, password=WRONG), SystemClock())

    def nowhere(self) -> Nats:
        """See the protocol."""
        return self._source(msgspec.structs.replace(self.spec, servers=(f"localhost:{free_port()}",)))

    def secured(self, *, trusting: bool) -> Nats:
        """See the protocol."""
        return self._source(self.spec) if trusting else Nats(self.spec, Credentials(), SystemClock())

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        await self._publish(bodies, {})

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        headers = {f"ce-{name}": value for name, value in attributes.items()}
        await self._publish((body,), {**headers, "Content-Type": content_type})

    def _source(self, spec: NatsSource) -> Nats:
        return Nats(spec, self.credentials, SystemClock(), again_s=1.0)

    async def _publish(self, bodies: tuple[bytes, ...], headers: Mapping[str, str]) -> None:
        async with self.server.client() as client:
            for body in bodies:
                await client.publish(self.subject, body, headers=dict(headers))
            await client.flush()


class JetStreamRig(NatsRig):
    """A subject that nobody else has, a stream and a consumer of it."""

    promises = Promises(at_once=WORKERS, held_bytes=(WORKERS + 4) * 64 * 1024)
    durable = "tests"

    async def _publish(self, bodies: tuple[bytes, ...], headers: Mapping[str, str]) -> None:
        async with self.server.client() as client:
            for body in bodies:
                await client.jetstream().publish(self.subject, body, headers=dict(headers))
