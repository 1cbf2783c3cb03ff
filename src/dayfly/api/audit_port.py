"""The audit log as the API knows it, and what stands for it where the API was put together without one."""

from typing import Protocol

from dayfly.model.audit import (
    GENESIS,
    AuditDraft,
    AuditEntry,
    AuditHead,
    AuditQuery,
    AuditVerdict,
    Begun,
    Change,
)


class Audit(Protocol):
    """The audit log."""

    async def begin(self, draft: AuditDraft) -> Begun:
        """Note what is asked for now. Raises StoreUnavailable: it must not be done then."""
        ...

    async def end(self, begun: Begun, status: int, changes: tuple[Change, ...] = ()) -> AuditEntry | None:
        """Return the entry of what became of it. Raises StoreUnavailable."""
        ...

    async def refused(self, draft: AuditDraft) -> None:
        """Write that somebody was refused; of very many in a short time only how many."""
        ...

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted, the newest first. Raises StoreUnavailable."""
        ...

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the chain. Raises StoreUnavailable."""
        ...


class NoAudit:
    """Keeps nothing: for tests of the API that look at something else."""

    async def begin(self, draft: AuditDraft) -> Begun:
        """Note nothing."""
        return Begun(None, draft)

    async def end(self, begun: Begun, status: int, changes: tuple[Change, ...] = ()) -> None:
        """Write nothing."""
        del begun, status, changes

    async def refused(self, draft: AuditDraft) -> None:
        """Write nothing."""
        del draft

    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return none."""
        del query
        return []

    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Return that nothing is whole."""
        del noted
        start = AuditHead(0, GENESIS)
        return AuditVerdict(whole=True, entries=0, anchor=start, head=start)
