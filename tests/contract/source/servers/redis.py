"""Redis as Debian has it, with a password, a port for TLS, and what it keeps on the disk."""

import contextlib
import shutil
import subprocess
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import redis
import redis.asyncio
from tests.contract.source.rig import WRONG, Promises, Relay, Rig, wait_for_port
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

from dayfly.events.sources.redis import BATCH, RedisStreams
from dayfly.model.broker import RedisSource
from dayfly.model.trigger_secret import Credentials

PASSWORD = "redis-s own"


class Redis:
    """The server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.certificates = made_in(folder)
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        return None if shutil.which("redis-server") else "there is no redis-server on this machine"

    def start(self) -> None:
        """Start it."""
        options = {
            "bind": "127.0.0.1", "port": self.port, "tls-port": self.tls_port, "tls-auth-clients": "no",
            "tls-cert-file": self.certificates.certificate, "tls-key-file": self.certificates.key,
            "dir": self.folder, "save": "", "appendonly": "yes", "appendfsync": "always", "requirepass": PASSWORD,
        }  # fmt: skip
        command = ["redis-server", *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self.tls_port, self._process)
        with redis.Redis(port=self.port, password=PASSWORD) as client:
            while True:  # It lets nobody in while it reads what it had.
                with contextlib.suppress(redis.BusyLoadingError):
                    client.ping()
                    return

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    close = kill

    def client(self) -> redis.asyncio.Redis:
        """Return a client of the tests' own."""
        return redis.asyncio.Redis(port=self.port, password=PASSWORD)

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a stream."""
        async with Relay(self.port).open() as relay, Relay(self.tls_port).open() as tls_relay:
            yield RedisRig(self, relay, tls_relay)


class RedisRig:
    """A stream that nobody else has, and a group of it."""

    promises = Promises(binds=False, at_once=BATCH, held_bytes=(BATCH + 4) * 64 * 1024)

    def __init__(self, server: Redis, relay: Relay, tls_relay: Relay) -> None:
        self.server = server
        self.relay = relay
        self._tls_relay = tls_relay
        self.name = uuid.uuid4().hex
        self.stream = f"tests:{self.name}:Zähler"
        self.spec = RedisSource(host="localhost", port=relay.port, streams=(self.stream,), field="body")

    def source(self) -> RedisStreams:
        """See the protocol."""
        return self._source(self.spec)

    def unwelcome(self) -> RedisStreams:
        """See the protocol."""
        return RedisStreams(self.spec, Credentials(password=WRONG), self.name)

    def nowhere(self) -> RedisStreams:
        """See the protocol."""
        return self._source(msgspec.structs.replace(self.spec, port=free_port()))

    def secured(self, *, trusting: bool) -> RedisStreams:
        """See the protocol."""
        spec = msgspec.structs.replace(self.spec, port=self._tls_relay.port, tls=True)
        return self._source(spec, self.server.certificates.ca_text if trusting else "")

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        async with self.server.client() as client:
            for body in bodies:
                await client.xadd(self.stream, {"body": body})

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        raise NotImplementedError("an entry has no properties")

    def _source(self, spec: RedisSource, ca: str = "") -> RedisStreams:
        return RedisStreams(spec, Credentials(password=PASSWORD, ca=ca), self.name)
