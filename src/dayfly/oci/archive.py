"""Images in one file: a tar of a layout, written and taken in; what `docker save` and `podman save` write, taken in.

What is written is both at once, so that `docker load`, `podman load` and `skopeo` (oci-archive:, docker-archive:) take
it, and always the same bytes for the same images. What is taken in is checked as it is written to a layout: nothing of
an archive is unpacked under a name that it chose itself.
"""

import contextlib
import io
import posixpath
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from dayfly.model.errors import InvalidRequest, InvalidSpec, NotFound
from dayfly.oci.docker_archive import MANIFEST_FILE, take_saved
from dayfly.oci.image import images, load, reachable
from dayfly.oci.layout import BLOBS, INDEX_FILE, VERSION, VERSION_FILE, Layout
from dayfly.oci.manifest import MAX_BYTES, OCI_INDEX, REF_NAME, Descriptor, Index, decode, encode
from dayfly.oci.reference import parse_reference

_CONTAINERD_NAME = "io.containerd.image.name"
_BLOB = re.compile(rf"{BLOBS}/([0-9a-f]{{64}})")
_MAX_ENTRIES = 20_000
_CHUNK = 1 << 20


class Archive:
    """A tar, looked into without unpacking it."""

    def __init__(self, tar: tarfile.TarFile, name: str) -> None:
        self._tar = tar
        self.name = name
        """What messages call it."""
        self._members: dict[str, tarfile.TarInfo] = {}
        for member in tar:
            self._members[posixpath.normpath(member.name)] = member
            if len(self._members) > _MAX_ENTRIES:
                raise InvalidRequest(f"{name} holds more than {_MAX_ENTRIES} entries; no archive of images does.")

    def has(self, path: str) -> bool:
        """Whether there is an entry of this path."""
        return path in self._members

    def files(self) -> dict[str, int]:
        """Return the paths of the regular files and their sizes."""
        return {path: member.size for path, member in self._members.items() if member.isreg()}

    def open(self, path: str) -> IO[bytes]:
        """Open a file, by a link to it too. Raises InvalidRequest when there is no such file."""
        member = self._members.get(posixpath.normpath(path))
        if member is not None and member.issym():
            target = posixpath.join(posixpath.dirname(posixpath.normpath(path)), member.linkname)
            member = self._members.get(posixpath.normpath(target))
        elif member is not None and member.islnk():
            member = self._members.get(posixpath.normpath(member.linkname))
        file = self._tar.extractfile(member) if member is not None and member.isreg() else None
        if file is None:
            raise InvalidRequest(f"{self.name} has no file {path[:200]!r}, which it speaks of.")
        return file

    def read(self, path: str) -> bytes:
        """Return a small file's content, at most one byte more than the 4 MiB that it may have."""
        with self.open(path) as file:
            return file.read(MAX_BYTES + 1)


def take_in(path: Path, layout: Layout) -> list[Descriptor]:
    """Keep the images of an archive in a layout, under their names there if they have any, and return them.

    Raises InvalidRequest when it is no archive of images, or damaged; NotFound when it cannot be read.
    """
    try:
        with tarfile.open(path) as tar:
            archive = Archive(tar, str(path))
            if archive.has(INDEX_FILE):
                return _take_layout(archive, layout)
            if archive.has(MANIFEST_FILE):
                return take_saved(archive, layout)
    except (tarfile.TarError, EOFError) as error:
        raise InvalidRequest(f"{path} is no tar archive, or is damaged.") from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror or error}.") from error
    raise InvalidRequest(
        f"{path} holds no images.",
        hint="An archive of an OCI layout, or of `docker save`, has index.json or manifest.json.",
    )


def write_out(layout: Layout, entries: Sequence[Descriptor], target: BinaryIO) -> None:
    """Write these entries of a layout, named as it names them, as one archive. Raises what reading them raises."""
    blobs = {blob.digest: blob for entry in entries for blob in reachable(layout, entry)}
    index = Index(schema_version=2, media_type=OCI_INDEX, manifests=list(entries))
    saved = [_saved(layout, image, entry) for entry in entries for image in images(layout, entry)]
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add_folder(tar, "blobs")
        _add_folder(tar, BLOBS)
        for _, blob in sorted(blobs.items()):
            with layout.open_blob(blob) as file:
                _add(tar, f"{BLOBS}/{blob.digest.removeprefix('sha256:')}", blob.size, file)
        for name, data in (
            (INDEX_FILE, encode(index)),
            (MANIFEST_FILE, msgspec.json.encode(saved)),
            (VERSION_FILE, VERSION),
        ):
            _add(tar, name, len(data), io.BytesIO(data))


def _take_layout(archive: Archive, layout: Layout) -> list[Descriptor]:
    for path, size in archive.files().items():
        if (match := _BLOB.fullmatch(path)) is None:
            continue
        blob = Descriptor(media_type="", digest=f"sha256:{match[1]}", size=size)
        if layout.has(blob):
            continue
        with archive.open(path) as file, layout.writer() as writer:
            while chunk := file.read(_CHUNK):
                writer.write(chunk)
            writer.keep(blob)
    index = decode(archive.read(INDEX_FILE), Index, f"the index of {archive.name}")
    for entry in index.manifests:
        about = entry.annotations or {}
        name = about.get(_CONTAINERD_NAME) or about.get(REF_NAME)
        layout.name(entry, name or entry.digest)
    return index.manifests


def _saved(layout: Layout, image: Descriptor, entry: Descriptor) -> dict[str, object]:
    """What `docker save` would say of the image. Of an index each image is there, and none of them has its name."""
    name = (entry.annotations or {}).get(REF_NAME, "") if image.digest == entry.digest else ""
    manifest = load(layout, image).manifest
    paths = [f"{BLOBS}/{blob.digest.removeprefix('sha256:')}" for blob in (manifest.config, *manifest.layers)]
    tags: list[str] = []
    with contextlib.suppress(InvalidSpec):  # a layout may name things as no registry could
        tags = [parse_reference(name).familiar]
    return {"Config": paths[0], "RepoTags": tags, "Layers": paths[1:]}


def _add(tar: tarfile.TarFile, name: str, size: int, file: IO[bytes]) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = size, 0o644
    tar.addfile(about, file)


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    about = tarfile.TarInfo(name)
    about.type, about.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(about)
