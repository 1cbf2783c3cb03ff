"""Runs, used budgets, the audit log and cursors on three servers, of which one is killed."""

import asyncio
from pathlib import Path

from tests.contract.queue.test_three_servers import Servers, insisting, places, servers, working
from tests.contract.storage.test_flow_runs import ALL, run_of
from tests.contract.storage.test_ledger import A, used

from dayfly.model.audit import AuditDraft, AuditQuery
from dayfly.queue.journal import STREAMS, Journals
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.journal_audit import JournalAudit
from dayfly.storage.journal_cursors import JournalCursors
from dayfly.storage.journal_flow_runs import JournalRuns
from dayfly.storage.journal_ledger import JournalLedger
from dayfly.storage.ledger import Growth

__all__ = ["places", "servers"]
DRAFT = AuditDraft(who="admin", action="function.put", target="f")


def test_another_control_plane_goes_on_when_a_server_was_killed(servers: Servers, tmp_path: Path) -> None:
    async def main() -> None:
        access = tmp_path / "access.json"
        servers.tell(access, 0)
        first, second = Journals(access), Journals(access)
        async with working(first):
            runs, ledger = JournalRuns(first.flows), JournalLedger(first.spending)
            await insisting(runs.open)
            await insisting(ledger.open)
            # Many at once: the servers agree on one beginning after the other, and on appends side by side.
            await asyncio.gather(*(runs.begin(run_of(str(at), started=at)) for at in range(40)))
            for after in range(3):
                await asyncio.gather(*(runs.append(str(at), after, 10, ALL[after : after + 1]) for at in range(40)))
            await ledger.add([Growth(A, 1, used(3))], {str(A): 3})
            audit = JournalAudit(first.audit, AuditMirror(tmp_path / "first" / "audit.db"))
            await insisting(audit.open)
            numbers = await asyncio.gather(*(audit.begin(DRAFT) for _ in range(6)))
            await asyncio.gather(*(audit.end(number, DRAFT) for number in numbers[1:]))
            cursors = JournalCursors(first.cursors)
            await insisting(cursors.open)
            await asyncio.gather(*(cursors.of(f"source {at}").note({"a": str(at)}) for at in range(5)))
            for stream in STREAMS:
                info = await (await first.connection.context()).stream_info(stream)
                assert info.config.num_replicas == 3, stream
        servers.kill(0)
        servers.tell(access, 1)
        async with working(second):
            runs, ledger = JournalRuns(second.flows), JournalLedger(second.spending)
            await insisting(runs.open)
            await insisting(ledger.open)
            assert [run.id for run in await insisting(runs.under_way)] == [str(at) for at in range(40)]
            logs = await asyncio.gather(*(insisting(lambda at=at: runs.log(str(at))) for at in range(40)))
            assert all([each.entry for each in log] == ALL[:3] for log in logs)
            await insisting(lambda: runs.append("7", 3, 11, ALL[3:4]))
            assert await ledger.used(0, 10) == {A: used(3)}
            next_audit = JournalAudit(second.audit, AuditMirror(tmp_path / "second" / "audit.db"))
            await insisting(next_audit.open)
            assert await insisting(next_audit.take_up) == 1
            entries = await insisting(lambda: next_audit.find(AuditQuery()))
            assert [each.sequence for each in entries] == [6, 5, 4, 3, 2, 1]
            found = await insisting(next_audit.verify)
            assert (found.whole, found.entries) == (True, 6)
            cursors = JournalCursors(second.cursors)
            await insisting(cursors.open)
            assert [await cursors.of(f"source {at}").seen() for at in range(5)] == [{"a": str(at)} for at in range(5)]
            for store in (audit, next_audit):
                await store.close()

    asyncio.run(main())
