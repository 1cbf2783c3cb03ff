"""What `docker save` writes: a configuration and unpacked layers for each image, described by manifest.json.

The layers stay as they are, unpacked tars mostly: packed again they would be other bytes with each version of zlib.
"""

import hashlib
import zlib
from collections.abc import Iterator
from typing import IO, Protocol

import msgspec

from dayfly.model.errors import InvalidRequest
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import (
    OCI_CONFIG,
    OCI_LAYER,
    OCI_LAYER_GZIP,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    Manifest,
    decode,
    encode,
)
from dayfly.oci.reference import parse_reference

MANIFEST_FILE = "manifest.json"
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


class Saved(Protocol):
    """The archive's files."""

    name: str
    """What messages call it."""

    def open(self, path: str) -> IO[bytes]:
        """Open a file. Raises InvalidRequest."""

    def read(self, path: str) -> bytes:
        """Return a small file's content. Raises InvalidRequest."""


class _Entry(msgspec.Struct, frozen=True, rename="pascal"):
    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


def take_saved(archive: Saved, layout: Layout) -> list[Descriptor]:
    """Keep the images in a layout, each under all its names, and return them. Raises InvalidRequest."""
    found = []
    for entry in decode(archive.read(MANIFEST_FILE), list[_Entry], f"{MANIFEST_FILE} of {archive.name}"):
        image = _take_image(archive, entry, layout)
        for name in [str(parse_reference(tag)) for tag in entry.repo_tags or []] or [image.digest]:
            layout.name(image, name)
        found.append(image)
    return found


def _take_image(archive: Saved, entry: _Entry, layout: Layout) -> Descriptor:
    about = archive.read(entry.config)
    config = decode(about, ImageConfig, f"{entry.config[:200]} of {archive.name}")
    if len(config.rootfs.diff_ids) != len(entry.layers):
        raise InvalidRequest(f"{archive.name} has another number of layers than {entry.config[:200]} tells of.")
    layers = []
    for path, diff_id in zip(entry.layers, config.rootfs.diff_ids, strict=True):
        with archive.open(path) as file:
            layers.append(_take_layer(file, diff_id, layout, f"{path[:200]} of {archive.name}"))
    manifest = Manifest(
        schema_version=2,
        media_type=OCI_MANIFEST,
        config=layout.put(about, OCI_CONFIG),
        layers=layers,
    )
    return layout.put(encode(manifest), OCI_MANIFEST)


def _take_layer(file: IO[bytes], diff_id: str, layout: Layout, what: str) -> Descriptor:
    start = file.read(_CHUNK)
    is_packed = start.startswith(_GZIP)
    unpacked = hashlib.sha256()
    inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS) if is_packed else None
    with layout.writer() as writer:
        for chunk in _chunks(start, file):
            writer.write(chunk)
            try:
                unpacked.update(inflate.decompress(chunk) if inflate else chunk)
            except zlib.error as error:
                raise InvalidRequest(f"{what} is damaged: {error}.") from error
        if f"sha256:{unpacked.hexdigest()}" != diff_id:
            raise InvalidRequest(f"{what} is not the layer that its image speaks of; the archive is damaged.")
        blob = Descriptor(media_type=OCI_LAYER_GZIP if is_packed else OCI_LAYER, digest=writer.digest, size=writer.size)
        if not layout.has(blob):
            writer.keep(blob)
    return blob


def _chunks(start: bytes, file: IO[bytes]) -> Iterator[bytes]:
    while start:
        yield start
        start = file.read(_CHUNK)
