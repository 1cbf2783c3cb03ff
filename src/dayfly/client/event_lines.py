"""What is told in a stream of server-sent events, as the API sends them: an event has one line of data."""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from dayfly.model.errors import InternalError

T = TypeVar("T")
_MAX_LINE = 64 * 2**20
_DATA = b"data: "


class EventLines(Generic[T]):
    """Events out of a stream that arrives in pieces, each a `kind` in JSON. What else is in it says that it lives."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._rest = bytearray()

    def feed(self, piece: bytes) -> Iterator[T]:
        """Yield what is complete with this piece. Raises InternalError for what is none."""
        self._rest += piece
        if len(self._rest) > _MAX_LINE:
            raise InternalError("The stream has an event of more than 64 MiB, which the API never sends.")
        if b"\n" not in piece:
            return
        *whole, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in whole:
            if line.startswith(_DATA):
                yield self._decoded(line.removeprefix(_DATA))

    def _decoded(self, data: bytes) -> T:
        try:
            return self._decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InternalError(f"An event of the stream cannot be read: {error}.") from error
