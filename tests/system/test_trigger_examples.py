"""What docs/events.md tells people to type, and examples/triggers, against a real server of each kind."""

import asyncio
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.contract.source.servers import postgresql
from tests.contract.source.servers.rabbitmq import RabbitMq
from tests.system.conftest import end
from tests.system.door import Door
from tests.system.driver import EXAMPLES, ROOT, Platform, Reply, eventually
from tests.system.page_blocks import blocks
from tests.system.trigger_servers import Servers

from dayfly.model.trigger import TriggerSource

pytestmark = pytest.mark.timeout(900)  # Some forty commands, each a process, and RabbitMQ takes its time.
PAGE = blocks(ROOT / "docs" / "events.md")
README = blocks(EXAMPLES / "triggers" / "README.md")
KEY = "0123456789abcdef"
KINDS = {str(each.__struct_config__.tag) for each in TriggerSource.__args__}
SECRETS = {"shop-db": "postgresql"}
"""The secrets of the page that are not called as in `Servers.access`."""
FLOW = """
name: ship-order
steps:
  - {name: told, do: call, function: shop}
"""


class World:
    """The servers, and a platform with a folder of functions to be deployed from."""

    def __init__(self, platform: Platform, servers: Servers, folder: Path) -> None:
        self.platform, self.servers, self.folder = platform, servers, folder

    def api(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Ask the control plane something about the namespace; a command for each would take long."""
        door = Door(self.platform)
        return door.ask(method, f"/v1/namespaces/openfaas-fn/{path}", body, **headers, **door.login)

    def triggers(self) -> dict[str, Any]:
        """Return every trigger as the API shows it."""
        return {each["spec"]["name"]: each for each in self.api("GET", "triggers").json()}

    def states(self) -> dict[str, str]:
        """Return how each trigger does, and why if not well."""
        return {
            name: f"{each['standing']['state']} {each['standing']['trouble']}".strip()
            for name, each in self.triggers().items()
        }

    def delivered(self, name: str) -> int:
        """Return how many events of a trigger came to be calls."""
        return int(self.triggers()[name]["standing"]["delivered"])

    def calls(self, function: str) -> list[str]:
        """Return what a function was called with."""
        answer = self.api("GET", f"functions/{function}/logs")
        return [json.loads(line)["text"].removeprefix("called ") for line in answer.body.splitlines()]

    def post(self, number: int, total: int) -> int:
        """Post a CloudEvent; return the answer's status."""
        event = {
            "specversion": "1.0",
            "id": str(number),
            "source": "/shop",
            "type": "com.example.order.paid",
            "data": {"number": number, "total": total},
        }
        kind = {"Content-Type": "application/cloudevents+json"}
        return self.api("POST", "events", json.dumps(event).encode(), **kind).status

    def sh(self, script: str) -> None:
        """Run commands as somebody types them."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("DAYFLY_")}
        environ |= {
            "DAYFLY_DATA_DIR": str(self.platform.data_dir),
            "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
        }
        done = subprocess.run(
            ["sh", "-eu"], input=script, capture_output=True, text=True, env=environ, cwd=self.folder, timeout=300
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"


@pytest.fixture(scope="module")
def world(rabbitmq: RabbitMq) -> Iterator[World]:
    """All of it, running."""
    with tempfile.TemporaryDirectory(prefix="dayfly-test-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        servers = Servers(folder, stack, rabbitmq)
        statements = [block.text for block in (*PAGE, *README) if block.language == "sql"]
        asyncio.run(servers.prepare(*statements))
        access = servers.access()
        secrets = {"webhook-key": KEY, **{f"{each}-access": content for each, content in access.items()}}
        platform = Platform(
            folder / "data",
            {
                "DAYFLY_TRIGGER_FOLDERS": name,
                "NATS": f"localhost:{servers.nats.port}",
                "NATS_TLS": "true",
                "KAFKA": f"localhost:{servers.kafka.port}",
                "MQTT_PORT": str(servers.mqtt.port),
                "AMQP_PORT": str(servers.amqp.port),
                "REDIS_PORT": str(servers.redis.port),
                "PGPORT": str(servers.postgresql.port),
                "PGDATABASE": postgresql.DATABASE,
                "S3": servers.s3.endpoint,
                "DROP_FOLDER": str(servers.drops[1]),
            },
        )
        stack.callback(end, platform)
        platform.start()
        work = folder / "work"
        work.mkdir()
        world = World(platform, servers, work)
        for secret, content in secrets.items():
            assert world.api("PUT", f"secrets/{secret}", content.encode()).status == 201
        yield world


def test_the_page_has_a_command_for_every_kind_of_source() -> None:
    text = "\n".join(block.text for block in PAGE if block.is_commands)
    assert set(re.findall(r"--kind (\S+)", text)) == KINDS


def test_every_kind_of_source_has_an_example() -> None:
    text = (EXAMPLES / "triggers" / "stack.yaml").read_text()
    assert set(re.findall(r"\bkind: (\w+)", text)) == KINDS


def test_what_the_page_tells_people_to_type_works(world: World) -> None:
    deploy_what_the_page_names(world)
    for place, block in enumerate(PAGE):
        if block.is_commands:
            world.sh(at_our_servers(block.text, world))
        elif block.language == "yaml":
            stack = world.folder / f"stack-{place}.yaml"
            stack.write_text(block.text)
            world.platform.ok("up", "-f", stack.name, cwd=world.folder)

    made = world.triggers()
    assert "nightly" not in made, "the page removes it"
    eventually("every trigger of the page runs", lambda: set(world.states().values()) == {"running"}, deadline_s=180)
    asyncio.run(world.servers.publish(1))
    fed = [name for name, each in made.items() if each["spec"]["source"]["kind"] not in ("cron", "webhook", "function")]
    waits = {name for name in fed if made[name]["spec"]["source"]["kind"] != "event"}
    assert {made[name]["spec"]["source"]["kind"] for name in waits} == KINDS - {"cron", "webhook", "function", "event"}
    eventually("every server's trigger has called", lambda: all(map(world.delivered, waits)))
    eventually("the order that the page posts has called", lambda: all(map(world.delivered, ("orders", "paid"))))
    assert world.post(8, 80) == 202
    eventually("so has the answer to another, which is an event", lambda: world.delivered("invoices") >= 2)
    for name in made:
        assert world.api("DELETE", f"triggers/{name}").status == 204


def test_every_example_is_called_by_what_it_waits_for(world: World) -> None:
    world.platform.ok("deploy", "-f", str(EXAMPLES / "triggers" / "stack.yaml"))
    ours = {name for name in world.triggers() if name.endswith("-example")}
    assert len(ours) == len(KINDS) + 1, "events that are posted, and those that are answers"
    eventually(
        "every trigger of the examples runs",
        lambda: {state for name, state in world.states().items() if name in ours} == {"running"},
        deadline_s=180,
    )
    asyncio.run(world.servers.publish(7))
    body = b'{"ref": "main"}'
    signature = "sha256=" + hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Event": "push", "X-GitHub-Delivery": "1"}
    assert world.platform.ask("POST", "/hooks/openfaas-fn/webhook-example", body, headers=headers).status == 202
    assert [world.post(8, 100), world.post(9, 120)] == [202, 202]

    def came(function: str, start: str) -> None:
        eventually(f"{function} is called", lambda: [call for call in world.calls(function) if call.startswith(start)])

    came("on-cron", "com.dayfly.cron.due")
    came("on-webhook", 'com.github.push push {"ref": "main"}')
    came("on-answer", 'com.example.order.billed - {"order": 9, "due": 120}')
    came("on-end", "com.dayfly.call.succeeded order")
    came("on-nats", "com.dayfly.nats.message orders.new order 7")
    came("on-kafka", "com.dayfly.kafka.message clicks order 7")
    came("on-mqtt", "com.dayfly.mqtt.message sensors/door/state order 7")
    came("on-amqp", "com.dayfly.amqp.message order.made order 7")
    came("on-redis", "com.dayfly.redis.entry orders order 7")
    came("on-postgresql", "com.dayfly.postgresql.row shop_outbox [7]")
    came("on-s3", "com.dayfly.s3.object.created 7.jpg")
    came("on-files", "com.dayfly.file.arrived 7.csv order 7")
    assert world.delivered("event-example") == 1, "the filter leaves the other"


def deploy_what_the_page_names(world: World) -> None:
    """Deploy the functions and the flow that its commands name, and write the files that they read."""
    text = "\n".join(block.text for block in PAGE)
    answer = next(block.text for block in PAGE if block.language == "python")
    lines = ["functions:"]
    for name in sorted({*re.findall(r"--function (\S+)", text)}):
        (world.folder / name).mkdir()
        code = answer if name == "invoice" else (EXAMPLES / "triggers" / "journal" / "handler.py").read_text()
        (world.folder / name / "handler.py").write_text(code)
        lines.append(f"  {name}: {{lang: python, handler: ./{name}}}")
    (world.folder / "functions.yaml").write_text("\n".join(lines))
    world.platform.ok("deploy", "-f", "functions.yaml", cwd=world.folder)
    (world.folder / "flow.yaml").write_text(FLOW)
    world.platform.ok("flow", "deploy", "-f", "flow.yaml", cwd=world.folder)
    for name in re.findall(r"< (\S+)\.json", text):
        (world.folder / f"{name}.json").write_text(world.servers.access()[SECRETS.get(name, name)])


def at_our_servers(text: str, world: World) -> str:
    """Return the commands with our servers in place of the page's; what the platform starts with is left out."""
    servers = world.servers
    ours = {
        "host=mqtt.example.org": f"host=localhost --set port={servers.mqtt.tls_port}",
        "host=rabbitmq.example.org": f"host=localhost --set port={servers.amqp.tls_port}",
        "brokers=kafka-1.example.org,kafka-2.example.org": f"brokers=localhost:{servers.kafka.tls_port}",
        "sasl=scram-sha-512": "sasl=plain",
        "host=redis.example.org": f"host=localhost --set port={servers.redis.port}",
        "host=db.example.org": f"host=localhost --set port={servers.postgresql.port}",
        "database=shop": f"database={postgresql.DATABASE}",
        "servers=nats.example.org": f"servers=localhost:{servers.nats.port}",
        "endpoint=https://s3.example.org": f"endpoint={servers.s3.endpoint} --set interval=1s",
        "/srv/in": str(servers.drops[0]),
        "--user admin:PASSWORD": f"--fail -H 'Authorization: {Door(world.platform).login['Authorization']}'",
        "http://127.0.0.1:8080": world.platform.status()["gateway_url"],
    }
    for theirs, here in ours.items():
        text = text.replace(theirs, here)
    assert "example.org" not in re.sub(r"(?m)^DAYFLY_.*", "", text), "a server of the page that is none of ours"
    lines = text.splitlines()
    started = [line for line in lines if line.endswith("dayfly start")]
    assert all(re.fullmatch(r"(DAYFLY_TRIGGER_(ALLOW|FOLDERS)=\S+ )+dayfly start", line) for line in started)
    return "\n".join(line for line in lines if line not in started)
