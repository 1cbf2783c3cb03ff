"""What a replica may use, and what it is told, and what of it is told, when it wants more.

Each test lets a real function misbehave in one way. What is asked of the local provider as root is more than what an
ordinary account can give; those tests are marked.
"""

import asyncio
import contextlib
import http.client
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from dayfly.model.function import DEFAULT_LOG_RATE_BYTES
from dayfly.model.replica import Ceilings
from dayfly.providers.log_rate import BURST_S, LINE_BYTES
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.python.cells import PREFIX, Cells, cell_name_of
from dayfly.runtimes.python.limits import Limits
from dayfly.runtimes.python.processes import children_of, descendants_of

STAGES = ("local", "kubernetes")

MIB = 1 << 20
OK = "def handle(event, context):\n    return 'ok'\n"


def cells_work() -> bool:
    """Whether this machine lets us make cells; the very thing under test, so that a lack of it skips loudly."""
    cells = Cells.found()
    cells.close()
    return not cells.missing


def has_namespaces() -> bool:
    """Whether a function's first process is also the first it can name, which no signal of its own stops."""
    return detect(lambda: "").namespaces


needs_cells = pytest.mark.skipif(not cells_work(), reason="no cgroups for memory, pids and cpu may be made here")
own_cells = pytest.mark.local_only("a pod may make no cgroups: the one that it is in is made by its kubelet")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a function a /tmp of its own")


def cells_of(zygote: int) -> set[str]:
    """Return the names of the cells that the zygote's replicas and templates are in."""
    return {cell_name_of(pid) for pid in descendants_of(zygote)} - {""}


def folders_of(zygote: int) -> list[Path]:
    """Return the folders that the zygote has in the cgroup trees."""
    return [Path(root) for root, *_ in os.walk("/sys/fs/cgroup") if root.endswith(f"/{PREFIX}{zygote}")]


def comm(pid: int) -> str:
    """Return what a process is called, nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


async def ended_call(ask: Any, address: str, body: bytes = b"") -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        await ask(address, body)


@needs_cells
@pytest.mark.parametrize("who", ["child", "itself"])
def test_memory_over_the_limit_is_told_as_such(stage: Any, ask: Any, who: str) -> None:
    source = """
import mmap, os
def eat():
    held = mmap.mmap(-1, 200 << 20)  # shared, so that no resource limit counts it
    for at in range(0, len(held), 4096):
        held[at] = 1
def handle(event, context):
    if event.text == "itself":
        eat()
    else:
        pid = os.fork()
        if pid == 0:
            try:
                eat()
            finally:
                os._exit(0)
        return str(os.waitpid(pid, 0)[1])
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=100 * MIB)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            if who == "child":
                # Shared memory stays until its process has gone: who needs a page before that is ended, too.
                with contextlib.suppress(http.client.RemoteDisconnected):
                    assert (await ask(address, b"child")).body == b"9"
                    assert (await audience.line("used its 100 MiB of memory")).stream == "platform"
                    return
            else:
                await ended_call(ask, address, b"itself")
            ended = await audience.exited(order.replica)
            assert (ended.reason, "memory limit of 100 MiB" in ended.detail) == ("oom", True), ended

    asyncio.run(main())


@needs_cells
def test_an_import_over_the_memory_limit_is_told_as_such(stage: Any) -> None:
    source = (
        "import mmap\nheld = mmap.mmap(-1, 200 << 20)\nfor at in range(0, len(held), 4096):\n    held[at] = 1\n" + OK
    )

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=100 * MIB)
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "while importing" in ended.detail) == ("oom", True), ended

    asyncio.run(main())


def test_memory_that_is_refused_is_named_in_the_answer_and_the_log(stage: Any, ask: Any) -> None:
    source = "def handle(event, context):\n    return str(len(bytearray(400_000_000)))\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=200_000_000)
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            told = json.loads(answer.body)
            assert (answer.status, told["code"], "limits.memory" in told["detail"]) == (500, "oom", True)
            assert (await audience.line("limit: ")).stream == "platform"

    asyncio.run(main())


@needs_cells
@pytest.mark.parametrize("keep", [False, True])
def test_a_fork_bomb_stays_in_its_cell_and_is_ended(stage: Any, ask: Any, eventually: Any, keep: bool) -> None:
    source = """
import ctypes, os, time
def handle(event, context):
    ctypes.CDLL(None).prctl(15, b"bomb", 0, 0, 0)
    while True:
        try:
            if os.fork() == 0:
                time.sleep(300)
                os._exit(0)
        except OSError:
            if event.text != "keep":
                os.killpg(0, 9)
            raise
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            bad, good = stage.order(source, memory_bytes=4096 * MIB), stage.order(OK)
            for order in (good, bad):
                await provider.start(order)
                await audience.ready(order.replica)
            address = (await audience.ready(bad.replica)).address
            if keep:
                answer = await ask(address, b"keep")
                assert (answer.status, json.loads(answer.body)["code"]) == (500, "pids")
                assert (await audience.line("no process or thread could be made")).stream == "platform"
                ended = await audience.exited(bad.replica)
                assert (ended.reason, "512 processes" in ended.detail) == ("pids", True), ended
            else:
                await ended_call(ask, address)
                # By itself, or by who looks after it, should a look come before it does that.
                assert (await audience.exited(bad.replica)).reason in ("killed", "pids")
            assert (await ask((await audience.ready(good.replica)).address)).body == b"ok"
            await eventually(lambda: not [pid for pid in stage.below() if comm(pid) == "bomb"])

    asyncio.run(main())


@as_root
@pytest.mark.local_only("a pod's /tmp is a volume of its kubelet's, which ends the pod that fills it")
@pytest.mark.parametrize("how", ["one", "many"])
def test_a_full_tmp_is_named_and_empty_for_the_next_replica(stage: Any, ask: Any, how: str) -> None:
    source = """
def handle(event, context):
    if event.text == "one":
        with open("/tmp/big", "wb") as file:
            for _ in range(64):
                file.write(bytes(1 << 20))
    elif event.text == "many":
        for number in range(100_000):
            with open(f"/tmp/{number}", "wb"):
                pass
    with open("/tmp/small", "wb") as file:
        file.write(b"x")
    return "room"
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=64 * MIB)
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address, how.encode())
            assert (answer.status, json.loads(answer.body)["code"]) == (500, "disk"), answer
            assert (await audience.line("/tmp is full")).stream == "platform"
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            order = stage.again(order)
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).body == b"room"

    asyncio.run(main())


@needs_cells
@as_root
@pytest.mark.local_only("a pod may make no cgroup and no /tmp, which two of the three ceilings are kept by")
def test_what_the_operator_lets_each_replica_have_is_what_it_has(stage: Any, ask: Any) -> None:
    source = """
import os, resource
def handle(event, context):
    made, room = [], os.statvfs("/tmp")
    try:
        while True:
            pid = os.fork()
            if pid == 0:
                import time
                time.sleep(300)
            made.append(pid)
    except OSError:
        for pid in made:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return [len(made), resource.getrlimit(resource.RLIMIT_NOFILE)[0], room.f_blocks * room.f_frsize]
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, ceilings=Ceilings(processes=120, open_files=300, tmp_bytes=2 * MIB))
            await provider.start(order)
            told = json.loads((await ask((await audience.ready(order.replica)).address)).body)
            assert 100 < told[0] < 120
            assert told[1:] == [300, 2 * MIB]

    asyncio.run(main())


def test_too_many_open_files_are_named(stage: Any, ask: Any) -> None:
    source = """
import os
held = []
def handle(event, context):
    try:
        for _ in range(10_000):
            held.append(os.open("/dev/null", os.O_RDONLY))
    finally:
        for fd in held[:100]:
            os.close(fd)
        del held[:100]
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert (answer.status, json.loads(answer.body)["code"]) == (500, "files")

    asyncio.run(main())


def test_a_flood_of_lines_is_dropped_and_counted(stage: Any, ask: Any) -> None:
    source = """
import os
def handle(event, context):
    block = b"x" * 99 + b"\\n"
    block *= 1000
    for _ in range(100):
        left = block
        while left:
            try:
                left = left[os.write(1, left):]
            except BlockingIOError:
                pass
    print("the end")
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            began = time.monotonic()
            assert (await ask(address)).status == 200
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            lost = [int(line.text.split()[1]) for line in audience.lines if "lines dropped" in line.text]
            kept = [line for line in audience.lines if line.text.startswith("xxx")]
            allowed = (BURST_S + time.monotonic() - began) * DEFAULT_LOG_RATE_BYTES + (1 << 20)
            assert sum(lost) > 10_000
            assert len(kept) * LINE_BYTES < allowed
            assert 100_000 <= sum(lost) + len(kept) <= 100_010

    asyncio.run(main())


def test_why_a_start_failed_survives_a_flood(stage: Any) -> None:
    source = "for _ in range(100_000):\n    print('x' * 100)\nraise ValueError('this is why')\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "this is why" in ended.detail) == ("import_failed", True)

    asyncio.run(main())


SPIN = "while True:\n        pass"
SLEEP = "import time\n    time.sleep(300)"
HELD = "import ctypes\n    ctypes.PyDLL(None).sleep(300)"


@pytest.mark.parametrize("alone", [False, True], ids=["forked", "first-of-its-namespace"])
@pytest.mark.parametrize(
    ("concurrency", "kind", "body"),
    [
        ("threads", "def", SPIN),
        ("threads", "def", SLEEP),
        ("inline", "def", SPIN),
        ("auto", "async def", SLEEP),
        ("auto", "def", HELD),
    ],
    ids=["thread-spins", "thread-sleeps", "loop-spins", "coroutine-blocks", "interpreter-held"],
)
def test_a_call_that_outlasts_its_timeout_ends_its_replica(
    stage: Any, reach: Any, concurrency: str, kind: str, body: str, alone: bool
) -> None:
    # A replica whose import left a thread is the first process of its namespace, which the kernel keeps from signals.
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            source = f"{thread if alone else ''}{kind} handle(event, context):\n    {body}\n"
            order = stage.order(source, timeout_s=0.5, concurrency=concurrency)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            reader, writer = await asyncio.open_connection(sock=await asyncio.to_thread(reach, address))
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):  # what a gateway does
                    await reader.read(1)
            writer.close()
            ended = await audience.exited(order.replica)
            assert ended.reason == "timeout", ended

    asyncio.run(main())


def test_a_call_whose_caller_left_may_go_on_until_its_timeout(stage: Any, ask: Any, reach: Any) -> None:
    source = "import time\ndef handle(event, context):\n    time.sleep(float(event.text))\n    return 'ok'\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, timeout_s=2.0, concurrency="threads")
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            reader, writer = await asyncio.open_connection(sock=await asyncio.to_thread(reach, address))
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\n1.3")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await reader.read(1)
            writer.close()
            assert (await ask(address, b"1.4")).body == b"ok"
            assert len(audience.events) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    "whom",
    [
        "os.getpid()",
        pytest.param("os.getppid()", marks=pytest.mark.skipif(has_namespaces(), reason="the first of its namespace")),
    ],
    ids=["itself", "its-template"],
)
def test_a_replica_that_stops_is_ended_and_another_can_start(stage: Any, ask: Any, whom: str) -> None:
    source = f"""
import os, signal
def handle(event, context):
    if event.text == "stop":
        os.kill({whom}, signal.SIGSTOP)
    return "ok"
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            await ended_call(ask, (await audience.ready(order.replica)).address, b"stop")
            ended = await audience.exited(order.replica)
            assert (ended.reason, "SIGSTOP" in ended.detail) == ("stuck", True), ended
            order = stage.again(order)
            await provider.start(order)
            assert (await ask((await audience.ready(order.replica)).address)).body == b"ok"

    asyncio.run(main())


def test_what_ignores_every_signal_and_flees_is_gone_after_its_grace(
    stage: Any, ask: Any, eventually: Any, is_alive: Any
) -> None:
    source = """
import os, signal, sys, time
def handle(event, context):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for _ in range(3):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.execvp("sleep", ["sleep", "300"])
            os._exit(0)
    print("begun", flush=True)
    time.sleep(300)
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            before = stage.sleepers()
            order = stage.order(source)
            order = type(order)(
                **{name: getattr(order, name) for name in order.__struct_fields__} | {"concurrency": "inline"}
            )
            await provider.start(order)
            running = asyncio.create_task(ended_call(ask, (await audience.ready(order.replica)).address))
            await audience.line("begun")
            await eventually(lambda: len(stage.sleepers() - before) == 3)
            fled = stage.sleepers() - before
            await provider.stop(order.replica, grace_s=0.1)
            assert (await audience.exited(order.replica)).reason == "killed"
            await running
            await eventually(lambda: not any(map(is_alive, fled)))

    asyncio.run(main())


@needs_cells
@own_cells
def test_each_replica_has_a_cell_of_its_own_and_none_is_left(stage: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            zygote = stage.zygote.pid
            order = stage.order(OK, cpu_millicores=250)
            orders = [order, *(stage.again(order) for _ in range(3))]
            for each in orders:
                await provider.start(each)
                await audience.ready(each.replica)
            (template,) = children_of(zygote)
            replicas = await eventually_replicas(template, eventually)
            names = {cell_name_of(pid) for pid in replicas}
            assert len(names) == len(replicas)
            assert cell_name_of(template) not in names
            (folder,) = [
                each for each in folders_of(zygote) if (each / "cpu.shares").exists() or (each / "cpu.max").exists()
            ]
            for name in names:
                quota = folder / name / "cpu.cfs_quota_us"
                assert quota.read_text() == "25000\n"
            for each in orders:
                await provider.stop(each.replica, grace_s=5)
                await audience.exited(each.replica)
            os.kill(template, 9)
            await eventually(lambda: not cells_of(zygote))
            stage.zygote.terminate()
            stage.zygote.wait()
            assert folders_of(zygote) == []

    asyncio.run(main())


async def eventually_replicas(template: int, eventually: Any) -> list[int]:
    def are_there() -> bool:
        # Four, and the spare; each is born in the template's cell and leaves it as the first thing it does.
        found = children_of(template)
        return len(found) == 5 and cell_name_of(template) not in {cell_name_of(pid) for pid in found}

    await eventually(are_there)
    return children_of(template)


@needs_cells
@own_cells
def test_what_a_dead_zygote_left_is_removed_by_the_next(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(OK)
            await provider.start(order)
            await audience.ready(order.replica)
            dead = stage.zygote.pid
            assert folders_of(dead) != []
            stage.zygote.kill()
            stage.zygote.wait()
            await audience.exited(order.replica)
            stage.start_zygote()
        async with stage.opened():
            assert folders_of(dead) == []
            assert folders_of(stage.zygote.pid) != []

    asyncio.run(main())


@needs_cells
@own_cells
def test_a_living_zygotes_cells_are_left_alone_by_another(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(OK)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            Cells.found().close()
            assert cells_of(stage.zygote.pid)
            assert (await ask(ready.address)).body == b"ok"

    asyncio.run(main())


@needs_cells
def test_the_busy_leave_the_others_their_share() -> None:
    """The cell of a quota gets no more than that, by the kernel's count."""
    cells = Cells.found()
    try:
        cell = cells.make(Limits(64 * MIB, 16, 200))
        assert cell is not None
        doors = cell.doors()
        pid = os.fork()
        if pid == 0:
            for door in doors:
                os.write(door, b"0")
            began = time.monotonic()
            while time.monotonic() - began < 1:
                pass
            os._exit(0)
        for door in doors:
            os.close(door)
        _pid, _status, used = os.wait4(pid, 0)
        assert used.ru_utime + used.ru_stime < 0.5
        assert cell.remove()
    finally:
        cells.close()
