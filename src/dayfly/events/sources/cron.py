"""The clock as a source: an event for each moment that comes, and for the last that went by while nobody was there.

Nothing is written down: a moment names its event, and who has delivered it already takes it no second time.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from dayfly.control.clock import Clock
from dayfly.decide.cron import CronPlan, Schedule
from dayfly.decide.timetable import Timetable
from dayfly.events.pause import pause
from dayfly.events.port import Deliver, Undeliverable
from dayfly.model.event import Event
from dayfly.model.trigger import Trigger
from dayfly.model.trigger_source import CronSource

LONGEST_S = 5.0
"""The clock may be put forward while nobody looks: what is due then must not be so late that it counts as missed."""


class Cron:
    """The moments of one trigger's schedule. Raises InvalidSpec for one that cannot be read."""

    def __init__(self, trigger: Trigger, source: CronSource, clock: Clock) -> None:
        self._source = f"/namespaces/{trigger.spec.namespace}/triggers/{trigger.spec.name}"
        self._plan = CronPlan(Schedule(source.schedule, source.timezone), source.missed)
        self._asked = datetime.fromtimestamp(trigger.updated_unix_ms / 1000, UTC)
        self._clock = clock

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """Deliver what is due, until cancelled."""
        ready()
        table = Timetable(self._plan, self._asked, self._now())
        while True:
            due = table.due(self._now())
            if due is not None:
                with contextlib.suppress(Undeliverable):  # Whoever delivers has told of it.
                    await deliver(self._event(due))
            wait_s = LONGEST_S if table.next is None else (table.next - self._now()).total_seconds()
            await pause(self._clock, min(max(wait_s, 0.0), LONGEST_S))

    def _event(self, due: datetime) -> Event:
        moment = due.isoformat().replace("+00:00", "Z")
        return Event(id=moment, source=self._source, type="com.dayfly.cron.due", time=moment)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.unix_ms() / 1000, UTC)
