"""What a run's log says so far: the fold of its entries.

Deciding and showing both start from here. Entries are taken in the order of their numbers, one by one, so that a run
that goes on for days is not read from its beginning at every step.
"""

from collections.abc import Iterable
from typing import Any

from dayfly.model.flow_run import (
    Begun,
    Cancelled,
    Ended,
    Entry,
    Failed,
    Finished,
    FlowError,
    Judged,
    Logged,
    Signalled,
)


class Record:
    """One place in a run: its last attempt."""

    __slots__ = (
        "attempt", "comment", "due_unix_ms", "ended_unix_ms", "error", "first_unix_ms", "input", "judged", "result",
        "settled", "signal",
    )  # fmt: skip

    def __init__(self) -> None:
        self.attempt = 0
        self.first_unix_ms = 0
        self.ended_unix_ms = 0
        """When the last attempt ended or failed; 0 while it is under way."""
        self.due_unix_ms = 0
        self.input: Any = None
        self.result: Any = None
        self.error: FlowError | None = None
        """Why the last attempt failed; kept while the next is under way."""
        self.settled = False
        """Whether the step has its result."""
        self.signal = ""
        self.judged: Judged | None = None

    @property
    def is_open(self) -> bool:
        """Whether an attempt is under way."""
        return self.attempt > 0 and not self.ended_unix_ms


class Records:
    """Everything that a run's entries so far say."""

    def __init__(self, log: Iterable[Logged] = ()) -> None:
        self.places: dict[str, Record] = {}
        """By path, in the order in which they began."""
        self.signals: dict[str, list[Signalled]] = {}
        """Events that no step has taken, by name, the oldest first."""
        self.senders: dict[str, Signalled] = {}
        """Events by their ids."""
        self.cancelled: Cancelled | None = None
        self.finished: Finished | None = None
        self.attempts = 0
        """Attempts of steps begun."""
        self.number = 0
        """The last entry's."""
        for logged in log:
            self.take(logged.entry, logged.unix_ms)

    def of(self, path: str) -> Record:
        """Return what is known of a place."""
        return self.places.get(path) or _NOTHING

    def take(self, entry: Entry, unix_ms: int) -> None:
        """Add the next entry."""
        self.number += 1
        match entry:
            case Begun():
                self._begin(entry, unix_ms)
            case Ended():
                self._end(entry, unix_ms)
            case Failed(path=path, error=error):
                record = self.places[path]
                record.error, record.ended_unix_ms = error, unix_ms
            case Signalled():
                self.signals.setdefault(entry.event, []).append(entry)
                self.senders[entry.id] = entry
            case Judged(path=path):
                self.places[path].judged = entry
            case Cancelled():
                self.cancelled = entry
            case Finished():
                self.finished = entry

    def _begin(self, entry: Begun, unix_ms: int) -> None:
        record = self.places.get(entry.path)
        if record is None:
            record = self.places[entry.path] = Record()
            record.first_unix_ms = unix_ms
        record.attempt, record.input, record.due_unix_ms = entry.attempt, entry.input, entry.due_unix_ms
        record.ended_unix_ms, record.judged = 0, None
        self.attempts += 1

    def _end(self, entry: Ended, unix_ms: int) -> None:
        record = self.places[entry.path]
        record.result, record.ended_unix_ms, record.settled = entry.result, unix_ms, True
        if entry.signal:
            record.signal = entry.signal
            waiting = self.signals.get(self.senders[entry.signal].event, [])
            waiting[:] = [signal for signal in waiting if signal.id != entry.signal]


_NOTHING = Record()
