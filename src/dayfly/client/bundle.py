"""A handler's folder as one file to upload: the same folder gives the same bytes, so the same digest.

The bundle is a gzipped ustar archive of regular files and folders only: sorted, without times, owners and links, modes
0755 and 0644. What goes in is decided by `walk`; what must not is refused there by name, or here by what it contains,
before anything is sent.
"""

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dayfly.client.walk import LEAVE_OUT, Entry, Walk
from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.oci.scan import Allowance, Scan, label_of

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
MAX_CONTENT_BYTES = 256 * 1024 * 1024
"""All files together, before compression."""
_LEVEL = 6
_MAX_RATIO = 90


class Bundle(msgspec.Struct, frozen=True):
    """A packed folder."""

    data: bytes
    digest: str
    """`sha256:` and 64 hex digits, of `data`."""
    allowed: str = ""
    """What was found in it and accepted, as the annotation `com.dayfly.allowed-secrets` has it."""

    def __repr__(self) -> str:
        """The digest and the size."""
        return f"Bundle({self.digest}, {len(self.data)} bytes)"


def pack(folder: str | os.PathLike[str], allowed: Iterable[Allowance] = ()) -> Bundle:
    """Return the folder as a bundle; `allowed` says which credentials in it are meant to be there.

    Raises InvalidRequest, naming the file, for a folder that is none or holds no file, for anything that looks like a
    credential, for links that leave the folder, devices, pipes and sockets, for names that cannot be carried and for
    more than 20,000 entries; PayloadTooLarge for more than 256 MiB of content or a bundle of more than 64 MiB.
    """
    top = Path(folder)
    if not top.is_dir():
        raise InvalidRequest(f"{top} is not a folder.", hint="Name the folder that holds handler.py.")
    entries = sorted(Walk(top).entries(), key=lambda entry: entry.name)
    if all(entry.is_folder for entry in entries):
        raise InvalidRequest(f"{top} holds no file to deploy.")
    scan = Scan()
    archive = _archive(entries, scan)
    if len(archive) > MAX_CONTENT_BYTES:
        raise PayloadTooLarge(f"{top}: the files come to more than 256 MiB.", hint=LEAVE_OUT)
    accepted = scan.refuse(allowed, str(top))
    data = gzip.compress(archive, compresslevel=_LEVEL, mtime=0)
    if len(archive) > _MAX_RATIO * len(data):
        # What shrinks that much looks like a bomb to whoever unpacks it, so it goes as it is.
        data = gzip.compress(archive, compresslevel=0, mtime=0)
    if len(data) > MAX_BUNDLE_BYTES:
        size = len(data) // 2**20
        raise PayloadTooLarge(f"{top} packs to {size} MiB; a bundle may have 64 MiB at most.", hint=LEAVE_OUT)
    return Bundle(data, f"sha256:{hashlib.sha256(data).hexdigest()}", label_of(accepted))


def _archive(entries: list[Entry], scan: Scan) -> bytes:
    out = io.BytesIO()
    left = MAX_CONTENT_BYTES
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as archive:
        for entry in entries:
            about = tarfile.TarInfo(entry.name)
            content, about.mode = (b"", 0o755) if entry.is_folder else read(entry.path, left)
            about.type = tarfile.DIRTYPE if entry.is_folder else tarfile.REGTYPE
            about.size = len(content)
            left -= len(content)
            scan.file(entry.name, content)
            try:
                archive.addfile(about, io.BytesIO(content))
            except ValueError as error:
                raise InvalidRequest(f"{entry.name} is too long a path for a bundle.", hint=LEAVE_OUT) from error
    return out.getvalue()


def read(path: Path, left: int = MAX_CONTENT_BYTES) -> tuple[bytes, int]:
    """Return a file's content, of at most `left` bytes, and its mode in a bundle.

    Raises InvalidRequest when it cannot be read, PayloadTooLarge.
    """
    try:
        # Not followed and not waited for: the entry may have been replaced since it was judged.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise InvalidRequest(f"{path} is not a file any more.")
            content = file.read(left + 1)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", hint=LEAVE_OUT) from error
    if len(content) > left:
        raise PayloadTooLarge(f"{path}: the files come to more than 256 MiB.", hint=LEAVE_OUT)
    return content, 0o755 if mode & 0o111 else 0o644
