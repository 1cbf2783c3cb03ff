"""Functions that are called by others' servers: made by the command line, on one platform, over what dies meanwhile."""

import asyncio
import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.contract.source.servers import nats, postgresql, rclone, redis
from tests.system.conftest import end
from tests.system.door import Door, pid_of
from tests.system.driver import Platform, eventually

HANDLER = """
def handle(event, context):
    told = {name.lower(): value for name, value in event.headers.items()}
    print("called", told["ce-type"], told["ce-subject"], event.body.decode(), flush=True)
"""


class World:
    """Servers that belong to others, and a platform with a function for each kind of source."""

    def __init__(self, platform: Platform, folder: Path, stack: ExitStack) -> None:
        self.platform = platform
        self.drop = folder / "drop"
        self.drop.mkdir()
        self._folder = folder
        self.redis = self._server(redis.Redis, stack)
        self.nats = self._server(nats.NatsServer, stack)
        self.postgresql = self._server(postgresql.PostgresqlServer, stack)
        self.s3 = self._server(rclone.S3Server, stack)
        (self.s3.folder / "photos").mkdir()
        asyncio.run(self._prepare())

    def _server(self, kind: Any, stack: ExitStack) -> Any:
        if why := kind.why_none():
            pytest.skip(why)
        folder = self._folder / kind.__name__
        folder.mkdir()
        server = kind(folder)
        stack.callback(server.close)
        server.start()
        return server

    async def _prepare(self) -> None:
        async with self.nats.client() as client:
            await client.jetstream().add_stream(name="ORDERS", subjects=["orders.>"])
        async with self.postgresql.client() as client:
            await client.execute("CREATE TABLE outbox (id bigserial PRIMARY KEY, payload jsonb, type text)")

    def make(self, name: str, kind: str, secret: str, *settings: str) -> None:
        """Make a trigger as a user does; its name is printed by the function it calls."""
        options = [part for setting in settings for part in ("--set", setting)]
        if secret:
            options += ["--secret", secret]
        self.platform.ok("trigger", "create", name, "--function", "sink", "--kind", kind, *options)

    def keep(self, name: str, **secret: str) -> None:
        """Keep what lets a trigger into a server."""
        self.platform.ok("secret", "create", name, stdin=json.dumps(secret))

    def states(self) -> dict[str, str]:
        """Return how each trigger does."""
        answer = Door(self.platform).api("GET", "/v1/namespaces/openfaas-fn/triggers")
        return {each["spec"]["name"]: each["standing"]["state"] for each in answer.json()}

    def calls(self) -> list[str]:
        """Return what the function was called with."""
        answer = Door(self.platform).api("GET", "/v1/namespaces/openfaas-fn/functions/sink/logs")
        return [each.partition("called ")[2] for each in re.findall(r"called [^\"]*", answer.body.decode())]

    def calls_like(self, wanted: str) -> int:
        """Return how often it was called so."""
        return sum(call.startswith(wanted) for call in self.calls())

    async def publish(self, number: int) -> None:
        """Have something happen at every server."""
        async with self.redis.client() as client:
            await client.xadd("orders", {"order": str(number)})
        async with self.nats.client() as nats_client:
            await nats_client.jetstream().publish("orders.new", b"order %d" % number)
        async with self.postgresql.client() as client:
            await client.execute(f"INSERT INTO outbox (payload, type) VALUES ('[{number}]', 'order')")  # noqa: S608 # a number
            await client.execute(f"NOTIFY rows; NOTIFY news, 'order {number}'")
        hidden = self.drop / f".{number}"
        hidden.write_bytes(b"x" * number)
        hidden.rename(self.s3.folder / "photos" / f"{number}.jpg")
        hidden.write_bytes(b"order %d" % number)
        hidden.rename(self.drop / f"{number}.csv")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """All of it, running."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        platform = Platform(folder / "data", {"DAYFLY_TRIGGER_FOLDERS": name})
        stack.callback(end, platform)
        world = World(platform, folder, stack)
        platform.start()
        platform.deploy_function(folder / "sink", HANDLER)
        pg_ca, nats_ca = world.postgresql.certificates.ca_text, world.nats.certificates.ca_text
        world.keep("postgresql", user=postgresql.USER, password=postgresql.PASSWORD, ca=pg_ca)
        world.keep("redis", password=redis.PASSWORD)
        world.keep("nats", user=nats.USER, password=nats.PASSWORD, ca=nats_ca)
        world.keep("s3", user=rclone.ACCESS, password=rclone.SECRET)
        place: tuple[str, ...] = (
            "host=localhost",
            f"port={world.postgresql.port}",
            "tls=true",
            f"database={postgresql.DATABASE}",
        )
        world.make("rows", "postgresql", "postgresql", *place, "outbox=outbox", "channels=rows")
        world.make("news", "postgresql", "postgresql", *place, "channels=news")
        place = ("host=localhost", f"port={world.redis.port}")
        world.make("stream", "redis", "redis", *place, "streams=orders", "field=order")
        place = (f"servers=localhost:{world.nats.port}", "tls=true")
        world.make("subject", "nats", "nats", *place, "subjects=orders.*", "durable=shop")
        place = (f"endpoint={world.s3.endpoint}", "bucket=photos")
        world.make("bucket", "s3", "s3", *place, "suffix=.jpg", "interval=1s")
        world.make("folder", "files", "", f"folder={world.drop}", "pattern=*.csv", "interval=200ms")
        yield world


DURABLE = (
    "order outbox [{}]",
    "com.dayfly.redis.entry orders {}",
    "com.dayfly.nats.message orders.new order {}",
    "com.dayfly.s3.object.created {}.jpg ",
    "com.dayfly.file.arrived {}.csv order {}",
)
FLEETING = ("com.dayfly.postgresql.notification news order {}",)


def called_once(world: World, kinds: tuple[str, ...], numbers: range) -> None:
    """Wait until the function was called for each kind and number, and see that it was not called twice."""
    wanted = [kind.replace("{}", str(number)) for kind in kinds for number in numbers]
    eventually("every call is made", lambda: all(map(world.calls_like, wanted)))
    assert [world.calls_like(each) for each in wanted] == [1] * len(wanted)


def test_what_happens_at_each_server_calls_a_function(world: World) -> None:
    eventually("every trigger runs", lambda: set(world.states().values()) == {"running"})
    asyncio.run(world.publish(1))
    called_once(world, DURABLE + FLEETING, range(1, 2))


def test_a_control_plane_that_is_killed_meanwhile_costs_nothing_that_a_server_keeps(world: World) -> None:
    for number in (2, 3):
        pid = pid_of(world.platform, "control")
        os.kill(pid, signal.SIGKILL)
        asyncio.run(world.publish(number))
        eventually("there is another", lambda pid=pid: pid_of(world.platform, "control") != pid)  # type: ignore[misc] # mypy infers no lambda with defaults
    called_once(world, DURABLE, range(1, 4))
    eventually("the files are put away", lambda: len(os.listdir(world.drop / ".done")) == 3)


def test_a_folder_that_the_operator_did_not_name_is_refused(world: World) -> None:
    settings = ("--kind", "files", "--set", "folder=/etc")
    done = world.platform.run("trigger", "create", "elsewhere", "--function", "sink", *settings)
    assert done.code != 0
    assert "DAYFLY_TRIGGER_FOLDERS" in done.err
