"""How much one replica may use, where its author said nothing, and what follows from what was said.

Memory is the only limit that kills, so that it must have a default: without one, a function that leaks takes the whole
machine, and the kernel ends whichever process it likes. Processor time needs none: replicas share it fairly, group by
group, and a lone one may use all of it. What these limits mean to a function is told in docs/limits.md.
"""

import msgspec

from dayfly.model import function
from dayfly.model.replica import StartOrder

MEMORY_BYTES = function.DEFAULT_MEMORY_BYTES
LEAST_MEMORY_BYTES = function.LEAST_MEMORY_BYTES
BYTES_PER_FILE = 16 * 1024
"""One file is allowed in /tmp for so many bytes of its size, as ext4 reckons; an empty one takes memory too."""


class Limits(msgspec.Struct, frozen=True):
    """What a replica may use of the machine."""

    memory_bytes: int
    processes: int
    cpu_millicores: int
    """0 is no limit of its own: a fair share."""


def limits_of(order: StartOrder) -> Limits:
    """Return the limits of each replica made from `order`."""
    cpu = function.millicores_of(order.cpu_millicores)
    return Limits(function.memory_of(order.memory_bytes), order.ceilings.processes, cpu)


def tmp_of(order: StartOrder) -> tuple[int, int]:
    """Return the size of /tmp in bytes and how many files it takes.

    It is half of the memory limit, since what is in /tmp is in memory: a function that fills its disk must be told that
    its disk is full, and not be ended for its memory.
    """
    size = min(function.memory_of(order.memory_bytes) // 2, order.ceilings.tmp_bytes)
    return size, size // BYTES_PER_FILE
