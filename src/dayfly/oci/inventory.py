"""What an image has in it, read off its layers: packages of Python, npm, Debian and Alpine, and which system it is.

Later layers hide what earlier ones had under the same path, or say is gone. Of each file only what names a package is
read, and no more of it than such a file has.
"""

import gzip
import io
import re
import tarfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from dayfly.model.errors import InvalidRequest
from dayfly.oci.image import Image
from dayfly.oci.layout import Layout
from dayfly.oci.manifest import DOCKER_LAYER_GZIP, OCI_LAYER_GZIP, OCI_LAYER_ZSTD

_MAX_FILE = 16 * 2**20
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_WANTED = re.compile(
    r"(?:^|.*/)[^/]+\.dist-info/METADATA"
    r"|(?:^|.*/)node_modules/(?:@[^/]+/)?[^/]+/package\.json|(?:^|.*/)node_modules/\.package-lock\.json"
    r"|var/lib/dpkg/status|var/lib/dpkg/status\.d/[^/]+|usr/share/doc/[^/]+/copyright"
    r"|lib/apk/db/installed|(?:etc|usr/lib)/os-release"
)

Files = dict[str, tuple[bytes, str]]
"""Contents by path, each with the digest of the layer it is from."""


def read_inventory(layout: Layout, image: Image) -> tuple[Files, list[str]]:
    """Return the files that tell of packages, and the layers that could not be read.

    Raises InvalidRequest for a damaged layer, NotFound for one that is not here.
    """
    files: Files = {}
    unread = []
    for layer in image.manifest.layers:
        if layer.media_type == OCI_LAYER_ZSTD:
            unread.append(layer.digest)
            continue
        is_packed = layer.media_type in (OCI_LAYER_GZIP, DOCKER_LAYER_GZIP)
        with layout.path(layer).open("rb") as file:
            _apply(files, _entries(file, is_packed=is_packed, digest=layer.digest), layer.digest)
    return files, unread


def _apply(files: Files, entries: Iterator[tuple[str, bytes | None]], digest: str) -> None:
    """Put a layer over those below it. What it says is gone is gone of those, and not of itself."""
    added: Files = {}
    for path, content in entries:
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            _forget(files, folder)
        elif name.startswith(_WHITEOUT):
            _forget(files, f"{folder}/{name.removeprefix(_WHITEOUT)}".lstrip("/"))
        elif content is not None:
            added[path] = (content, digest)
    files.update(added)


def _forget(files: Files, path: str) -> None:
    for each in [each for each in files if each == path or not path or each.startswith(f"{path}/")]:
        del files[each]


def _entries(file: BinaryIO, *, is_packed: bool, digest: str) -> Iterator[tuple[str, bytes | None]]:
    stream = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if is_packed else file)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for about in archive:
                path = about.name.removeprefix("./").lstrip("/")
                if path.rpartition("/")[2].startswith(_WHITEOUT):
                    yield path, None
                elif about.isreg() and about.size <= _MAX_FILE and _WANTED.fullmatch(path):
                    member = archive.extractfile(about)
                    yield path, (member or io.BytesIO()).read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidRequest(f"The layer {digest} is damaged: {error}") from error
