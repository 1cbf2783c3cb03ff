"""What one query may cost: samples that are read, work that is done, and time."""

from collections.abc import Callable

from dayfly.observe.promql.faults import QueryFailed

MAX_SAMPLES = 3_000_000
MAX_WORK = 60_000_000
MAX_S = 15.0
_LOOK_EVERY = 20_000


class Budget:
    """Counts; raises QueryFailed when it is used up."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until = now() + MAX_S
        self._work = 0
        self._look_at = 0
        self._samples = 0

    def read(self, samples: int) -> None:
        """Note that so many samples were read."""
        self._samples += samples
        if self._samples > MAX_SAMPLES:
            raise QueryFailed(
                f"the query reads more than {MAX_SAMPLES:,} samples",
                hint="ask for fewer series, a shorter time or a longer step",
            )
        self.work(samples)

    def work(self, amount: int) -> None:
        """Note that so much was done."""
        self._work += amount
        if self._work < self._look_at:
            return
        self._look_at = self._work + _LOOK_EVERY
        if self._work > MAX_WORK or self._now() > self._until:
            raise QueryFailed(
                f"the query takes too much work, or more than {MAX_S:g} seconds",
                hint="ask for fewer series, a shorter time or a longer step",
            )
