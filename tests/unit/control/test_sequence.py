"""Changes of one thing after another."""

import asyncio

import pytest

from dayfly.control.sequence import Sequence
from dayfly.model.names import parse_function_key

A, B = parse_function_key("a"), parse_function_key("b")


def test_the_same_key_waits_and_another_does_not() -> None:
    async def main() -> None:
        sequence, done, gate = Sequence(), [], asyncio.Event()

        async def work(name: str, gate: asyncio.Event | None = None) -> str:
            if gate is not None:
                await gate.wait()
            done.append(name)
            return name

        first = asyncio.create_task(sequence.run(A, work("first", gate)))
        await asyncio.sleep(0)
        second = asyncio.create_task(sequence.run(A, work("second")))
        assert await sequence.run(B, work("other")) == "other"
        gate.set()
        assert [await first, await second] == ["first", "second"]
        assert done == ["other", "first", "second"]

    asyncio.run(main())


def test_a_failure_reaches_its_caller_and_no_other() -> None:
    async def main() -> None:
        sequence = Sequence()

        async def fails() -> None:
            raise KeyError("mine")

        async def works() -> int:
            return 1

        bad, good = asyncio.create_task(sequence.run(A, fails())), asyncio.create_task(sequence.run(A, works()))
        assert await good == 1
        with pytest.raises(KeyError, match="mine"):
            await bad

    asyncio.run(main())


def test_draining_waits_for_work_whose_caller_is_gone() -> None:
    async def main() -> None:
        sequence, gate, done = Sequence(), asyncio.Event(), []

        async def work() -> None:
            await gate.wait()
            done.append(1)

        caller = asyncio.create_task(sequence.run(A, work()))
        await asyncio.sleep(0)
        caller.cancel()
        asyncio.get_running_loop().call_soon(gate.set)
        await sequence.drain()
        assert done == [1]

    asyncio.run(main())
