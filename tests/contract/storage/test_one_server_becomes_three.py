"""One server becomes three: all that it kept alone is there, whoever leads, was quicker, or whatever broke off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
import pytest
from nats.aio.client import Client
from nats.js.api import StreamConfig
from tests.contract.queue.conftest import until
from tests.contract.queue.test_three_servers import Servers, call_of, insisting, places, working
from tests.contract.storage.test_flow_runs import ALL, run_of
from tests.contract.storage.test_ledger import A, used

from dayfly.model.audit import AuditDraft, AuditQuery
from dayfly.model.errors import Unavailable
from dayfly.model.queued import Request
from dayfly.queue import joining
from dayfly.queue.access import USER, Access
from dayfly.queue.aside import ALONE, STORE, put_aside
from dayfly.queue.connection import JOINED, close, dial
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.journal import STREAMS, Journals
from dayfly.queue.objects import Objects
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal_audit import JournalAudit
from dayfly.storage.journal_cursors import JournalCursors
from dayfly.storage.journal_flow_runs import JournalRuns
from dayfly.storage.journal_ledger import JournalLedger
from dayfly.storage.ledger import Growth

__all__ = ["places"]
DRAFT = AuditDraft(who="admin", action="function.put", target="f")
CODE = b"code" * 50_000
CALLS = [call_of(f"a{number}") for number in range(50)]
EVERY = {"calls", "results", "keys", "OBJ_bundles", *STREAMS}


class Control:
    """The stores of one control plane."""

    def __init__(self, access: Path, folder: Path) -> None:
        self.calls, self.objects, self.journals = JetStreamStore(access), Objects(access), Journals(access)
        self.runs, self.ledger = JournalRuns(self.journals.flows), JournalLedger(self.journals.spending)
        self.audit = JournalAudit(self.journals.audit, AuditMirror(folder / "audit.db"))
        self.cursors = JournalCursors(self.journals.cursors)

    async def open(self) -> None:
        for store in (self.runs, self.ledger, self.audit, self.cursors):
            await insisting(store.open)

    async def write(self) -> None:
        for call in CALLS:
            await self.calls.accept(call, Request(b"", b"body of " + call.id.encode()))
        await self.objects.put("sha256:x", CODE)
        await asyncio.gather(*(self.runs.begin(run_of(str(at), started=at)) for at in range(10)))
        await asyncio.gather(*(self.runs.append(str(at), 0, 10, ALL[:1]) for at in range(10)))
        await self.ledger.add([Growth(A, 1, used(3))], {str(A): 3})
        for number in [await self.audit.begin(DRAFT) for _ in range(6)]:
            await self.audit.end(number, DRAFT)
        await self.cursors.of("a source").note({"a": "1"})

    async def check(self) -> None:
        """See that all of it is there, and can be gone on with."""
        assert {each.call.id for each in await insisting(self.calls.kept)} == {call.id for call in CALLS}
        request = await insisting(lambda: self.calls.request("a7"))
        assert (request and request.body) == b"body of a7"
        assert await insisting(lambda: self.objects.get("sha256:x")) == CODE
        assert [run.id for run in await insisting(self.runs.under_way)] == [str(at) for at in range(10)]
        assert [each.entry for each in await insisting(lambda: self.runs.log("3"))] == ALL[:1]
        await insisting(lambda: self.runs.append("7", 1, 11, ALL[1:2]))
        assert await self.ledger.used(0, 10) == {A: used(3)}
        assert [each.sequence for each in await insisting(lambda: self.audit.find(AuditQuery()))] == [6, 5, 4, 3, 2, 1]
        assert (await insisting(self.audit.verify)).whole
        assert await self.cursors.of("a source").seen() == {"a": "1"}
        context = await self.calls.connection.context()
        kept = {str(info.config.name): info.config.num_replicas for info in await context.streams_info()}
        assert kept == dict.fromkeys((*EVERY, JOINED), 3)

    @contextlib.asynccontextmanager
    async def works(self) -> AsyncIterator[None]:
        async with working(self.calls, self.objects, self.journals):
            await self.open()
            try:
                yield
            finally:
                await self.audit.close()


async def stranger(access: Path) -> Client:
    """Return a client that asks for nobody's leave, as soon as there is a leader."""
    told = msgspec.json.decode(access.read_bytes(), type=Access)  # noqa: ASYNC240 - a small file
    async with asyncio.timeout(60):
        while True:
            try:
                client = await dial(told, USER, asyncio.Event())
            except (OSError, TimeoutError, nats.errors.Error):
                await asyncio.sleep(0.1)
                continue
            try:
                await client.jetstream().streams_info()
                return client
            except (TimeoutError, nats.errors.Error):
                await close(client)


async def names_at(client: Client) -> set[str]:
    return {str(info.config.name) for info in await client.jetstream().streams_info()}


@pytest.fixture
def access(places: Servers, tmp_path: Path) -> Path:
    """Where it is told how the first server lets us in, which runs alone."""
    places.start(0, alone=True)
    places.tell(tmp_path / "access.json", 0)
    return tmp_path / "access.json"


def test_all_that_one_kept_alone_is_with_all_three(places: Servers, access: Path, tmp_path: Path) -> None:
    async def main() -> None:
        before, after = Control(access, tmp_path / "before"), Control(access, tmp_path / "after")
        async with before.works():
            await before.write()
            # As a StatefulSet has it: the new ones come first, and the one before is found where they are.
            places.start(1)
            places.start(2)
            places.tell(access, 1)
            places.kill(0)
            places.start(0)
            await insisting(before.calls.kept)
        async with after.works():
            await after.check()
        await until(lambda: not (places.folder(0) / ALONE).exists())

    asyncio.run(main())


@pytest.mark.parametrize("asked", [2, 4, 12, 24])
def test_what_was_broken_off_is_done_again_and_nobody_writes_before(
    places: Servers, access: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    """`asked` of the questions that giving eight streams takes are put; some break off within a stream."""
    ask, left = joining._ask, [asked]

    async def break_off(*question: Any) -> Any:
        if not left[0]:
            raise joining.NotJoined("enough")
        left[0] -= 1
        return await ask(*question)

    async def main() -> None:
        before, after = Control(access, tmp_path / "before"), Control(access, tmp_path / "after")
        async with before.works():
            await before.write()
        places.kill(0)
        (places.folder(0) / STORE).rename(tmp_path / STORE)
        for number in range(3):
            places.start(number)
        eager = await stranger(access)
        while JOINED not in await names_at(eager):
            pass
        await eager.jetstream().delete_stream(JOINED)
        put_aside(tmp_path)
        (tmp_path / ALONE).rename(places.folder(0) / ALONE)
        monkeypatch.setattr(joining, "_ask", break_off)
        with pytest.raises(joining.NotJoined, match="enough"):
            await joining.join(places.path, places.folder(0), places.folder(0) / "run", joining._read(access))
        lacking = max(EVERY - await names_at(eager))
        await eager.jetstream().add_stream(StreamConfig(name=lacking, subjects=[f"dayfly.{lacking}.>"]))
        async with working(after.calls):
            await until(lambda: "kept alone" in after.calls.connection.why)
            with pytest.raises(Unavailable, match="kept alone"):
                await after.calls.accept(call_of("b"), Request(b"", b""))
        places.kill(0)
        places.start(0)
        async with after.works():
            await after.check()
        await close(eager)

    asyncio.run(main())


def test_what_was_put_aside_and_not_given_is_not_removed(
    places: Servers, access: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """As where the others have the volumes of an installation before."""

    async def main() -> None:
        before, after = Control(access, tmp_path / "before"), Control(access, tmp_path / "after")
        async with before.works():
            await before.write()
        places.kill(0)
        (places.folder(0) / STORE).rename(tmp_path / STORE)
        for number in range(3):
            places.start(number)
        async with working(after.calls):
            assert await insisting(after.calls.kept) == []
        places.kill(0)
        put_aside(tmp_path)
        (tmp_path / ALONE).rename(places.folder(0) / ALONE)
        places.start(0)
        said = ""
        while f"stays in {places.folder(0) / ALONE}" not in said:
            said += capfd.readouterr().err
            await asyncio.sleep(0.05)
        assert (places.folder(0) / ALONE / STORE / "CALLS").exists()

    asyncio.run(main())


def test_one_of_three_does_not_go_on_alone(places: Servers, tmp_path: Path) -> None:
    access = tmp_path / "access.json"

    async def main() -> None:
        for number in range(3):
            places.start(number)
        places.tell(access, 0)
        calls: Any = JetStreamStore(access)
        async with working(calls):
            await insisting(lambda: calls.accept(CALLS[0], Request(b"", b"")))
            for number in range(3):
                places.kill(number)
            places.start(0, alone=True)
            assert await asyncio.to_thread(places.end, 0) == 78
            for number in range(3):
                places.start(number)
            assert [each.call.id for each in await insisting(calls.kept)] == ["a0"]

    asyncio.run(main())
