"""Bundles read and changed: what is in one, and the bundle that is the same but for some files.

All of a bundle is held in memory meanwhile, as it is when one is built here; the limits are those of unpacking. Every
path is judged as unpacking judges it, so that an edit is refused at once and not by the deployment that follows.
"""

import io

from dayfly.build.context import File, Files
from dayfly.build.extract import checked_path
from dayfly.build.pack import pack
from dayfly.build.tar import ArchiveLimits, TarReader
from dayfly.model.errors import InvalidRequest, NotFound
from dayfly.model.names import BundleDigest
from dayfly.model.source import MAX_FILES, MAX_SHOWN_BYTES, MAX_TEXT_BYTES, Source, SourceChange, SourceFile

_LIMITS = ArchiveLimits(unpacked_bytes=128 * 2**20)


def unpacked(bundle: bytes) -> Files:
    """Return the bundle's files by their paths. Raises InvalidRequest, PayloadTooLarge."""
    reader = TarReader(io.BytesIO(bundle), _LIMITS)
    files: Files = {}
    for entry in reader.entries():
        path = "/".join(checked_path(entry.name))
        content = b"".join(reader.content())
        if not entry.is_folder:
            files[path] = File(content, entry.is_executable)
    return files


def source_of(bundle: bytes, digest: BundleDigest, revision: int) -> Source:
    """Return the bundle as a page shows it. Raises InvalidRequest, PayloadTooLarge."""
    files, left, shown = unpacked(bundle), MAX_SHOWN_BYTES, []
    for path in sorted(files)[:MAX_FILES]:
        file = files[path]
        text = _text(file.content) if len(file.content) <= min(left, MAX_TEXT_BYTES) else None
        left -= len(file.content) if text is not None else 0
        size = len(file.content)
        shown.append(SourceFile(path=path, size_bytes=size, text=text, executable=file.is_executable))
    return Source(revision=revision, bundle=digest, files=tuple(shown), cut=len(files) > MAX_FILES)


def changed(base: bytes | None, change: SourceChange) -> tuple[bytes, BundleDigest]:
    """Return the bundle that the change makes of `base`, or of nothing, and its digest.

    Raises InvalidRequest for paths that no bundle can have, files that stand in each other's way, and a bundle of
    nothing; NotFound when a file to remove is not there.
    """
    files = dict(unpacked(base)) if base is not None else {}
    for path in change.removed:
        if files.pop(path, None) is None:
            raise NotFound(f"removed: there is no file {path[:80]}")
    for file in change.files:
        path = "/".join(checked_path(file.path))
        if not path or file.path.endswith("/"):
            raise InvalidRequest(f"files: {file.path[:80]!r} is not the path of a file")
        before = files.get(path)
        executable = file.executable if file.executable is not None else before is not None and before.is_executable
        files[path] = File(file.content, executable)
    if not files:
        raise InvalidRequest("files: there is none; a function needs at least its handler")
    for path in files:
        _check_free(path, files)
    return pack(files)


def _check_free(path: str, files: Files) -> None:
    parts = path.split("/")
    for depth in range(1, len(parts)):
        if "/".join(parts[:depth]) in files:
            raise InvalidRequest(f"files: {'/'.join(parts[:depth])[:80]} is a file and a folder at once")


def _text(content: bytes) -> str | None:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text
