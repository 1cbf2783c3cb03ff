"""The contract of the Provider port, held by every provider: real replicas, real calls, real ends."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from dayfly.model.errors import NotFound, NotSupported
from dayfly.model.names import new_replica_id
from dayfly.model.replica import ReplicaExited, ReplicaReady

STAGES = ("docker", "kubernetes", "local", "several")

HELLO = "def handle(event, context):\n    return f'hello {event.text}'\n"
SLOW = """
import os, time
def handle(event, context):
    print("begun", flush=True)
    time.sleep(float(event.text))
    return "done"
"""


def test_a_started_replica_answers_and_ends_when_stopped(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            assert ready.started_in_s > 0
            assert (await ask(ready.address, b"world")).body == b"hello world"
            await provider.stop(order.replica, grace_s=5)
            ended = await audience.exited(order.replica)
            assert ended.reason == "stopped"
            assert "exit code 0" in ended.detail
            with pytest.raises(OSError, match=r"No such file|refused"):
                await ask(ready.address)
            assert [type(event) for event in audience.events] == [ReplicaReady, ReplicaExited]

    asyncio.run(main())


def test_replicas_of_one_function_are_processes_apart(stage: Any, ask: Any) -> None:
    source = "count = 0\ndef handle(event, context):\n    global count\n    count += 1\n    return str(count)\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            first = stage.order(source)
            second = stage.again(first)
            for order in (first, second):
                await provider.start(order)
            one, two = [(await audience.ready(order.replica)).address for order in (first, second)]
            assert one != two
            assert [(await ask(each)).body for each in (one, one, two)] == [b"1", b"2", b"1"]

    asyncio.run(main())


def test_an_id_in_use_is_left_as_it_is(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            await provider.start(order)
            assert (await ask(ready.address)).status == 200
            assert list(await provider.stats()) == [order.replica]
            await provider.stop(order.replica, grace_s=5)
            await audience.exited(order.replica)
            assert len(audience.events) == 2

    asyncio.run(main())


def test_a_handler_that_cannot_be_imported_is_reported_with_its_traceback(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            orders = [stage.order("import json\n\nvalue = json.nothing\n")]
            orders.append(stage.again(orders[0]))
            for order in orders:
                await provider.start(order)
            for order in orders:
                ended = await audience.exited(order.replica)
                assert ended.reason == ("import_failed" if stage.is_ours else "crashed"), ended
            first = await audience.exited(orders[0].replica)
            # Told with the end where the platform imports it, in the log where the function's own program does.
            told = first.detail + "".join(line.text for line in audience.lines)
            assert "handler.py" in told
            assert "AttributeError" in told
            assert len(audience.events) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("ending", "reason", "told"),
    [
        ("os._exit(3)", "crashed", "exit code 3"),
        ("os.kill(os.getpid(), signal.SIGABRT)", "crashed", "SIGABRT"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed", "SIGKILL"),
    ],
)
def test_a_replica_that_ends_by_itself_is_reported_once(
    stage: Any, reach: Any, ending: str, reason: str, told: str
) -> None:
    source = f"import os, signal, threading\ndef handle(event, context):\n    {ending}\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await asyncio.open_connection(sock=reach(ready.address))
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert await reader.read() == b""
            writer.close()
            ended = await audience.exited(order.replica)
            assert (ended.reason, told in ended.detail) == (reason, True), ended
            await provider.stop(order.replica, grace_s=0)
            assert len(audience.events) == 2

    asyncio.run(main())


def test_a_stop_lets_the_call_at_hand_finish(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(SLOW)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            running = asyncio.create_task(ask(ready.address, b"0.4"))
            await audience.line("begun")
            await provider.stop(order.replica, grace_s=10)
            assert (await running).body == b"done"
            assert (await audience.exited(order.replica)).reason == "stopped"

    asyncio.run(main())


def test_what_outlasts_its_grace_is_killed_with_all_it_started(
    stage: Any, ask: Any, eventually: Any, is_alive: Any
) -> None:
    source = """
import os, subprocess, time
def handle(event, context):
    lost = "sleep 300 & sleep 300"
    subprocess.Popen(["setsid", "-f", "sh", "-c", lost], start_new_session=True)
    subprocess.Popen(["sh", "-c", lost])
    print("begun", flush=True)
    time.sleep(300)
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            before = stage.sleepers()
            order = stage.order(source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            running = asyncio.create_task(ask(ready.address))
            await audience.line("begun")
            await eventually(lambda: len(stage.sleepers() - before) >= 4)
            started = stage.sleepers() - before
            await provider.stop(order.replica, grace_s=0.1)
            ended = await audience.exited(order.replica)
            assert ended.reason == "killed"
            assert "SIGKILL" in ended.detail
            with pytest.raises(OSError, match=r".*"):
                await running
            await eventually(lambda: not any(map(is_alive, started)))

    asyncio.run(main())


def test_a_replica_stopped_before_it_was_ready_only_ends(stage: Any) -> None:
    source = (
        "import time\nprint('importing', flush=True)\ntime.sleep(300)\ndef handle(event, context):\n    return ''\n"
    )

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            await audience.line("importing")
            await provider.stop(order.replica, grace_s=5)
            assert (await audience.exited(order.replica)).reason == "stopped"
            assert len(audience.events) == 1

    asyncio.run(main())


def test_replicas_are_found_again_after_the_control_plane_was_away(stage: Any, ask: Any) -> None:
    async def main() -> None:
        order, gone = stage.order(SLOW), stage.order(HELLO)
        async with stage.opened() as (provider, audience):
            for each in (order, gone):
                await provider.start(each)
            address = (await audience.ready(order.replica)).address
            await audience.ready(gone.replica)
            await provider.stop(gone.replica, grace_s=5)
            await audience.exited(gone.replica)
        assert (await ask(address, b"0")).body == b"done"
        async with stage.opened() as (provider, audience):
            found = await provider.recover()
            assert [(each.order, each.address) for each in found] == [(order, address)]
            assert await provider.recover() == found
            await audience.line("begun")
            assert list(await provider.stats()) == [order.replica]
            await provider.start(order)
            await provider.stop(order.replica, grace_s=5)
            assert (await audience.exited(order.replica)).reason == "stopped"
            assert len(audience.events) == 1

    asyncio.run(main())


def test_output_becomes_lines_that_know_their_stream_and_call(stage: Any, ask: Any) -> None:
    source = """
import subprocess, sys
print("while importing")
def handle(event, context):
    print("to stdout")
    print("to stderr", file=sys.stderr)
    sys.stdout.write("no line end")
    subprocess.run(["echo", "from a child"])
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            assert (await ask(ready.address, headers={"X-Call-Id": "call-1"})).body == b""
            call = "call-1" if stage.is_ours else ""
            expected = {
                "while importing": ("stdout", ""),
                "to stdout": ("stdout", call),
                "to stderr": ("stderr", call),
                "from a child": ("stdout", ""),
            }
            if stage.is_ours:
                expected["no line end"] = ("stdout", call)
            for text, told in expected.items():
                line = await audience.line(text)
                assert (line.text, line.stream, line.call_id) == (text, *told)
                assert (line.key, line.replica) == (order.key, order.replica)

    asyncio.run(main())


def test_last_words_are_read_before_the_end_is_told(stage: Any, reach: Any) -> None:
    source = "import os\ndef handle(event, context):\n    print('farewell')\n    os._exit(1)\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            reader, writer = await asyncio.open_connection(sock=reach(ready.address))
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.read()
            writer.close()
            await audience.exited(order.replica)
            assert [line.text for line in audience.lines if line.stream == "stdout"] == ["farewell"]

    asyncio.run(main())


def test_stats_come_from_the_kernel(stage: Any, ask: Any) -> None:
    source = """
import time
kept = []
def handle(event, context):
    kept.append(bytearray(b"x") * 50_000_000)
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass
    return ""
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            before = (await provider.stats())[order.replica]
            await ask(ready.address)
            after = (await provider.stats())[order.replica]
            assert after.cpu_s - before.cpu_s >= 0.2
            assert after.memory_bytes - before.memory_bytes > 40_000_000

    asyncio.run(main())


def test_a_function_finds_its_environment_and_name(stage: Any, ask: Any) -> None:
    source = """
import os
def handle(event, context):
    names = ("GREETING", "OPENFAAS_NAME", "OPENFAAS_NAMESPACE", "HOME", "OMP_NUM_THREADS")
    with open("/tmp/x-" + context.hostname, "w") as file:
        file.write("written")
    return {**{name: os.environ.get(name) for name in names}, "host": context.hostname, "name": context.function}
"""

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source, env={"GREETING": "hi", "OMP_NUM_THREADS": "3"})
            await provider.start(order)
            answer = await ask((await audience.ready(order.replica)).address)
            assert answer.status == 200, answer
            told = json.loads(answer.body)
            assert told == {
                "GREETING": "hi",
                "OPENFAAS_NAME": order.key.name,
                "OPENFAAS_NAMESPACE": "openfaas-fn",
                "HOME": "/tmp",
                "OMP_NUM_THREADS": "3",
                "host": order.replica,
                "name": order.key.name,
            }

    asyncio.run(main())


def test_a_runtime_that_the_provider_lacks_is_refused(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            with pytest.raises(NotSupported, match="cobol"):
                await provider.start(stage.order("", runtime="cobol"))
            assert audience.events == []

    asyncio.run(main())


def test_stopping_what_is_not_there_is_no_error(stage: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            await provider.stop(new_replica_id(), grace_s=1)
            assert await provider.recover() == []
            assert audience.events == []

    asyncio.run(main())


def test_closing_twice_is_no_error_and_ends_nobody(stage: Any, ask: Any) -> None:
    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(HELLO)
            await provider.start(order)
            ready = await audience.ready(order.replica)
            await provider.close()
        assert (await ask(ready.address, b"you")).body == b"hello you"

    asyncio.run(main())


def test_what_a_container_prints_is_read_and_followed(stage: Any, ask: Any) -> None:
    source = "def handle(event, context):\n    print('said ' + event.text, flush=True)\n    return 'x'\n"

    async def main() -> None:
        async with stage.opened() as (provider, audience):
            order = stage.order(source)
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            assert (await ask(address, b"one")).body == b"x"
            await audience.line("said one")
            names = [each.name for each in (await provider.survey()).containers if each.replica == order.replica]
            for name in names:
                kept = [line async for line in await provider.container_log(name, tail=-1, follow=False)]
                if not any(line.text == "said one" for line in kept):
                    continue  # a porter prints nothing of the function's
                assert all(line.part == name and line.unix_ns > 0 for line in kept)
                newest = [line.text async for line in await provider.container_log(name, tail=1, follow=False)]
                assert newest == ["said one"]
                async with (
                    asyncio.timeout(60),
                    contextlib.aclosing(await provider.container_log(name, tail=0, follow=True)) as lines,
                ):
                    coming = asyncio.ensure_future(anext(lines))
                    while not coming.done():
                        assert (await ask(address, b"two")).body == b"x"
                    assert (await coming).text == "said two"
                break
            else:
                assert not names, "where there are containers, one has said it"
            with pytest.raises(NotFound):
                await provider.container_log("nobody", tail=-1, follow=False)

    asyncio.run(main())
