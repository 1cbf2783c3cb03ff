"""Records of calls on their way to the control plane: a list that calls are added to, and that is handed over.

Nothing here waits, and nothing grows without end. Of each function so many calls a second are noted, and as many again
of those that failed, so that a flood of one kind hides nothing of the other. While the control plane is away, notes are
kept up to a bound, and the oldest go first. What is not noted, or goes, is counted.
"""

import msgspec

from dayfly.gateway.payloads import Payloads
from dayfly.model.invocation import Note
from dayfly.model.table import Load

MAX_KEPT = 20_000
"""Notes kept while the control plane is away; some 10 MiB."""
MAX_SENT = 2_000
"""Notes in one message."""
TURN_S = 0.2
_TURNS_A_SECOND = 5
_ENCODER = msgspec.msgpack.Encoder()


class Records:
    """The notes of one gateway process; `per_second` 0 takes none. `payload_bytes` are kept of a body at most."""

    def __init__(self, per_second: int = 0, payload_bytes: int = 0) -> None:
        self._per_second = per_second
        self._rooms: dict[str, list[int]] = {}
        self._turn = 0
        self._told = (0, 0)
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
            self._let_go(self.notes[:excess])
            del self.notes[:excess]
            self.lost += excess

    def take(self) -> Load | None:
        """Return the next message for the control plane; None when there is nothing to tell."""
        dropped = (self.passed_over, self.lost)
        if not self.notes and dropped == self._told:
            return None
        self._told = dropped
        batch = self.notes[:MAX_SENT]
        del self.notes[:MAX_SENT]
        self._let_go(batch)
        return Load((), records=_ENCODER.encode(batch) if batch else b"", dropped=dropped)

    def _let_go(self, notes: list[Note]) -> None:
        for note in notes:
            if note.payload is not None:
                self.payloads.let_go(note.payload)
