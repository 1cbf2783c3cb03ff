"""What only containers have: their fence, their images, their network, an engine that comes and goes."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from tests.engine import base
from tests.engine.registry import Registry
from tests.unit.oci.making import tar_of

from dayfly.model.errors import BuildFailed, Unavailable
from dayfly.providers.docker import images
from dayfly.providers.log_rate import BURST_S, LINE_BYTES

STAGES = ("docker",)
HELLO = "def handle(event, context):\n    return f'hello {event.text}'\n"
LOOK = """
import os, socket

def attempt(action):
    try:
        action()
        return "done"
    except OSError as error:
        return error.strerror

def handle(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    mounts = [line.split()[:4] for line in open("/proc/mounts")]
    return {
        "ids": [os.getuid(), os.getgid(), *os.getgroups()],
        "status": {name: status[name].strip() for name in ("CapEff", "CapBnd", "CapPrm", "NoNewPrivs", "Seccomp")},
        "write": {path: attempt(lambda: open(path + "/x", "w").close()) for path in ("/", "/bin", "/etc", "/tmp")},
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "sockets": [line.split()[-1] for line in open("/proc/net/unix") if "sock" in line],
        "mounts": {mount[1]: mount for mount in mounts},
        "secrets": {name: open("/var/openfaas/secrets/" + name).read() for name in os.listdir("/var/openfaas/secrets")},
        "change": attempt(lambda: open("/var/openfaas/secrets/key", "w")),
        "mount": attempt(lambda: os.chroot("/tmp")),
        "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
        "reached": attempt(lambda: socket.create_connection(("127.0.0.1", int(event.text)), 2)),
        "outside": attempt(lambda: socket.create_connection(("10.255.255.254", 80), 2)),
        "packets": attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
    }
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A service of this machine, on its loopback."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def test_a_container_is_fenced_in(stage: Any, ask: Any, listener: socket.socket) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(LOOK, secrets={"key": b"s3cret-value"}, memory_bytes=128 << 20)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            answer = await ask(address, str(listener.getsockname()[1]).encode())
            seen = json.loads(answer.body)
            assert all(20_000 <= number < 60_000 for number in seen["ids"]), seen["ids"]
            assert seen["status"] == {
                "CapEff": "0" * 16, "CapBnd": "0" * 16, "CapPrm": "0" * 16, "NoNewPrivs": "1", "Seccomp": "2"
            }  # fmt: skip
            assert seen["write"].pop("/tmp") == "done"
            assert set(seen["write"].values()) == {"Read-only file system"}
            assert seen["interfaces"] == ["lo"]
            assert "size=65536k" in seen["mounts"]["/tmp"][3]
            assert seen["mounts"]["/var/openfaas/secrets"][0] == "tmpfs"
            assert not [path for path in seen["mounts"] if "docker" in path or "dayfly" in path]
            assert seen["secrets"] == {"key": "s3cret-value"}
            assert (seen["change"], seen["mount"]) == ("Read-only file system", "Operation not permitted")
            assert seen["processes"][0] == 1
            assert len(seen["processes"]) < 5
            # A service of this machine, another machine, the link itself: there is no way to any of them.
            assert (seen["reached"], seen["outside"]) == ("Connection refused", "Network is unreachable")
            assert seen["packets"] == "Operation not permitted"
            everything = json.dumps([stage.daemon.inspect(name) for name in stage.daemon.containers()])
            assert "s3cret-value" not in everything
            secrets = f"/dev/shm/dayfly-{os.geteuid()}-{stage.installation}"
            assert len(os.listdir(secrets)) == 1
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
        with pytest.raises(FileNotFoundError):
            os.listdir(secrets)

    asyncio.run(main())


def test_what_belongs_to_others_is_left_alone(stage: Any) -> None:
    async def main() -> None:
        daemon = stage.daemon
        daemon.run("create", "--name", "strangers", stage.image)
        other = ("--label", "dayfly.installation=another", "--label", "dayfly.replica=x")
        daemon.run("create", "--name", "anothers", *other, stage.image)
        ours = ("--label", f"dayfly.installation={stage.installation}", "--label", "dayfly.replica=x")
        daemon.run("create", "--name", "left-behind", *ours, stage.image)
        try:
            async with stage.opened() as (provider, audience):
                assert await provider.recover() == []
                assert audience.events == []
            assert daemon.containers() == ["anothers", "strangers"]
        finally:
            daemon.run("rm", "--force", "strangers", "anothers", "left-behind", check=False)

    asyncio.run(main())


def test_what_the_engine_has_is_told_but_for_what_is_anothers(stage: Any) -> None:
    async def main() -> None:
        daemon = stage.daemon
        another = ("--label", "dayfly.installation=another", "--label", "dayfly.replica=x")
        ours = ("--label", f"dayfly.installation={stage.installation}", "--label", "dayfly.replica=y")
        nameless = ""
        try:
            async with stage.opened() as (provider, audience):
                order = stage.order(HELLO)
                await provider.start(order)
                await audience.ready(order.replica)
                daemon.run("create", "--name", "anothers", *another, stage.image)
                daemon.run("create", "--name", "waits", *ours, stage.image)
                nameless = daemon.run("commit", "waits")
                found = await provider.survey()
            containers = {each.replica: each for each in found.containers}
            # A porter is no replica, and what it says its own.
            states = {"y": "created", order.replica: "running", "": "running"}
            assert {name: each.state for name, each in containers.items()} == states
            assert containers[""].name.endswith("-porter")
            assert containers["y"].name == "waits"
            for each in found.containers:
                known = daemon.inspect(each.name)
                assert known["Id"][:12] == each.id
                assert each.image == found.image_names.get(known["Image"], known["Image"])
                assert datetime.fromisoformat(known["Created"]).timestamp() // 1 == each.created_unix_ms / 1000
            sizes = daemon.run("image", "inspect", "--format", "{{.Size}}", stage.image, nameless).split()
            assert containers[order.replica].image == stage.image
            assert (found.images[stage.image], found.images[nameless]) == tuple(map(int, sizes))
            assert not [name for name in found.images if "<none>" in name]
        finally:
            daemon.run("rm", "--force", "anothers", "waits", check=False)
            daemon.run("rmi", "--force", nameless, check=False)

    asyncio.run(main())


def test_an_image_runs_as_its_own_user_unless_that_is_root(stage: Any, ask: Any) -> None:
    source = "import os\ndef handle(event, context):\n    return [os.getuid(), os.getgid()]\n"
    users = {"app": [100, 100], "12345": [12_345, 0], "root": [0, 0]}

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            orders = []
            for user in users:
                image = stage.daemon.variant(f"dayfly-test/user:{user}", f"USER {user}")
                # To be root takes a word of the function's author.
                orders.append(stage.order(source, image=image, as_root=user == "root"))
                await provider.start(orders[-1])
            for order, ids in zip(orders, users.values(), strict=True):
                answer = await ask((await audience.ready(order.replica)).address)
                assert json.loads(answer.body) == ids

    asyncio.run(main())


def test_root_by_another_name_is_refused_and_root_in_vain_is_explained(stage: Any) -> None:
    async def main() -> None:
        sly = stage.daemon.variant("dayfly-test/sly:1", "USER sly")
        plain = stage.daemon.variant("dayfly-test/plain:1", "USER root")
        async with stage.opened() as (provider, audience):
            orders = [stage.order(HELLO, image=sly), stage.order("import os\nos.setuid(0)\n", image=plain)]
            for order in orders:
                await provider.start(order)
            refused, in_vain = [await audience.exited(order.replica) for order in orders]
            assert (refused.reason, "root by another name" in refused.detail) == ("start_failed", True), refused
            assert (in_vain.reason, "com.dayfly.run-as-root" in in_vain.detail) == ("crashed", True), in_vain

    asyncio.run(main())


def test_an_image_that_is_not_there_or_cannot_run_says_so(stage: Any) -> None:
    async def main() -> None:
        broken = stage.daemon.variant("dayfly-test/broken:1", 'ENTRYPOINT ["/no/such/program"]')
        async with stage.opened() as (provider, audience):
            orders = [stage.order(HELLO, image="dayfly-test/nowhere:1"), stage.order(HELLO, image=broken)]
            for order in orders:
                await provider.start(order)
            missing, no_program = [await audience.exited(order.replica) for order in orders]
            assert (missing.reason, "dayfly-test/nowhere:1" in missing.detail) == ("start_failed", True), missing
            assert (no_program.reason, "/no/such/program" in no_program.detail) == ("start_failed", True), no_program

    asyncio.run(main())


@pytest.fixture
def registry(stage: Any) -> Iterator[Registry]:
    """A registry that the engine can reach."""
    if not stage.daemon.is_ours:
        pytest.skip("this engine is not the tests' own: its network is not theirs to be in")
    made = Registry(stage.daemon)
    yield made
    made.close()


def test_a_registry_that_fails_is_told_and_what_runs_goes_on(
    stage: Any, ask: Any, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = registry.put("runs", base.archive(), ["/bin/python3", "/watchdog.py"], ["PYTHONHOME=/"])
    other = registry.put("other", tar_of({"large": bytes(1_000_000)}))

    def kept() -> list[str]:
        return sorted(stage.daemon.run("images", "--all", "--format", "{{.Repository}} {{.ID}}").splitlines())

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            pinned = await provider.pin(name, "")
            assert pinned.startswith(f"{registry.host}/runs@sha256:")
            order = stage.order(HELLO, image=pinned)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            before, containers = kept(), stage.daemon.containers()

            async def fails(*words: str) -> None:
                pull = asyncio.create_task(provider.pin(other, ""))
                answers = 0
                while not pull.done() or not answers:
                    assert (await ask(address, b"you")).body == b"hello you"
                    answers += 1
                with pytest.raises(BuildFailed) as failed:
                    await pull
                for word in (f"the image {other} cannot be pulled", registry.host, *words):
                    assert word in str(failed.value), failed.value
                assert (kept(), stage.daemon.containers()) == (before, containers)

            registry.mode = "hangs"
            with monkeypatch.context() as soon:
                soon.setattr(images, "QUIET_S", 2.0)
                await fails("nothing more has come from the registry", "for 2 s")
            registry.mode = "cuts"
            await fails("EOF")
            registry.close()
            await fails("connection refused")
        # The control plane is another now; the registry stays away.
        async with stage.opened() as (provider, audience):
            assert [found.order.replica for found in await provider.recover()] == [order.replica]
            assert (await ask(address, b"you")).body == b"hello you"
            assert await provider.pin(name, pinned) == pinned
            again = stage.again(order)
            await provider.start(again)
            assert (await ask((await audience.ready(again.replica)).address, b"you")).body == b"hello you"

    try:
        asyncio.run(main())
    finally:
        stage.daemon.docker("rmi", "--force", name, check=False)


def test_memory_and_processes_are_limited_and_a_full_tmp_is_no_death(stage: Any, ask: Any) -> None:
    source = """
import os, time
kept = []
def handle(event, context):
    if event.text == "memory":
        for _ in range(200):
            kept.append(bytearray(b"x") * (1 << 20))
    if event.text == "disk":
        try:
            with open("/tmp/full", "wb") as file:
                for _ in range(100):
                    file.write(bytes(1 << 20))
        except OSError as error:
            os.unlink("/tmp/full")
            return error.strerror
    if event.text == "processes":
        children = []
        try:
            while len(children) < 1000:
                child = os.fork()
                if not child:
                    time.sleep(60)
                    os._exit(0)
                children.append(child)
        except OSError as error:
            return error.strerror
        finally:
            for child in children:
                os.kill(child, 9)
                os.waitpid(child, 0)
    return "went on"
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order, roomy = stage.order(source, memory_bytes=96 << 20), stage.order(source)
            for each in (order, roomy):
                await provider.start(each)
            address = (await audience.ready(order.replica)).address
            assert (await ask(address, b"disk")).body == b"No space left on device"
            forked = await ask((await audience.ready(roomy.replica)).address, b"processes")
            assert forked.body == b"Resource temporarily unavailable"
            with pytest.raises(OSError, match="closed connection"):
                await ask(address, b"memory")
            ended = await audience.exited(order.replica)
            assert (ended.reason, "96 MiB" in ended.detail) == ("oom", True), ended
            assert [line.text for line in audience.lines if line.stream == "platform" and "96 MiB" in line.text]

    asyncio.run(main())


def test_a_function_serves_when_it_says_so(stage: Any, ask: Any) -> None:
    source = """
asked = []
def handle(event, context):
    asked.append(event.path)
    if event.path == "/ready":
        return (200 if asked.count("/ready") > 2 else 404), ""
    return asked
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, health_path="/ready")
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert json.loads(answer.body) == ["/ready"] * 3 + ["/"]

    asyncio.run(main())


def test_a_flood_of_output_is_bounded(stage: Any, ask: Any) -> None:
    source = """
def handle(event, context):
    for number in range(10_000):
        print(f"line {number} " + "x" * 200)
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, log_rate_bytes=50_000)
            await provider.start(order)
            began = time.monotonic()
            await ask((await audience.ready(order.replica)).address)
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            allowed = (BURST_S + time.monotonic() - began) * order.log_rate_bytes + (1 << 16)
            kept = [line for line in audience.lines if line.stream == "stdout"]
            assert kept[0].text.startswith("line 0 ")
            assert len(kept) * LINE_BYTES < allowed
            told = [line for line in audience.lines if "lines dropped" in line.text]
            assert 0 < len(told) < 200

    asyncio.run(main())


def test_lines_are_told_once_whoever_reads_them(stage: Any, ask: Any) -> None:
    source = "def handle(event, context):\n    print(event.text)\n    return ''\n"

    async def main() -> None:
        order = stage.order(source)
        told: list[str] = []
        for turn in range(3):
            async with stage.opened() as (provider, audience):
                if not turn:
                    await provider.start(order)
                    address = (await audience.ready(order.replica)).address
                else:
                    await provider.recover()
                    await audience.line(f"away {turn}")
                await ask(address, f"here {turn}".encode())
                await audience.line(f"here {turn}")
                told += [line.text for line in audience.lines]
            # What is printed while nobody reads waits in the engine.
            await ask(address, f"away {turn + 1}".encode())
        assert told == ["here 0", "away 1", "here 1", "away 2", "here 2"]

    asyncio.run(main())


def test_a_replica_that_was_told_to_end_is_not_found_again_and_keeps_to_its_grace(stage: Any, ask: Any) -> None:
    source = """
import time
def handle(event, context):
    print("begun", flush=True)
    time.sleep(float(event.text))
    return "done"
"""

    async def main() -> None:
        finishes, outlasts = stage.order(source), stage.order(source)
        async with stage.opened() as (provider, audience):
            for order in (finishes, outlasts):
                await provider.start(order)
            addresses = [(await audience.ready(order.replica)).address for order in (finishes, outlasts)]
            running = [
                asyncio.create_task(ask(address, text)) for address, text in zip(addresses, (b"1", b"300"), strict=True)
            ]
            await audience.until(lambda: [line for line in audience.lines if line.text == "begun"][1:])
            await provider.stop(finishes.replica, grace_s=30)
            await provider.stop(outlasts.replica, grace_s=1)
        async with stage.opened() as (provider, audience):
            assert await provider.recover() == []
            assert (await running[0]).body == b"done"
            assert (await audience.exited(finishes.replica)).reason == "stopped"
            assert (await audience.exited(outlasts.replica)).reason == "killed"
            with pytest.raises(OSError, match=r".*"):
                await running[1]

    asyncio.run(main())


def test_what_was_half_made_when_the_control_plane_died_is_removed(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, _):
            await provider.start(stage.order(HELLO))
            await eventually(lambda: len(stage.daemon.containers()) >= 1)
        async with stage.opened() as (provider, audience):
            found = await provider.recover()
            assert audience.events == []
            for each in found:
                # It was further than half made, and goes on to be ready.
                assert each.address == ""
                await audience.ready(each.order.replica)

    asyncio.run(main())


def test_a_replica_without_its_porter_is_lost(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            await audience.ready(order.replica)
            (porter,) = [name for name in stage.daemon.containers() if name.endswith("-porter")]
            stage.daemon.run("kill", porter)
            assert (await audience.exited(order.replica)).reason == "lost"

    asyncio.run(main())


def test_a_container_that_somebody_removed_is_lost(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            await audience.ready(order.replica)
            stage.daemon.run("rm", "--force", f"dayfly-{stage.installation}-{order.replica}")
            assert (await audience.exited(order.replica)).reason in ("lost", "killed")

    asyncio.run(main())


def test_calls_go_on_while_the_engine_is_away_and_what_ended_with_it_is_told(
    stage: Any, ask: Any, eventually: Any
) -> None:
    if not stage.daemon.is_ours:
        pytest.skip("this engine is not the tests' own to be killed")

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            stage.daemon.stop(signal.SIGKILL)
            try:
                assert (await ask(address, b"you")).body == b"hello you"
                await eventually(lambda: not provider.state.is_up)
                with pytest.raises(Unavailable, match="container engine"):
                    await provider.start(stage.again(order))
                with pytest.raises(Unavailable, match="container engine"):
                    await provider.stop(order.replica, grace_s=1)
            finally:
                stage.daemon.start()
            # This engine ends what it finds of its earlier life.
            assert (await audience.exited(order.replica)).reason == "lost"
            again = stage.again(order)
            await provider.start(again)
            assert (await ask((await audience.ready(again.replica)).address, b"you")).body == b"hello you"

    asyncio.run(main())


@pytest.fixture
def egress(stage: Any) -> Iterator[Any]:
    """Starts the platform's egress proxy for the stage."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        reader, writer = os.pipe()
        program = [sys.executable, "-P", "-m", "dayfly.runtimes.jail.egress.process", "--socket", str(stage.egress)]
        process = subprocess.Popen([*program, "--ready-fd", str(writer)], pass_fds=[writer], stdin=subprocess.DEVNULL)
        os.close(writer)
        assert b"ready" in os.read(reader, 100)
        os.close(reader)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def outside() -> Iterator[socket.socket]:
    """A service that answers each connection with a line and then echoes."""
    listener = socket.create_server(("", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.sendall(b"outside\n")
            while data := connection.recv(100):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[connection], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def own_address() -> list[str]:
    """Return an address of this machine beside its loopback's, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [sock.getsockname()[0]]


def own_name() -> dict[str, str]:
    """Return a name of this machine, by which it finds itself, with its address; nothing when it has none."""
    name = socket.gethostname()
    try:
        return {name: socket.gethostbyname(name)}
    except OSError:
        return {}


OUT = """
import socket
kept = []
def handle(event, context):
    what, _, place = event.text.partition(" ")
    try:
        if what == "keep":
            kept[0].sendall(b"still")
            return kept[0].recv(100).decode()
        host, _, port = place.rpartition(":")
        if what == "tcp":
            connected = socket.create_connection((host, int(port)), 30)
        else:
            connected = socket.create_connection(("127.0.0.1", 3128), 30)
            connected.sendall(f"CONNECT {place} HTTP/1.1\\r\\n\\r\\n".encode())
            head = b""
            while not head.endswith(b"\\r\\n\\r\\n"):
                head += connected.recv(1)
            if b" 200 " not in head:
                return head.decode()
        connected.settimeout(30)
        kept.insert(0, connected)
        return connected.recv(100).decode()
    except OSError as error:
        return f"{type(error).__name__}: {error.strerror or error}"
"""


def test_a_container_reaches_what_it_was_granted_and_nothing_else(
    stage: Any, ask: Any, egress: Any, outside: socket.socket
) -> None:
    port = outside.getsockname()[1]

    async def main() -> None:
        egress()
        async with stage.opened() as (provider, audience):
            doors = [f"tcp://127.0.0.2:{port}", *(f"tcp://{address}:{port}" for address in own_address())]
            named = own_name()
            doors += [f"tcp://{name}:{port}" for name in named]
            granted = stage.order(
                OUT, allow=(f"127.0.0.1:{port}", *doors, *(f"{each}:{port}" for each in named.values()))
            )
            public, none = stage.order(OUT), stage.order(OUT, network="none")
            for order in (granted, public, none):
                await provider.start(order)
            ways = [(await audience.ready(order.replica)).address for order in (granted, public, none)]

            async def via(way: int, text: str) -> str:
                return str((await ask(ways[way], text.encode())).body.decode())

            assert await via(0, f"proxy 127.0.0.1:{port}") == "outside\n"
            assert "403 Forbidden" in await via(0, "proxy 127.0.0.1:1")
            assert "403 Forbidden" in await via(0, "proxy 10.9.8.7:443")
            # A granted plain connection is found under its own address or name.
            for door in doors:
                assert await via(0, door.replace("tcp://", "tcp ")) == "outside\n"
            assert "Network is unreachable" in await via(0, f"tcp 10.9.8.8:{port}")
            assert "refused" in await via(0, f"tcp 127.0.0.1:{port}")
            assert "403 Forbidden" in await via(1, f"proxy 127.0.0.1:{port}")
            assert "refused" in await via(2, f"proxy 127.0.0.1:{port}")

    asyncio.run(main())


def test_a_container_has_the_engines_network_where_that_was_granted(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(LOOK, network="host", secrets={"key": b"value"})
            await provider.start(order)
            seen = json.loads((await ask((await audience.ready(order.replica)).address, b"1")).body)
            assert seen["interfaces"] == ["eth0", "lo"]
            assert seen["status"]["CapBnd"] == "0" * 16

    asyncio.run(main())


def test_what_a_container_has_open_outlives_the_control_plane(
    stage: Any, ask: Any, egress: Any, outside: socket.socket
) -> None:
    port = outside.getsockname()[1]

    async def main() -> None:
        proxy = egress()
        order = stage.order(OUT, allow=(f"127.0.0.1:{port}",))
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            assert (await ask(address, f"proxy 127.0.0.1:{port}".encode())).body == b"outside\n"
        assert (await ask(address, b"keep")).body == b"still"
        async with stage.opened() as (provider, audience):
            await provider.recover()
            assert (await ask(address, f"proxy 127.0.0.1:{port}".encode())).body == b"outside\n"
            # And another proxy is given the same sockets.
            proxy.kill()
            proxy.wait()
            egress()
            assert (await ask(address, f"proxy 127.0.0.1:{port}".encode())).body == b"outside\n"

    asyncio.run(main())
