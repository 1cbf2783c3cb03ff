"""Figures to sample, without a platform."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from dayfly.control.clock import ManualClock
from dayfly.model.history import HistoryLimits
from dayfly.observe.family import Family
from dayfly.observe.history.queries import Answer
from dayfly.observe.history.scrape import Group, Scrape
from dayfly.observe.history.store import HistoryStore

BEGIN_MS = 1_700_006_400_000
"""Midnight, when all tiers begin a span."""
T = TypeVar("T")


def calls(function: str, count: float, code: str = "200") -> Family:
    """A counter of a function."""
    sample = ("", {"function_name": function, "code": code}, count)
    return Family("gateway_function_invocation_total", "counter", "Calls of functions finished.", (sample,))


def memory(function: str, size: float) -> Family:
    """A gauge of a function."""
    sample = ("", {"function_name": function}, size)
    return Family("dayfly_function_memory_bytes", "gauge", "Memory of functions.", (sample,))


def scrape(after_s: float, *families: Family, life: str = "a") -> Scrape:
    """What is found so many seconds after the beginning."""
    return Scrape(BEGIN_MS + round(after_s * 1000), (Group(life, families),))


def played(path: Path, story: Callable[[HistoryStore], Awaitable[T]], *, limits: HistoryLimits | None = None) -> T:
    """Open the store, do what the story says, close it."""

    async def main() -> T:
        store = HistoryStore(path, limits or HistoryLimits(), ManualClock())
        await store.open()
        try:
            return await story(store)
        finally:
            await store.close()

    return asyncio.run(main())


async def kept(store: HistoryStore, *scrapes: Scrape) -> None:
    """Record each, and wait until it is in the file."""
    for each in scrapes:
        store.record(each)
        await store.flushed()


def values(answer: Answer) -> dict[str, list[float]]:
    """The values of each line, by what its labels say beside the metric's name."""
    return {
        ",".join(value for name, value in line.labels if name != "__name__"): [value for _, value in line.points]
        for line in answer.lines
    }
