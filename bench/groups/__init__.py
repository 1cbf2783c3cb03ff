"""What can be measured, a module a group; each measures alone and starts what it needs itself."""

from collections.abc import Callable

from bench.book import Lab
from bench.groups import (
    bodies,
    cold,
    command,
    flows,
    history,
    images,
    latency,
    loop,
    memory,
    page,
    queue,
    records,
    registered,
    startup,
    warm,
)

GROUPS: dict[str, Callable[[Lab], None]] = {
    "warm": warm.measure,
    "bodies": bodies.measure,
    "latency": latency.measure,
    "cold": cold.measure,
    "loop": loop.measure,
    "memory": memory.measure,
    "queue": queue.measure,
    "flows": flows.measure,
    "records": records.measure,
    "history": history.measure,
    "registered": registered.measure,
    "page": page.measure,
    "start": startup.measure,
    "image": images.measure,
    "help": command.measure,
}
