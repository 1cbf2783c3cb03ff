"""The last lines of each replica, to be told when it fails."""

from collections import deque

from dayfly.model.log import LogLine
from dayfly.model.names import ReplicaId

LINES = 20
CHARACTERS = 400


class Tails:
    """What replicas printed last, by replica."""

    def __init__(self) -> None:
        self._by_replica: dict[ReplicaId, deque[str]] = {}

    def add(self, line: LogLine) -> None:
        """Keep the line, cut to CHARACTERS, beside the LINES - 1 before it."""
        tail = self._by_replica.get(line.replica)
        if tail is None:
            tail = self._by_replica[line.replica] = deque(maxlen=LINES)
        tail.append(line.text[:CHARACTERS])

    def take(self, replica: ReplicaId) -> tuple[str, ...]:
        """Return the replica's last lines, the oldest first, and forget them."""
        return tuple(self._by_replica.pop(replica, ()))
