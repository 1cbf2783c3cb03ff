"""A reader of tar archives, gzipped ones for the most part, that believes nothing.

It knows regular files and folders, written as ustar, with long names as GNU or POSIX (pax) write them. Everything else
that the format can say (links, devices, sparse files, sizes in base 256, names that change half way) is refused,
because an archive of source code has no use for it and each was some extractor's undoing (threat T17). Sizes are
counted as they are unpacked, never taken from what the archive says of itself.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from dayfly.model.errors import InvalidRequest, PayloadTooLarge

BLOCK = 512
_CHUNK = 64 * 1024
_MAX_EXTENSION = 64 * 1024
_RATIO_FREE_BYTES = 1024 * 1024
_HARMLESS_PAX = {"mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "comment"}
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a named pipe",
    b"7": "a contiguous file",
    b"S": "a sparse file",
    b"K": "a link with a long target",
    b"V": "a volume label",
    b"M": "a continued file",
    b"D": "a dumped folder",
}


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large an archive may be and become."""

    compressed_bytes: int = 64 * 2**20
    unpacked_bytes: int = 256 * 2**20
    entries: int = 20_000
    ratio: int = 100
    """Unpacked to compressed bytes; counts once the unpacked are more than 1 MiB."""


class Entry(msgspec.Struct, frozen=True):
    """One file or folder as the archive names it; the name was not checked yet."""

    name: str
    is_folder: bool
    is_executable: bool
    size_bytes: int


class TarReader:
    """The entries of a tar archive, in one pass. Raises InvalidRequest and PayloadTooLarge.

    One that is not gzipped was written by `faas-cli`, which copies what the sender's folders say of their group.
    """

    def __init__(self, file: BinaryIO, limits: ArchiveLimits, *, gzipped: bool = True) -> None:
        self._stream = _Gunzip(file, limits) if gzipped else _Plain(file, limits)
        self._gzipped = gzipped
        self._limits = limits
        self._left = 0
        self._padding = 0

    def entries(self) -> Iterator[Entry]:
        """Yield each entry; `content` gives its bytes before the next one is asked for."""
        count, long_name, pax = 0, "", dict[str, str]()
        while True:
            for _ in self.content():
                pass
            header = self._stream.take(BLOCK)
            if header == bytes(BLOCK):
                self._finish()
                return
            kind, size = _kind(header), _size(header)
            if kind in (b"L", b"x", b"g"):
                body = self._extension(size)
                if kind == b"L":
                    long_name = _text(body.rstrip(b"\0"))
                else:
                    pax |= _pax(body, is_global=kind == b"g")
                continue
            count += 1
            if count > self._limits.entries:
                raise PayloadTooLarge(f"the archive has more than {self._limits.entries} entries")
            name = pax.get("path") or long_name or _name(header)
            yield self._entry(header, kind, size, name)
            long_name, pax = "", {}

    def content(self) -> Iterator[bytes]:
        """Yield the bytes of the entry that was yielded last."""
        while self._left:
            chunk = self._stream.take(min(self._left, _CHUNK))
            self._left -= len(chunk)
            yield chunk
        if self._padding:
            self._stream.take(self._padding)
            self._padding = 0

    def _entry(self, header: bytes, kind: bytes, size: int, name: str) -> Entry:
        if kind in _REFUSED:
            raise InvalidRequest(f"the archive holds {_REFUSED[kind]}, {name[:80]!r}; only files and folders are taken")
        if kind not in (b"0", b"\0", b"5"):
            raise InvalidRequest(f"the archive holds an entry of the unknown kind {kind!r}, {name[:80]!r}")
        is_folder = kind == b"5" or (kind == b"\0" and name.endswith("/"))
        if is_folder and size:
            raise InvalidRequest(f"the archive's folder {name[:80]!r} has content, which a folder cannot have")
        mode = _octal(header[100:108], "mode")
        if mode & 0o7000 and (self._gzipped or not is_folder):
            raise InvalidRequest(f"the archive's entry {name[:80]!r} is setuid, setgid or sticky")
        self._left, self._padding = size, -size % BLOCK
        return Entry(name, is_folder, bool(mode & 0o100), size)

    def _extension(self, size: int) -> bytes:
        if size > _MAX_EXTENSION:
            raise InvalidRequest("the archive has an entry with an overlong name or header")
        body = self._stream.take(size)
        self._stream.take(-size % BLOCK)
        return body

    def _finish(self) -> None:
        """Nothing but zeros may follow: a second archive behind the end would be seen by others and not by us."""
        while chunk := self._stream.take_some(_CHUNK):
            if chunk.strip(b"\0"):
                raise InvalidRequest("the archive goes on after its end")


class _Stream:
    """Bytes in a row."""

    def take(self, size: int) -> bytes:
        """Return just `size` bytes. Raises InvalidRequest at an early end."""
        parts = []
        while size:
            chunk = self.take_some(size)
            if not chunk:
                raise InvalidRequest("the archive ends in the middle; it was cut off or damaged")
            parts.append(chunk)
            size -= len(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take_some(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes, or none at the end."""
        raise NotImplementedError


class _Plain(_Stream):
    """Reads what is not packed and counts."""

    def __init__(self, file: BinaryIO, limits: ArchiveLimits) -> None:
        self._file = file
        self._left = limits.unpacked_bytes

    def take_some(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes, or none at the end. Raises PayloadTooLarge."""
        chunk = self._file.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise PayloadTooLarge("the archive is larger than an archive may be")
        return chunk


class _Gunzip(_Stream):
    """Unpacks one gzip member and counts."""

    def __init__(self, file: BinaryIO, limits: ArchiveLimits) -> None:
        self._file = file
        self._limits = limits
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self._packed = 0
        self._unpacked = 0

    def take_some(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes, or none at the end."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._read()
            try:
                chunk = self._inflate.decompress(packed, size)
            except zlib.error as error:
                raise InvalidRequest("the archive is not a gzipped tar file, or is damaged") from error
            if chunk:
                self._count(len(chunk))
                return chunk
        if self._inflate.unused_data or self._file.read(1):
            raise InvalidRequest("the archive is followed by something else")
        return b""

    def _read(self) -> bytes:
        packed = self._file.read(_CHUNK)
        if not packed:
            raise InvalidRequest("the archive ends in the middle; it was cut off or damaged")
        self._packed += len(packed)
        if self._packed > self._limits.compressed_bytes:
            raise PayloadTooLarge(f"the archive is larger than {self._limits.compressed_bytes} bytes")
        return packed

    def _count(self, size: int) -> None:
        self._unpacked += size
        if self._unpacked > self._limits.unpacked_bytes:
            raise PayloadTooLarge(f"the archive unpacks to more than {self._limits.unpacked_bytes} bytes")
        if self._unpacked > _RATIO_FREE_BYTES and self._unpacked > self._limits.ratio * self._packed:
            raise PayloadTooLarge(f"the archive unpacks to more than {self._limits.ratio} times its size")


def _kind(header: bytes) -> bytes:
    signed = header[:148] + b" " * 8 + header[156:]
    if _octal(header[148:156], "checksum") != sum(signed):
        raise InvalidRequest("the archive is not a gzipped tar file, or is damaged")
    return header[156:157]


def _size(header: bytes) -> int:
    return _octal(header[124:136], "size")


def _octal(field: bytes, what: str) -> int:
    digits = field.strip(b" \0")
    if not digits:
        return 0
    if not all(digit in b"01234567" for digit in digits):
        raise InvalidRequest(f"the archive's field for {what} is not an octal number")
    return int(digits, 8)


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == b"ustar\0" else b""
    return _text(prefix + b"/" + name if prefix else name)


def _pax(body: bytes, *, is_global: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    while body:
        length, _, _ = body.partition(b" ")
        size = int(length) if length.isdigit() and len(length) < 7 else 0
        key, equals, value = body[len(length) + 1 : size - 1].partition(b"=")
        if not equals or size > len(body) or body[size - 1 : size] != b"\n":
            raise InvalidRequest("the archive has a damaged extended header")
        name = _text(key)
        if name == "path" and not is_global and name not in found:
            found[name] = _text(value)
        elif name not in _HARMLESS_PAX:
            raise InvalidRequest(f"the archive has an extended header {name[:40]!r}, which is not taken")
        body = body[size:]
    return found


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"the archive has a name that is not UTF-8: {raw[:80]!r}") from None
