"""Where the time goes in what missed: py-spy for programs under load, import times for those that start slowly.

py-spy looks at the threads that hold the interpreter's lock, so that threads which only wait do not count. What the
kernel spends for a process, in sockets above all, is not in there; it stands beside it as system time.
"""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.book import Lab
from bench.processes import Cpu, cpu, name, tree
from bench.programs import ProgramFailed, until
from bench.tools import ToolMissing

_LINES = 12
_RECORD = ["record", "--subprocesses", "--nonblocking", "--gil", "--rate", "200", "--format", "raw"]
_TOOL = "py-spy, share of samples by process and function"
_SHOWN_CPU_S = 0.1


def of_load(lab: Lab, what: str, pid: int, load: Callable[[float], object], seconds: float = 4) -> None:
    """Write down the hottest functions of `pid` and its descendants while `load` runs."""
    output = lab.folder("profile").parent / "stacks.txt"
    try:
        command = [lab.tools.need("py-spy"), *_RECORD]
    except ToolMissing as missing:
        lab.gap(f"profile of {what}", missing)
        return
    command += ["--duration", f"{seconds - 1:.0f}", "--output", str(output), "--pid", str(pid)]
    before = {member: cpu(member) for member in tree(pid)}
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, seconds)
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
        failure = loading.exception()
    if failure is not None:
        lab.gap(f"profile of {what}", failure)
        return
    if done.returncode or not output.exists():
        lab.gap(f"profile of {what}", f"py-spy: {done.stderr.strip()[-200:]}")
        return
    lab.profile(what, _TOOL, (*_cpu_lines(before, seconds), *hottest(output.read_text())))


def of_start(
    lab: Lab, what: str, start: Callable[[list[str]], object], stop: Callable[[], None], seconds: float
) -> None:
    """Write down the hottest functions of the first `seconds` of a platform that `start` runs under a profiler."""
    output = lab.folder("profile").parent / "stacks.txt"
    try:
        command = [lab.tools.need("py-spy"), *_RECORD]
    except ToolMissing as missing:
        lab.gap(f"profile of {what}", missing)
        return
    command += ["--duration", f"{max(2, round(seconds))}", "--output", str(output), "--"]
    try:
        start(command)
        for _ in until(seconds + 30, 0.1):
            if output.exists() and output.stat().st_size:
                break
        else:
            lab.gap(f"profile of {what}", "py-spy wrote nothing")
            return
    except ProgramFailed as failed:
        lab.gap(f"profile of {what}", failed)
        return
    finally:
        stop()
    lab.profile(what, _TOOL, hottest(output.read_text()))


def hottest(stacks: str, lines: int = _LINES) -> tuple[str, ...]:
    """Return the leaf functions with the most samples, of stacks as `frame;frame;… count`, one a line."""
    counts: Counter[str] = Counter()
    for stack, count in re.findall(r"^(.+) (\d+)$", stacks, re.MULTILINE):
        frames = stack.split(";")
        process = next((_process(frame) for frame in reversed(frames) if frame.startswith("process ")), "")
        counts[f"{process}{_short(frames[-1])}"] += int(count)
    total = counts.total()
    return tuple(f"{count / total:6.1%}  {where}" for where, count in counts.most_common(lines))


def of_imports(lab: Lab, what: str, arguments: list[str]) -> None:
    """Write down the slowest imports of a Python program that runs with these arguments and ends."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=lab.environ)
    lab.profile(what, "python -X importtime, own time in ms by module", slowest_imports(done.stderr))


def slowest_imports(text: str, lines: int = _LINES) -> tuple[str, ...]:
    """Return the modules with the most time of their own, from what `-X importtime` printed."""
    rows = re.findall(r"^import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)$", text, re.MULTILINE)
    slowest = sorted(((int(own), module) for own, module in rows), reverse=True)[:lines]
    return tuple(f"{own / 1000:7.1f}  {module}" for own, module in slowest)


def _cpu_lines(before: dict[int, Cpu], seconds: float) -> list[str]:
    lines = []
    for pid, earlier in before.items():
        now = cpu(pid)
        user, system = now.user - earlier.user, now.system - earlier.system
        if user + system >= _SHOWN_CPU_S:
            lines.append(f"{name(pid)}: {user:.1f} s user and {system:.1f} s system time in {seconds:g} s of load")
    return lines


def _process(frame: str) -> str:
    """Name a process frame (`process 12:"python -m dayfly.server.gateway_process …"`) by its module or program."""
    command = frame.partition(":")[2].strip('"')
    module = re.search(r"-m (\S+)", command)
    names = [Path(word).name for word in command.split() if not word.startswith("-")]
    return f"{module[1] if module else next((n for n in names if n.endswith('.py')), ' '.join(names[:1]))}: "


def _short(frame: str) -> str:
    """Drop the folders of a frame's file: `handle (src/dayfly/gateway/proxy.py:12)` keeps its last two parts."""
    match = re.fullmatch(r"(.+) \((.+?)(:\d+)?\)", frame)
    if match is None:
        return frame
    return f"{match[1]} ({'/'.join(Path(match[2]).parts[-2:])}{match[3] or ''})"
