"""Which moment of a schedule is to be called for now, on a clock that people set.

Each moment is called for once. A clock that is put back comes past moments that have been called for: they are asked
for again, under the name they had, and whoever takes calls takes none twice. So nothing is lost when the clock had been
wrong before.
"""

from datetime import datetime

from dayfly.decide.cron import LATE, CronPlan


class Timetable:
    """A plan, and up to when it has been looked at."""

    def __init__(self, plan: CronPlan, asked: datetime, now: datetime) -> None:
        """Begin for who looks for the first time in this life; what was due before it was `asked` for was not missed.

        A clock that was put back since does not tell that; then nothing is made up for but a restart.
        """
        self.plan = plan
        self._seen = now if plan.missed == "skip" else asked if asked <= now else now - LATE
        self.next = plan.schedule.next_after(self._seen)
        """When to look at the latest, unless the clock is set; None when nothing is due any more."""

    def follow(self, plan: CronPlan, now: datetime) -> None:
        """Go by another plan: where its schedule is the same it goes on, and else begins now."""
        same = plan.schedule.text == self.plan.schedule.text
        self.plan = plan
        self._wind(self._seen if same else now)

    def due(self, now: datetime) -> datetime | None:
        """Return the moment to call for, if there is one; it is not returned again while the clock goes on."""
        if now < self._seen - LATE:  # The clock was put back, perhaps after it had been far ahead.
            self._wind(now)
        if self.next is None or now < self.next:
            return None
        due = self.plan.due(self._seen, now)
        self._wind(now)
        return due

    def _wind(self, seen: datetime) -> None:
        self._seen = seen
        self.next = self.plan.schedule.next_after(seen)
