"""Layers: files as one packed tar that is the same bytes for the same files, whoever made it, where and when.

    order      by path, a folder before what is in it
    owner      0:0, without names
    time       0
    mode       0755 for folders and what anybody may execute, 0644 for the rest
    gzip       level 6, no name and no time in its header

The bytes of the compression are zlib's: another implementation of it (zlib-ng) packs the same content to another
digest, and unpacks to the same one, which is what the image's configuration names.
"""

import hashlib
import io
import os
import struct
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.layout import BlobWriter, Layout
from dayfly.oci.manifest import OCI_LAYER_GZIP, Descriptor

LEVEL = 6
_PIECE = 1 << 20
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_SKIPPED = ("__pycache__",)


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """One path of a layer. With neither `data`, `file` nor `link` it is a folder."""

    path: str
    """Relative to the image's root."""
    data: bytes | None = None
    file: Path | None = None
    """Where the data is."""
    link: str | None = None
    """What a symbolic link points to."""
    is_executable: bool = False


class Layer(msgspec.Struct, frozen=True):
    """A layer in a layout."""

    descriptor: Descriptor
    diff_id: str
    """The digest of what it unpacks to."""
    comment: str = ""
    """What the image's history says of it."""


def write_layer(layout: Layout, contents: Iterable[Content], comment: str = "") -> Layer:
    """Keep a layer of these files in a layout.

    Of two with the same path the later one counts. Raises InvalidRequest for a path that leaves the root, OSError when
    a file cannot be read.
    """
    files = {_clean(each.path): each for each in contents}
    with layout.writer() as writer:
        packer = _Packer(writer)
        with tarfile.open(fileobj=cast("BinaryIO", packer), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            # By its parts, so that a folder comes before its content and `a-b` does not come between `a` and `a/b`.
            for path in sorted(files, key=lambda path: path.split("/")):
                _add(tar, path, files[path])
        packer.close()
        blob = Descriptor(media_type=OCI_LAYER_GZIP, digest=writer.digest, size=writer.size)
        writer.keep(blob)
    return Layer(blob, packer.diff_id, comment)


def pack(layout: Layout, blob: Descriptor, media_type: str = OCI_LAYER_GZIP) -> Descriptor:
    """Keep an unpacked layer packed too, and return what that is. Raises what reading the blob raises."""
    with layout.writer() as writer, layout.open_blob(blob) as file:
        packer = _Packer(writer)
        while data := file.read(_PIECE):
            packer.write(data)
        packer.close()
        packed = Descriptor(media_type=media_type, digest=writer.digest, size=writer.size)
        writer.keep(packed)
    return packed


def contents_of(folder: Path, below: str) -> Iterator[Content]:
    """Yield what is in a folder, under the path `below`; bytecode is left out, other interpreters would not take it.

    Raises InvalidRequest for what is neither a file, a folder nor a link.
    """
    yield Content(path=below)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = f"{below}/{entry.name}"
        if entry.is_symlink():
            yield Content(path=path, link=os.readlink(entry.path))
        elif entry.is_dir(follow_symlinks=False):
            if entry.name not in _SKIPPED:
                yield from contents_of(Path(entry.path), path)
        elif entry.is_file(follow_symlinks=False):
            mode = entry.stat(follow_symlinks=False).st_mode
            yield Content(path=path, file=Path(entry.path), is_executable=bool(mode & 0o111))
        else:
            raise InvalidRequest(f"{entry.path} is neither a file nor a folder, and an image holds nothing else.")


def _clean(path: str) -> str:
    parts = path.strip("/").split("/")
    if not all(part and part not in (".", "..") and "\0" not in part for part in parts):
        raise InvalidRequest(f"{path[:200]!r} is no path inside an image.")
    return "/".join(parts)


def _add(tar: tarfile.TarFile, path: str, content: Content) -> None:
    about = tarfile.TarInfo(path)
    about.mode = 0o755 if content.is_executable else 0o644
    if content.link is not None:
        about.type, about.linkname, about.mode = tarfile.SYMTYPE, content.link, 0o777
        tar.addfile(about)
    elif content.file is not None:
        with content.file.open("rb") as file:
            about.size = os.fstat(file.fileno()).st_size
            tar.addfile(about, file)
    elif content.data is not None:
        about.size = len(content.data)
        tar.addfile(about, io.BytesIO(content.data))
    else:
        about.type, about.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(about)


class _Packer:
    """Packs what is written to it into a blob."""

    def __init__(self, writer: BlobWriter) -> None:
        self._writer = writer
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._hash = hashlib.sha256()
        self._check, self._size = 0, 0
        writer.write(_HEADER)

    @property
    def diff_id(self) -> str:
        """The digest of what was written."""
        return f"sha256:{self._hash.hexdigest()}"

    def write(self, data: bytes) -> int:
        """Take more."""
        self._hash.update(data)
        self._check = zlib.crc32(data, self._check)
        self._size += len(data)
        self._writer.write(self._deflate.compress(data))
        return len(data)

    def close(self) -> None:
        """Write what is left."""
        self._writer.write(self._deflate.flush())
        self._writer.write(struct.pack("<II", self._check, self._size & 0xFFFFFFFF))
