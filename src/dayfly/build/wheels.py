"""Python's packages, installed by uv or pip for one interpreter."""

import asyncio
import platform
import sys
from pathlib import Path

from dayfly.build.installer import Run, find_uv, install_argv, run_installer
from dayfly.build.requirements import Requirements

_ABI = "import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_config_var('SOABI'))"


class Wheels:
    """Installs what a requirements.txt asks for."""

    file = "requirements.txt"

    def __init__(self, interpreter: str, *, allow_sdist: bool = False, run: Run = run_installer) -> None:
        self._interpreter = interpreter
        self._allow_sdist = allow_sdist
        self._run = run
        self._identity = ""

    async def identify(self) -> str:
        """Return the interpreter, the platform, and whether source distributions are taken."""
        if not self._identity:
            python = await self._python()
            libc = "-".join(platform.libc_ver())
            self._identity = f"{python} {platform.machine()} {libc} sdist={self._allow_sdist}"
        return self._identity

    async def install(self, wishes: Requirements, kept: Path, site: Path, log: Path) -> None:  # noqa: ARG002 - they are in the file
        """Install what the file `kept` asks for into `site`. Raises BuildFailed."""
        uv = find_uv(self._interpreter)
        await self._run(install_argv(self._interpreter, kept, site, allow_sdist=self._allow_sdist, uv=uv), log)

    async def _python(self) -> str:
        if self._interpreter == sys.executable:
            return sys.implementation.cache_tag or ""
        asked = await asyncio.create_subprocess_exec(
            self._interpreter, "-I", "-S", "-c", _ABI, stdout=asyncio.subprocess.PIPE
        )
        return (await asked.communicate())[0].decode().strip()
