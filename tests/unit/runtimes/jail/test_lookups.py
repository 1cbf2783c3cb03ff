"""Names that are never answered keep those waiting who ask for them, and nobody else."""

import asyncio
import ipaddress
import socket
import threading

import pytest

from dayfly.runtimes.jail.egress import lookups
from dayfly.runtimes.jail.egress.lookups import OF_ALL, OF_ONE, Lookups, Unreachable
from dayfly.runtimes.jail.egress.policy import Address

FOUND: list[Address] = [ipaddress.ip_address("192.0.2.1")]


class Resolver:
    """Answers every name but those that begin with `silent` at once; these when it is told to."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.begun = threading.Semaphore(0)
        self.asked: list[str] = []

    def __call__(self, name: str, _port: int) -> list[Address]:
        self.asked.append(name)
        self.begun.release()
        if name.startswith("silent"):
            self.answer.wait()
        return FOUND


async def hanging(found: Lookups, resolver: Resolver, who: str, count: int) -> list["asyncio.Task[list[Address]]"]:
    """Return look-ups of which as many are under way as may be."""
    tasks = [asyncio.create_task(found.find(who, f"silent{number}", 80)) for number in range(count)]
    for _ in range(min(count, OF_ONE)):
        assert await asyncio.to_thread(resolver.begun.acquire, timeout=60), f"{len(resolver.asked)} are under way"
    return tasks


def test_who_is_not_answered_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "LOOKUP_S", 60.0)

    async def story() -> None:
        resolver = Resolver()
        found = Lookups(resolver)
        tasks = await hanging(found, resolver, "one", OF_ALL + 1)
        assert await found.find("other", "name", 80) == FOUND
        assert len(resolver.asked) == OF_ONE + 1
        resolver.answer.set()
        assert await asyncio.gather(*tasks) == [FOUND] * (OF_ALL + 1), "all have their turn"

    asyncio.run(story())


def test_who_gave_up_has_his_place_back_when_the_resolver_gives_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "LOOKUP_S", 0.5)

    async def story() -> None:
        resolver = Resolver()
        found = Lookups(resolver)
        tasks = await hanging(found, resolver, "one", OF_ONE)
        for failure in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(failure, Unreachable)
            assert "no resolver answers within 0.5s" in str(failure)
        with pytest.raises(Unreachable):
            await found.find("one", "name", 80)
        monkeypatch.setattr(lookups, "LOOKUP_S", 60.0)
        resolver.answer.set()
        assert await found.find("one", "name", 80) == FOUND

    asyncio.run(story())


@pytest.mark.parametrize("name", ["a\0b", "é.example", "x" * 300])
def test_what_is_no_name_is_told(name: str) -> None:
    async def story() -> None:
        with pytest.raises(Unreachable, match=r"cannot be looked up: .+"):
            await Lookups().find("one", name, 80)

    asyncio.run(story())


def test_what_a_resolver_says_is_told() -> None:
    def refuse(*_: object) -> list[Address]:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async def story() -> None:
        with pytest.raises(Unreachable, match=r"a\.example cannot be looked up: Temporary failure in name resolution"):
            await Lookups(refuse).find("one", "a.example", 80)

    asyncio.run(story())


def test_a_look_up_that_is_under_way_does_not_keep_a_process_from_ending() -> None:
    resolver = Resolver()

    async def story() -> None:
        (task,) = await hanging(Lookups(resolver), resolver, "one", 1)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(story())
    (thread,) = (each for each in threading.enumerate() if each.daemon and "work" in each.name)
    resolver.answer.set()
    thread.join(60)
    assert not thread.is_alive(), "an answer that comes after the loop has ended hurts nobody"
