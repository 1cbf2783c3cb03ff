"""What the notes of the audit log's journal hold."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from dayfly.model.audit import GENESIS, AuditEntry, AuditHead
from dayfly.model.errors import StoreUnavailable
from dayfly.storage.journal import Note

ENTRY, ANCHOR = "entry", "anchor"
START = AuditHead(0, GENESIS)
_NOTE_BYTES = 2**20
Kind = TypeVar("Kind")


class Ends(msgspec.Struct, frozen=True):
    """The head of a note of entries."""

    begun: int | None = None
    """What was begun and ends with it."""


def begun_name(number: int) -> str:
    """Return the name of what was begun."""
    return f"begun.{number}"


def packed(entries: Iterable[AuditEntry]) -> Iterable[bytes]:
    """Yield the bodies of notes that hold these entries."""
    lines, size = list[bytes](), 0
    for entry in entries:
        lines.append(msgspec.json.encode(entry))
        size += len(lines[-1])
        if size >= _NOTE_BYTES:
            yield b"\n".join(lines)
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines)


def entries_of(note: Note) -> Sequence[AuditEntry]:
    """Return the entries of a note; for what is none of ours one without a number, so that the chain breaks there."""
    try:
        return [msgspec.json.decode(line, type=AuditEntry) for line in note.body.split(b"\n")]
    except msgspec.MsgspecError:
        return [AuditEntry(at=0, who="", action="", sequence=0, hash="")]


def read(text: bytes, kind: type[Kind]) -> Kind:
    """Return what the head of a note says. Raises StoreUnavailable."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError as error:
        raise StoreUnavailable(f"a note of the audit log in the queue's store cannot be read: {error}") from error
