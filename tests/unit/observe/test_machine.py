"""The machine's figures, of a kernel that says what the test wrote."""

import os
from pathlib import Path

import pytest

from dayfly.control.clock import ManualClock
from dayfly.observe.machine import MachineFigures, of_machine

TICKS = os.sysconf("SC_CLK_TCK")
STAT = f"cpu  {TICKS} 0 {2 * TICKS} {3 * TICKS} 0 {TICKS} {TICKS} 0 0 0\ncpu0 1\ncpu1 1\nintr 5\n"
MEMORY = "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n"
NETWORK = "Inter-|\n face |\n    lo: 5 0 0 0 0 0 0 0 5 0\n  eth0: 7 0 0 0 0 0 0 0 11 0\n  eth1: 1 0 0 0 0 0 0 0 2 0\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """What the kernel says."""
    for name, text in {
        "stat": STAT, "meminfo": MEMORY, "loadavg": "0.5 0.25 0.125 1/2 3\n", "net/dev": NETWORK,
        "sys/kernel/random/boot_id": "abc\n",
    }.items():  # fmt: skip
        path = tmp_path / "proc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "proc"


def test_what_the_kernel_says_is_told_in_seconds_and_bytes(proc: Path, tmp_path: Path) -> None:
    found = MachineFigures(tmp_path, ManualClock(), proc).look()
    assert found.boot == "abc"
    assert found.cpu.cores == 2
    assert found.cpu.seconds == {"user": 1, "system": 2, "idle": 3, "iowait": 0, "steal": 0, "other": 2}
    assert found.cpu.load == (0.5, 0.25, 0.125)
    memory = found.memory
    assert (memory.total, memory.used, memory.available, memory.swap_used) == (1_024_000, 614_400, 409_600, 6144)
    assert (found.network.received, found.network.sent) == (8, 13)
    assert found.disk is not None
    assert found.disk.total >= found.disk.used > 0
    names = {family.name: len(family.samples) for family in of_machine(found)}
    assert names["dayfly_machine_cpu_seconds_total"] == 6
    assert names["dayfly_machine_disk_bytes"] == 3


def test_a_disk_that_says_nothing_is_left_out(proc: Path, tmp_path: Path) -> None:
    found = MachineFigures(tmp_path / "gone", ManualClock(), proc).look()
    assert found.disk is None
    assert "dayfly_machine_disk_bytes" not in {family.name for family in of_machine(found)}
