"""How much one replica may use, where its author said nothing, and what follows from what was said.

Memory is the only limit that kills, so that it must have a default: without one, a function that leaks takes the whole
machine, and the kernel ends whichever process it likes. Processor time needs none: replicas share it fairly, group by
group, and a lone one may use all of it. What these limits mean to a function is told in docs/limits.md.
"""

import msgspec

from dayfly.model.replica import StartOrder

MEMORY_BYTES = 512 * 1024 * 1024
"""The memory of a replica whose author asked for none: pandas with a few million values fits (its import alone takes
about a quarter), and eight replicas that leak at once still leave a machine of 8 GiB the half of it."""
LEAST_MEMORY_BYTES = 64 * 1024 * 1024
"""Below this the runtime itself would not start, so that smaller limits mean this."""
PROCESSES = 512
"""Processes and threads of a replica: eight times the threads that calls are run on, and few enough for a fork bomb to
be over in a second."""
LEAST_MILLICORES = 10
"""The kernel's own minimum."""
MOST_TMP_BYTES = 256 * 1024 * 1024
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
    cpu = max(order.cpu_millicores, LEAST_MILLICORES) if order.cpu_millicores else 0
    return Limits(_memory(order), PROCESSES, cpu)


def tmp_of(order: StartOrder) -> tuple[int, int]:
    """Return the size of /tmp in bytes and how many files it takes.

    It is half of the memory limit, since what is in /tmp is in memory: a function that fills its disk must be told that
    its disk is full, and not be ended for its memory.
    """
    size = min(_memory(order) // 2, MOST_TMP_BYTES)
    return size, size // BYTES_PER_FILE


def _memory(order: StartOrder) -> int:
    return max(order.memory_bytes, LEAST_MEMORY_BYTES) if order.memory_bytes else MEMORY_BYTES
