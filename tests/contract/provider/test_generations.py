"""Two generations of zygotes: what an older one still runs, and how it goes."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dayfly.providers.local.provider import LocalProvider
from dayfly.runtimes.jail.detect import detect
from dayfly.runtimes.python import cells
from dayfly.runtimes.python.command import zygote_argv

HELLO = "def handle(event, context):\n    return f'hello {event.text}'\n"
SLOW = """
import time

def handle(event, context):
    print("began", flush=True)
    time.sleep(float(event.text))
    return "done"
"""


class Generations:
    """Zygotes in one run folder, and a provider that starts from the newest."""

    def __init__(self, stage: Any) -> None:
        self.stage = stage
        self.zygotes: list[subprocess.Popen[bytes]] = []
        stage.provider = self.provider

    def socket(self) -> Path:
        return Path(self.stage.run / f"zygote-{len(self.zygotes)}.sock")

    def another(self) -> subprocess.Popen[bytes]:
        path = self.stage.run / f"zygote-{len(self.zygotes) + 1}.sock"
        layers = detect(cells.refusal)
        argv = zygote_argv(interpreter=sys.executable, socket=path, template_budget_bytes=1 << 30, layers=layers)
        self.zygotes.append(subprocess.Popen(argv, env={"PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL))
        return self.zygotes[-1]

    def provider(self) -> LocalProvider:
        return LocalProvider(self.socket(), self.stage.run / "r")


@pytest.fixture
def generations(stage: Any) -> Iterator[Generations]:
    found = Generations(stage)
    found.another()
    yield found
    for zygote in found.zygotes:
        zygote.kill()
        zygote.wait()


def test_replicas_of_an_older_zygote_are_stale_and_it_goes_with_the_last(
    generations: Generations, ask: Any, eventually: Any
) -> None:
    stage = generations.stage

    async def main() -> None:
        older = stage.order(HELLO)
        async with stage.opened() as (provider, audience):
            await provider.start(older)
            address = (await audience.ready(older.replica)).address
        first = generations.zygotes[0]
        generations.another()
        first.send_signal(signal.SIGTERM)
        async with stage.opened() as (provider, audience):
            (found,) = await provider.recover()
            assert (found.order, found.address, found.stale) == (older, address, True)
            assert (await ask(address, b"old")).body == b"hello old"
            newer = stage.again(older)
            await provider.start(newer)
            await audience.ready(newer.replica)
            assert first.poll() is None
            await provider.stop(older.replica, grace_s=10)
            assert (await audience.exited(older.replica)).reason == "stopped"
            await eventually(lambda: first.poll() == 0)
        # What it leaves behind disturbs nobody, and what the newer one has is not stale.
        async with stage.opened() as (provider, _):
            assert [(each.order, each.stale) for each in await provider.recover()] == [(newer, False)]
        assert not (stage.run / "zygote-1.sock").exists()

    asyncio.run(main())


def test_an_older_zygote_that_dies_is_one_lost_replica_and_no_more(generations: Generations) -> None:
    stage = generations.stage

    async def main() -> None:
        older = stage.order(HELLO)
        async with stage.opened() as (provider, audience):
            await provider.start(older)
            await audience.ready(older.replica)
        generations.another()
        async with stage.opened() as (provider, audience):
            await provider.recover()
            newer = stage.again(older)
            await provider.start(newer)
            await audience.ready(newer.replica)
            generations.zygotes[0].kill()
            assert (await audience.exited(older.replica)).reason == "lost"
            assert [each.order for each in await provider.recover()] == [newer]

    asyncio.run(main())


def test_a_replica_that_was_told_to_end_is_not_found_again_and_finishes_its_call(
    generations: Generations, ask: Any
) -> None:
    stage = generations.stage

    async def main() -> None:
        order = stage.order(SLOW, concurrency="threads")
        async with stage.opened() as (provider, audience):
            await provider.start(order)
            address = (await audience.ready(order.replica)).address
            calling = asyncio.create_task(ask(address, b"2"))
            await audience.line("began")
            await provider.stop(order.replica, grace_s=30)
            await provider.recover()
        async with stage.opened() as (provider, audience):
            assert await provider.recover() == []
            assert (await calling).body == b"done"
            assert (await audience.exited(order.replica)).reason == "stopped"

    asyncio.run(main())


def test_a_zygote_with_nothing_to_run_goes_at_once(generations: Generations, eventually: Any) -> None:
    async def main() -> None:
        async with generations.stage.opened():
            generations.zygotes[0].send_signal(signal.SIGTERM)
            await eventually(lambda: generations.zygotes[0].poll() == 0)

    asyncio.run(main())
