"""What both clients have for revisions of functions, and for their code."""

from abc import ABC, abstractmethod
from typing import TypeVar

from dayfly.client import calls as function_calls
from dayfly.client import source_calls as calls
from dayfly.client.calls import Call
from dayfly.client.gateway import Target
from dayfly.model.source import Source, SourceChange, Starter
from dayfly.model.status import BundleReceipt, RevisionStatus

T = TypeVar("T")


class Sourcing(ABC):
    """The methods of the client for programs without asyncio."""

    _target: Target

    @abstractmethod
    def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    def list_revisions(self, name: str, *, namespace: str = "") -> list[RevisionStatus]:
        """Return the function's revisions, oldest first. Raises NotFound."""
        return self._send(function_calls.list_revisions(self._target.key(name, namespace)))

    def get_build_log(self, name: str, *, namespace: str = "") -> str:
        """Return what the installation of the function's dependencies printed. Raises NotFound."""
        return self._send(function_calls.get_build_log(self._target.key(name, namespace)))

    def get_source(self, name: str, *, revision: int = 0, namespace: str = "") -> Source:
        """Return the files of a function's revision, by default of the one that was deployed last.

        Raises NotFound, NotSupported for an image, whose code the platform does not have.
        """
        return self._send(calls.get_source(self._target.key(name, namespace), revision))

    def change_source(self, change: SourceChange, *, namespace: str = "") -> BundleReceipt:
        """Make a bundle of files, or of another bundle with some of its files changed, and deploy nothing.

        A FunctionSpec takes its digest. Raises InvalidRequest, InvalidName, NotFound, PayloadTooLarge.
        """
        return self._send(calls.change_source(change, self._target.namespace(namespace)))

    def list_starters(self) -> list[Starter]:
        """Return what a function that is written there may begin with, each with its files."""
        return self._send(calls.list_starters())


class AsyncSourcing(ABC):
    """The methods of the client for asyncio."""

    _target: Target

    @abstractmethod
    async def _send(self, call: Call[T]) -> T:
        """Carry a call out."""

    async def list_revisions(self, name: str, *, namespace: str = "") -> list[RevisionStatus]:
        """Return the function's revisions, oldest first. Raises NotFound."""
        return await self._send(function_calls.list_revisions(self._target.key(name, namespace)))

    async def get_build_log(self, name: str, *, namespace: str = "") -> str:
        """Return what the installation of the function's dependencies printed. Raises NotFound."""
        return await self._send(function_calls.get_build_log(self._target.key(name, namespace)))

    async def get_source(self, name: str, *, revision: int = 0, namespace: str = "") -> Source:
        """Return the files of a function's revision, by default of the one that was deployed last.

        Raises NotFound, NotSupported for an image, whose code the platform does not have.
        """
        return await self._send(calls.get_source(self._target.key(name, namespace), revision))

    async def change_source(self, change: SourceChange, *, namespace: str = "") -> BundleReceipt:
        """Make a bundle of files, or of another bundle with some of its files changed, and deploy nothing.

        A FunctionSpec takes its digest. Raises InvalidRequest, InvalidName, NotFound, PayloadTooLarge.
        """
        return await self._send(calls.change_source(change, self._target.namespace(namespace)))

    async def list_starters(self) -> list[Starter]:
        """Return what a function that is written there may begin with, each with its files."""
        return await self._send(calls.list_starters())
