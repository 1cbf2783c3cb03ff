"""A revision's code and layers on their way into a pod: one tar archive, made and unpacked without a copy on a disk.

It comes over a sealed connection from a control plane that has judged the code's own archive when it was uploaded. It
is unpacked as if it had not: by the standard library's filter for data, which takes nothing that leads out of the
folder or is no plain file, folder or link inside, and within a bound that counts what comes out.
"""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dayfly.model.errors import InvalidRequest, PayloadTooLarge
from dayfly.model.replica import StartOrder

CODE, LAYERS = "code", "layers"
MAX_UNPACKED_BYTES = 2 << 30
MAX_ENTRIES = 200_000
_PIECE = 256 << 10


def pieces(order: StartOrder) -> Iterator[bytes]:
    """Yield the archive of an order's code and layers. Raises OSError when they cannot be read."""
    buffer = _Buffer()
    with tarfile.TarFile(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, folder in _parts(order):
            for path, inside in _walk(folder, name):
                tar.add(path, inside, recursive=False)
                if buffer.pending >= _PIECE:
                    yield from buffer.take()
    yield from buffer.take()


def unpack(file: BinaryIO, folder: Path) -> None:
    """Unpack an archive into the empty `folder`. Raises InvalidRequest, PayloadTooLarge, OSError."""
    size = count = 0
    try:
        with tarfile.open(fileobj=file, mode="r|") as tar:
            for member in tar:
                size, count = size + member.size, count + 1
                if size > MAX_UNPACKED_BYTES or count > MAX_ENTRIES:
                    raise PayloadTooLarge(
                        f"code and dependencies are more than {MAX_UNPACKED_BYTES >> 20} MiB or {MAX_ENTRIES} files"
                    )
                tar.extract(member, folder, filter="data")
    except tarfile.TarError as error:
        raise InvalidRequest(f"the archive of the code cannot be unpacked: {error}") from error


def places(order: StartOrder, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return where the code and the layers of `order` are once they are unpacked in `folder`."""
    code = str(folder / CODE) if order.code_dir else ""
    return code, tuple(str(folder / LAYERS / str(number)) for number in range(len(order.layer_dirs)))


def _parts(order: StartOrder) -> Iterator[tuple[str, str]]:
    if order.code_dir:
        yield CODE, order.code_dir
    for number, layer in enumerate(order.layer_dirs):
        yield f"{LAYERS}/{number}", layer


def _walk(folder: str, name: str) -> Iterator[tuple[str, str]]:
    yield folder, name
    for parent, folders, files in os.walk(folder):
        inside = name + parent[len(folder) :]
        for each in (*folders, *files):
            yield os.path.join(parent, each), f"{inside}/{each}"


class _Buffer(io.BytesIO):
    """What tarfile writes to, emptied as it grows."""

    def __init__(self) -> None:
        super().__init__()
        self._taken = 0

    def tell(self) -> int:
        return self._taken + super().tell()

    @property
    def pending(self) -> int:
        """How many bytes there are to take."""
        return super().tell()

    def take(self) -> Iterator[bytes]:
        """Yield what there is, in pieces."""
        data = self.getvalue()
        self._taken += len(data)
        self.seek(0)
        self.truncate()
        for start in range(0, len(data), _PIECE):
            yield data[start : start + _PIECE]
