"""The Node.js program of a function: its command line, its environment, and what it needs to see of the machine.

V8 takes memory until its own limit for the heap is reached, and collects garbage in earnest only near it. So the heap
is kept below the replica's memory limit by as much as the rest of a Node process takes; else the kernel would end a
function that has nothing but garbage.
"""

import json
import os
from collections.abc import Mapping

from dayfly.model.replica import StartOrder
from dayfly.runtimes.python.failures import TOLD
from dayfly.runtimes.python.handler import HandlerUnfit
from dayfly.runtimes.python.limits import limits_of

HOST_DIR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "host")
CHANNEL_FD = 3
BESIDE_HEAP_MIB = 40
"""What a Node process takes besides its heap, in MiB: measured 20 at rest, with room for buffers."""
LEAST_HEAP_MIB = 32
MOST_NURSERY_MIB = 16
"""V8's own size for each of the three parts that new objects live in."""
DATA_ALLOWANCE_BYTES = 192 * 1024 * 1024
"""Stacks of threads and the like, which count as data of a process though they are hardly touched."""


def argv(order: StartOrder) -> list[str]:
    """Return the command line of the host that answers the calls of `order`'s function."""
    facts = {
        "codeDir": order.code_dir,
        "handler": order.handler,
        "function": order.key.name,
        "namespace": order.key.namespace,
        "timeoutMs": order.timeout_s * 1000,
        "sentences": TOLD,
        "tellsAll": order.debug is not None,
        "source": order.debug.source if order.debug is not None else "",
    }
    return [order.interpreter, *heap_flags(limits_of(order).memory_bytes), f"{HOST_DIR}/main.cjs", json.dumps(facts)]


def heap_flags(memory_bytes: int) -> list[str]:
    """Return the flags that keep V8's heap within a replica's memory."""
    limit_mib = memory_bytes >> 20
    nursery_mib = max(1, min(MOST_NURSERY_MIB, limit_mib // 32))
    heap_mib = max(LEAST_HEAP_MIB, limit_mib - BESIDE_HEAP_MIB - 3 * nursery_mib)
    return [f"--max-old-space-size={heap_mib}", f"--max-semi-space-size={nursery_mib}"]


def environment(order: StartOrder, around: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the host, made of that of the process which starts it."""
    path = f"{os.path.dirname(order.interpreter)}:{around.get('PATH', os.defpath)}"
    # Newer versions of Node find the way out by this; for older ones the host does.
    return {
        "NODE_ENV": "production",
        "NODE_USE_ENV_PROXY": "1",
        **around,
        "PATH": path,
        "NODE_CHANNEL_FD": str(CHANNEL_FD),
    }


def data_allowance(order: StartOrder) -> int:
    """Return by how much the data of each of the function's processes may exceed its memory limit, in bytes."""
    return DATA_ALLOWANCE_BYTES if order.runtime == "node" else 0


def shown(order: StartOrder) -> tuple[str, ...]:
    """Return the files and folders that the function must see besides the system and its own code."""
    if order.runtime != "node":
        return ()
    folder = os.path.dirname(order.interpreter)
    prefix = os.path.dirname(folder)
    # /bin is not below an installation's folder but below everything's.
    whole = prefix != "/" and os.path.basename(folder) == "bin" and os.path.isdir(f"{prefix}/lib/node_modules")
    return HOST_DIR, prefix if whole else order.interpreter


def check(order: StartOrder) -> None:
    """Refuse what cannot be run, in the jail that it is to run in. Raises HandlerUnfit."""
    if not os.access(order.interpreter, os.X_OK):
        raise HandlerUnfit(
            f"Node.js at {order.interpreter} cannot be run by this function's user; install it where every user may"
            " read it, for example as the system's package nodejs"
        )
    if not os.access(f"{HOST_DIR}/main.cjs", os.R_OK):
        raise HandlerUnfit(
            f"the Node runtime at {HOST_DIR} cannot be read by this function's user, and this kernel refused to show it"
            " in a root of its own; install Dayfly where every user may read it"
        )
