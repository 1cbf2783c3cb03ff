"""What the local provider promises beyond the port: the zygote's death, templates, what a function may see and do."""

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.errors import Unavailable
from dayfly.model.names import DEFAULT_NAMESPACE, FunctionKey, FunctionName
from dayfly.model.replica import ReplicaExited, ReplicaReady
from dayfly.runtimes.python.confine import function_uid
from dayfly.runtimes.python.processes import children_of, descendants_of

HELLO = "def handle(event, context):\n    return f'hello {event.text}'\n"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a function a user and a root of its own")


def test_a_dead_zygote_takes_its_replicas_along_and_starts_wait_for_another(
    stage: Any, ask: Any, is_alive: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            orders = [stage.order(HELLO), stage.order(HELLO)]
            for order in orders:
                await provider.start(order)
                await audience.ready(order.replica)
            below = descendants_of(stage.zygote.pid)
            assert len(below) >= 4
            stage.zygote.kill()
            stage.zygote.wait()
            for order in orders:
                assert (await audience.exited(order.replica)).reason == "lost"
            await eventually(lambda: not any(map(is_alive, below)))
            assert list((stage.run / "r").iterdir()) == []
            with monkeypatch.context() as impatient:
                impatient.setattr("dayfly.providers.local.zygotes.CONNECT_S", 0.05)
                with pytest.raises(Unavailable, match="zygote"):
                    await provider.start(stage.again(orders[0]))
            order = stage.again(orders[0])
            start = asyncio.create_task(provider.start(order))
            stage.start_zygote()
            async with asyncio.timeout(60):
                await start
            ready = await audience.ready(order.replica)
            assert (await ask(ready.address, b"again")).body == b"hello again"
            assert sum(isinstance(event, ReplicaExited) for event in audience.events) == 2

    asyncio.run(main())


def test_no_zygote_is_said_so(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.providers.local.zygotes.CONNECT_S", 0.1)
    stage.zygote.kill()
    stage.zygote.wait()

    async def main() -> None:
        with pytest.raises(Unavailable, match=r"no zygote serves us at .*zygote.sock"):
            async with stage.opened():
                pass

    asyncio.run(main())


def test_the_last_words_of_a_replica_that_died_unseen_are_read_later(stage: Any, eventually: Any) -> None:
    source = "import os\ndef handle(event, context):\n    print('farewell')\n    os._exit(1)\n"

    async def main() -> None:
        order = stage.order(source)
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            ready = await audience.ready(order.replica)
        reader, writer = await asyncio.open_unix_connection(ready.address.removeprefix("unix:"))
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.read()
        writer.close()
        socket_path = Path(ready.address.removeprefix("unix:"))
        await eventually(lambda: not socket_path.exists())
        async with stage.opened() as (provider, audience):
            assert await provider.recover() == []
            assert (await audience.line("farewell")).replica == order.replica
            assert audience.events == []

    asyncio.run(main())


def test_a_module_is_imported_once_for_all_its_replicas(stage: Any, ask: Any) -> None:
    source = "import os\nimported_by = os.urandom(8).hex()\ndef handle(event, context):\n    return imported_by\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(source)
            orders = [first, stage.again(first), stage.again(first)]
            bodies = set()
            for order in orders:
                await provider.start(order)
                bodies.add((await ask((await audience.ready(order.replica)).address)).body)
            assert len(bodies) == 1

    asyncio.run(main())


def test_random_numbers_differ_between_replicas(stage: Any, ask: Any) -> None:
    source = "import random\nrandom.seed(1)\ndef handle(event, context):\n    return str(random.random())\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(source)
            bodies = set()
            for order in (first, stage.again(first), stage.again(first)):
                await provider.start(order)
                bodies.add((await ask((await audience.ready(order.replica)).address)).body)
            assert len(bodies) == 3

    asyncio.run(main())


def test_an_import_that_leaves_threads_is_done_by_each_replica(stage: Any, ask: Any) -> None:
    source = """
import os, threading
imported_by = os.urandom(8).hex()
beats = threading.Event()
threading.Thread(target=beats.set, daemon=True).start()
threading.Thread(target=threading.Event().wait, daemon=True).start()
def handle(event, context):
    beats.wait(60)
    return imported_by
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(source)
            orders = [first, stage.again(first)]
            bodies = set()
            for order in orders:
                await provider.start(order)
                bodies.add((await ask((await audience.ready(order.replica)).address)).body)
            assert len(bodies) == 2
            for order in orders:
                await provider.stop(order.replica, grace_s=5)
                assert (await audience.exited(order.replica)).reason == "stopped"
            assert children_of(stage.zygote.pid) == []

    asyncio.run(main())


@pytest.mark.parametrize("stage", [{"template_budget_bytes": 0}], indirect=True)
def test_templates_without_replicas_end_when_the_budget_is_passed(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            await audience.ready(order.replica)
            assert len(children_of(stage.zygote.pid)) == 1
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            await eventually(lambda: not children_of(stage.zygote.pid))
            order = stage.again(order)
            await provider.start(order)
            await audience.ready(order.replica)

    asyncio.run(main())


def test_templates_without_replicas_are_kept_within_the_budget(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            await audience.ready(order.replica)
            template = children_of(stage.zygote.pid)
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            order = stage.again(order)
            await provider.start(order)
            await audience.ready(order.replica)
            assert children_of(stage.zygote.pid) == template

    asyncio.run(main())


def test_a_lost_template_is_made_again(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            await audience.ready(order.replica)
            os.kill(children_of(stage.zygote.pid)[0], 9)
            assert (await audience.exited(order.replica)).reason == "killed"
            order = stage.again(order)
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).status == 200

    asyncio.run(main())


def test_an_import_that_kills_its_process_is_reported(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order("import ctypes\nctypes.string_at(0)\n")
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert ended.reason == "import_failed"
            assert "SIGSEGV while importing" in ended.detail

    asyncio.run(main())


def test_a_function_sees_none_of_the_platforms_packages(stage: Any, ask: Any) -> None:
    source = """
import importlib, sys
def handle(event, context):
    found = []
    for name in ("dayfly", "msgspec", "uvloop", "httptools"):
        try:
            importlib.import_module(name)
            found.append(name)
        except ModuleNotFoundError:
            pass
    return found
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert answer.body == b"[]"

    asyncio.run(main())


def test_a_layers_own_version_of_our_libraries_wins(stage: Any, ask: Any) -> None:
    async def main() -> None:
        layer = stage.folder / "layer"
        layer.mkdir()
        layer.chmod(0o755)
        (layer / "msgspec.py").write_text("mine = True\n")
        async with stage.opened() as (provider, audience):
            source = "import msgspec\ndef handle(event, context):\n    return {'mine': msgspec.mine}\n"
            order = stage.order(source, layer_dirs=(str(layer),))
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).body == b'{"mine":true}'

    asyncio.run(main())


def test_no_other_functions_secret_is_in_a_replicas_memory(stage: Any, ask: Any) -> None:
    source = """
import ctypes, os
def handle(event, context):
    needle = event.text.encode()[::-1]
    found = 0
    with open("/proc/self/maps") as maps:
        regions = [line.split() for line in maps if "[v" not in line]
    for where, rights, *_ in regions:
        if rights.startswith("rw"):
            start, end = (int(part, 16) for part in where.split("-"))
            found += ctypes.string_at(start, end - start).count(needle)
    return {"found": found}
"""

    async def main() -> None:
        secret = "s3cr3t-" + os.urandom(12).hex()
        async with stage.opened() as (provider, audience):
            first = stage.order(source, env={"SECRET": secret})
            second = stage.order(source)
            found = []
            for order in (first, second):
                await provider.start(order)
                address = (await audience.ready(order.replica)).address
                answer = await ask(address, secret[::-1].encode())
                found.append(json.loads(answer.body)["found"])
            # Its own memory holds it: the search works. The needle itself was sent reversed and turned once.
            assert found[0] > found[1]
            assert found[1] <= 1

    asyncio.run(main())


@as_root
def test_a_function_runs_as_a_user_of_its_own_without_rights(stage: Any, ask: Any) -> None:
    source = """
import os
def handle(event, context):
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return {"uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "umask": os.umask(0o77),
            "caps": [status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd")],
            "nnp": status["NoNewPrivs"].strip(), "pids": [int(p) for p in os.listdir("/proc") if p.isdigit()]}
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            key = FunctionKey(DEFAULT_NAMESPACE, FunctionName("somebody"))
            order = stage.order(source, key=key)
            await provider.start(order)
            told = json.loads((await ask((await audience.ready(order.replica)).address)).body)
            uid = function_uid("somebody.openfaas-fn")
            assert 20_000 <= uid < 60_000
            assert told["uid"] == told["gid"] == [uid] * 3
            assert told["groups"] == []
            assert told["caps"] == ["0" * 16] * 3
            assert (told["nnp"], told["umask"]) == ("1", 0o77)
            assert max(told["pids"]) < 20

    asyncio.run(main())


@as_root
def test_a_function_sees_its_own_files_and_nothing_of_the_platform(stage: Any, ask: Any) -> None:
    source = """
import os, socket
def attempt(action):
    try:
        return str(action())
    except OSError as error:
        return type(error).__name__
def write(path):
    with open(path, "w") as file:
        return file.write("x")
def connect(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(path)
def handle(event, context):
    folder = os.path.dirname(os.path.abspath(__file__))
    outside, zygote = event.json()
    return [attempt(lambda: open(outside).read()), attempt(lambda: connect(zygote)),
            attempt(lambda: write(os.path.join(folder, "x"))), attempt(lambda: write("/x")),
            attempt(lambda: write("/tmp/x")), attempt(lambda: os.listdir(folder)),
            attempt(lambda: os.path.exists("/etc/shadow")), attempt(lambda: write("/usr/x"))]
"""

    async def main() -> None:
        outside = stage.folder / "outside.txt"
        outside.write_text("private")
        outside.chmod(0o644)
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            asked = json.dumps([str(outside), str(stage.run / "zygote.sock")]).encode()
            told = json.loads((await ask((await audience.ready(order.replica)).address, asked)).body)
            assert told[:2] == ["FileNotFoundError"] * 2
            assert set(told[2:4]) <= {"OSError", "PermissionError"}
            assert told[4:7] == ["1", "['handler.py']", "False"]
            assert told[7] in ("OSError", "PermissionError")

    asyncio.run(main())
    assert not Path("/tmp/x").exists()


def test_a_memory_limit_is_felt_by_the_function_alone(stage: Any, ask: Any) -> None:
    source = """
def handle(event, context):
    try:
        bytearray(400_000_000)
    except MemoryError:
        return "refused"
    return "granted"
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            bodies = []
            for limit in (200_000_000, 0):
                order = stage.order(source, memory_bytes=limit)
                await provider.start(order)
                bodies.append((await ask((await audience.ready(order.replica)).address)).body)
            assert bodies == [b"refused", b"granted"]

    asyncio.run(main())


def test_a_burst_of_starts_is_served(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(HELLO)
            orders = [first, *(stage.again(first) for _ in range(19))]
            await asyncio.gather(*(provider.start(order) for order in orders))
            for order in orders:
                ready = await audience.ready(order.replica)
                assert (await ask(ready.address, b"x")).body == b"hello x"
            for order in orders:
                await provider.stop(order.replica, grace_s=5)
            for order in orders:
                await audience.exited(order.replica)
            assert sum(isinstance(event, ReplicaReady) for event in audience.events) == 20
            assert len(audience.events) == 40

    asyncio.run(main())


def test_a_replica_that_ends_at_once_is_reported(stage: Any) -> None:
    source = """
import os
os.register_at_fork(after_in_child=lambda: os._exit(9))
def handle(event, context):
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert ended.reason == "crashed"
            assert "exit code 9" in ended.detail
            assert len(audience.events) == 1

    asyncio.run(main())


def test_a_function_that_cannot_fork_is_reported(stage: Any) -> None:
    source = """
import os
def refuse():
    raise BlockingIOError(11, "no more processes")
os.fork = refuse
def handle(event, context):
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "limit of processes" in ended.detail) == ("start_failed", True)

    asyncio.run(main())


def test_nonsense_on_the_zygotes_channels_ends_its_author_alone(stage: Any, ask: Any) -> None:
    source = """
import os, socket
def shout():
    for fd in range(3, 30):
        try:
            with socket.socket(fileno=os.dup(fd)) as channel:
                for _ in range(3000):
                    channel.send(b"nonsense")
        except OSError:
            pass
shout()
def handle(event, context):
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            good, bad = stage.order(HELLO), stage.order(source)
            await provider.start(bad)
            ended = await audience.exited(bad.replica)
            assert ended.reason == "import_failed"
            await provider.start(good)
            assert (await ask((await audience.ready(good.replica)).address, b"you")).body == b"hello you"

    asyncio.run(main())


@pytest.mark.parametrize("stage", [{"workers": 2}], indirect=True)
def test_jails_built_ahead_are_used_replaced_and_missed_by_nobody(
    stage: Any, ask: Any, eventually: Any, is_alive: Any
) -> None:
    def waiting() -> set[int]:
        found = set()
        for pid in children_of(stage.zygote.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                found |= {pid} if Path(f"/proc/{pid}/comm").read_text() == "dayfly-jail\n" else set()
        return found

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            for _ in range(2):
                await eventually(lambda: len(waiting()) == 2)
                before = waiting()
                order = stage.order(HELLO)
                await provider.start(order)
                assert (await ask((await audience.ready(order.replica)).address, b"x")).body == b"hello x"
                assert len(before - waiting()) == 1
            await eventually(lambda: len(waiting()) == 2)
            killed = waiting()
            for pid in killed:
                os.kill(pid, 9)
            await eventually(lambda: not any(map(is_alive, killed)))
            order = stage.order(HELLO)
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address, b"x")).body == b"hello x"

    asyncio.run(main())
