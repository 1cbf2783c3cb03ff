"""The link to the control plane: kept up for ever, never needed to serve."""

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from dayfly.gateway.process import serve
from dayfly.model.table import Demand, Hello, Load, Report

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Rig


def test_reports_come_by_themselves_and_when_asked(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)), rig.entry(name="idle"))
        hello = await rig.hear(Hello)
        assert (hello.gateway, len(hello.boot)) == ("gw0", 32)
        async with rig.client() as client:
            for _ in range(3):
                await client.ask("/function/f")
            await client.ask("/function/unknown")
            # A call is counted when its answer has been written, which may be a moment after it was read.
            await rig.load(lambda load: load.functions[0].codes[200][0] == 3)
            rig.tell(Report(99))
            asked = await rig.hear(Load, lambda load: load.id == 99)
            assert [(each.function, each.started, each.inflight) for each in asked.functions] == [
                ("f.openfaas-fn", 3, 0)
            ]
            count, seconds, buckets = asked.functions[0].codes[200]
            assert (count, sum(buckets)) == (3, 3)
            assert seconds > 0
            await client.ask("/function/f")
            unasked = await rig.hear(Load, lambda load: load.id == 0 and load.functions[0].started == 4)
            assert [each.function for each in unasked.functions] == ["f.openfaas-fn"]

    play(scenario)


def test_a_call_that_runs_is_reported_before_it_ends(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            while await conversation.request():
                await go.wait()
                conversation.reply()

        await rig.serve(rig.entry(await rig.replica(script)))
        async with rig.client() as client:
            asked = asyncio.create_task(client.ask("/function/f"))
            await rig.hear(Load, lambda load: load.id == 0 and load.functions[0].inflight == 1)
            go.set()
            assert (await asked).status == 200

    play(scenario)


def test_calls_go_on_while_the_control_plane_is_away_and_the_table_is_resynced(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        replica = await rig.replica(rig.echo)
        await rig.serve(rig.entry(replica), rig.entry(name="old"), rig.entry(name="waits"))
        async with rig.client() as client, rig.client() as waiting:
            await rig.close_link()
            assert (await client.ask("/function/f")).status == 200
            asked = asyncio.create_task(waiting.ask("/function/waits"))
            boots = [message.boot for message in rig.heard if isinstance(message, Hello)]
            rig.heard.clear()
            rig.entries = (rig.entry(replica), rig.entry(replica, name="new"), rig.entry(name="waits"))
            await rig.open_link()
            assert [(await rig.hear(Hello)).boot] == boots
            # What starved while nobody listened is told again.
            assert (await rig.demand("waits.openfaas-fn")).waiting == 1
            assert (await client.ask("/function/new")).status == 200
            assert (await client.ask("/function/old")).status == 404
            rig.tell(rig.delta(rig.entry(replica, name="waits")))
            assert (await asked).status == 200
            await rig.load(lambda load: any(each.started for each in load.functions if each.function.startswith("f.")))

    play(scenario)


def test_a_starving_function_is_told_again(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(), rig.entry(await rig.replica(rig.echo), name="g"))
        async with rig.client() as client, rig.client() as other:
            client.send(b"GET /function/f HTTP/1.1\r\nHost: h\r\n\r\n")
            await rig.demand()
            rig.heard.clear()
            await rig.demand()
            client.writer.transport.abort()
            await rig.load(lambda load: load.functions[0].waiting == 0)
            rig.heard.clear()
            await other.ask("/function/g")
            await rig.hear(Load, lambda load: load.id == 0)
            assert not [message for message in rig.heard if isinstance(message, Demand)]

    play(scenario)


def test_nonsense_on_the_link_is_a_new_connection(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        rig.heard.clear()
        assert rig.link is not None
        rig.link.write(b"\x00\x00\x00\x03abc")
        await rig.hear(Hello)
        rig.heard.clear()
        rig.link.write(b"\xff\xff\xff\xff")
        await rig.hear(Hello)
        async with rig.client() as client:
            assert (await client.ask("/function/f")).status == 200

    play(scenario)


def test_without_a_table_nobody_can_say_what_does_not_exist(play: "Play", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayfly.gateway.process._FIRST_TABLE_S", 0.1)

    async def scenario(rig: "Rig") -> None:
        await rig.close_link()
        await rig.serve()
        async with rig.client() as client:
            answer = await client.ask("/function/f")
            assert (answer.status, answer.problem()["code"]) == (503, "no_table")
            await rig.open_link()
            await rig.hear(Hello)

    play(scenario)


def test_a_gateway_told_to_stop_before_it_has_a_table_waits_for_none(
    play: "Play", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dayfly.gateway.process._FIRST_TABLE_S", 3600.0)

    async def scenario(rig: "Rig") -> None:
        await rig.close_link()
        rig.stop.set()
        public, said = socket.create_server(("127.0.0.1", 0)), ["not ready"]
        serving = serve(
            rig.settings, public=public, console=None, metrics=None, tls=None, stop=rig.stop, on_ready=said.clear
        )
        await asyncio.wait_for(serving, 60)
        assert (said, public.fileno()) == (["not ready"], -1)

    play(scenario)


def test_a_control_plane_that_is_not_the_first_is_told_at_once_what_was_counted(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        await rig.serve(rig.entry(await rig.replica(rig.echo)))
        async with rig.client() as client:
            await client.ask("/function/f")
            first = await rig.load(lambda load: load.functions[0].codes.get(200, (0,))[0] == 1)
            assert not first.again
        await rig.close_link()
        rig.heard.clear()
        await rig.open_link()
        told = await rig.hear(Load)
        assert (told.again, told.functions[0].started) == (True, 1)

    play(scenario)
