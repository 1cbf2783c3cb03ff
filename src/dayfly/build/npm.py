"""Node's packages, installed by npm for one Node.js.

`npm ci` installs what a lock says, and nothing else; where there is no lock, npm is first asked to make one. It runs no
script of any package. The layer is a folder with `node_modules` in it; a function's folder has a link to that, since
both of Node's ways to find a package (`require` and `import`) look in `node_modules` beside and above the module that
asks, and follow links to where a file really is.
"""

import asyncio
import os
import platform
import shutil
from pathlib import Path

from dayfly.build.installer import Run, run_installer
from dayfly.build.node import Node, Nodes
from dayfly.build.package_lock import Packages, parse_lock
from dayfly.model.errors import BuildFailed

MODULES = "node_modules"
_QUIET = ("--no-audit", "--no-fund", "--no-update-notifier", "--no-progress", "--logs-max=0")
_SAFE = ("--ignore-scripts", "--omit=dev", "--package-lock=true", "--install-links=false", "--workspaces=false")


class Npm:
    """Installs what a package.json, and a package-lock.json beside it, ask for."""

    file = "packages.json"

    def __init__(self, nodes: Nodes, *, run: Run = run_installer) -> None:
        self._nodes = nodes
        self._run = run

    async def identify(self) -> str:
        """Return the Node.js, as far as packages tell versions of it apart, and the platform. Raises NotSupported."""
        node = await self._nodes.find()
        return f"node {node.major} abi {node.abi} {platform.machine()} {'-'.join(platform.libc_ver())}"

    async def install(self, wishes: Packages, kept: Path, site: Path, log: Path) -> None:  # noqa: ARG002 - they are kept as one file
        """Install into the folder `site`. Raises BuildFailed, NotSupported."""
        npm = _find_npm(await self._nodes.find())
        await asyncio.to_thread(_lay_out, wishes, site)
        if not wishes.lock:
            await self._run(npm_argv(npm, site, "install", "--package-lock-only"), log)
            await asyncio.to_thread(_judge_lock, wishes, site)
        await self._run(npm_argv(npm, site, "ci"), log)


def npm_argv(npm: str, folder: Path, *command: str) -> list[str]:
    """Return the command line that has npm work in `folder` alone."""
    return [npm, "--prefix", str(folder), *command, *_SAFE, *_QUIET]


def _lay_out(wishes: Packages, site: Path) -> None:
    site.mkdir(mode=0o700)
    (site / "package.json").write_text(wishes.manifest)
    if wishes.lock:
        (site / "package-lock.json").write_text(wishes.lock)


def _judge_lock(wishes: Packages, site: Path) -> None:
    """Hold the lock that npm made to what we take from authors. Raises BuildFailed."""
    lock = site / "package-lock.json"
    lock.write_text(parse_lock(lock.read_bytes(), wishes.without_scripts))


def _find_npm(node: Node) -> str:
    """Return npm: the one beside Node.js, else the one on PATH. Raises BuildFailed."""
    beside = os.path.join(os.path.dirname(node.path), "npm")
    npm = beside if os.access(beside, os.X_OK) else shutil.which("npm")
    if npm is None:
        raise BuildFailed(
            "the function has packages to install, and there is no npm on this machine (Debian: apt-get install npm);"
            f" a bundle that brings its own {MODULES} needs none"
        )
    return npm


def link_modules(code: Path, site: Path) -> None:
    """Let the code find the layer's packages; an older link gives way."""
    link, target = code / MODULES, site / MODULES
    if link.is_symlink() and os.readlink(link) == str(target):
        return
    fresh = code / f".{MODULES}-{os.urandom(6).hex()}"
    fresh.symlink_to(target)
    os.replace(fresh, link)


def packages_beside(code: Path) -> tuple[bytes, bytes | None] | None:
    """Return the code's package.json and package-lock.json; None when there is nothing to install by them.

    That is so when the code brings its own `node_modules`. Raises OSError.
    """
    manifest, lock = code / "package.json", code / "package-lock.json"
    if not manifest.is_file() or ((code / MODULES).is_dir() and not (code / MODULES).is_symlink()):
        return None
    return manifest.read_bytes(), lock.read_bytes() if lock.is_file() else None
