"""Memory and processes on a machine where nobody may make control groups: they are looked at, and what exceeds ends."""

import asyncio
import contextlib
import http.client
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dayfly.runtimes.python.cells import Cells
from dayfly.runtimes.python.limits import MEMORY_BYTES
from dayfly.runtimes.python.processes import children_of, descendants_of

MIB = 1 << 20
LIMIT = 100 * MIB
OK = "def handle(event, context):\n    return 'ok'\n"
ungrouped = pytest.mark.parametrize("stage", [{"grouped": False}], indirect=True)

HOG = f"""
import ctypes, mmap, os, time

def private():
    global held
    held = [bytearray(b"x" * {MIB}) for _ in range(800)]

def shared():
    global held  # for as long as it takes to be seen
    held = mmap.mmap(-1, 300 * {MIB})
    for at in range(0, len(held), 4096):
        held[at] = 1

def forks():
    for _ in range(30):
        if os.fork() == 0:
            held = bytearray(b"x" * (20 * {MIB}))
            time.sleep(300)

def memory_file():
    global fd
    fd = os.memfd_create("hoard")
    for _ in range(300):
        os.write(fd, bytes({MIB}))

def many_memory_files():
    for number in range(300):
        os.write(os.memfd_create(str(number)), bytes({MIB}))

def orphans():
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # it adopts them no longer
    for _ in range(30):
        if os.fork() == 0:
            if os.fork() == 0:
                os.setsid()
                held = bytearray(b"x" * (20 * {MIB}))
                time.sleep(300)
            os._exit(0)

def handle(event, context):
    if event.text:
        globals()[event.text]()
        time.sleep(60)
    return "ok"
"""


def lookouts(zygote: int) -> list[int]:
    """Return the pids of the zygote's lookouts, of which there is one at most."""
    found = []
    for pid in children_of(zygote):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            found += [pid] * (Path(f"/proc/{pid}/comm").read_text() == "dayfly-lookout\n")
    return found


PATIENT = "module.exports = (event) => new Promise((done) => setTimeout(() => done('ok'), Number(event.body)));\n"


def put(path: Path, source: str) -> None:
    """Write a file that functions may read."""
    path.write_text(source)
    path.chmod(0o644)


async def ended_call(ask: Any, address: str, body: bytes = b"") -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        await ask(address, body)


@ungrouped
@pytest.mark.parametrize("how", ["private", "shared", "forks", "memory_file", "many_memory_files", "orphans"])
def test_memory_over_the_limit_ends_the_replica_however_it_is_held(
    stage: Any, ask: Any, eventually: Any, how: str
) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            # A limit that was asked for bounds the private memory of each process, and MemoryError tells of it.
            limit = 0 if how == "private" else LIMIT
            order = stage.order(HOG, memory_bytes=limit)
            good = stage.order(OK)
            for each in (order, good):
                await provider.start(each)
                await audience.ready(each.replica)
            address = (await audience.ready(order.replica)).address
            before = len(descendants_of(stage.zygote.pid))
            await ended_call(ask, address, how.encode())
            ended = await audience.exited(order.replica)
            assert (ended.reason, f"memory limit of {(limit or MEMORY_BYTES) >> 20} MiB" in ended.detail) == (
                "oom",
                True,
            ), ended
            assert (await ask((await audience.ready(good.replica)).address)).body == b"ok"
            await eventually(lambda: len(descendants_of(stage.zygote.pid)) <= before + 2)  # their spares

    asyncio.run(main())


@ungrouped
def test_an_import_over_the_limit_is_told_as_such(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HOG + "\nshared()\ntime.sleep(60)\n", memory_bytes=LIMIT)
            await provider.start(order)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "its template" in ended.detail) == ("oom", True), ended

    asyncio.run(main())


@ungrouped
def test_what_an_import_left_running_counts_for_its_template(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(
                HOG + "\nif os.fork() == 0:\n    time.sleep(2)\n    shared()\n    time.sleep(60)\n", memory_bytes=LIMIT
            )
            await provider.start(order)
            await audience.ready(order.replica)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "template" in ended.detail) == ("oom", True), ended

    asyncio.run(main())


@ungrouped
def test_memory_that_forks_share_is_counted_once(stage: Any, ask: Any) -> None:
    source = """
import os, time
held = bytearray(b"x" * (60 << 20))
def handle(event, context):
    children = []
    reader, writer = os.pipe()
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(sum(held[::4096]) == 0)
        children.append(pid)
    time.sleep(1.5)  # some looks
    os.close(writer)
    return str([os.waitpid(pid, 0)[1] for pid in children])
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=150 * MIB)
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert answer.body == str([0] * 8).encode()

    asyncio.run(main())


@ungrouped
@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on PATH: apt-get install nodejs")
def test_a_host_that_waits_beside_its_template_is_let_be(stage: Any, ask: Any) -> None:
    node = os.path.realpath(shutil.which("node") or "")

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order("", runtime="node", lang="node", interpreter=node, memory_bytes=64 * MIB)
            put(Path(order.code_dir, "handler.js"), PATIENT)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            for wait_ms in (b"1000", b"0"):  # some looks at the replica, the template, and the host that waits
                assert (await ask(address, wait_ms)).body == b"ok"
            assert len(audience.events) == 1

    asyncio.run(main())


@ungrouped
def test_a_fork_bomb_is_ended(stage: Any, ask: Any, eventually: Any) -> None:
    source = """
import os, time
def handle(event, context):
    made = 0
    while made < 600:
        made += 1
        if os.fork() == 0:
            time.sleep(300)
    time.sleep(60)
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, memory_bytes=4096 * MIB)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            await ended_call(ask, address)
            ended = await audience.exited(order.replica)
            assert (ended.reason, "512 processes" in ended.detail) == ("pids", True), ended
            await eventually(lambda: len(descendants_of(stage.zygote.pid)) < 6)

    asyncio.run(main())


@ungrouped
def test_a_lookout_that_was_killed_is_replaced_and_knows_whom_to_look_at(stage: Any, ask: Any, eventually: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HOG, memory_bytes=LIMIT)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            (dead,) = lookouts(stage.zygote.pid)
            os.kill(dead, 9)
            await eventually(lambda: lookouts(stage.zygote.pid) not in ([], [dead]))
            await ended_call(ask, address, b"shared")
            assert (await audience.exited(order.replica)).reason == "oom"

    asyncio.run(main())


@ungrouped
def test_a_lookout_ends_with_its_zygote(stage: Any, eventually: Any, is_alive: Any) -> None:
    async def main() -> None:
        async with stage.opened():
            (lookout,) = lookouts(stage.zygote.pid)
            stage.zygote.kill()
            await eventually(lambda: not is_alive(lookout))

    asyncio.run(main())


def test_where_groups_hold_everything_there_is_no_lookout(stage: Any) -> None:
    cells = Cells.found()
    cells.close()
    if cells.lacking:
        pytest.skip("no cgroups for memory, pids and cpu may be made here")

    async def main() -> None:
        async with stage.opened():
            assert lookouts(stage.zygote.pid) == []

    asyncio.run(main())
