"""A call whose replica is gone: it waits a moment for the reason, and for nothing else."""

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest

from dayfly.gateway import endings
from dayfly.model.table import Delta, Ended, Load, ToGateway

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig

OOM = Ended("r0", "function_out_of_memory", "it used more than its memory limit of 64 MiB", "Raise limits.memory.")
LONG_S = 3600.0


async def die(conversation: "Conversation") -> None:
    """Take a call and close the connection."""
    await conversation.request()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for a word would last for ever."""
    monkeypatch.setattr(endings, "WORD_S", LONG_S)


@pytest.mark.usefixtures("patient")
def test_a_word_that_comes_after_the_break_is_the_answer(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        taken = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            taken.set()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client, rig.client() as other:
            calls = [asyncio.create_task(each.ask("/function/f", "X-Call-Id: mine")) for each in (client, other)]
            await taken.wait()
            for _ in range(20):
                await asyncio.sleep(0)
            rig.tell(Delta(3, ended=(OOM,)))
            for call in calls:
                answer = await call
                told = answer.problem()
                assert (answer.status, told["code"], told["call_id"]) == (502, "function_out_of_memory", "mine")
                assert "f.openfaas-fn" in told["detail"]
                assert "memory limit of 64 MiB." in told["detail"]
                assert told["hint"].startswith("Raise limits.memory. The call was not repeated")
            assert (await client.ask("/function/nobody")).status == 404
        load = await rig.load(lambda load: load.functions[0].codes.get(502, (0,))[0] == 2)
        assert load.functions[0].inflight == 0

    play(scenario)


@pytest.mark.usefixtures("patient")
def test_a_word_that_came_before_the_break_is_the_answer_at_once(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            await go.wait()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            call = asyncio.create_task(client.ask("/function/f"))
            await rig.hear(Load, lambda load: load.functions[0].inflight == 1)
            rig.tell(Delta(3, ended=(OOM,)))
            await rig.load(lambda load: load.functions[0].inflight == 1)  # what was told before has been taken in too
            go.set()
            assert (await call).problem()["code"] == "function_out_of_memory"

    play(scenario)


def test_without_a_word_the_answer_is_that_the_replica_is_lost(play: "Play", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "WORD_S", 0.01)

    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(die)))
        async with rig.client() as client:
            rig.tell(Delta(3, ended=(msgspec.structs.replace(OOM, replica="another"),)))
            answer = await client.ask("/function/f")
            assert (answer.status, answer.problem()["code"]) == (502, "replica_lost")

    play(scenario)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"])
def test_a_replica_that_lives_and_answers_nonsense_is_not_waited_for(play: "Play", sent: bytes) -> None:
    async def scenario(rig: "Rig") -> None:
        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            conversation.send(sent)
            await conversation.head()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            assert (await client.ask("/function/f")).problem()["code"] == "replica_lost"

    play(scenario)


@pytest.mark.usefixtures("patient")
def test_nobody_is_waited_for_while_the_control_plane_is_away(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        asked, go = asyncio.Event(), asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await conversation.request()
            asked.set()
            await go.wait()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            call = asyncio.create_task(client.ask("/function/f"))
            await asked.wait()
            await rig.close_link()
            go.set()
            assert (await call).problem()["code"] == "replica_lost"

    play(scenario)


@pytest.mark.usefixtures("patient")
def test_a_caller_that_leaves_or_runs_out_of_time_waits_no_longer(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(die)
        await rig.serve(rig.entry(replica), rig.entry(replica, name="hasty", timeout_s=0.05))
        async with rig.client() as client, rig.client() as gone:
            gone.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            await rig.load(lambda load: load.functions[0].inflight == 1)
            gone.writer.transport.abort()
            await rig.load(lambda load: set(load.functions[0].codes) == {499})
            assert (await client.ask("/function/hasty")).problem()["code"] == "timeout"
            rig.tell(Delta(3, ended=(OOM,)))
            assert (await client.ask("/function/f")).problem()["code"] == "function_out_of_memory"
        load = await rig.load(lambda load: {502, 499} == set(load.functions[0].codes))
        assert [{code: figures[0] for code, figures in each.codes.items()} for each in load.functions] == [
            {499: 1, 502: 1},
            {504: 1},
        ]
        assert [function.inflight for function in load.functions] == [0, 0]

    play(scenario)


def test_words_are_kept_for_a_while_and_not_for_ever() -> None:
    later: list[float] = []
    told: list[Ended | None] = []

    class Call:
        def bereft(self, ended: Ended | None) -> None:
            told.append(ended)

    words = endings.Endings(lambda seconds, _act: later.append(seconds))
    for number in range(endings.KEPT + 1):
        words.hear(Ended(f"r{number}", "function_crashed", "", ""))
    words.ask("r1", Call())
    assert [each.replica for each in told if each is not None] == ["r1"]
    words.ask("r0", Call())
    assert (len(told), later) == (1, [endings.WORD_S])


def test_gateways_and_control_planes_of_other_versions_understand_each_other() -> None:
    class Earlier(msgspec.Struct, frozen=True, tag="Delta"):
        """As it was before there were endings."""

        version: int
        changed: tuple[str, ...] = ()
        removed: tuple[str, ...] = ()

    told = msgspec.msgpack.encode(Delta(3, removed=("a.b",), ended=(OOM,)))
    assert msgspec.msgpack.decode(told, type=Earlier) == Earlier(3, removed=("a.b",))
    earlier = msgspec.msgpack.encode(Earlier(3, removed=("a.b",)))
    assert msgspec.msgpack.decode(earlier, type=ToGateway) == Delta(3, removed=("a.b",))
