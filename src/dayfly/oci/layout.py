"""Images in a folder, as OCI's image layout has them; nothing in it that is not what its digest says.

    oci-layout               which version of the layout
    index.json               what has a name here: entries with the annotation `org.opencontainers.image.ref.name`
    blobs/sha256/HEX         manifests, configurations, layers

A blob is written to a file of its own, checked, and only then gets its name; what is read is checked again. The index
is replaced as a whole, by one process at a time. Two that keep the same blob do no harm. Our own layouts name entries
by the whole reference (`docker.io/library/python:3.12`), as other tools' may by a tag alone.

    layout = Layout.create(folder)
    manifest = layout.put(encode(Manifest(…)), OCI_MANIFEST)
    layout.name(manifest, "registry.example.com/team/hello:1")
    layout.read(layout.find("registry.example.com/team/hello:1"))
"""

import contextlib
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, cast

import msgspec

from dayfly.model.errors import ConfigError, InvalidRequest, NotFound
from dayfly.oci.manifest import MAX_BYTES, OCI_INDEX, REF_NAME, Descriptor, Index, decode, describe, encode

VERSION_FILE, INDEX_FILE, BLOBS = "oci-layout", "index.json", "blobs/sha256"
VERSION = b'{"imageLayoutVersion":"1.0.0"}'
_CHUNK = 1 << 20
_PART = ".part"


class Layout:
    """One layout. Raises ConfigError where its folder cannot be written or read, for whatever reason of the disk's."""

    def __init__(self, folder: Path) -> None:
        """Take a folder that is a layout already; `open` and `create` look first."""
        self.folder = folder

    @classmethod
    def open(cls, folder: Path) -> "Layout":
        """Return the layout in this folder. Raises NotFound when there is none, InvalidRequest for another version."""
        try:
            with (folder / VERSION_FILE).open("rb") as file:
                about = decode(file.read(MAX_BYTES + 1), _Version, str(folder / VERSION_FILE))
        except OSError as error:
            raise NotFound(f"{folder} is no OCI image layout: it has no file oci-layout.") from error
        if about.version.partition(".")[0] != "1":
            raise InvalidRequest(f"{folder} is an OCI layout of version {about.version[:20]}; only 1 is known.")
        return cls(folder)

    @classmethod
    def create(cls, folder: Path) -> "Layout":
        """Return the layout in this folder; makes an empty one where the folder is missing or empty.

        Raises ConfigError when something else is there.
        """
        if (folder / VERSION_FILE).exists():
            return cls.open(folder)
        layout = cls(folder)
        with _disk(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with layout.locked():
                layout._begin()
        return layout

    def has(self, blob: Descriptor) -> bool:
        """Whether there is a blob of this digest and size. What is in it is seen by reading it."""
        with contextlib.suppress(OSError):
            return self.path(blob).stat().st_size == blob.size
        return False

    def path(self, blob: Descriptor) -> Path:
        """Return where the blob is or would be. Who reads the file itself reads it unchecked."""
        return self.folder / BLOBS / blob.digest.removeprefix("sha256:")

    def read(self, blob: Descriptor) -> bytes:
        """Return a manifest, index or configuration, checked.

        Raises NotFound when it is not here, InvalidRequest when it is damaged or larger than 4 MiB.
        """
        if blob.size > MAX_BYTES:
            most = f"what is read whole may have {MAX_BYTES // 2**20} MiB"
            raise InvalidRequest(f"{blob.digest} says it has {blob.size} bytes; {most}.")
        with self.open_blob(blob) as file:
            return b"".join(iter(lambda: file.read(_CHUNK), b""))

    @contextlib.contextmanager
    def open_blob(self, blob: Descriptor) -> Iterator[BinaryIO]:
        """Give the blob to be read, in one pass; it is checked as it is read.

        Raises NotFound when it is not here. When it is damaged the read of its last bytes raises InvalidRequest, and
        none before.
        """
        try:
            file = self.path(blob).open("rb")
        except OSError as error:
            raise NotFound(f"{self.folder} does not hold the blob {blob.digest} ({error.strerror}).") from error
        with file:
            yield cast("BinaryIO", CheckedReader(file, blob, str(self.folder)))

    def put(self, data: bytes, media_type: str) -> Descriptor:
        """Keep these bytes and return what they are."""
        blob = describe(data, media_type)
        if self.has(blob):
            self.touch(blob)
        else:
            with self.writer() as writer:
                writer.write(data)
                writer.keep(blob)
        return blob

    def touch(self, blob: Descriptor) -> None:
        """Note that the blob is used, so that a sweep leaves it alone for a while."""
        with contextlib.suppress(OSError):  # it is another account's, or has just gone
            os.utime(self.path(blob))

    @contextlib.contextmanager
    def writer(self) -> Iterator["BlobWriter"]:
        """Give a writer of one blob. Nothing stays of it unless it was kept."""
        part = self.folder / BLOBS / f"{secrets.token_hex(8)}{_PART}"
        with _disk(self.folder):
            file = part.open("xb", buffering=0)
        try:
            yield BlobWriter(self, file, part)
        finally:
            file.close()
            part.unlink(missing_ok=True)

    def index(self) -> Index:
        """Return what the layout says it holds. Raises InvalidRequest when that is damaged, NotFound when missing."""
        path = self.folder / INDEX_FILE
        try:
            with path.open("rb") as file:
                return decode(file.read(MAX_BYTES + 1), Index, str(path))
        except OSError as error:
            raise NotFound(f"{self.folder} is no OCI image layout: it has no index.json.") from error

    def names(self) -> dict[str, Descriptor]:
        """Return what has a name here."""
        return {name: entry for entry in self.index().manifests if (name := _name(entry))}

    def find(self, name: str = "") -> Descriptor:
        """Return what has this name; with none, the only thing there is. Raises NotFound."""
        entries = self.index().manifests
        if not name and len({entry.digest for entry in entries}) == 1:
            return entries[0]
        for entry in entries:
            if name and _name(entry) == name:
                return entry
        known = ", ".join(sorted(filter(None, map(_name, entries)))) or "nothing"
        what = f"no image named {name[:200]!r}" if name else "more than one image, or none, so that one must be named"
        raise NotFound(f"{self.folder} holds {what}; it names {known[:500]}.")

    def name(self, blob: Descriptor, name: str) -> None:
        """Give the blob this name here, and to it alone. Raises NotFound when it is not here itself."""
        if not self.has(blob):
            raise NotFound(f"{self.folder} does not hold the blob {blob.digest}, which was to be named {name}.")
        annotations = {**(blob.annotations or {}), REF_NAME: name}
        self._change([name], msgspec.structs.replace(blob, annotations=annotations))

    def forget(self, *names: str) -> None:
        """Take these names away; what they stood for stays until it is swept."""
        self._change(list(names), None)

    def _change(self, names: list[str], added: Descriptor | None) -> None:
        with _disk(self.folder), self.locked():
            index = self.index()
            kept = [entry for entry in index.manifests if _name(entry) not in names]
            kept += [added] if added else []
            _replace(self.folder / INDEX_FILE, encode(msgspec.structs.replace(index, manifests=kept)))

    def _begin(self) -> None:
        if (self.folder / VERSION_FILE).exists():  # somebody else was quicker
            return
        if any(self.folder.iterdir()):
            hint = "Name an empty or a new folder."
            raise ConfigError(f"{self.folder} holds files, but no image layout.", hint=hint)
        (self.folder / BLOBS).mkdir(parents=True)
        _replace(self.folder / INDEX_FILE, encode(Index(schema_version=2, media_type=OCI_INDEX, manifests=[])))
        _replace(self.folder / VERSION_FILE, VERSION)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the layout for oneself, as far as others ask."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class BlobWriter:
    """A blob that is being written."""

    def __init__(self, layout: Layout, file: IO[bytes], part: Path) -> None:
        self._layout, self._file, self._part = layout, file, part
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes so far."""

    def write(self, data: bytes) -> int:
        """Append to it."""
        self._hash.update(data)
        self.size += len(data)
        view = memoryview(data)
        with _disk(self._layout.folder):
            while view:
                view = view[self._file.write(view) :]
        return len(data)

    @property
    def digest(self) -> str:
        """The digest of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def keep(self, expected: Descriptor) -> None:
        """Give it its name. Raises InvalidRequest when it is not what was expected; nothing stays of it then."""
        if (self.digest, self.size) != (expected.digest, expected.size):
            got = f"{self.digest} of {self.size} bytes"
            raise InvalidRequest(f"{expected.digest} of {expected.size} bytes was expected, and {got} came.")
        with _disk(self._layout.folder):
            os.fsync(self._file.fileno())
            os.fchmod(self._file.fileno(), 0o644)
            self._part.replace(self._layout.path(expected))


class CheckedReader:
    """Reads a file once, from its beginning; raises InvalidRequest with its last bytes if it is not this blob."""

    def __init__(self, file: IO[bytes], blob: Descriptor, whose: str) -> None:
        self._file, self._blob, self._whose = file, blob, whose
        self._hash = hashlib.sha256()
        self._left = blob.size

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, or all that is left."""
        data = self._file.read(size if size >= 0 else self._left + 1)
        self._left -= len(data)
        self._hash.update(data)
        is_short = self._left > 0 and (size < 0 or len(data) < size)
        is_other = self._left == 0 and f"sha256:{self._hash.hexdigest()}" != self._blob.digest
        if is_short or is_other or self._left < 0:
            raise InvalidRequest(f"{self._whose}: the blob {self._blob.digest} is damaged.")
        return data


class _Version(msgspec.Struct, frozen=True):
    version: str = msgspec.field(name="imageLayoutVersion")


def _name(entry: Descriptor) -> str:
    return (entry.annotations or {}).get(REF_NAME, "")


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{folder}, where images are kept, cannot be used: {error.strerror}.") from error
