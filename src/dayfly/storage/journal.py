"""Notes under names, in the one order in which they were written: what stores stand on that outlive a machine.

A name is a few words of letters, digits, `_` and `-`, parted by dots. When a write returns, it is on the disk. One that
raises may or may not have written. All raise StoreUnavailable.

Several may write, of which each but the last to take over is to be refused. What is new is written by `write_as_owner`,
which nobody can who did not take over last. What goes on is written by `write` behind the note that was last: whoever
takes over writes behind it first, and from then on the one before believes of another note that it is the last.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from dayfly.model.errors import StoreUnavailable


class Note(Protocol):
    """What was written."""

    @property
    def number(self) -> int:
        """Grows with each note of the journal; the first has 1."""
        ...

    @property
    def head(self) -> bytes:
        """What is read of many at a time."""
        ...

    @property
    def body(self) -> bytes:
        """The rest."""
        ...


class Journal(Protocol):
    """A journal."""

    async def take_over(self, layout: int) -> None:
        """Be the one that owns it. Raises StoreUnavailable also if it was written by a newer Dayfly, which says so."""
        ...

    async def settle(self) -> None:
        """Have nothing be written any more that was on its way when a `write_as_owner` failed."""
        ...

    async def write(self, name: str, head: bytes, body: bytes, after: int) -> int | None:
        """Write behind the note of this number, 0 for none, and return the new one's; None if that is not the last."""
        ...

    async def write_as_owner(self, name: str, head: bytes, body: bytes) -> int:
        """Write, and return the note's number. Raises StoreUnavailable also if somebody has taken over."""
        ...

    async def is_gone(self) -> bool:
        """Whether nothing is left of it, nor of our taking over: what keeps it came back without its disk."""
        ...

    async def last(self, name: str) -> Note | None:
        """Return the last note under the name."""
        ...

    async def heads(self, pattern: str) -> dict[str, tuple[int, bytes]]:
        """Return number and head of the last note under each name; a `*` stands for any one word.

        Complete only for whoever has taken over.
        """
        ...

    async def read(self, name: str, upto: int) -> Sequence[Note]:
        """Return all notes under the name, the one of this number and younger ones among them."""
        ...

    async def read_page(self, name: str, after: int, upto: int) -> Sequence[Note]:
        """Return the first notes under the name behind that number, some hundreds at most; none if none has upto."""
        ...

    async def drop_through(self, name: str, number: int) -> None:
        """Let go of the notes under the name up to this one, all of which were written as owner. Idempotent."""
        ...

    async def drop(self, name: str) -> None:
        """Let go of all notes under the name and below it. Idempotent."""
        ...


async def write_restored(
    journal: Journal, restore: Callable[[], Awaitable[None]], name: str, head: bytes, body: bytes
) -> int:
    """Write as the journal's owner, and have `restore` take it over anew before where nothing is left of it.

    Return the note's number. Raises StoreUnavailable, as writing does.
    """
    try:
        return await journal.write_as_owner(name, head, body)
    except StoreUnavailable:
        if not await journal.is_gone():
            raise
    await restore()
    return await journal.write_as_owner(name, head, body)
