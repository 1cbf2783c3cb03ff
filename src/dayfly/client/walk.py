"""Which files of a handler's folder belong to the function: what is packed, and what is watched while it is written.

A link that stays inside the folder stands for what it points at. What `.dayflyignore` names is left out, and so is
what never belongs to a function. What could leak a secret, what cannot be a function's code (devices, pipes, links that
leave the folder) and what the platform would not unpack is refused by name.
"""

import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dayfly.client.ignore import IgnoreRules
from dayfly.client.leaks import is_clutter, is_secret_name
from dayfly.model.errors import InvalidRequest

MAX_ENTRIES = 20_000
_MAX_DEPTH = 31
LEAVE_OUT = "Move it out of the folder, or name it in a .dayflyignore file there."


class Entry(msgspec.Struct, frozen=True):
    """A file or folder that goes in."""

    name: str
    """Relative to the folder, with forward slashes."""
    path: Path
    """Where the content is, links resolved."""
    is_folder: bool


Fingerprint = tuple[tuple[str | int, ...], ...]


def fingerprint(folder: Path) -> Fingerprint:
    """Return what tells the folder's bundle now from any other, at the price of a look at each file's inode.

    It never raises: a folder that cannot be packed has a fingerprint too, which changes with the reason.
    """
    try:
        return tuple(_mark(entry) for entry in Walk(folder).entries())
    except InvalidRequest as error:
        return (("refused", error.message),)


def _mark(entry: Entry) -> tuple[str | int, ...]:
    if entry.is_folder:
        return (entry.name,)
    try:
        found = entry.path.lstat()
    except OSError:
        return (entry.name, "gone")
    # An editor that writes by rename changes the inode, one that writes in place the time, often also the size.
    return (entry.name, found.st_ino, found.st_mtime_ns, found.st_size, found.st_mode)


class Walk:
    """One pass over a folder that yields what goes in and refuses what must not."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._real_top = top.resolve()
        self._rules = IgnoreRules(_ignore_file(top))
        self._count = 0
        self._folded: dict[str, str] = {}

    def entries(self) -> Iterator[Entry]:
        """Yield what goes in, folders before what is in them. Raises InvalidRequest for what must not."""
        yield from self._folder(self._real_top, "", depth=0)

    def _folder(self, path: Path, prefix: str, *, depth: int) -> Iterator[Entry]:
        if depth > _MAX_DEPTH:
            raise InvalidRequest(f"{self._top / prefix} is more than {_MAX_DEPTH} folders deep.", hint=LEAVE_OUT)
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise InvalidRequest(f"{self._top / prefix} cannot be read: {error.strerror}.") from error
        for name in names:
            yield from self._one(path / name, prefix + name, name, depth=depth)

    def _one(self, path: Path, shown: str, name: str, *, depth: int) -> Iterator[Entry]:
        mode = self._mode(path, shown)
        is_folder = stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and path.is_dir())
        if self._rules.ignores(shown, is_folder=is_folder) or is_clutter(name, is_folder=is_folder):
            return
        real = self._follow(path, shown) if stat.S_ISLNK(mode) else path
        mode = self._mode(real, shown)
        if stat.S_ISDIR(mode) and (real / "pyvenv.cfg").exists():
            return
        self._refuse(shown, name, mode)
        yield Entry(shown, real, stat.S_ISDIR(mode))
        if stat.S_ISDIR(mode):
            yield from self._folder(real, f"{shown}/", depth=depth + 1)

    def _follow(self, link: Path, shown: str) -> Path:
        try:
            real = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise InvalidRequest(f"{self._top / shown} is a link to nothing.", hint=LEAVE_OUT) from error
        if not real.is_relative_to(self._real_top):
            raise InvalidRequest(f"{self._top / shown} is a link that leaves the folder.", hint=LEAVE_OUT)
        if link.parent.is_relative_to(real):
            raise InvalidRequest(f"{self._top / shown} is a link to a folder that it is in.", hint=LEAVE_OUT)
        for part in real.relative_to(self._real_top).parts:
            if is_secret_name(part):
                raise InvalidRequest(
                    f"{self._top / shown} points at {part}, which may hold credentials.", hint=LEAVE_OUT
                )
        return real

    def _refuse(self, shown: str, name: str, mode: int) -> None:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise InvalidRequest(f"{self._top} holds more than {MAX_ENTRIES} files and folders.", hint=LEAVE_OUT)
        if not name.isprintable() or "\\" in name or not _is_utf8(name):
            raise InvalidRequest(f"{str(self._top / shown)!r} has a name that cannot be carried.", hint=LEAVE_OUT)
        if is_secret_name(name):
            raise InvalidRequest(
                f"{self._top / shown} may hold credentials; it is not put in a bundle.", hint=LEAVE_OUT
            )
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InvalidRequest(f"{self._top / shown} is neither a file nor a folder.", hint=LEAVE_OUT)
        twin = self._folded.setdefault(unicodedata.normalize("NFC", shown).casefold(), shown)
        if twin != shown:
            raise InvalidRequest(
                f"{self._top / shown} differs from {twin} only by the case of letters.", hint=LEAVE_OUT
            )

    def _mode(self, path: Path, shown: str) -> int:
        try:
            return path.lstat().st_mode
        except OSError as error:
            raise InvalidRequest(f"{self._top / shown} cannot be read: {error.strerror}.") from error


def _ignore_file(top: Path) -> str:
    try:
        return (top / ".dayflyignore").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{top / '.dayflyignore'} cannot be read: {error}.") from error


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
