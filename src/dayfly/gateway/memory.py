"""What a gateway was told, kept where its successor finds it: for one that begins while the control plane is away.

The supervisor holds a file that no disk and no folder has, and hands it to every life of a gateway. The link's messages
stand in it as they came: a snapshot, and the deltas since. Its first eight bytes say how far it counts; they are
written last, so that whoever is killed at it leaves a message out, or nothing at all.
"""

import os
import struct
from collections.abc import Iterator

import msgspec

from dayfly.model.table import Delta, Snapshot, ToGateway

MAX_DELTAS_BYTES = 4 * 1024 * 1024
"""How much of deltas is kept before they are put into the snapshot."""
_LENGTH = struct.Struct(">Q")
_decode = msgspec.msgpack.Decoder(ToGateway).decode


class Memory:
    """The file at a descriptor. Methods raise nothing: what cannot be kept is not there for the successor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = self._limit = 0

    def keep(self, message: ToGateway, data: bytes) -> None:
        """Keep a message that came as `data`; of those that say what is to be served."""
        if isinstance(message, Snapshot):
            self._write(0, data)
            self._limit = self._size + MAX_DELTAS_BYTES
        elif isinstance(message, Delta) and self._size:
            self._write(self._size, data)
            if self._size > self._limit and (whole := self.recall()) is not None:
                self.keep(whole, msgspec.msgpack.encode(whole))

    def recall(self) -> Snapshot | None:
        """Return what was to be served last; None where nothing is known, or nothing that can be read."""
        try:
            snapshot, *deltas = map(_decode, self._messages())
        except (OSError, ValueError, msgspec.MsgspecError, struct.error):
            return None
        if not isinstance(snapshot, Snapshot):
            return None
        entries = {f"{entry.name}.{entry.namespace}": entry for entry in snapshot.entries}
        routes = {route.key: route for route in snapshot.routes}
        for delta in deltas:
            if isinstance(delta, Delta):
                for name in delta.removed:
                    entries.pop(name, None)
                entries |= {f"{entry.name}.{entry.namespace}": entry for entry in delta.changed}
                for key in delta.unrouted:
                    routes.pop(key, None)
                routes |= {route.key: route for route in delta.routes}
        return msgspec.structs.replace(snapshot, entries=tuple(entries.values()), routes=tuple(routes.values()))

    def _messages(self) -> Iterator[bytes]:
        (size,) = _LENGTH.unpack(os.pread(self._fd, _LENGTH.size, 0))
        data, at = os.pread(self._fd, size, _LENGTH.size), 0
        while at < size:
            (length,) = _LENGTH.unpack_from(data, at)
            yield data[at + _LENGTH.size : at + _LENGTH.size + length]
            at += _LENGTH.size + length

    def _write(self, at: int, data: bytes) -> None:
        framed = _LENGTH.pack(len(data)) + data
        try:
            if at == 0:
                os.ftruncate(self._fd, 0)
            if os.pwrite(self._fd, framed, _LENGTH.size + at) == len(framed):
                os.pwrite(self._fd, _LENGTH.pack(at + len(framed)), 0)
                self._size = at + len(framed)
                return
            os.ftruncate(self._fd, 0)  # a delta that is missing would make all after it wrong
        except OSError:
            pass
        self._size = 0
