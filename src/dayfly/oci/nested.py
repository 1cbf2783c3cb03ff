"""Archives inside what is scanned: told by their first bytes, opened within a budget, believed nothing.

They are written by others and may be bombs: everything is counted as it is unpacked, a member is read up to its limit
and not further, and an archive that is damaged is one that was not looked into.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, BinaryIO, Literal, cast

DEEPEST = 4
_CHUNK = 256 * 1024
_IN_MEMORY = 8 * 2**20
_XZ_MEMORY = 128 * 2**20

Kind = Literal["", "zip", "tar", "gzip", "bzip2", "xz", "unknown"]
_MAGIC: tuple[tuple[bytes, Kind], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "unknown"),
    (b"7z\xbc\xaf\x27\x1c", "unknown"),
    (b"Rar!\x1a\x07", "unknown"),
)
_DAMAGED = (
    OSError, EOFError, ValueError, RuntimeError, NotImplementedError, tarfile.TarError, zipfile.BadZipFile, zlib.error,
    lzma.LZMAError, MemoryError, OverflowError,
)  # fmt: skip


class Budget:
    """What may be unpacked in all."""

    def __init__(self, unpacked_bytes: int = 1024 * 2**20, entries: int = 100_000) -> None:
        self.bytes_left = unpacked_bytes
        self.entries_left = entries


class _Spent(Exception):
    """The budget ran out."""


def opens(file: BinaryIO) -> Kind:
    """Return what kind of archive begins at the file's position, empty for none; the position stays."""
    at = file.tell()
    head = file.read(512)
    file.seek(at)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else ""


def members(
    kind: Kind, file: BinaryIO, budget: Budget, depth: int, told: Callable[[str], None]
) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the files in an archive, each by its name; `told` gets the reason for what is not looked into.

    What is only compressed yields one file, without a name.
    """
    if kind == "unknown" or depth >= DEEPEST:
        told("an archive of a kind that is not opened" if kind == "unknown" else "archives are too deep in one another")
        return
    try:
        yield from _OPENERS[kind](file, budget)
    except _Spent:
        told("the archives hold more than is looked into")
    except _DAMAGED as error:
        told(f"an archive that cannot be read ({type(error).__name__})")


def _zip(file: BinaryIO, budget: Budget) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(file) as archive:
        for about in archive.infolist():
            if not about.is_dir():
                with archive.open(about) as member, _unpacked(member, budget) as content:
                    yield about.filename, content


def _tar(file: BinaryIO, budget: Budget) -> Iterator[tuple[str, BinaryIO]]:
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for about in archive:
            _count(budget, entries=1)
            member = archive.extractfile(about) if about.isreg() and not about.issparse() else None
            if member is not None:
                with _unpacked(member, budget) as content:
                    yield about.name.removeprefix("./"), content


def _compressed(
    opener: Callable[[BinaryIO], IO[bytes]],
) -> Callable[[BinaryIO, Budget], Iterator[tuple[str, BinaryIO]]]:
    def unpack(file: BinaryIO, budget: Budget) -> Iterator[tuple[str, BinaryIO]]:
        with _unpacked(opener(file), budget) as content:
            yield "", content

    return unpack


class _Xz(io.RawIOBase):
    """Unpacks xz within a bound of memory, which `lzma.open` has none of."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._unpack = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def read(self, size: int = -1) -> bytes:
        """Return some bytes, none at the end."""
        while not self._unpack.eof:
            packed = self._file.read(_CHUNK) if self._unpack.needs_input else b""
            if self._unpack.needs_input and not packed:
                raise EOFError
            if data := self._unpack.decompress(packed, size):
                return data
        return b""


def _unpacked(member: IO[bytes], budget: Budget) -> BinaryIO:
    """Return a member's content as a file that can be sought in, on the disk when it is large."""
    _count(budget, entries=1)
    out = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - whoever gets it closes it
    try:
        while chunk := member.read(_CHUNK):
            _count(budget, size=len(chunk))
            out.write(chunk)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    return cast("BinaryIO", out)


def _count(budget: Budget, *, size: int = 0, entries: int = 0) -> None:
    budget.bytes_left -= size
    budget.entries_left -= entries
    if budget.bytes_left < 0 or budget.entries_left < 0:
        raise _Spent


_OPENERS: dict[Kind, Callable[[BinaryIO, Budget], Iterator[tuple[str, BinaryIO]]]] = {
    "zip": _zip,
    "tar": _tar,
    "gzip": _compressed(lambda file: cast("IO[bytes]", gzip.GzipFile(fileobj=file))),
    "bzip2": _compressed(lambda file: cast("IO[bytes]", bz2.BZ2File(file))),
    "xz": _compressed(lambda file: cast("IO[bytes]", _Xz(file))),
}
