"""The link as gateways see it: a whole table first, every change after it, and no trust in what comes in."""

from __future__ import annotations

import asyncio
import socket
import stat
from typing import TYPE_CHECKING

from dayfly.model.names import ReplicaId, parse_function_key
from dayfly.model.table import MAX_MESSAGE_BYTES, Delta, Demand, Hello, Snapshot

if TYPE_CHECKING:
    from tests.unit.control.conftest import Play, Rig

HELLO = "hello.openfaas-fn"
KEY = parse_function_key(HELLO)


def test_the_snapshot_is_whole_and_deltas_follow_in_order(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed("hello")
        await rig.deployed("other")
        gateway = await rig.gateway()
        assert set(gateway.table) == {HELLO, "other.openfaas-fn"}
        await rig.plane.scale(KEY, 3)
        await rig.until(lambda: len(gateway.endpoints(HELLO)) == 3)
        await rig.plane.remove(KEY)
        await rig.until(lambda: HELLO not in gateway.table)
        versions = [message.version for message in gateway.heard if isinstance(message, Snapshot | Delta)]
        assert versions == list(range(versions[0], versions[0] + len(versions)))

    play(story)


def test_a_function_that_drains_is_in_no_snapshot(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        await rig.plane.remove(KEY)
        gateway = await rig.gateway()
        assert gateway.table == {}

    play(story)


def test_only_this_account_may_connect(play: Play) -> None:
    async def story(rig: Rig) -> None:
        assert stat.S_IMODE(rig.link.stat().st_mode) == 0o600

    play(story)


def test_gateways_come_and_go(play: Play) -> None:
    async def story(rig: Rig) -> None:
        first = await rig.gateway("gw0")
        await rig.gateway("gw1")
        assert rig.plane.gateways() == 2
        await first.disconnect()
        await rig.until(lambda: rig.plane.gateways() == 1)
        assert rig.meter.left == ["gw0"]
        await rig.gateway("gw0")
        assert rig.plane.gateways() == 2

    play(story)


def test_a_gateway_that_connects_anew_replaces_its_dead_self(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        first = await rig.gateway("gw0")
        second = await rig.gateway("gw0")
        await rig.until(first.cut.is_set)
        await rig.rounds()
        assert rig.plane.gateways() == 1
        assert rig.meter.left == []
        await rig.plane.scale(KEY, 2)
        await rig.until(lambda: len(second.endpoints(HELLO)) == 2)

    play(story)


def test_nonsense_is_cut_off(play: Play) -> None:
    async def story(rig: Rig) -> None:
        garbled, endless, nameless = (rig.make_gateway(name) for name in ("garbled", "endless", "nameless"))
        await garbled.connect(rig.link)
        garbled.send_bytes(b"\xc1nonsense")
        await rig.until(garbled.cut.is_set)
        await endless.connect(rig.link)
        endless.send_raw((MAX_MESSAGE_BYTES + 1).to_bytes(4, "big"))
        await rig.until(endless.cut.is_set)
        await nameless.connect(rig.link, hello=False)
        nameless.send(Demand(function=HELLO, waiting=1))
        await rig.until(nameless.cut.is_set)
        assert rig.plane.gateways() == 0

    play(story)


def test_names_that_cannot_be_are_ignored(play: Play) -> None:
    async def story(rig: Rig) -> None:
        gateway = await rig.gateway()
        gateway.demand("../etc/passwd")
        gateway.demand("unknown.openfaas-fn")
        gateway.report("a..b")
        await rig.rounds()
        assert rig.plane.gateways() == 1
        assert rig.provider.started == []

    play(story)


def test_messages_may_come_in_pieces(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.at_zero()
        gateway = await rig.gateway()
        data = gateway.encoded(Demand(function=HELLO, waiting=1))
        for byte in data + data:
            gateway.send_raw(bytes([byte]))
            await asyncio.sleep(0)
        await rig.until(lambda: gateway.endpoints(HELLO))

    play(story)


def test_a_status_counts_what_gateways_finished_up_to_now(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        first, second = await rig.gateway("gw0"), await rig.gateway("gw1")
        first.count(HELLO, finished=3)
        second.count(HELLO, finished=4)
        assert (await rig.plane.status(KEY)).invocations == 7
        first.count(HELLO, finished=5)
        (status,) = await rig.plane.statuses(KEY.namespace)
        assert status.invocations == 9

    play(story)


def test_questions_asked_at_once_share_one_report(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        before = len(gateway.heard)
        await asyncio.gather(*(rig.plane.status(KEY) for _ in range(20)))
        assert len(gateway.heard) == before + 1

    play(story)


def test_a_gateway_that_does_not_report_is_not_waited_for_long(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.mute = True
        question = asyncio.create_task(rig.plane.status(KEY))
        await rig.rounds()
        assert not question.done()
        rig.clock.advance(0.5)
        assert (await question).state == "ready"
        gateway.mute = False

    play(story)


def test_a_gateway_that_leaves_is_not_waited_for(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        gateway.mute = True
        question = asyncio.create_task(rig.plane.status(KEY))
        await rig.rounds()
        await gateway.disconnect()
        assert (await question).state == "ready"

    play(story)


def test_a_gateway_that_does_not_read_is_cut_off(play: Play) -> None:
    async def story(rig: Rig) -> None:
        with socket.socket(socket.AF_UNIX) as stuck:
            stuck.setblocking(False)
            stuck.connect(str(rig.link))
            stuck.send(rig.make_gateway("stuck").encoded(Hello(gateway="stuck", boot="b")))
            await rig.until(lambda: rig.plane.gateways() == 1)
            link = rig.plane.link
            connection = link.gateways["stuck"]
            for _ in range(70):
                connection.write(b"\0" * (1 << 20))
            await rig.until(lambda: rig.plane.gateways() == 0)

    play(story)


def test_why_a_replica_ended_is_told_before_the_table_changes(play: Play) -> None:
    async def story(rig: Rig) -> None:
        await rig.deployed()
        gateway = await rig.gateway()
        (replica,) = gateway.endpoints(HELLO)
        rig.provider.end(ReplicaId(replica), "oom", "it used more than 64 MiB")
        await rig.until(lambda: not gateway.endpoints(HELLO))
        reason, table = [message for message in gateway.heard if isinstance(message, Delta)][:2]
        assert [(ended.replica, ended.code, ended.detail) for ended in reason.ended] == [
            (replica, "function_out_of_memory", "it used more than 64 MiB")
        ]
        assert (reason.changed, len(table.changed), table.ended) == ((), 1, ())

    play(story)
