"""The state port: what should be true, kept so that a crash at any moment loses nothing that was acknowledged.

When a write returns, it is on the disk. Reads see every write that returned before. Functions are read and written
under their key, of which the namespace is a part: there is no way to ask without naming the tenant, but for `all`,
which the reconciler needs at start.
"""

import abc
from collections.abc import Collection, Mapping

from dayfly.model.function import Function, Revision
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName

KEPT_REVISIONS = 100
"""Revisions kept of one function, the newest; a job that deploys every minute must not fill the disk."""


class StateStore(abc.ABC):
    """Desired state. All methods raise StoreUnavailable when the medium fails."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Open, and bring an older layout up to date; nothing happens when it is open already.

        Raises StoreUnavailable, also for a layout newer than ours, which is left untouched.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Finish pending writes and close. Idempotent."""

    @abc.abstractmethod
    async def all(self) -> list[Function]:
        """Return every function of every namespace, ordered by key."""

    @abc.abstractmethod
    async def in_namespace(self, namespace: NamespaceName) -> list[Function]:
        """Return the namespace's functions ordered by name; none for an unknown namespace."""

    @abc.abstractmethod
    async def get(self, key: FunctionKey) -> Function:
        """Return the function. Raises NotFound."""

    @abc.abstractmethod
    async def put(self, function: Function) -> None:
        """Create or replace the function; its revision and its candidate's join the history when their numbers are new.

        A revision that is there already stays as it is, whatever the one given says. The newest KEPT_REVISIONS stay,
        and with them those that the function names.
        """

    @abc.abstractmethod
    async def delete(self, key: FunctionKey) -> None:
        """Remove the function and its history. Raises NotFound."""

    @abc.abstractmethod
    async def revisions(self, key: FunctionKey) -> list[Revision]:
        """Return the function's revisions, newest first. Raises NotFound."""

    @abc.abstractmethod
    async def served(self, key: FunctionKey) -> set[int]:
        """Return the numbers of the revisions kept that were ever the one that serves. Raises NotFound."""

    @abc.abstractmethod
    async def bundles(self) -> set[BundleDigest]:
        """Return the bundles of all revisions of all functions that are kept."""

    @abc.abstractmethod
    async def pin(self, key: FunctionKey, number: int, image: str) -> None:
        """Keep what the revision's image was found to be, until the revision goes; nothing for one that is not kept."""

    @abc.abstractmethod
    async def pinned(self, key: FunctionKey, number: int) -> str:
        """Return what `pin` last kept for the revision; empty when nothing was."""

    @abc.abstractmethod
    async def totals(self) -> dict[str, int]:
        """Return what `save_totals` last kept: calls ever finished by function (`name.namespace`) and beside them what
        else the meter keeps (`name.namespace@…`)."""

    @abc.abstractmethod
    async def save_totals(self, totals: Mapping[str, int], gone: Collection[str] = ()) -> None:
        """Keep these totals beside the others and forget those `gone`; may be lost by a crash, unlike the rest."""
