"""Dependency layers: what a function asks for, installed once and shared by all functions that ask the same.

A layer's address is the hash of the wishes in one spelling, the interpreter and the platform. `LAYER/site` is there
whole or not at all; `LAYER/install.log` tells how it came to be, and stays when it did not. How a language's packages
are installed is a kit's to know.
"""

import asyncio
import ctypes
import hashlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from dayfly.storage.claims import Claims
from dayfly.storage.medium import disk_failed

_TEMPORARY_PREFIX = ".site-"
_libc = ctypes.CDLL(None, use_errno=True)
W = TypeVar("W", bound="Wishes", contravariant=True)


class Wishes(Protocol):
    """What a function asks for."""

    @property
    def text(self) -> str:
        """All of it in one spelling."""


class Kit(Protocol[W]):
    """How one language's packages are installed."""

    file: str
    """What the wishes are kept as, beside the layer."""

    async def identify(self) -> str:
        """Return what else decides on the result: the interpreter and its settings."""

    async def install(self, wishes: W, kept: Path, site: Path, log: Path) -> None:
        """Install the wishes, which were written to `kept`, into the folder `site`, which is not there yet.

        Raises BuildFailed, OSError.
        """


class Layers(Generic[W]):
    """The layers below one folder, of one kit; folders of other kits may lie there too."""

    def __init__(self, root: Path, kit: Kit[W], *, shared: bool, claims: Claims | None = None) -> None:
        self._root = root
        self._claims = claims or Claims()
        self._kit = kit
        self._shared = shared
        self._installing: dict[str, asyncio.Task[Path]] = {}
        for left in root.glob(f"*/{_TEMPORARY_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    async def ensure(self, wishes: W) -> Path:
        """Return the layer's folder; installs it when it is not there yet.

        Those who ask for the same layer meanwhile wait for the one installation. Raises BuildFailed with the log's
        last lines, StoreUnavailable when the disk fails.
        """
        folder = await self.folder(wishes)
        site = folder / "site"
        self._claims.make(folder.name)
        if site.is_dir():
            return site
        task = self._installing.get(folder.name)
        if task is None:
            task = asyncio.create_task(self._install(wishes, folder))
            self._installing[folder.name] = task
            task.add_done_callback(lambda done: self._installed(folder.name, done))
        # One caller who gives up must not take the installation away from the others.
        return await asyncio.shield(task)

    async def folder(self, wishes: W) -> Path:
        """Return where the layer is or would be."""
        return self._root / hashlib.sha256(f"{await self._kit.identify()}\n{wishes.text}".encode()).hexdigest()[:32]

    async def close(self) -> None:
        """End what is being installed."""
        tasks = list(self._installing.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _installed(self, name: str, done: "asyncio.Task[Path]") -> None:
        self._installing.pop(name)
        if not done.cancelled():
            done.exception()  # seen here, should nobody be left who waits for it

    async def _install(self, wishes: W, folder: Path) -> Path:
        fresh = folder / f"{_TEMPORARY_PREFIX}{secrets.token_hex(6)}"
        kept, log = folder / self._kit.file, folder / "install.log"
        try:
            await asyncio.to_thread(self._lay_out, folder, kept, log, wishes.text)
            await self._kit.install(wishes, kept, fresh, log)
            return await asyncio.to_thread(self._publish, fresh, folder / "site")
        except OSError as failed:
            raise disk_failed("the dependencies could not be kept", failed) from failed
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    def _lay_out(self, folder: Path, kept: Path, log: Path, text: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o711 if self._shared else 0o700)
        for left in folder.glob(f"{_TEMPORARY_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        for path, content in ((kept, text), (log, "")):
            path.unlink(missing_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(content)

    def _publish(self, fresh: Path, site: Path) -> Path:
        """Give the finished installation its modes and its name."""
        fresh.mkdir(mode=0o700, exist_ok=True)
        for path in (fresh, *fresh.rglob("*")):
            mode = path.lstat().st_mode
            if not stat.S_ISLNK(mode):
                path.chmod(_mode(mode, shared=self._shared))
        # Names must not outlive a power cut that their content did not: one flush for thousands of files.
        _flush_all(fresh)
        if not site.is_dir():
            fresh.rename(site)
        return site


def _flush_all(folder: Path) -> None:
    """Write out the folder's whole file system. Raises OSError, which `os.sync` would keep to itself."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(opened):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(opened)


def _mode(mode: int, *, shared: bool) -> int:
    if stat.S_ISDIR(mode):
        return 0o755 if shared else 0o700
    execute = (0o111 if shared else 0o100) if mode & 0o100 else 0
    return (0o444 if shared else 0o400) | execute
