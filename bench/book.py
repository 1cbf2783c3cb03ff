"""The book of a run: what groups write down while they measure, and what the run knows about itself."""

import os
import platform
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bench.figures import Budget, Figure, Gap, Profile, Spread
from bench.plan import Plan
from bench.tools import Tools


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures were measured on."""

    processor: str
    cores: int
    memory_mib: int
    kernel: str
    python: str
    load_before: float
    """Load average over a minute when the run began: what else the machine was doing."""


class Report(msgspec.Struct, kw_only=True):
    """A whole run, as `--json` writes it."""

    started: str
    """UTC, ISO 8601."""
    quick: bool
    groups: list[str]
    machine: Machine
    seconds: float = 0
    figures: list[Figure] = []
    gaps: list[Gap] = []
    profiles: list[Profile] = []


class Lab:
    """What a group measures with: sizes, tools, a scratch folder, a clean environment, and the book."""

    def __init__(self, plan: Plan, report: Report, scratch: Path) -> None:
        self.plan = plan
        self.report = report
        self.tools = Tools()
        self.scratch = scratch
        self.environ = clean_environ(os.environ)
        self.group = ""

    def folder(self, name: str) -> Path:
        """Return a new folder of its own below the scratch folder, not made yet."""
        # Short, because unix sockets are bound below it and their paths end at 107 bytes.
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.scratch)) / name

    def say(self, text: str) -> None:
        """Tell the person who waits what is measured now."""
        print(f"  {self.group}: {text}", file=sys.stderr, flush=True)

    def figure(self, what: str, spread: Spread, unit: str, *, budget: Budget | None = None, note: str = "") -> Figure:
        """Write down a figure and return it."""
        figure = Figure(group=self.group, what=what, unit=unit, spread=spread, budget=budget, note=note)
        self.report.figures.append(figure)
        return figure

    def gap(self, what: str, why: object) -> None:
        """Write down what could not be measured."""
        self.report.gaps.append(Gap(group=self.group, what=what, why=str(why)))
        self.say(f"left out: {what}: {why}")

    def profile(self, what: str, tool: str, lines: tuple[str, ...]) -> None:
        """Write down where the time went."""
        self.report.profiles.append(Profile(group=self.group, what=what, tool=tool, lines=lines))


def clean_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would change our own programs or the rivals."""
    ours = ("DAYFLY_", "OPENFAAS_URL", "FLASK_", "UVICORN_", "GUNICORN_", "GRANIAN_", "WEB_CONCURRENCY")
    return {name: value for name, value in environ.items() if not name.startswith(ours)}


def this_machine() -> Machine:
    """Return what this machine is, as far as the kernel tells."""
    processor = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return Machine(
        processor=processor[1] if processor else platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_mib=int(memory[1]) // 1024 if memory else 0,
        kernel=platform.release().partition("-")[0],
        python=platform.python_version(),
        load_before=round(os.getloadavg()[0], 2),
    )
