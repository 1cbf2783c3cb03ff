"""Dependency layers: what a `requirements.txt` asks for, installed once and shared by all functions that ask the same.

A layer's address is the hash of the requirements in one spelling, the interpreter and the platform. `LAYER/site` is
there whole or not at all; `LAYER/install.log` tells how it came to be, and stays when it did not.
"""

import asyncio
import ctypes
import hashlib
import os
import platform
import secrets
import shutil
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from dayfly.build.installer import find_uv, install_argv, run_installer
from dayfly.build.requirements import Requirements
from dayfly.storage.medium import disk_failed

Run = Callable[[list[str], Path], Awaitable[None]]
_TEMPORARY_PREFIX = ".site-"
_libc = ctypes.CDLL(None, use_errno=True)
_ABI = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_config_var('SOABI'))"


class Layers:
    """The layers below one folder, for one interpreter."""

    def __init__(
        self, root: Path, interpreter: str, *, shared: bool, allow_sdist: bool = False, run: Run = run_installer
    ) -> None:
        self._root = root
        self._interpreter = interpreter
        self._shared = shared
        self._allow_sdist = allow_sdist
        self._run = run
        self._platform = ""
        self._installing: dict[str, asyncio.Task[Path]] = {}
        for left in root.glob(f"*/{_TEMPORARY_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    async def ensure(self, requirements: Requirements) -> Path:
        """Return the layer's folder for `sys.path`; installs it when it is not there yet.

        Those who ask for the same layer meanwhile wait for the one installation. Raises BuildFailed with the log's
        last lines, StoreUnavailable when the disk fails.
        """
        folder = await self.folder(requirements)
        site = folder / "site"
        if site.is_dir():
            return site
        task = self._installing.get(folder.name)
        if task is None:
            task = asyncio.create_task(self._install(requirements, folder))
            self._installing[folder.name] = task
            task.add_done_callback(lambda done: self._installed(folder.name, done))
        # One caller who gives up must not take the installation away from the others.
        return await asyncio.shield(task)

    async def folder(self, requirements: Requirements) -> Path:
        """Return where the layer is or would be."""
        if not self._platform:
            self._platform = await self._identify()
        text = f"{self._platform}\n{requirements.text}"
        return self._root / hashlib.sha256(text.encode()).hexdigest()[:32]

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

    async def _install(self, requirements: Requirements, folder: Path) -> Path:
        fresh = folder / f"{_TEMPORARY_PREFIX}{secrets.token_hex(6)}"
        wanted, log = folder / "requirements.txt", folder / "install.log"
        try:
            await asyncio.to_thread(self._lay_out, folder, wanted, log, requirements.text)
            uv = find_uv(self._interpreter)
            argv = install_argv(self._interpreter, wanted, fresh, allow_sdist=self._allow_sdist, uv=uv)
            await self._run(argv, log)
            return await asyncio.to_thread(self._publish, fresh, folder / "site")
        except OSError as failed:
            raise disk_failed("the dependencies could not be kept", failed) from failed
        finally:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    def _lay_out(self, folder: Path, wanted: Path, log: Path, text: str) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o711 if self._shared else 0o700)
        for left in folder.glob(f"{_TEMPORARY_PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)
        for path, content in ((wanted, text), (log, "")):
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

    async def _identify(self) -> str:
        if self._interpreter == sys.executable:
            python = sys.implementation.cache_tag
        else:
            asked = await asyncio.create_subprocess_exec(
                self._interpreter, "-I", "-S", "-c", _ABI, stdout=asyncio.subprocess.PIPE
            )
            python = (await asked.communicate())[0].decode().strip()
        return f"{python} {platform.machine()} {'-'.join(platform.libc_ver())} sdist={self._allow_sdist}"


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
