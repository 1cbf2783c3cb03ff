"""Finding Node.js: the operator installs it, we say which there is, and refuse plainly where there is none.

What is on PATH may be a small program that chooses one of several versions, by files that a function's jail does not
show. So the one that is found is asked where it really is.
"""

import asyncio
import json
import os
import shutil

import msgspec

from dayfly.model.errors import NotSupported

LEAST_VERSION = 18
_NAMES = ("node", "nodejs")
_ASK = "JSON.stringify([fs.realpathSync(process.execPath), process.versions.node, process.versions.modules])"
_ANSWER_S = 30.0
_INSTALL = (
    f"Install Node.js {LEAST_VERSION} or later where the platform's PATH finds it (Debian: apt-get install nodejs npm)."
)


class Node(msgspec.Struct, frozen=True):
    """One installation of Node.js."""

    path: str
    """The program itself, no link and no chooser."""
    version: str
    """For example 20.20.2."""
    abi: str
    """The number that native modules are built for."""

    @property
    def major(self) -> int:
        """The first number of the version."""
        return int(self.version.partition(".")[0])


class Nodes:
    """Finds Node.js on `path`, looking again whenever it was exchanged."""

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self._seen: tuple[str, int, int] | None = None
        self._node: Node | None = None

    async def find(self) -> Node:
        """Return the Node.js of this machine. Raises NotSupported when there is none, or none that will do."""
        program = next(filter(None, (shutil.which(name, path=self._path) for name in _NAMES)), None)
        if program is None:
            raise NotSupported("There is no Node.js on this machine, which runs functions in Node.", hint=_INSTALL)
        status = os.stat(program)
        seen = (program, status.st_mtime_ns, status.st_size)
        if self._node is None or seen != self._seen:
            self._node, self._seen = await _ask(program), seen
        return self._node


async def _ask(program: str) -> Node:
    """Return what the program says of itself. Raises NotSupported."""
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "-p",
            _ASK,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError as error:
        raise NotSupported(f"{program} could not be run: {error.strerror}.", hint=_INSTALL) from error
    try:
        answer, _ = await asyncio.wait_for(process.communicate(), _ANSWER_S)
        path, version, abi = json.loads(answer)
        node = Node(path, version, abi)
        major = node.major
    except (TimeoutError, ValueError, TypeError) as error:
        raise NotSupported(f"{program} does not answer as Node.js does.", hint=_INSTALL) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if major < LEAST_VERSION:
        raise NotSupported(f"{program} is Node.js {version}, and functions need a later one.", hint=_INSTALL)
    return node
