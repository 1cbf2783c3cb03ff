"""A file that an answer is written to, and that grows no further than it may."""

from pathlib import Path
from types import TracebackType


class TooLarge(Exception):
    """The answer does not fit."""


class BoundedFile:
    """The file at `path`, opened for writing. Raises TooLarge before more than `most` bytes are in it."""

    def __init__(self, path: Path, most: int) -> None:
        self._file = path.open("wb")
        self._left = most

    def fits(self, size: int) -> bool:
        """Whether so much more may be written."""
        return size <= self._left

    def write(self, data: bytes) -> None:
        """Add the data. Raises TooLarge, OSError."""
        if len(data) > self._left:
            raise TooLarge
        self._left -= len(data)
        self._file.write(data)

    def __enter__(self) -> "BoundedFile":
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._file.close()
