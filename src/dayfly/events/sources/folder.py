"""A folder into which strangers put files, and out of whose files nobody is led elsewhere.

Everything is done relative to the folder's descriptor and by names without a slash. Links are not followed, files that
have a second name elsewhere do not count, and opening what turns out to be a pipe or a device waits for nobody and is
all that happens to it. All of this blocks.
"""

import contextlib
import fnmatch
import mimetypes
import os
import stat
from typing import NamedTuple
from urllib.parse import quote

MAX_FILES = 10_000
"""How many files are looked at together; the others come when these have gone."""
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Changed(Exception):
    """The file is not the one that was found."""


class TooLarge(Exception):
    """The file is larger than its limit."""


class Found(NamedTuple):
    """A file as it was at a look."""

    name: str
    inode: int
    size: int
    modified_ns: int

    @property
    def mark(self) -> str:
        """What changes when the file does."""
        return f"{self.inode:x}-{self.size:x}-{self.modified_ns:x}"


class Folder:
    """The folder at `path`, and of its files those whose names match."""

    def __init__(self, path: str, pattern: str) -> None:
        self._path = os.path.normpath(path)
        self._pattern = pattern
        self._fd = -1

    def open(self) -> str:
        """Open it; return where links on the way led to, nothing when there were none. Raises OSError."""
        self._fd = os.open(self._path, _FOLDER)
        there = os.readlink(f"/proc/self/fd/{self._fd}")
        return "" if there == self._path else there

    def close(self) -> None:
        """Close it. Idempotent."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def look(self) -> dict[str, Found]:
        """Return the files that count, by name. Raises OSError."""
        found: dict[str, Found] = {}
        with os.scandir(self._fd) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not fnmatch.fnmatchcase(entry.name, self._pattern):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    state = entry.stat(follow_symlinks=False)
                    if _counts(state):
                        found[entry.name] = _found(entry.name, state)
                if len(found) == MAX_FILES:
                    break
        return found

    def read(self, found: Found, limit: int) -> bytes:
        """Return what is in the file. Raises Changed, TooLarge, OSError."""
        if found.size > limit:
            raise TooLarge
        try:
            fd = os.open(found.name, _OPEN, dir_fd=self._fd)
        except PermissionError:
            raise
        except OSError as gone:  # It is not there any more, or a link or a socket took its place.
            raise Changed from gone
        with os.fdopen(fd, "rb") as file:
            if not _is_same(found, os.fstat(fd)):
                raise Changed
            data = file.read(found.size + 1)
            if len(data) != found.size or not _is_same(found, os.fstat(fd)):
                raise Changed
            return data

    def delete(self, found: Found) -> None:
        """Delete the file, unless another has taken its name. Raises OSError."""
        if self._is_there(found):
            os.unlink(found.name, dir_fd=self._fd)

    def move(self, found: Found, into: str) -> None:
        """Move the file into a folder of this name in the folder, unless another has taken its name. Raises OSError."""
        if not self._is_there(found):
            return
        with contextlib.suppress(FileExistsError):
            os.mkdir(into, 0o700, dir_fd=self._fd)
        fd = os.open(into, _FOLDER | os.O_NOFOLLOW, dir_fd=self._fd)
        try:
            name = found.name
            with contextlib.suppress(FileNotFoundError):
                os.stat(name, dir_fd=fd, follow_symlinks=False)
                # One of the same name was moved before. A name has 255 bytes at most.
                name = os.fsdecode(os.fsencode(name)[:200] + f".{found.mark}".encode())
            os.rename(found.name, name, src_dir_fd=self._fd, dst_dir_fd=fd)
        finally:
            os.close(fd)

    def _is_there(self, found: Found) -> bool:
        try:
            return _is_same(found, os.stat(found.name, dir_fd=self._fd, follow_symlinks=False))
        except FileNotFoundError:
            return False


def quoted(name: str) -> str:
    """Return a name or path as a URI has it, whatever bytes are in it."""
    return quote(os.fsencode(name))


def mime_type(name: str) -> str:
    """Return what a file of this name usually holds."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _counts(state: os.stat_result) -> bool:
    return stat.S_ISREG(state.st_mode) and state.st_nlink == 1


def _found(name: str, state: os.stat_result) -> Found:
    return Found(name, state.st_ino, state.st_size, state.st_mtime_ns)


def _is_same(found: Found, state: os.stat_result) -> bool:
    return _counts(state) and _found(found.name, state) == found
