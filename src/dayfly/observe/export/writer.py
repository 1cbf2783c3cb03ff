"""What every form of an export does: it is told the columns, then each row, then that this was all."""

import abc
from collections.abc import Sequence

from dayfly.observe.export.kinds import Value


class CannotHold(Exception):
    """The form has no way to write a value; the text says which and what to do."""


class Writer(abc.ABC):
    """Rows on their way into a file."""

    @abc.abstractmethod
    def row(self, values: Sequence[Value]) -> None:
        """Write one. Raises TooLarge, CannotHold, OSError."""

    @abc.abstractmethod
    def end(self, *, truncated: bool) -> None:
        """Write what comes last. Raises TooLarge, OSError."""
