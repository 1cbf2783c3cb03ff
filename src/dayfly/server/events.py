"""Events as part of the control plane: the triggers, what runs them, and what comes in by itself."""

import asyncio
import functools
import logging

from dayfly.control.clock import Clock
from dayfly.control.plane import ControlPlane
from dayfly.control.triggers import Triggers
from dayfly.events import sources
from dayfly.events.cron import Cron
from dayfly.events.cursors import Cursors, cursor_name
from dayfly.events.delivery import Delivery
from dayfly.events.endings import Endings
from dayfly.events.firing import QueueFire
from dayfly.events.intake import Intake
from dayfly.events.runner import Runner
from dayfly.model.errors import StoreUnavailable
from dayfly.model.reach import Reach
from dayfly.model.trigger_source import EventSource
from dayfly.queue.remote import RemoteQueue
from dayfly.server.background import Job
from dayfly.server.flows import FlowParts
from dayfly.storage.secrets.port import SecretStore
from dayfly.storage.triggers import TriggerStore

_log = logging.getLogger("dayfly.events")


class Events:
    """Everything that calls functions without a caller. `start` it once the plane has started."""

    def __init__(
        self,
        plane: ControlPlane,
        store: TriggerStore,
        secrets: SecretStore,
        queue: RemoteQueue,
        reach: Reach,
        clock: Clock,
        cursors: Cursors,
        flows: FlowParts,
    ) -> None:
        fire = QueueFire(queue)
        self.triggers = Triggers(store, plane.functions, reach, clock)
        self.triggers.has_flow = flows.flows.has
        self.triggers.check_kind = sources.check
        self._cursors = cursors
        self._changed = asyncio.Event()
        load = functools.partial(sources.load, cursors=cursors)
        self._runner = Runner(
            self.triggers.all,
            plane.functions,
            secrets.contents,
            fire,
            clock,
            reach=reach,
            load=load,
            begin=flows.runs.begin,
            has_flow=flows.flows.has,
            forsake=self.triggers.begin_to_remove,
        )
        self.intake = Intake(self.triggers, self._runner, secrets.contents, clock)
        self._cron = Cron(plane.functions, fire, clock)
        self._endings = Endings(queue, store, self._following, clock)
        self.triggers.join(plane.namespaces, plane.secrets)
        self.triggers.standing = self._runner.standing
        plane.secrets.on_change.append(self._runner.renew)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What goes on for as long as the control plane serves."""
        return self._cron.run, self._runner.run, self._endings.run, self._forget

    async def start(self) -> None:
        """Read the triggers, and take over how far sources have read. Raises StoreUnavailable."""
        await self._cursors.open()
        await self.triggers.start()
        self._runner.look()
        self.triggers.on_change.append(self._runner.look)
        self.triggers.on_change.append(self._changed.set)

    def _following(self) -> list[Delivery]:
        """Return the deliveries that wait for the ends of calls."""
        posted = ((each, each.trigger.spec.source) for each in self._runner.running("event"))
        taking = [each for each, source in posted if isinstance(source, EventSource) and source.answers]
        return self._runner.running("function") + taking

    async def _forget(self) -> None:
        """Forget what was seen for triggers that are gone, until cancelled."""
        try:
            while True:
                self._changed.clear()
                kept = [each.spec for each in self.triggers.all() if each.spec.source.kind in sources.KEEPING]
                try:
                    await self._cursors.forget_others([cursor_name(spec) for spec in kept])
                except StoreUnavailable as fault:
                    _log.warning("what triggers saw that are gone is not forgotten: %s", fault)
                await self._changed.wait()
        finally:
            await self._cursors.close()
