"""What a gateway leaves to who begins in its place: all that was to be served, or nothing."""

import os
from collections.abc import Iterator

import msgspec
import pytest
from tests.unit.gateway.conftest import Play, Rig

from dayfly.gateway import memory as module
from dayfly.gateway.memory import Memory
from dayfly.model.table import Allowed, Delta, Entry, Hello, Snapshot, ToGateway


def entry(name: str, timeout_s: float = 60.0) -> Entry:
    return Entry(name=name, namespace="n", timeout_s=timeout_s)


SNAPSHOT = Snapshot(1, (entry("a"), entry("b")), "n", (Rig.route(name="r"),))


@pytest.fixture
def fd() -> Iterator[int]:
    fd = os.memfd_create("memory")
    yield fd
    os.close(fd)


def keep(memory: Memory, *messages: ToGateway) -> None:
    for message in messages:
        memory.keep(message, msgspec.msgpack.encode(message))


def test_the_next_life_knows_what_the_last_was_told(fd: int) -> None:
    assert Memory(fd).recall() is None
    memory = Memory(fd)
    keep(memory, Delta(1, (entry("lost"),)), SNAPSHOT, Delta(2, (entry("a", 5), entry("c"))), Delta(3, (), ("b.n",)))
    keep(memory, Delta(4, routes=(Rig.route(name="s"),), unrouted=("r.openfaas-fn",)))
    found = Memory(fd).recall()
    assert found is not None
    assert found.entries == (entry("a", 5), entry("c"))
    assert [route.key for route in found.routes] == ["s.openfaas-fn"]
    keep(memory, SNAPSHOT)
    assert Memory(fd).recall() == SNAPSHOT


def test_it_does_not_grow_for_ever(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DELTAS_BYTES", 1000)
    memory = Memory(fd)
    keep(memory, SNAPSHOT, *(Delta(number, (entry("a", number),)) for number in range(2, 500)))
    assert os.fstat(fd).st_size < 3000
    found = Memory(fd).recall()
    assert found is not None
    assert found.entries == (entry("a", 499), entry("b"))


def test_who_is_killed_while_writing_leaves_what_was_there_and_what_is_broken_is_nothing(fd: int) -> None:
    keep(Memory(fd), SNAPSHOT)
    os.pwrite(fd, b"half of a delta", os.fstat(fd).st_size)
    assert Memory(fd).recall() == SNAPSHOT
    os.pwrite(fd, b"\xff" * 8, 16)
    assert Memory(fd).recall() is None


def test_what_is_remembered_is_served_until_the_control_plane_says_more(play: Play, fd: int) -> None:
    async def scenario(rig: Rig) -> None:
        replica = await rig.replica(rig.echo)
        spent = Allowed(True, 5, 1, 0, "", "")
        remembered = (
            rig.entry(replica),
            rig.entry(replica, name="gone"),
            rig.entry(replica, name="dear", allowed=spent),
        )
        keep(Memory(fd), Snapshot(1, remembered, "openfaas-fn"))
        await rig.close_link()
        await rig.serve(rig.entry(replica), memory=Memory(fd))
        async with rig.client() as client:
            asked = {name: await client.ask(f"/function/{name}") for name in ("f", "gone", "dear", "unknown")}
            assert {name: answer.status for name, answer in asked.items()} == {
                "f": 200, "gone": 200, "dear": 503, "unknown": 503
            }  # fmt: skip
            await rig.open_link()
            await rig.hear(Hello)
            await rig.heard_all()
            assert (await client.ask("/function/gone")).status == 404
            assert (await client.ask("/function/f")).status == 200

    play(scenario)
