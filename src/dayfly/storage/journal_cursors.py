"""What sources of events have seen, in a journal that outlives the control plane.

Each source has a name of its own there, `seen.DIGEST`, under which each note holds marks that changed, and now and then
one that holds all of them; what was before that goes then. All is written as the journal's owner: a control plane that
was replaced notes nothing any more, and what it delivers after that is delivered once more by the next.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Collection, Mapping

import msgspec

from dayfly.model.errors import StoreUnavailable
from dayfly.storage.journal import Journal

LAYOUT = 1
MAX_NOTES = 1000
"""How many notes of changes there are before one that holds all."""
_LEAST_BYTES = 256 * 2**10
_Marks = dict[str, str | None]


class _Told(msgspec.Struct, frozen=True):
    """The head of a note."""

    name: str
    whole: bool
    """Whether it holds all, and nothing before it counts."""


class _Place(msgspec.Struct):
    """How long what a source has in the journal is."""

    number: int = 0
    """Of its last note."""
    notes: int = 0
    size_bytes: int = 0
    whole_bytes: int = 0
    """What the last note that holds all has, and what those behind it have."""


class JournalCursors:
    """The cursors in a journal. All raise StoreUnavailable."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self._is_open = False
        self._taking = asyncio.Lock()

    async def open(self) -> None:
        """Take them over."""
        await self.journal.take_over(LAYOUT)
        self._is_open = True

    async def close(self) -> None:
        """Nothing is to be done: the journal is somebody else's."""

    def of(self, name: str) -> "JournalCursor":
        """Return what goes by this name."""
        return JournalCursor(self, name)

    async def forget_others(self, names: Collection[str]) -> None:
        """Forget whatever does not go by one of these names."""
        self.check_open()
        kept = {subject_of(name) for name in names}
        for subject in await self.journal.heads("seen.*"):
            if subject not in kept:
                await self.journal.drop(subject)

    async def write(self, name: str, *, whole: bool, body: bytes) -> int:
        """Write a note for the source of the name; return its number."""
        self.check_open()
        head = msgspec.json.encode(_Told(name, whole))
        try:
            return await self.journal.write_as_owner(subject_of(name), head, body)
        except StoreUnavailable:
            async with self._taking:
                if not await self.journal.is_gone():
                    raise
                await self.open()
        return await self.journal.write_as_owner(subject_of(name), head, body)

    def check_open(self) -> None:
        """Raise StoreUnavailable where it was not taken over."""
        if not self._is_open:
            raise StoreUnavailable("what sources of events have seen is not open")


class JournalCursor:
    """What one source has seen."""

    def __init__(self, cursors: JournalCursors, name: str) -> None:
        self._cursors = cursors
        self._journal = cursors.journal
        self._name = name
        self._place: _Place | None = None
        self._turn = asyncio.Lock()

    async def seen(self) -> dict[str, str] | None:
        """Return the marks by name; None where nothing was ever noted. Raises StoreUnavailable."""
        self._cursors.check_open()
        async with self._turn:
            return (await self._read())[0]

    async def note(self, marks: Mapping[str, str | None]) -> None:
        """Have these marks, and forget what has None; once it returns they are on the disk. Raises StoreUnavailable."""
        self._cursors.check_open()
        async with self._turn:
            if self._place is None:
                self._place = (await self._read())[1]
            place, self._place = self._place, None  # unless this succeeds, it is looked at anew
            body = _packed(dict(marks))
            place.number = await self._cursors.write(self._name, whole=False, body=body)
            place.notes, place.size_bytes = place.notes + 1, place.size_bytes + len(body)
            if place.notes > MAX_NOTES or place.size_bytes > max(_LEAST_BYTES, place.whole_bytes):
                place = await self._fold()
            self._place = place

    async def _fold(self) -> _Place:
        """Write one note that holds all, and let go of those before it."""
        found, before = await self._read()
        body = _packed(dict(found or {}))
        number = await self._cursors.write(self._name, whole=True, body=body)
        await self._journal.drop_through(subject_of(self._name), before.number)
        return _Place(number, 0, 0, len(body))

    async def _read(self) -> tuple[dict[str, str] | None, _Place]:
        subject, place = subject_of(self._name), _Place()
        last = await self._journal.last(subject)
        if last is None:
            return None, place
        marks: dict[str, str] = {}
        for each in await self._journal.read(subject, last.number):
            size, whole = len(each.body), _decoded(each.head, _Told).whole
            if whole:
                marks.clear()
                place = _Place(whole_bytes=size)
            else:
                place.notes, place.size_bytes = place.notes + 1, place.size_bytes + size
            place.number = each.number
            for thing, mark in _unpacked(each.body).items():
                if mark is None:
                    marks.pop(thing, None)
                else:
                    marks[thing] = mark
        return marks, place


def subject_of(name: str) -> str:
    """Return under which name a source's notes are."""
    return f"seen.{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def _packed(marks: _Marks) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(marks), 1)


def _unpacked(body: bytes) -> _Marks:
    try:
        return msgspec.msgpack.decode(zlib.decompress(body), type=_Marks)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise _unreadable(error) from error


def _decoded(head: bytes, kind: type[_Told]) -> _Told:
    try:
        return msgspec.json.decode(head, type=kind)
    except msgspec.MsgspecError as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(
        f"what a source of events has seen cannot be read in the queue's store: {error}",
        hint="something else than Dayfly wrote it; a trigger of another name begins anew",
    )
