"""The machine's own figures, from /proc: processors, memory, the data folder's disk, the network."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from dayfly.model.machine import CpuUsage, DiskUsage, MachineUsage, MemoryUsage, NetworkUsage
from dayfly.observe.family import Family

_TICKS = os.sysconf("SC_CLK_TCK")
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_GIVEN = {"user": "user", "system": "system", "idle": "idle", "iowait": "iowait", "steal": "steal"}


class Clock(Protocol):
    """Where the time comes from."""

    def unix_ms(self) -> int:
        """Milliseconds since 1970, as the machine believes."""


class MachineFigures:
    """Reads them; `proc` is where the kernel tells, `folder` whose disk is meant."""

    def __init__(self, folder: Path, clock: Clock, proc: Path = Path("/proc")) -> None:
        self._folder = folder
        self._clock = clock
        self._proc = proc

    def look(self) -> MachineUsage:
        """Return what there is now. Takes well below a millisecond. Raises OSError where there is no /proc."""
        return MachineUsage(
            at_unix_ms=self._clock.unix_ms(),
            boot=(self._proc / "sys/kernel/random/boot_id").read_text().strip(),
            cpu=self._cpu(),
            memory=self._memory(),
            disk=self._disk(),
            network=self._network(),
        )

    def _cpu(self) -> CpuUsage:
        lines = (self._proc / "stat").read_text().splitlines()
        ticks = dict(zip(_MODES, map(int, lines[0].split()[1:]), strict=False))
        seconds = dict.fromkeys((*_GIVEN, "other"), 0.0)
        for mode, count in ticks.items():
            seconds[_GIVEN.get(mode, "other")] += count / _TICKS
        first, second, third = map(float, (self._proc / "loadavg").read_text().split()[:3])
        cores = sum(line.startswith("cpu") for line in lines) - 1
        return CpuUsage(cores=cores, seconds=seconds, load=(first, second, third))

    def _memory(self) -> MemoryUsage:
        lines = (line.split(":") for line in (self._proc / "meminfo").read_text().splitlines())
        kib = {name: int(rest.split()[0]) for name, rest in lines}
        total, available = kib["MemTotal"] * 1024, kib["MemAvailable"] * 1024
        swap = kib.get("SwapTotal", 0) * 1024
        return MemoryUsage(
            total=total,
            used=total - available,
            available=available,
            swap_total=swap,
            swap_used=swap - kib.get("SwapFree", 0) * 1024,
        )

    def _disk(self) -> DiskUsage | None:
        try:
            found = shutil.disk_usage(self._folder)
        except OSError:
            return None
        return DiskUsage(path=str(self._folder), total=found.total, used=found.used, available=found.free)

    def _network(self) -> NetworkUsage:
        received = sent = 0
        for line in (self._proc / "net/dev").read_text().splitlines()[2:]:
            name, _, counts = line.partition(":")
            if name.strip() != "lo":
                fields = counts.split()
                received, sent = received + int(fields[0]), sent + int(fields[8])
        return NetworkUsage(received=received, sent=sent)


def of_machine(found: MachineUsage) -> Iterator[Family]:
    """Yield the figures as metrics."""
    yield Family(
        "dayfly_machine_cpu_seconds_total", "counter", "Time of the machine's processors, by what it went into.",
        tuple(("", {"mode": mode}, seconds) for mode, seconds in found.cpu.seconds.items()),
    )  # fmt: skip
    yield Family("dayfly_machine_cpu_cores", "gauge", "Processors of the machine.", (("", {}, found.cpu.cores),))
    yield Family("dayfly_machine_load1", "gauge", "Processes that run or want to.", (("", {}, found.cpu.load[0]),))
    memory = found.memory
    kinds = {
        "total": memory.total, "used": memory.used, "available": memory.available,
        "swap_total": memory.swap_total, "swap_used": memory.swap_used,
    }  # fmt: skip
    yield Family(
        "dayfly_machine_memory_bytes", "gauge", "Memory of the machine.",
        tuple(("", {"kind": kind}, size) for kind, size in kinds.items()),
    )  # fmt: skip
    if found.disk is not None:
        disk = {"total": found.disk.total, "used": found.disk.used, "available": found.disk.available}
        yield Family(
            "dayfly_machine_disk_bytes", "gauge", "The file system of the data folder.",
            tuple(("", {"kind": kind}, size) for kind, size in disk.items()),
        )  # fmt: skip
    network = {"received": found.network.received, "sent": found.network.sent}
    yield Family(
        "dayfly_machine_network_bytes_total", "counter", "Bytes over the machine's interfaces but for the loopback.",
        tuple(("", {"direction": direction}, size) for direction, size in network.items()),
    )  # fmt: skip
