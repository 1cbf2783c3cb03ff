"""A git repository of one commit, made of files and told over smart HTTP: enough to be cloned, whole or shallow.

    GET …/info/refs?service=git-upload-pack    what there is: one branch, `main`
    POST …/git-upload-pack                     all of it as a pack, whatever the client has

Formats: gitformat-pack(5), gitprotocol-pack(5), gitprotocol-http(5) in version 0, which every client falls back to.
Nothing of it depends on a clock or on who asks, so that the same files are the same commit everywhere.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterable

import msgspec

from dayfly.model.errors import InvalidRequest

BRANCH = "refs/heads/main"
SERVICE = "git-upload-pack"
MAX_REQUEST_BYTES = 64 * 1024
_FLUSH = b"0000"
_COMMIT, _TREE, _BLOB = 1, 2, 3
_NAMES = {_COMMIT: b"commit", _TREE: b"tree", _BLOB: b"blob"}
_WHO = "Dayfly <dayfly@localhost> 0 +0000"


class File(msgspec.Struct, frozen=True):
    """A file of the commit; its path has forward slashes."""

    path: str
    content: bytes
    is_executable: bool = False


class Repository:
    """The repository; immutable."""

    def __init__(self, files: Iterable[File]) -> None:
        self._objects: dict[str, bytes] = {}
        tree = self._tree({tuple(file.path.split("/")): file for file in files})
        text = f"tree {tree}\nauthor {_WHO}\ncommitter {_WHO}\n\nTemplates of Dayfly\n"
        self.commit = self._keep(_COMMIT, text.encode())
        self.pack = self._pack()

    def advertisement(self) -> bytes:
        """Return the answer to `info/refs`."""
        capabilities = f"shallow symref=HEAD:{BRANCH} object-format=sha1 agent=dayfly"
        return b"".join(
            (
                _line(f"# service={SERVICE}\n"),
                _FLUSH,
                _line(f"{self.commit} HEAD\0{capabilities}\n"),
                _line(f"{self.commit} {BRANCH}\n"),
                _FLUSH,
            )
        )

    def answer(self, request: bytes) -> bytes:
        """Return the answer to a request for objects. Raises InvalidRequest for what is none, or wants another commit.

        A client that wants a shallow copy first asks where it ends: nowhere, since the commit has no parent.
        """
        lines = _lines(request)
        wanted = [line.split()[1] for line in lines if line.startswith("want ") and len(line.split()) > 1]
        if not wanted or any(each != self.commit for each in wanted):
            raise InvalidRequest("the request wants no commit that is here")
        shallow = _FLUSH if any(line.startswith("deepen") for line in lines) else b""
        return shallow + (_line("NAK\n") + self.pack if "done" in lines else b"")

    def _tree(self, files: dict[tuple[str, ...], File]) -> str:
        entries = []
        for name in {path[0] for path in files}:
            if (name,) in files:
                file = files[name,]
                entries.append((name, "100755" if file.is_executable else "100644", self._keep(_BLOB, file.content)))
            else:
                below = {path[1:]: file for path, file in files.items() if path[0] == name}
                entries.append((f"{name}/", "40000", self._tree(below)))
        entries.sort(key=lambda entry: entry[0].encode())  # git orders a folder as if its name ended with a slash
        content = b"".join(
            f"{mode} {name.rstrip('/')}".encode() + b"\0" + bytes.fromhex(ident) for name, mode, ident in entries
        )
        return self._keep(_TREE, content)

    def _keep(self, kind: int, content: bytes) -> str:
        ident = hashlib.sha1(b"%b %d\0%b" % (_NAMES[kind], len(content), content), usedforsecurity=False).hexdigest()
        self._objects[ident] = _head(kind, len(content)) + zlib.compress(content)
        return ident

    def _pack(self) -> bytes:
        body = struct.pack(">4sII", b"PACK", 2, len(self._objects)) + b"".join(self._objects.values())
        return body + hashlib.sha1(body, usedforsecurity=False).digest()


def _head(kind: int, size: int) -> bytes:
    """An object's head in a pack: its kind and size, seven bits a byte, the lowest first."""
    first, size = kind << 4 | size & 15, size >> 4
    out = bytearray()
    while size:
        out.append(first | 128)
        first, size = size & 127, size >> 7
    return bytes([*out, first])


def _line(text: str) -> bytes:
    data = text.encode()
    return f"{len(data) + 4:04x}".encode() + data


def _lines(request: bytes) -> list[str]:
    """The lines of a request, flushes left out. Raises InvalidRequest."""
    found, at = [], 0
    while at < len(request):
        try:
            size = int(request[at : at + 4], 16)
            text = request[at + 4 : at + size].decode() if size >= 4 else ""
        except ValueError as error:
            raise InvalidRequest("the request is not what git sends") from error
        if size not in (0, 1) and (size < 4 or at + size > len(request)):
            raise InvalidRequest("the request is not what git sends")
        if size >= 4:
            found.append(text.rstrip("\n").partition("\0")[0])
        at += max(size, 4)
    return found
