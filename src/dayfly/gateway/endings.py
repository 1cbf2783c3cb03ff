"""Endings: why replicas ended, and the calls that wait to hear it.

A connection that breaks says that a replica is gone and not why. Who reaped it knows, and tells the control plane,
which tells us, some milliseconds later. So a call that was lost with its replica waits a moment for that word; its
caller waits for an answer anyway, and reads the reason in it.
"""

from collections.abc import Callable
from typing import Protocol

from dayfly.model.table import Ended

WORD_S = 1.0
"""How long a call waits for the word. It comes within 50 ms as a rule, and took 0.4 s on a busy machine where hundreds
of processes had to be cleared away first. Who has lost a call is not kept for longer."""
KEPT = 256
"""Words kept for calls whose connections break after they came: those of replicas that ended together."""


class Bereft(Protocol):
    """A call whose replica is gone."""

    def bereft(self, ended: Ended | None) -> None:
        """Answer; None when nobody could say why."""


class Endings:
    """The words that have come, and the calls that wait for one, by replica."""

    def __init__(self, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self._call_later = call_later
        self._words: dict[str, Ended] = {}
        self._waiting: dict[str, list[Bereft]] = {}

    def hear(self, ended: Ended) -> None:
        """Take a word in, and pass it to who waits for it."""
        self._words[ended.replica] = ended
        if len(self._words) > KEPT:
            del self._words[next(iter(self._words))]
        for call in self._waiting.pop(ended.replica, ()):
            call.bereft(ended)

    def ask(self, replica: str, call: Bereft) -> None:
        """Have `call` told why the replica ended: now, when the word comes, or after WORD_S that nobody knows."""
        word = self._words.get(replica)
        if word is not None:
            call.bereft(word)
            return
        calls = self._waiting.get(replica)
        if calls is None:
            calls = self._waiting[replica] = []
            self._call_later(WORD_S, lambda: self._give_up(replica, calls))
        calls.append(call)

    def _give_up(self, replica: str, calls: list[Bereft]) -> None:
        """Wait no longer: those who asked later than the first have waited long enough too, as it ended before."""
        if self._waiting.get(replica) is calls:
            del self._waiting[replica]
            for call in calls:
                call.bereft(None)
