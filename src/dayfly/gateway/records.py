"""Records of calls on their way to the control plane: a list that calls are added to, and that is handed over.

Nothing here waits, and nothing grows without end. Of each function so many calls a second are noted, and as many again
of those that failed, so that a flood of one kind hides nothing of the other. While the control plane is away, notes are
kept up to a bound, and the oldest go first. What is not noted, or goes, is counted.

What was handed over is kept until the control plane says that it is on its file: whoever is killed in the middle of
reading, or before writing, says nothing, and the next one is given the same batches under the same numbers again.
"""

from collections import deque

import msgspec

from dayfly.gateway.payloads import Payloads
from dayfly.model.invocation import Note
from dayfly.model.payload import TakenPayload
from dayfly.model.table import Load

MAX_KEPT = 20_000
"""Notes kept while the control plane is away; some 10 MiB."""
MAX_SENT = 2_000
"""Notes in one message."""
MAX_UNCONFIRMED = 8
"""Batches handed over that the control plane has not said to be on file; more wait."""
TURN_S = 0.2
_TURNS_A_SECOND = 5
_ENCODER = msgspec.msgpack.Encoder()


class _Batch(msgspec.Struct, frozen=True):
    """What was handed over at once."""

    number: int
    records: bytes
    payloads: list[TakenPayload]
    """What is held for it."""


class Records:
    """The notes of one gateway process; `per_second` 0 takes none. `payload_bytes` are kept of a body at most."""

    def __init__(self, per_second: int = 0, payload_bytes: int = 0) -> None:
        self._per_second = per_second
        self._rooms: dict[str, list[int]] = {}
        self._turn = 0
        self._told = (0, 0)
        self._unconfirmed: deque[_Batch] = deque()
        self._given = 0
        """Of those, how many this control plane was given: the oldest."""
        self._last = 0
        self._confirms: bool | None = None
        self.notes: list[Note] = []
        self.full: set[str] = set()
        """Functions whose calls are no longer noted in this second, unless they fail."""
        self.payloads = Payloads(payload_bytes if per_second else 0)
        self.passed_over = 0
        """Calls that were not noted as their function had too many, a total."""
        self.lost = 0
        """Notes that could not be handed over in time, a total."""

    def has_room(self, function: str, is_failed: bool) -> bool:
        """Whether one more call of the function is noted in this second; it is counted at once."""
        room = self._rooms.get(function)
        if room is None:
            room = self._rooms[function] = [self._per_second] * 2
        if room[is_failed] > 0:
            room[is_failed] -= 1
            return True
        if self._per_second:
            self.passed_over += 1
            if not is_failed:
                self.full.add(function)
        return False

    def turn(self) -> None:
        """Let time go on by TURN_S."""
        self._turn = (self._turn + 1) % _TURNS_A_SECOND
        if not self._turn:
            self._rooms.clear()
            self.full.clear()
        excess = len(self.notes) - MAX_KEPT
        if excess > 0:
            self._let_go(_payloads(self.notes[:excess]))
            del self.notes[:excess]
            self.lost += excess

    def begin(self, confirms: bool) -> None:
        """A control plane is there. One that confirms is given again what nobody confirmed; of one of a version that
        does not, nothing is expected.
        """
        self._confirms = confirms
        self._given = 0
        if not confirms:
            self.confirmed(self._last)

    def end(self) -> None:
        """The control plane is away: nothing is handed over until the next begins."""
        self._confirms = None

    def confirmed(self, number: int) -> None:
        """The batches up to this number are on file, or given up by who would have written them."""
        while self._unconfirmed and self._unconfirmed[0].number <= number:
            self._let_go(self._unconfirmed.popleft().payloads)
            self._given = max(0, self._given - 1)

    def take(self) -> Load | None:
        """Return the next message for the control plane; None when there is nothing to tell, or nobody to be told."""
        if self._confirms is None:
            return None
        if self._given < len(self._unconfirmed):
            batch = self._unconfirmed[self._given]
            self._given += 1
            return Load((), records=batch.records, batch=batch.number)
        dropped = (self.passed_over, self.lost)
        notes = self.notes[:MAX_SENT] if len(self._unconfirmed) < MAX_UNCONFIRMED else []
        if not notes and dropped == self._told:
            return None
        self._told = dropped
        if not notes:
            return Load((), dropped=dropped)
        del self.notes[: len(notes)]
        return Load((), records=self._batch(notes), dropped=dropped, batch=self._last if self._confirms else 0)

    def _batch(self, notes: list[Note]) -> bytes:
        records = _ENCODER.encode(notes)
        if self._confirms:
            self._last += 1
            self._given += 1
            self._unconfirmed.append(_Batch(self._last, records, _payloads(notes)))
        else:
            self._let_go(_payloads(notes))
        return records

    def _let_go(self, payloads: list[TakenPayload]) -> None:
        for payload in payloads:
            self.payloads.let_go(payload)


def _payloads(notes: list[Note]) -> list[TakenPayload]:
    return [note.payload for note in notes if note.payload is not None]
