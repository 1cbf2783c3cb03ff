"""Facts about the machine that the call ran on, as the function sees it. `verbose` in the body tells more."""

import os
import platform


def handle(event, context):
    """Return host name, processor and uptime; with `verbose` also what the kernel says of memory and load."""
    with open("/proc/uptime", encoding="ascii") as file:
        uptime_s = float(file.read().split()[0])
    lines = [
        f"Hostname: {context.hostname}",
        f"Arch: {platform.machine()}",
        f"CPUs: {os.cpu_count()}",
        f"Platform: {platform.system().lower()} {platform.release()}",
        f"Python: {platform.python_version()}",
        f"Uptime: {uptime_s:.0f}s",
    ]
    if event.body.strip() == b"verbose":
        lines += ["", f"Load: {' '.join(f'{load:.2f}' for load in os.getloadavg())}", *_memory()]
    return "\n".join(lines) + "\n"


def _memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        return [line.rstrip() for line in file if line.startswith(("MemTotal", "MemAvailable", "SwapTotal"))]
