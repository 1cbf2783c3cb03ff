"""Unpacking a code bundle: what comes out is what was written in, inside one folder, or nothing.

Names are judged before anything is made; then every folder is opened by its parent's descriptor with O_NOFOLLOW and
every file made with O_EXCL, so that not even a race with somebody who can write there leads outside. The tree grows in
a sibling of its destination and takes its name in one step: a folder with the final name is always whole.
"""

import os
import secrets
import shutil
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from dayfly.build.tar import ArchiveLimits, Entry, TarReader
from dayfly.model.errors import InvalidRequest
from dayfly.storage.medium import disk_failed

_LONGEST_PATH, _LONGEST_PART, _DEEPEST = 1024, 255, 32
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
TEMPORARY_PREFIX = ".new-"

Parts = tuple[str, ...]


def extract(archive: BinaryIO, destination: Path, *, shared: bool, limits: ArchiveLimits | None = None) -> None:
    """Unpack a gzipped tar archive as the folder `destination`, which appears whole or not at all.

    `shared` lets other accounts read it. An existing destination is kept as it is. Raises InvalidRequest for what an
    archive of code has no use for, PayloadTooLarge beyond the limits, StoreUnavailable when the disk fails.
    """
    fresh = destination.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}")
    try:
        fresh.mkdir(mode=0o700)
        _Tree(fresh, shared=shared).fill(TarReader(archive, limits or ArchiveLimits()))
        _publish(fresh, destination)
    except OSError as failed:
        raise disk_failed("the bundle could not be unpacked", failed) from failed
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


class _Tree:
    """A folder that is being filled."""

    def __init__(self, root: Path, *, shared: bool) -> None:
        self._root = root
        self._read = 0o444 if shared else 0o400
        self._execute = 0o111 if shared else 0o100
        self._folder_mode = 0o755 if shared else 0o700
        self._folders: set[Parts] = {()}
        self._files: set[Parts] = set()
        self._spellings: dict[Parts, Parts] = {}

    def fill(self, reader: TarReader) -> None:
        """Make every entry of the archive."""
        root = os.open(self._root, _FOLDER_FLAGS)
        try:
            for entry in reader.entries():
                self._make(root, entry, reader.content())
            os.fchmod(root, self._folder_mode)
            for folder in self._folders:
                _flush(self._root.joinpath(*folder))
        finally:
            os.close(root)

    def _make(self, root: int, entry: Entry, content: Iterable[bytes]) -> None:
        parts = checked_path(entry.name)
        self._claim(parts, is_folder=entry.is_folder)
        folders = parts if entry.is_folder else parts[:-1]
        at = self._enter(root, folders)
        try:
            if not entry.is_folder:
                mode = self._read | (self._execute if entry.is_executable else 0)
                _write(at, parts[-1], mode, content)
        finally:
            if at != root:
                os.close(at)

    def _claim(self, parts: Parts, *, is_folder: bool) -> None:
        """Refuse a path that was there before, in whatever spelling, or that goes through a file."""
        for depth in range(1, len(parts) + 1):
            path = parts[:depth]
            folded = tuple(unicodedata.normalize("NFC", part).casefold() for part in path)
            if self._spellings.setdefault(folded, path) != path:
                raise InvalidRequest(f"the archive holds {_shown(path)} and {_shown(self._spellings[folded])}")
            if depth < len(parts) and path in self._files:
                raise InvalidRequest(f"the archive uses {_shown(path)} as a file and as a folder")
        if parts in self._files or (not is_folder and parts in self._folders):
            raise InvalidRequest(f"the archive holds {_shown(parts)} twice")
        if not is_folder:
            self._files.add(parts)

    def _enter(self, root: int, folders: Parts) -> int:
        """Return the descriptor of the folder, which is made where it is missing; the caller closes it."""
        at = root
        for depth, part in enumerate(folders, start=1):
            if folders[:depth] not in self._folders:
                os.mkdir(part, 0o700, dir_fd=at)
                self._folders.add(folders[:depth])
            opened = os.open(part, _FOLDER_FLAGS, dir_fd=at)
            if at != root:
                os.close(at)
            at = opened
            os.fchmod(at, self._folder_mode)
        return at


def _write(folder: int, name: str, mode: int, content: Iterable[bytes]) -> None:
    fd = os.open(name, _FILE_FLAGS, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb", buffering=0) as file:
        for chunk in content:
            view = memoryview(chunk)
            while view:
                view = view[file.write(view) :]
        os.fchmod(fd, mode)
        os.fsync(fd)


def checked_path(name: str) -> Parts:
    """Return the path's parts. Raises InvalidRequest for one that leads elsewhere or hides something."""
    parts = tuple(part for part in name.removesuffix("/").split("/") if part != ".")
    if ".." in parts or "" in parts or "\\" in name:
        raise InvalidRequest(f"the archive holds {name[:80]!r}, which is not a plain path below its root")
    if any(unicodedata.category(letter).startswith("C") for letter in name):
        raise InvalidRequest(f"the archive holds {name[:80]!r}, which has unprintable characters")
    encoded = [len(part.encode()) for part in parts]
    if sum(encoded) + len(parts) > _LONGEST_PATH or max(encoded, default=0) > _LONGEST_PART or len(parts) > _DEEPEST:
        raise InvalidRequest(f"the archive holds {name[:80]!r}…, which is too long or too deep")
    return parts


def _publish(fresh: Path, destination: Path) -> None:
    try:
        fresh.rename(destination)
    except OSError:
        if not destination.is_dir():
            raise
    _flush(destination.parent)


def _flush(path: Path) -> None:
    folder = os.open(path, _FOLDER_FLAGS)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _shown(parts: Parts) -> str:
    return repr("/".join(parts)[:80])
