"""The files that may be served: what a request's path means in the function's folder, and what it must not mean.

A path is taken apart after it was percent-decoded once, so that no notation of `..` or `/` gets past the look at its
parts. Names that begin with a dot are not served, but for `.well-known`: what is hidden in a folder (`.git`, `.env`)
was hardly meant for the world. A symbolic link is followed as long as it stays in the folder.
"""

import asyncio
import hashlib
import mimetypes
import os
import stat
import urllib.parse
from pathlib import Path

import msgspec

INDEX, NOT_FOUND = "index.html", "404.html"
HASHED_AT_ONCE_BYTES = 1 << 20
"""A larger file is hashed on a thread."""
_UTF8 = {"application/javascript", "application/json", "application/manifest+json", "application/xml", "image/svg+xml"}
_MORE_TYPES = {
    ".avif": "image/avif", ".js": "text/javascript", ".md": "text/markdown", ".mjs": "text/javascript",
    ".otf": "font/otf", ".ttf": "font/ttf", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json",
    ".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2", ".yaml": "application/yaml",
    ".yml": "application/yaml",
}  # fmt: skip
_PACKED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz", "br": ""}


class File(msgspec.Struct, frozen=True):
    """A file that may be served."""

    path: str
    size_bytes: int
    modified: int
    """When it was unpacked here, in whole seconds."""
    content_type: str


class Tree:
    """The files below `root`, which do not change. Raises NotADirectoryError."""

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        if not os.path.isdir(self._root):
            raise NotADirectoryError(root)
        self._types = mimetypes.MimeTypes(())
        for suffix, kind in _MORE_TYPES.items():
            self._types.add_type(kind, suffix)
        self._tags: dict[str, str] = {}

    def find(self, raw_path: bytes) -> File | None:
        """Return the file that a request's path means, a folder meaning its index.html; None when there is none."""
        parts = _parts(raw_path)
        if parts is None:
            return None
        found = self._file("/".join(parts))
        if found is not None:
            return None if raw_path.endswith(b"/") else found
        return self._file("/".join([*parts, INDEX]))

    def is_folder(self, raw_path: bytes) -> bool:
        """Whether the path means a folder with an index.html, and lacks the slash that relative links need."""
        parts = _parts(raw_path)
        return bool(parts) and not raw_path.endswith(b"/") and self._file("/".join(parts or ())) is None

    def not_found(self) -> File | None:
        """Return the page for what is not there; None when the author gave none."""
        return self._file(NOT_FOUND)

    async def tag(self, file: File) -> str:
        """Return the ETag of a file: a digest of its content, so that it outlives a deployment. Raises OSError."""
        if file.path not in self._tags:
            large = file.size_bytes > HASHED_AT_ONCE_BYTES
            self._tags[file.path] = await asyncio.to_thread(_digest, file.path) if large else _digest(file.path)
        return self._tags[file.path]

    def _file(self, relative: str) -> File | None:
        path = os.path.realpath(os.path.join(self._root, relative))
        if not path.startswith(self._root.rstrip("/") + "/"):
            return None
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(about.st_mode) or not os.access(path, os.R_OK):
            return None
        return File(path, about.st_size, int(about.st_mtime), self._type(path))

    def _type(self, path: str) -> str:
        kind, packing = self._types.guess_type(Path(path).name)
        if packing:
            return _PACKED.get(packing) or "application/octet-stream"
        if kind is None:
            return "application/octet-stream"
        return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind in _UTF8 else kind


def _parts(raw_path: bytes) -> list[str] | None:
    """Return the names in a path, None when it could mean something that is not served."""
    try:
        text = urllib.parse.unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        return None
    parts = [part for part in text.split("/") if part not in ("", ".")]
    hidden = any(part.startswith(".") and part != ".well-known" for part in parts)
    return None if hidden or "\0" in text else parts


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return f'"{hashlib.file_digest(file, "sha256").hexdigest()[:32]}"'
