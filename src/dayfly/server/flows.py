"""Flows as the control plane has them: which adapters its parts stand on, and how they begin and end."""

from collections.abc import Callable

from dayfly.control.clock import Clock
from dayfly.control.plane import ControlPlane
from dayfly.events.flows.calls import QueueCalls
from dayfly.events.flows.engine import Engine
from dayfly.events.flows.flows import Flows
from dayfly.events.flows.runs import Runs
from dayfly.model.flow import Flow
from dayfly.model.names import FunctionKey
from dayfly.model.retry import told_of
from dayfly.queue.remote import RemoteQueue
from dayfly.storage.flow_runs import RunLog
from dayfly.storage.things import ThingStore


class FlowParts:
    """Flows, their runs and what drives these."""

    def __init__(
        self, store: ThingStore[Flow], log: RunLog, queue: RemoteQueue, plane: ControlPlane, clock: Clock
    ) -> None:
        calls = QueueCalls(queue, _concurrency(plane), clock)
        check_open = plane.namespaces.check_open
        self.engine = Engine(log, calls, clock)
        self.flows = Flows(store, self.engine, log, check_open, clock)
        self.runs = Runs(self.flows, self.engine, log, calls, check_open, clock)
        plane.namespaces.house(self.flows)

    async def open(self) -> None:
        """Read the flows, and take up every run that is not over. Raises StoreUnavailable."""
        await self.flows.start()
        await self.engine.open()


def _concurrency(plane: ControlPlane) -> Callable[[FunctionKey], int]:
    return lambda key: told_of(plane.newest(key).spec.annotations)[1]
