"""A handler's folder as one file to upload: the same folder gives the same bytes, so the same digest.

The bundle is a gzipped ustar archive of regular files and folders only: sorted, without times, owners and links, modes
0755 and 0644. A link that stays inside the folder is packed as what it points at. What could leak a secret, what cannot
be a function's code (devices, pipes, links that leave the folder) and what the platform would not unpack is refused
here, by name, before anything is sent.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dayfly.client.ignore import IgnoreRules
from dayfly.client.leaks import holds_private_key, is_clutter, is_secret_name
from dayfly.model.errors import InvalidRequest, PayloadTooLarge

MAX_ENTRIES = 20_000
MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_CONTENT_BYTES = 256 * 1024 * 1024
"""All files together, before compression."""
_MAX_DEPTH = 31
_LEVEL = 6
_MAX_RATIO = 90
_LEAVE_OUT = "Move it out of the folder, or name it in a .dayflyignore file there."


class Bundle(msgspec.Struct, frozen=True):
    """A packed folder."""

    data: bytes
    digest: str
    """`sha256:` and 64 hex digits, of `data`."""

    def __repr__(self) -> str:
        """The digest and the size."""
        return f"Bundle({self.digest}, {len(self.data)} bytes)"


class _Entry(msgspec.Struct, frozen=True):
    name: str
    path: Path
    """Where the content is, links resolved."""
    is_folder: bool


def pack(folder: str | os.PathLike[str]) -> Bundle:
    """Return the folder as a bundle.

    Raises InvalidRequest, naming the file, for a folder that is none or holds no file, for anything that looks like a
    credential, for links that leave the folder, devices, pipes and sockets, for names that cannot be carried and for
    more than 20,000 entries; PayloadTooLarge for more than 256 MiB of content or a bundle of more than 64 MiB.
    """
    top = Path(folder)
    if not top.is_dir():
        raise InvalidRequest(f"{top} is not a folder.", hint="Name the folder that holds handler.py.")
    entries = sorted(_Walk(top).entries(), key=lambda entry: entry.name)
    if all(entry.is_folder for entry in entries):
        raise InvalidRequest(f"{top} holds no file to deploy.")
    archive = _archive(entries)
    if len(archive) > MAX_CONTENT_BYTES:
        raise PayloadTooLarge(f"{top}: the files come to more than 256 MiB.", hint=_LEAVE_OUT)
    data = gzip.compress(archive, compresslevel=_LEVEL, mtime=0)
    if len(archive) > _MAX_RATIO * len(data):
        # What shrinks that much looks like a bomb to whoever unpacks it, so it goes as it is.
        data = gzip.compress(archive, compresslevel=0, mtime=0)
    if len(data) > MAX_BUNDLE_BYTES:
        size = len(data) // 2**20
        raise PayloadTooLarge(f"{top} packs to {size} MiB; a bundle may have 64 MiB at most.", hint=_LEAVE_OUT)
    return Bundle(data, f"sha256:{hashlib.sha256(data).hexdigest()}")


class _Walk:
    """One pass over a folder that yields what goes in and refuses what must not."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._real_top = top.resolve()
        self._rules = IgnoreRules(_ignore_file(top))
        self._count = 0
        self._folded: dict[str, str] = {}

    def entries(self) -> Iterator[_Entry]:
        yield from self._folder(self._real_top, "", depth=0)

    def _folder(self, path: Path, prefix: str, *, depth: int) -> Iterator[_Entry]:
        if depth > _MAX_DEPTH:
            raise InvalidRequest(f"{self._top / prefix} is more than {_MAX_DEPTH} folders deep.", hint=_LEAVE_OUT)
        try:
            names = sorted(os.listdir(path))
        except OSError as error:
            raise InvalidRequest(f"{self._top / prefix} cannot be read: {error.strerror}.") from error
        for name in names:
            yield from self._one(path / name, prefix + name, name, depth=depth)

    def _one(self, path: Path, shown: str, name: str, *, depth: int) -> Iterator[_Entry]:
        mode = self._mode(path, shown)
        is_folder = stat.S_ISDIR(mode) or (stat.S_ISLNK(mode) and path.is_dir())
        if self._rules.ignores(shown, is_folder=is_folder) or is_clutter(name, is_folder=is_folder):
            return
        real = self._follow(path, shown) if stat.S_ISLNK(mode) else path
        mode = self._mode(real, shown)
        if stat.S_ISDIR(mode) and (real / "pyvenv.cfg").exists():
            return
        self._refuse(shown, name, mode)
        yield _Entry(shown, real, stat.S_ISDIR(mode))
        if stat.S_ISDIR(mode):
            yield from self._folder(real, f"{shown}/", depth=depth + 1)

    def _follow(self, link: Path, shown: str) -> Path:
        try:
            real = link.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise InvalidRequest(f"{self._top / shown} is a link to nothing.", hint=_LEAVE_OUT) from error
        if not real.is_relative_to(self._real_top):
            raise InvalidRequest(f"{self._top / shown} is a link that leaves the folder.", hint=_LEAVE_OUT)
        if link.parent.is_relative_to(real):
            raise InvalidRequest(f"{self._top / shown} is a link to a folder that it is in.", hint=_LEAVE_OUT)
        for part in real.relative_to(self._real_top).parts:
            if is_secret_name(part):
                raise InvalidRequest(
                    f"{self._top / shown} points at {part}, which may hold credentials.", hint=_LEAVE_OUT
                )
        return real

    def _refuse(self, shown: str, name: str, mode: int) -> None:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise InvalidRequest(f"{self._top} holds more than {MAX_ENTRIES} files and folders.", hint=_LEAVE_OUT)
        if not name.isprintable() or "\\" in name or not _is_utf8(name):
            raise InvalidRequest(f"{str(self._top / shown)!r} has a name that cannot be carried.", hint=_LEAVE_OUT)
        if is_secret_name(name):
            raise InvalidRequest(
                f"{self._top / shown} may hold credentials; it is not put in a bundle.", hint=_LEAVE_OUT
            )
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise InvalidRequest(f"{self._top / shown} is neither a file nor a folder.", hint=_LEAVE_OUT)
        twin = self._folded.setdefault(unicodedata.normalize("NFC", shown).casefold(), shown)
        if twin != shown:
            raise InvalidRequest(
                f"{self._top / shown} differs from {twin} only by the case of letters.", hint=_LEAVE_OUT
            )

    def _mode(self, path: Path, shown: str) -> int:
        try:
            return path.lstat().st_mode
        except OSError as error:
            raise InvalidRequest(f"{self._top / shown} cannot be read: {error.strerror}.") from error


def _archive(entries: list[_Entry]) -> bytes:
    out = io.BytesIO()
    left = MAX_CONTENT_BYTES
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as archive:
        for entry in entries:
            about = tarfile.TarInfo(entry.name)
            content, about.mode = (b"", 0o755) if entry.is_folder else _read(entry.path, left)
            about.type = tarfile.DIRTYPE if entry.is_folder else tarfile.REGTYPE
            about.size = len(content)
            left -= len(content)
            try:
                archive.addfile(about, io.BytesIO(content))
            except ValueError as error:
                raise InvalidRequest(f"{entry.name} is too long a path for a bundle.", hint=_LEAVE_OUT) from error
    return out.getvalue()


def _read(path: Path, left: int) -> tuple[bytes, int]:
    """A file's content and its mode in the archive. Raises InvalidRequest, PayloadTooLarge."""
    try:
        # Not followed and not waited for: the entry may have been replaced since it was judged.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InvalidRequest(f"{path} is not a file any more.")
            content = file.read(left + 1)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", hint=_LEAVE_OUT) from error
    if len(content) > left:
        raise PayloadTooLarge(f"{path}: the files come to more than 256 MiB.", hint=_LEAVE_OUT)
    if holds_private_key(content):
        raise InvalidRequest(f"{path} contains a private key; it is not put in a bundle.", hint=_LEAVE_OUT)
    return content, 0o755 if mode & 0o111 else 0o644


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
