"""PostgreSQL as Debian has it, with a password and TLS, to be had by its notifications and by an outbox.

It does not run as root, so its folder is not below the tests', which others may not pass.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from tests.contract.source.rig import WRONG, Promises, Relay, Rig, wait_for_port
from tests.contract.source.servers.certificates import made_in
from tests.ports import free_port

from dayfly.control.clock import SystemClock
from dayfly.events.sources.outbox import BATCH
from dayfly.events.sources.postgresql import Postgresql
from dayfly.model.broker import PostgresqlSource
from dayfly.model.trigger_secret import Credentials

USER, PASSWORD, DATABASE = "dayfly", "postgresql-s own", "postgres"
ACCOUNT = "postgres"
PLACES = Path("/usr/lib/postgresql")


class PostgresqlServer:
    """The server."""

    def __init__(self, _folder: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dayfly-postgresql-"))
        self.port = free_port()
        self.certificates = made_in(self.folder)
        self._account = ACCOUNT if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "password").write_text(PASSWORD)
        self.certificates.key.chmod(0o600)
        if self._account:
            for each in (self.folder, *self.folder.iterdir()):
                shutil.chown(each, self._account)
        subprocess.run(
            [_programs()[-1] / "initdb", "-D", "data", "-U", USER, "--pwfile=password", "--auth=scram-sha-256", "-N",
             "--locale=C", "--encoding=UTF8"],
            cwd=self.folder, user=self._account, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    @staticmethod
    def why_none() -> str | None:
        """Return why it cannot be started here."""
        if not _programs():
            return "there is no PostgreSQL on this machine"
        known = any(entry.pw_name == ACCOUNT for entry in pwd.getpwall())
        return None if known or os.geteuid() else f"PostgreSQL does not run as root, and there is no user {ACCOUNT}"

    def start(self) -> None:
        """Start it."""
        options = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "ssl": "on",
            "ssl_cert_file": self.certificates.certificate, "ssl_key_file": self.certificates.key,
            "shared_buffers": "16MB", "fsync": "off",
        }  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            command: list[str | Path] = [
                _programs()[-1] / "postgres",
                "-D",
                "data",
                *(f"--{key}={options[key]}" for key in options),
            ]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, user=self._account)
        wait_for_port(self.port, self._process)
        asking: list[str | Path] = [
            _programs()[-1] / "pg_isready",
            "--quiet",
            "--host=127.0.0.1",
            f"--port={self.port}",
        ]
        while subprocess.run(asking).returncode != 0:  # It listens before it lets anybody in.
            assert self._process.poll() is None, (self.folder / "log").read_text()

    def kill(self) -> None:
        """End it, without a word to anybody, and all its processes with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it, and leave nothing."""
        self.kill()
        shutil.rmtree(self.folder)

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        """Open a connection of the tests' own."""
        connection = await asyncpg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, database=DATABASE
        )
        try:
            yield connection
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a channel."""
        async with Relay(self.port).open() as relay:
            yield ChannelRig(self, relay)


class Outboxes:
    """A server with outboxes."""

    def __init__(self, server: PostgresqlServer) -> None:
        self._server = server
        self.start, self.kill, self.close = server.start, server.kill, server.close

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open an outbox."""
        async with Relay(self._server.port).open() as relay:
            rig = OutboxRig(self._server, relay)
            async with self._server.client() as client:
                await client.execute(f'CREATE TABLE "{rig.table}" (id bigserial PRIMARY KEY, payload bytea)')
            yield rig


class ChannelRig:
    """A channel that nobody else has."""

    promises = Promises(comes_again=False, waits=False, survives=False, binds=False, largest=7_000)

    def __init__(self, server: PostgresqlServer, relay: Relay) -> None:
        self.server = server
        self.relay = relay
        self.name = uuid.uuid4().hex
        self.table = f"T_{self.name}"
        self.channel = f'Zähler "{self.name}"'
        self.spec = PostgresqlSource(host="localhost", port=relay.port, database=DATABASE, channels=(self.channel,))

    def source(self) -> Postgresql:
        """See the protocol."""
        return self._source(self.spec)

    def unwelcome(self) -> Postgresql:
        """See the protocol."""
        return Postgresql(self.spec, Credentials(user=USER, password=WRONG), SystemClock())

    def nowhere(self) -> Postgresql:
        """See the protocol."""
        return self._source(msgspec.structs.replace(self.spec, port=free_port()))

    def secured(self, *, trusting: bool) -> Postgresql:
        """See the protocol."""
        spec = msgspec.structs.replace(self.spec, tls=True)
        return self._source(spec, self.server.certificates.ca_text if trusting else "")

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        async with self.server.client() as client:
            for body in bodies:
                await client.execute("SELECT pg_notify($1, $2)", self.channel, body.decode())

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        raise NotImplementedError("a notification has no properties")

    def _source(self, spec: PostgresqlSource, ca: str = "") -> Postgresql:
        return Postgresql(spec, Credentials(user=USER, password=PASSWORD, ca=ca), SystemClock())


class OutboxRig(ChannelRig):
    """An outbox that nobody else has, and a channel that tells of its rows."""

    promises = Promises(binds=False, at_once=BATCH, held_bytes=(BATCH + 4) * 64 * 1024)

    def __init__(self, server: PostgresqlServer, relay: Relay) -> None:
        super().__init__(server, relay)
        self.spec = msgspec.structs.replace(self.spec, outbox=self.table)

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        async with self.server.client() as client, client.transaction():
            statement = f'INSERT INTO "{self.table}" (payload) VALUES ($1)'  # noqa: S608 # a name of ours
            await client.executemany(statement, [(body,) for body in bodies])
            await client.execute("SELECT pg_notify($1, '')", self.channel)


def _programs() -> list[Path]:
    return sorted(PLACES.glob("*/bin"), key=lambda place: int(place.parent.name))
