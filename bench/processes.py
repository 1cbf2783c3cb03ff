"""What processes use: processor time, and memory of a whole tree, shared pages counted once.

Forked replicas share most of their pages with the zygote. Resident size counts those again in every process, so the
sum over a tree would be several times what the machine has to give. PSS divides a shared page among its users and
sums up correctly; the private part of one process is what is freed when it alone ends.
"""

import os
import re
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")


class Memory(msgspec.Struct, frozen=True):
    """Memory in bytes."""

    pss: int
    private: int


def tree(pid: int) -> list[int]:
    """Return the process and all that descend from it, itself first."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # the process ended while we looked
        children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def memory(pid: int) -> Memory:
    """Return what the process uses; nothing when it has ended. Raises PermissionError for another user's process."""
    try:
        return parse_rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return Memory(0, 0)


def parse_rollup(text: str) -> Memory:
    """Return the sums that the kernel's `smaps_rollup` states, in bytes."""
    sizes_kib = {name: int(size) for name, size in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    private = sizes_kib.get("Private_Clean", 0) + sizes_kib.get("Private_Dirty", 0)
    return Memory(sizes_kib.get("Pss", 0) * 1024, private * 1024)


def tree_pss(pid: int) -> int:
    """Return the PSS of the whole tree in bytes."""
    return sum(memory(member).pss for member in tree(pid))


class Cpu(msgspec.Struct, frozen=True):
    """Processor time in seconds."""

    user: float
    system: float


def cpu(pid: int) -> Cpu:
    """Return the processor time that the process has used; none when it has ended."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return Cpu(0, 0)
    return Cpu(int(after_name[11]) / _TICKS, int(after_name[12]) / _TICKS)


def name(pid: int) -> str:
    """Return a short name of one of our processes: its module or its script, without `dayfly.`."""
    words = command_line(pid).split()
    named = [word.rpartition("/")[2].removesuffix(".py") for word in words if "dayfly" in word]
    return named[0].removeprefix("dayfly.") if named else (words[0].rpartition("/")[2] if words else "ended")


def command_line(pid: int) -> str:
    """Return the process's command line, empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
