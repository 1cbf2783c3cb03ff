"""A revision's code and layers on their way into a pod: one tar archive, made and unpacked without a copy on a disk.

It comes over a sealed connection from a control plane that has judged the code's own archive when it was uploaded. It
is unpacked as if it had not: nothing is made outside of the folder or through a link, nothing but files, folders and
relative links, and within a bound that counts what comes out. (Not every Python 3.11 has tarfile's own filter.)
"""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.model.replica import StartOrder

CODE, LAYERS = "code", "layers"
MAX_UNPACKED_BYTES = 2 << 30
MAX_ENTRIES = 200_000
_PIECE = 256 << 10


def pieces(order: StartOrder) -> Iterator[bytes]:
    """Yield the archive of an order's code and layers. Raises OSError when they cannot be read."""
    buffer = _Buffer()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, folder in _parts(order):
            for path, inside in _walk(folder, name):
                tar.add(path, inside, recursive=False)
                if buffer.pending >= _PIECE:
                    yield from buffer.take()
    yield from buffer.take()


def unpack(file: BinaryIO, folder: Path) -> None:
    """Unpack an archive into the empty `folder`. Raises InvalidRequest, PayloadTooLarge, OSError."""
    size = count = 0
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                size, count = size + member.size, count + 1
                if size > MAX_UNPACKED_BYTES or count > MAX_ENTRIES:
                    raise PayloadTooLarge(
                        f"code and dependencies are more than {MAX_UNPACKED_BYTES >> 20} MiB or {MAX_ENTRIES} files"
                    )
                _make(tar, member, _inside(folder, member.name))
    except tarfile.TarError as error:
        raise InvalidRequest(f"the archive of the code cannot be unpacked: {error}") from error


def _make(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    if member.isdir():
        os.makedirs(path, exist_ok=True)
    elif member.issym():
        if os.path.isabs(member.linkname):
            raise InvalidRequest(f"the archive holds a link to {member.linkname[:80]!r}, outside of it")
        os.symlink(member.linkname, path)
    elif member.isreg() and (content := tar.extractfile(member)) is not None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            shutil.copyfileobj(content, file)
            os.fchmod(fd, 0o755 if member.mode & 0o100 else 0o644)
    else:
        raise InvalidRequest(f"the archive holds {member.name[:80]!r}, which is no file, folder or link")


def _inside(folder: Path, name: str) -> str:
    """Return where an entry goes, without a link on the way there. Raises InvalidRequest for what is not inside."""
    parts = name.split("/")
    parent = folder.joinpath(*parts[:-1])
    if name.startswith("/") or ".." in parts or not name or os.path.realpath(parent) != os.path.join(
        os.path.realpath(folder), *parts[:-1]
    ):  # fmt: skip
        raise InvalidRequest(f"the archive holds {name[:80]!r}, which is not a plain path below its root")
    parent.mkdir(parents=True, exist_ok=True)
    return os.path.join(parent, parts[-1])


def places(order: StartOrder, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return where the code and the layers of `order` are once they are unpacked in `folder`."""
    code = str(folder / CODE) if order.code_dir else ""
    return code, tuple(str(folder / LAYERS / str(number)) for number in range(len(order.layer_dirs)))


def _parts(order: StartOrder) -> Iterator[tuple[str, str]]:
    if order.code_dir:
        yield CODE, order.code_dir
    for number, layer in enumerate(order.layer_dirs):
        yield f"{LAYERS}/{number}", layer


def _walk(folder: str, name: str) -> Iterator[tuple[str, str]]:
    yield folder, name
    for parent, folders, files in os.walk(folder):
        inside = name + parent[len(folder) :]
        for each in (*folders, *files):
            yield os.path.join(parent, each), f"{inside}/{each}"


class _Buffer(io.BytesIO):
    """What tarfile writes to, emptied as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        return self._taken + super().tell()

    @property
    def pending(self) -> int:
        """How many bytes there are to take."""
        return super().tell()

    def take(self) -> Iterator[bytes]:
        """Yield what there is, in pieces."""
        data = self.getvalue()
        self._taken += len(data)
        self.seek(0)
        self.truncate()
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]
