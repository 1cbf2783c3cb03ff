"""The process that answers one query and ends: what it cannot be asked to use, the platform keeps.

    python -P -m dayfly.observe.query.process < ORDER > OUTCOME

Both are MessagePack. Before it reads anything of the query it limits what it may use of the machine: time of a
processor, memory, the size of a file; it gives way to everything else that runs, is the first to go where memory is
short, and ends with whoever started it. Then it gives up reaching any file but its answer's folder and what Python
itself loads, and the network (Landlock and seccomp, where the kernel has them).
"""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path

import msgspec

from dayfly.observe.query.answering import answer
from dayfly.observe.query.fence import close
from dayfly.observe.query.order import PARQUET_PROCESS_BYTES, Order, Outcome
from dayfly.runtimes.jail import calls

_MAX_ORDER = 64 * 2**20
_NICE = 10
_FILES = 64


def limit(order: Order) -> None:
    """Have the kernel hold this process to the order's bounds. Raises OSError, ValueError."""
    bounds = order.bounds
    seconds = int(bounds.seconds) + 2
    memory = PARQUET_PROCESS_BYTES if order.form == "parquet" else bounds.process_bytes
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, bounds.answer_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _FILES),
    ):
        resource.setrlimit(what, (most, most))


def give_way() -> None:
    """Be the last to run, and the first to go."""
    calls.prctl(calls.PR_SET_PDEATHSIG, int(signal.SIGKILL))
    calls.prctl(calls.PR_SET_NO_NEW_PRIVS, 1)
    os.nice(_NICE)
    with contextlib.suppress(OSError):  # a system without /proc has no such killer either
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> int:
    """Answer the order on stdin."""
    give_way()
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(_MAX_ORDER), type=Order)
    limit(order)
    try:
        outcome = answer(order, close)
    except MemoryError:
        outcome = Outcome(refusal="limit", message="The query needs more memory than it may have")
    sys.stdout.buffer.write(msgspec.msgpack.encode(outcome))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
