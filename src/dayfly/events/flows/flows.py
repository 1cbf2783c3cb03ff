"""The flows there are: written, looked at and removed.

They are few, so all of them are kept in memory beside the store; a change is written first and known after. A flow may
name functions that are not deployed yet: a run that comes to one says so.
"""

from collections.abc import Awaitable, Callable
from typing import Literal, get_args

from dayfly.control.clock import Clock
from dayfly.control.sequence import Sequence
from dayfly.decide.flow_names import check_names
from dayfly.events.flows.engine import Engine
from dayfly.model.errors import Conflict, DayflyError, LimitExceeded, StoreUnavailable
from dayfly.model.flow import Flow, FlowMode, FlowSpec
from dayfly.model.flow_run import RunState
from dayfly.model.flow_status import FlowFigures, FlowStatus
from dayfly.model.names import NamespaceName
from dayfly.storage.flow_runs import RunLog
from dayfly.storage.things import ThingStore, missing

Key = tuple[str, str]
MAX_FLOWS = 1000
"""Flows of one namespace."""


class Flows:
    """The flows. `start` it once the store is open; `check_open` refuses namespaces that nothing may be put into."""

    kind = "flows"
    """What they are called among the things that lie in namespaces."""

    def __init__(
        self,
        store: ThingStore[Flow],
        engine: Engine,
        runs: RunLog,
        check_open: Callable[[NamespaceName], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._engine = engine
        self._runs = runs
        self._check_open = check_open
        self._clock = clock
        self._changes = Sequence()
        self._known: dict[Key, Flow] = {}

    async def start(self) -> None:
        """Read all of them. Raises StoreUnavailable."""
        self._known = {flow.key: flow for flow in await self._store.all()}

    def all(self) -> list[Flow]:
        """Return every flow of every namespace."""
        return list(self._known.values())

    def in_namespace(self, namespace: NamespaceName) -> list[FlowStatus]:
        """Return the namespace's flows, ordered by name."""
        return [self._status(flow) for key, flow in sorted(self._known.items()) if key[0] == namespace]

    def has(self, key: tuple[NamespaceName, str]) -> bool:
        """Whether the namespace has a flow of this name."""
        return key in self._known

    def get(self, namespace: NamespaceName, name: str) -> FlowStatus:
        """Return the flow. Raises NotFound."""
        if (namespace, name) not in self._known:
            raise missing(Flow, namespace, name)
        return self._status(self._known[namespace, name])

    def figures(self, namespace: NamespaceName) -> list[FlowFigures]:
        """Return how the runs of each of the namespace's flows go."""
        return [self._figures(status) for status in self.in_namespace(namespace)]

    async def put(
        self, spec: FlowSpec, *, mode: FlowMode = "upsert"
    ) -> tuple[FlowStatus, Literal["created", "updated"]]:
        """Let runs that begin from now on take these steps.

        Raises InvalidName, InvalidSpec, Conflict (create, and it exists), NotFound (update, and it does not exist; no
        such namespace), LimitExceeded, StoreUnavailable.
        """
        spec.check()
        check_names(spec)
        return await self._changes.run(spec.namespace, self._put(spec, mode))

    async def follow(self, key: Key, read: Callable[[], Awaitable[Flow | None]]) -> None:
        """Let the flow be what `read` finds that somebody else wrote into the store; nothing, for None.

        Raises what `put` does for what may not be so, with the flow gone, and StoreUnavailable with all as it was.
        """
        await self._changes.run(key[0], self._follow(key, read))

    async def remove(self, namespace: NamespaceName, name: str) -> None:
        """Remove the flow; its runs under way go on. Raises NotFound, StoreUnavailable."""
        await self._changes.run(namespace, self._remove(namespace, name))

    async def inside(self, namespace: NamespaceName) -> list[str]:
        """Return the names of the namespace's flows, and the ids of runs that are under way."""
        return [status.spec.name for status in self.in_namespace(namespace)] + self._engine.under_way(namespace)

    async def clear(self, namespace: NamespaceName) -> None:
        """Remove all of them, and all that is known of their runs. Raises StoreUnavailable."""
        for status in self.in_namespace(namespace):
            await self.remove(namespace, status.spec.name)
        await self._engine.drop(namespace)
        await self._runs.forget(namespace)

    async def _put(self, spec: FlowSpec, mode: FlowMode) -> tuple[FlowStatus, Literal["created", "updated"]]:
        namespace = NamespaceName(spec.namespace)
        self._check_open(namespace)
        before = self._known.get((namespace, spec.name))
        if mode == "create" and before is not None:
            told = f"the flow {spec.name} exists already in the namespace {namespace}; update it instead"
            raise Conflict(told, hint="`dayfly flow deploy -f FILE` does that, or `dayfly flow remove` makes room.")
        if mode == "update" and before is None:
            raise missing(Flow, namespace, spec.name)
        self._check_room((namespace, spec.name))
        now_ms = self._clock.unix_ms()
        created_ms = before.created_unix_ms if before is not None else now_ms
        flow = Flow(spec=spec, created_unix_ms=created_ms, updated_unix_ms=now_ms)
        await self._store.put(flow)
        self._known[namespace, spec.name] = flow
        return self._status(flow), "updated" if before is not None else "created"

    async def _follow(self, key: Key, read: Callable[[], Awaitable[Flow | None]]) -> None:
        try:
            flow = await read()
            if flow is not None:
                flow.spec.check()
                check_names(flow.spec)
                self._check_open(NamespaceName(key[0]))
                self._check_room(key)
        except StoreUnavailable:
            raise
        except DayflyError:
            self._known.pop(key, None)
            raise
        if flow is None:
            self._known.pop(key, None)
        else:
            self._known[key] = flow

    def _check_room(self, key: Key) -> None:
        count = sum(other[0] == key[0] for other in self._known)
        if key not in self._known and count >= MAX_FLOWS:
            raise LimitExceeded(f"the namespace {key[0]} has {count} flows, and may have no more")

    async def _remove(self, namespace: NamespaceName, name: str) -> None:
        await self._store.delete(namespace, name)
        self._known.pop((namespace, name), None)

    def _figures(self, status: FlowStatus) -> FlowFigures:
        namespace, flow = status.spec.namespace, status.spec.name
        ended = {state: self._engine.ended[namespace, flow, state] for state in get_args(RunState)}
        return FlowFigures(
            flow=flow,
            namespace=namespace,
            under_way=status.runs_under_way,
            ended={state: count for state, count in ended.items() if count},
        )

    def _status(self, flow: Flow) -> FlowStatus:
        under_way = len(self._engine.under_way(flow.spec.namespace, flow.spec.name))
        return FlowStatus(
            spec=flow.spec,
            created_unix_ms=flow.created_unix_ms,
            updated_unix_ms=flow.updated_unix_ms,
            runs_under_way=under_way,
        )
