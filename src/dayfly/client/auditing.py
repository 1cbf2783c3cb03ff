"""What both clients have for the audit log."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import audit_calls as calls
from dayfly.client.calls import Call
from dayfly.model.audit import AuditEntry, AuditHead, AuditVerdict

T = TypeVar("T")


class Auditing(ABC):
    """The methods of the client for programs without asyncio."""

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_audit(
        self, *, since: str = "", until: str = "", who: str = "", action: str = "", namespace: str = "",
        before: int = 0, after: int = 0, limit: int = 100,
    ) -> list[AuditEntry]:  # fmt: skip
        """Return who changed what, the newest first; with a namespace's credential only what is about that.

        Raises Forbidden, InvalidRequest.
        """
        wanted = calls.WantedEntries(
            since=since, until=until, who=who, action=action, namespace=namespace, before=before, after=after,
            limit=limit,
        )  # fmt: skip
        return self._send(calls.list_audit(wanted))

    def verify_audit(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Return whether the audit log is whole, and holds an entry that was noted elsewhere."""
        return self._send(calls.verify_audit(noted))


class AsyncAuditing(ABC):
    """The methods of the client for asyncio."""

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_audit(
        self, *, since: str = "", until: str = "", who: str = "", action: str = "", namespace: str = "",
        before: int = 0, after: int = 0, limit: int = 100,
    ) -> list[AuditEntry]:  # fmt: skip
        """Return who changed what, the newest first; with a namespace's credential only what is about that.

        Raises Forbidden, InvalidRequest.
        """
        wanted = calls.WantedEntries(
            since=since, until=until, who=who, action=action, namespace=namespace, before=before, after=after,
            limit=limit,
        )  # fmt: skip
        return await self._send(calls.list_audit(wanted))

    async def verify_audit(self, noted: AuditHead | None = None) -> AuditVerdict:
        """Return whether the audit log is whole, and holds an entry that was noted elsewhere."""
        return await self._send(calls.verify_audit(noted))
