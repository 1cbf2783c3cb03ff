"""The port behind the audit log: what was asked for and is not over, and the chain of what became of it."""

import abc

from dayfly.model.audit import AuditDraft, AuditEntry, AuditHead, AuditLimits, AuditQuery, AuditVerdict


class AuditStore(abc.ABC):
    """A store of the log. When a write returns, it is on the disk. All raise StoreUnavailable when the medium fails."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Open it; until it is, every other method raises StoreUnavailable. May be tried again after it raised."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish what is under way and close. Idempotent."""

    @abc.abstractmethod
    async def begin(self, draft: AuditDraft) -> int:
        """Note what is asked for; return by what it is known."""

    @abc.abstractmethod
    async def end(self, number: int | None, draft: AuditDraft) -> AuditEntry:
        """Put into the chain what became of it; None as the number for what was not begun.

        Asked again with the same, after it raised, it puts it there once.
        """

    @abc.abstractmethod
    async def take_up(self) -> int:
        """Put into the chain what an earlier life began and did not end; return how many that are."""

    @abc.abstractmethod
    async def trim(self, limits: AuditLimits, now_ms: int) -> int:
        """Let go what is too old or too much, oldest first, and return how many entries that are.

        The chain is anchored behind them, which is an entry, too.
        """

    @abc.abstractmethod
    async def find(self, query: AuditQuery) -> list[AuditEntry]:
        """Return the entries wanted, the newest first."""

    @abc.abstractmethod
    async def verify(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Check the chain, and that it holds a head that somebody noted."""
