"""A store function's folder as a bundle: the same bytes on every machine, so one digest for each version of it."""

import functools
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from dayfly.catalog.entries import ABOUT, Entry, folder_of, get_entry


def bundle_of(entry: Entry) -> tuple[bytes, str]:
    """Return the function's code as a gzipped archive, and its digest as bundles are named."""
    return _bundle(entry.name)


@functools.cache
def _bundle(name: str) -> tuple[bytes, str]:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, file in _files(folder_of(get_entry(name))):
            content = file.read_bytes()
            about = tarfile.TarInfo(path)
            about.size, about.mode = len(content), 0o644
            tar.addfile(about, io.BytesIO(content))
    data = gzip.compress(archive.getvalue(), compresslevel=6, mtime=0)
    return data, f"sha256:{hashlib.sha256(data).hexdigest()}"


def _files(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    found = sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.name)
    for file in found:
        if file.name not in ABOUT:
            yield file.name, file
