"""The routing table: functions by the text that callers write, kept up to date by the control plane's messages."""

from collections.abc import Callable, Iterator

from dayfly.gateway.admission import Lane
from dayfly.gateway.metering import Meters
from dayfly.http1.pool import Pool
from dayfly.model.depth import DEFAULT_MAX_DEPTH
from dayfly.model.names import DEFAULT_NAMESPACE
from dayfly.model.table import Delta, Entry, Snapshot


class Table:
    """All functions. `lanes` finds one by `name.namespace` and, in the default namespace, by the bare name as well."""

    def __init__(self, make_pool: Callable[[str], Pool], meters: Meters, max_depth: int = DEFAULT_MAX_DEPTH) -> None:
        self.lanes: dict[bytes, Lane] = {}
        self.known = False
        """Whether a snapshot has ever come: before that, nobody can say that a function does not exist."""
        self._functions: dict[str, Lane] = {}
        self._default_namespace: str = DEFAULT_NAMESPACE
        self._make_pool = make_pool
        self._meters = meters
        self._max_depth = max_depth

    def __iter__(self) -> Iterator[Lane]:
        """Every function's lane."""
        return iter(self._functions.values())

    def reset(self, snapshot: Snapshot) -> None:
        """Take a whole table over; functions that stay keep their calls and connections."""
        if snapshot.default_namespace != self._default_namespace:
            self._default_namespace = snapshot.default_namespace
            self.lanes.clear()
            for lane in self._functions.values():
                self._name(lane)
        present = {f"{entry.name}.{entry.namespace}" for entry in snapshot.entries}
        for name in [name for name in self._functions if name not in present]:
            self._remove(name)
        for entry in snapshot.entries:
            self._put(entry)
        self.known = True

    def apply(self, delta: Delta) -> None:
        """Take a change over."""
        for name in delta.removed:
            self._remove(name)
        for entry in delta.changed:
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        lane = self._functions.get(f"{entry.name}.{entry.namespace}")
        if lane is not None:
            lane.update(entry)
            return
        lane = Lane(entry, self._make_pool, self._meters, self._max_depth)
        self._functions[lane.name] = lane
        self._name(lane)

    def _name(self, lane: Lane) -> None:
        self.lanes[lane.name.encode()] = lane
        if lane.entry.namespace == self._default_namespace:
            self.lanes[lane.entry.name.encode()] = lane

    def _remove(self, name: str) -> None:
        lane = self._functions.pop(name, None)
        if lane is None:
            return
        for key in (name.encode(), lane.entry.name.encode()):
            if self.lanes.get(key) is lane:
                del self.lanes[key]
        lane.remove()
