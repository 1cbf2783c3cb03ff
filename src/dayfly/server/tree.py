"""The processes of a platform as the kernel lists them, and what each of them uses."""

import os
from pathlib import Path

import msgspec

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
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
_BORN_OF = {"zygote": "function", "function": "function"}


class ProcessStatus(msgspec.Struct, frozen=True):
    """One process: what part it plays, and its resident memory in bytes, shared pages included."""

    pid: int
    role: str
    memory_bytes: int


def processes_of(pid: int) -> tuple[ProcessStatus, ...]:
    """Return the process and all its descendants; those that end meanwhile are left out."""
    found: list[ProcessStatus] = []
    waiting = [(pid, "")]
    while waiting:
        each, parent = waiting.pop(0)
        try:
            pages = int(Path(f"/proc/{each}/statm").read_text().split()[1])
            name = Path(f"/proc/{each}/comm").read_text().strip()
            command = Path(f"/proc/{each}/cmdline").read_bytes().decode(errors="replace")
            children = Path(f"/proc/{each}/task/{each}/children").read_text().split()
        except (OSError, IndexError):
            continue
        role = _NAMED.get(name) or _BORN_OF.get(parent)
        role = role or next((role for part, role in _PARTS.items() if part in command), "other")
        found.append(ProcessStatus(each, role, pages * _PAGE_BYTES))
        waiting += [(int(child), role) for child in children]
    return tuple(found)
