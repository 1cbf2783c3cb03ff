"""The history's parts, put together: what is gathered for it, and where it is kept."""

import uuid
from collections.abc import Callable

from dayfly.api.metrics import everything
from dayfly.api.services import Services
from dayfly.model.machine import MachineUsage
from dayfly.model.table import FunctionLoad
from dayfly.observe.family import Family
from dayfly.observe.history.past import Past
from dayfly.observe.history.remote import Prometheus
from dayfly.observe.history.scrape import GatewayLife, Group
from dayfly.observe.history.store import Clock, HistoryStore
from dayfly.observe.machine import MachineFigures, of_machine
from dayfly.observe.meter import Meter
from dayfly.server.background import Job
from dayfly.server.wiring import Place

_ELSEWHERE = ("queue_worker_", "dayfly_queue_", "gateway_nats_")
"""Counters of the queue's process, which outlives this one: only a fall tells that they began anew."""


class HistoryParts:
    """The store, to be opened before any gateway reports, and what samples it once there are services."""

    def __init__(self, place: Place, meter: Meter, clock: Clock, services: Callable[[], Services]) -> None:
        settings = place.settings
        self.is_kept = settings.history.series > 0
        self._store = HistoryStore(place.data("records") / "history.db", settings.history, clock)
        self.machine = MachineFigures(place.data("."), clock)
        self._meter = meter
        self._services = services
        self._life = uuid.uuid4().hex
        self.past = Past(
            self._store,
            self._gather,
            clock,
            is_kept=self.is_kept,
            prometheus=Prometheus(settings.prometheus_url) if settings.prometheus_url else None,
        )

    @property
    def store(self) -> HistoryStore:
        """What goes with its namespace."""
        return self._store

    async def open(self) -> None:
        """Open the file, and have the meter go on from where the last life's samples ended."""
        if self.is_kept:
            await self._store.open()
            self._meter.remember(self._store.marks)

    async def close(self) -> None:
        """Take a last sample and close the file. Idempotent."""
        await self._store.close()

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What goes on for as long as the control plane serves."""
        return (self.past.run,) if self.is_kept else ()

    async def _gather(self) -> tuple[Callable[[], tuple[Group, ...]], dict[GatewayLife, FunctionLoad]]:
        machine = self.machine.look()
        make = await everything(self._services(), self._meter.figures_ever)
        return lambda: self._groups(make(), machine), self._meter.marks

    def _groups(self, found: list[Family], machine: MachineUsage) -> tuple[Group, ...]:
        ours = tuple(family for family in found if not family.name.startswith(_ELSEWHERE))
        queue = tuple(family for family in found if family.name.startswith(_ELSEWHERE))
        return Group(self._life, ours), Group("", queue), Group(machine.boot, tuple(of_machine(machine)))
