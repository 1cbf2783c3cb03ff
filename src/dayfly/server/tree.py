"""The processes of a platform as the kernel lists them, and what each of them uses."""

import os
from pathlib import Path

import msgspec

from dayfly.runtimes.log_event import NATS

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_PARTS = {
    "supervisor": "supervisor",
    "control_process": "control",
    "gateway_process": "gateway",
    "queue_process": "queue",
    "nats-server": "nats",
    "zygote": "zygote",
    "jail.egress": "egress",
}
_NAMED = {"dayfly-jail": "jail", "dayfly-lookout": "lookout"}
"""Processes that the zygote makes for itself, by the names they give themselves."""
_LOGGED = {"nats": NATS, "jail": "zygote", "lookout": "zygote", "function": "zygote"}
"""Of processes that are logged as another part: what is forked from a zygote has its standard error until it is told
what it is to be."""
_BORN_OF = {"zygote": "function", "function": "function"}


class ProcessStatus(msgspec.Struct, frozen=True):
    """One process: what part it plays, and its resident memory in bytes, shared pages included."""

    pid: int
    role: str
    memory_bytes: int
    parent: int = 0
    name: str = ""
    """As the kernel knows it."""
    cpu_s: float = 0.0
    """Processor time since it was started, in seconds, without that of its children."""
    started_unix_ms: int = 0
    function: str = ""
    """`name.namespace`, where whoever asks was told."""
    log: str = ""
    """The name under which the log has what it says; empty where it is not in the log."""


def processes_of(pid: int) -> tuple[ProcessStatus, ...]:
    """Return the process and all its descendants; those that end meanwhile are left out."""
    found: list[ProcessStatus] = []
    waiting = [(pid, 0, "")]
    booted_s = _booted_unix_s()
    while waiting:
        each, parent, born_of = waiting.pop(0)
        try:
            pages = int(Path(f"/proc/{each}/statm").read_text().split()[1])
            name = Path(f"/proc/{each}/comm").read_text().strip()
            command = Path(f"/proc/{each}/cmdline").read_bytes().decode(errors="replace")
            # The name, which may hold anything, is in parentheses; what follows the last one is numbers.
            numbers = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            children = Path(f"/proc/{each}/task/{each}/children").read_text().split()
        except (OSError, IndexError):
            continue
        role = _NAMED.get(name) or _BORN_OF.get(born_of)
        role = role or next((role for part, role in _PARTS.items() if part in command), "other")
        cpu_s, started_s = (int(numbers[11]) + int(numbers[12])) / _TICKS, int(numbers[19]) / _TICKS
        started_unix_ms = round((booted_s + started_s) * 1000)
        log = _logged_as(role, command.split("\0"))
        found.append(ProcessStatus(each, role, pages * _PAGE_BYTES, parent, name, cpu_s, started_unix_ms, log=log))
        waiting += [(int(child), each, role) for child in children]
    return tuple(found)


def _logged_as(role: str, argv: list[str]) -> str:
    if role == "gateway" and "--name" in argv:
        return argv[argv.index("--name") + 1].partition(".")[0]
    return "" if role == "other" else _LOGGED.get(role, role)


def _booted_unix_s() -> int:
    lines = Path("/proc/stat").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("btime ")), 0)
