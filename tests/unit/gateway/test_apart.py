"""Calls of replicas apart: to the one that is named, by the platform's own door, and counted as the function's."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import msgspec
from tests.unit.gateway.conftest import Client

from dayfly.model.apart import Apart, apart_in
from dayfly.model.invocation import Note
from dayfly.model.payload import PayloadPolicy
from dayfly.model.table import Allowed, Ended, Endpoint, Load

if TYPE_CHECKING:
    from tests.unit.gateway.conftest import Conversation, Play, Replica, Rig

    from dayfly.model.table import ToControl


def told(conversation: "Conversation", as_what: bytes) -> None:
    conversation.reply(as_what, f"X-Line: {conversation.line}", f"X-Headers: {','.join(conversation.headers)}")


async def first(conversation: "Conversation") -> None:
    """Answer as the replica that serves."""
    while await conversation.request():
        told(conversation, b"serving")


async def lone(conversation: "Conversation") -> None:
    """Answer as the replica apart."""
    while await conversation.request():
        told(conversation, b"apart")


def target(replica: "Replica | str", path: str = "/a?b=c", *, timeout_s: float = 20.0) -> str:
    """Return the target of a call of this replica of revision 7."""
    address = replica if isinstance(replica, str) else replica.address
    return Apart(endpoint=Endpoint("lone", address, 7), timeout_s=timeout_s).target(f"/function/f.openfaas-fn{path}")


@contextlib.asynccontextmanager
async def inner(rig: "Rig", serving: "Replica", **fields: Any) -> AsyncIterator[Client]:
    """Serve, and connect to the inner door."""
    path = rig.folder / "inner"
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    await rig.replica(rig.echo, "api")
    await rig.serve(rig.entry(serving, **fields), inner=door)
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


def test_it_gets_there_and_nobody_elses_call_does(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        let_go = asyncio.Event()

        async def script(conversation: "Conversation") -> None:
            await lone(conversation)
            let_go.set()

        serving, other = await rig.replica(first), await rig.replica(script, "r2")
        # One call at a time, and no replica that is known to be well: nothing of that matters to a call apart.
        async with inner(rig, serving, max_inflight=1) as client:
            answer = await client.ask(target(other), "X-Dayfly-Trigger: replay x", method="PUT", body=b"in")
            assert (answer.status, answer.body, answer.headers["x-line"]) == (200, b"apart", "PUT /a?b=c HTTP/1.1")
            assert "x-call-id" in answer.headers["x-headers"]
            await let_go.wait()
            assert (await client.ask("/function/f")).body == b"serving"
            async with rig.client() as outside:
                answer = await outside.ask(target(other))
                assert answer.headers["x-line"].startswith("GET /apart/"), "the control plane gets it, as any path"
                assert (await outside.ask("/function/f")).body == b"serving"
            load = await rig.load(lambda load: load.functions[0].started == 3)
            assert (load.functions[0].codes[200][0], load.functions[0].inflight) == (3, 0)

    play(scenario)


def test_it_is_recorded_with_its_revision_and_payload(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        serving, other = await rig.replica(first), await rig.replica(lone, "r2")
        async with inner(rig, serving, payloads=PayloadPolicy("all")) as client:
            await client.ask(target(other), "X-Dayfly-Trigger: replay x", method="PUT", body=b"in")

            def noted(message: "ToControl") -> bool:
                return isinstance(message, Load) and bool(message.records)

            load = await rig.hear(Load, noted)
            (note,) = msgspec.msgpack.decode(load.records, type=list[Note])
            assert note.endpoint is not None
            assert (note.endpoint.replica, note.endpoint.revision, note.origin.trigger) == ("lone", 7, "replay x")
            assert note.payload is not None

    play(scenario, records_per_second=10, payload_bytes=1000)


def test_budgets_count_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        serving, other = await rig.replica(first), await rig.replica(lone, "r2")
        allowed = Allowed(True, 1, 1, 2_000_000_000, "The budget of f is used up.", "Raise it.")
        async with inner(rig, serving, allowed=allowed) as client:
            assert [(await client.ask(target(other))).status for _ in range(2)] == [200, 429]
            assert (await client.ask("/function/f")).problem()["code"] == "budget_used_up"
            unknown = target(other).replace("/f.openfaas-fn", "/g.openfaas-fn")
            assert (await client.ask(unknown)).status == 404
            assert len(other.requests) == 0

    play(scenario)


def test_no_other_replica_stands_in_for_it(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        serving = await rig.replica(first)

        async def dies(conversation: "Conversation") -> None:
            await conversation.request()

        async def sleeps(conversation: "Conversation") -> None:
            await conversation.request()
            await conversation.reader.read()

        dying, slow = await rig.replica(dies, "r2"), await rig.replica(sleeps, "r3")
        async with inner(rig, serving) as client:
            asking = asyncio.ensure_future(client.ask(target(dying)))
            rig.tell(
                rig.delta().__class__(2, ended=(Ended("lone", "function_killed", "it was killed", "See the log."),))
            )
            ended = await asking
            assert (ended.status, ended.problem()["code"]) == (502, "function_killed")
            assert (await client.ask(target(f"unix:{rig.folder}/nobody"))).problem()["code"] == "function_killed"
            late = await client.ask(target(slow, timeout_s=0.05))
            assert (late.status, "its timeout of 0.05 s" in late.problem()["detail"]) == (504, True)

    play(scenario)


def test_what_cannot_be_read_is_refused(play: "Play") -> None:
    async def scenario(rig: "Rig") -> None:
        async with inner(rig, await rig.replica(first)) as client:
            refused = await client.ask("/apart/e30=/function/f")
            assert (refused.status, "the replica cannot be read" in refused.problem()["detail"]) == (400, True)

    play(scenario)


def test_a_target_is_read_as_it_was_written() -> None:
    apart = Apart(endpoint=Endpoint("lone", "unix:/a b/\u00e4/x.sock", 7), timeout_s=0.5)
    assert apart_in(apart.target("/function/f/x?y=%2F").encode()) == (apart, b"/function/f/x?y=%2F")
    for other in (
        b"/function/f",
        b"/apart/",
        b"/apart/e30=",
        b"/apart/e30=/system/functions",
        b"/apart/e3*=/function/f",
    ):
        assert apart_in(other) is None
