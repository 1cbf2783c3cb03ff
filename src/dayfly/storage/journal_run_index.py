"""Which runs of flows a journal holds, and how far each is: known without a question, by whoever has taken over."""

from collections.abc import Iterable, Iterator

import msgspec

from dayfly.model.flow_run import FlowRun, RunState
from dayfly.storage.flow_runs import RunKey, RunQuery


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run from its beginning; the head of its first note."""

    namespace: str
    flow: str
    started_unix_ms: int
    key: str | None = None
    digest: str = ""
    owner: str
    length: int
    """Entries that were in its log already."""
    bytes: int
    """What these have as JSON."""
    size_bytes: int
    """What the note has."""


class Tail(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's log ends; the head of each note of it."""

    owner: str
    length: int
    bytes: int
    size_bytes: int
    """What all notes of the run have."""
    state: RunState = "running"
    finished_unix_ms: int = 0


class Known(msgspec.Struct):
    """A run."""

    id: str
    order: int
    """The number of its first note."""
    card: Card
    tail: Tail
    number: int = 0
    """Of the last note of its log; 0 while it has none beyond what it began with."""
    in_doubt: bool = False
    """Whether its log may have grown without our hearing of it."""

    @property
    def is_over(self) -> bool:
        """Whether nothing comes after this."""
        return self.tail.state != "running"


class RunIndex:
    """Runs by id, and by the key that they began with."""

    def __init__(self) -> None:
        self._runs: dict[str, Known] = {}
        self._keys: dict[tuple[str, str, str], str] = {}

    def __iter__(self) -> Iterator[Known]:
        """Every run."""
        return iter(list(self._runs.values()))

    @property
    def size_bytes(self) -> int:
        """What all of them take."""
        return sum(run.tail.size_bytes for run in self._runs.values())

    def add(self, run: Known) -> None:
        """Take in a run."""
        self._runs[run.id] = run
        if run.card.key is not None:
            self._keys[run.card.namespace, run.card.flow, run.card.key] = run.id

    def discard(self, run_id: str) -> None:
        """Forget a run. Idempotent."""
        run = self._runs.pop(run_id, None)
        if run is not None and run.card.key is not None:
            self._keys.pop((run.card.namespace, run.card.flow, run.card.key), None)

    def get(self, run_id: str) -> Known | None:
        """Return the run of this id."""
        return self._runs.get(run_id)

    def keyed(self, run: FlowRun, key: RunKey) -> Known | None:
        """Return the run that began with the key before."""
        return self._runs.get(self._keys.get((run.namespace, run.flow, key.key), ""))

    def wanted(self, query: RunQuery) -> list[Known]:
        """Return the runs wanted, the newest first."""
        found = (
            run
            for run in self._runs.values()
            if run.card.namespace == query.namespace
            and query.flow in ("", run.card.flow)
            and query.state in (None, run.tail.state)
        )
        return sorted(found, key=_age, reverse=True)[: query.limit]

    def under_way(self) -> list[Known]:
        """Return every run that is not over, the oldest first."""
        return sorted((run for run in self._runs.values() if not run.is_over), key=_age)

    def over(self) -> list[Known]:
        """Return every run that is over, what was over last first."""
        return sorted((run for run in self._runs.values() if run.is_over), key=lambda run: -run.tail.finished_unix_ms)

    def too_old(self, finished_before_unix_ms: int, most: int) -> Iterable[str]:
        """Yield runs that were over before a moment, and of each namespace the oldest over `most`."""
        counts = dict[str, int]()
        for run in self.over():
            place = counts[run.card.namespace] = counts.get(run.card.namespace, 0) + 1
            if run.tail.finished_unix_ms < finished_before_unix_ms or place > most:
                yield run.id


def _age(run: Known) -> tuple[int, int]:
    return run.card.started_unix_ms, run.order
