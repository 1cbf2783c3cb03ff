"""Folders that files are dropped into; there is no server, and nothing to wait for."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from tests.contract.source.rig import Promises, Relay, Rig

from dayfly.control.clock import SystemClock
from dayfly.events.sources.files import Files
from dayfly.model.trigger_source import FilesSource
from dayfly.storage.cursors import SqliteCursors


class DropFolders:
    """A place for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def why_none() -> str | None:
        """Return why there is none."""
        return None

    def start(self) -> None:
        """Nobody is to be started."""

    kill = close = start

    @contextlib.asynccontextmanager
    async def rig(self) -> AsyncIterator[Rig]:
        """Open a folder."""
        rig = FolderRig(self.folder / uuid.uuid4().hex)
        yield rig
        await rig.cursors.close()


class FolderRig:
    """A folder whose files are noted and stay."""

    promises = Promises(has_password=False, has_tls=False, binds=False, is_server=False)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.relay = Relay(0)
        self.cursors = SqliteCursors(folder / ".cursors" / "cursors.db")
        self._number = 0
        folder.mkdir()
        self.spec = FilesSource(folder=str(folder), taken="keep", interval="10ms")

    def source(self) -> Files:
        """See the protocol."""
        return Files(self.spec, SystemClock(), self.cursors.of("it"))

    unwelcome = nowhere = source

    def secured(self, *, trusting: bool) -> Files:
        """See the protocol."""
        raise NotImplementedError("a folder has no TLS")

    async def publish(self, *bodies: bytes) -> None:
        """See the protocol."""
        for body in bodies:
            self._number += 1
            hidden = self.folder / f".{self._number}"
            hidden.write_bytes(body)
            hidden.rename(self.folder / f"{self._number:06}")

    async def publish_event(self, attributes: Mapping[str, str], content_type: str, body: bytes) -> None:
        """See the protocol."""
        raise NotImplementedError("a file has no properties")
