"""`dayfly --help` as a whole process, beside the bare interpreter, which nothing in Python can start faster than."""

import subprocess
import sys
import time

from bench import budgets, profiles
from bench.book import Lab
from bench.figures import Spread
from bench.programs import ProgramFailed


def measure(lab: Lab) -> None:
    """Measure the group."""
    dayfly = lab.tools.need("dayfly")
    bare, taken = [], []
    for number in range(-2, lab.plan.help_runs):
        times = _seconds(lab, [sys.executable, "-c", "pass"]), _seconds(lab, [dayfly, "--help"], says=b"Usage: dayfly")
        if number >= 0:
            bare.append(times[0] * 1e3)
            taken.append(times[1] * 1e3)
    note = f"median of {len(taken)}; the interpreter alone takes {Spread(tuple(bare)).median:.0f} ms"
    figure = lab.figure("dayfly --help", Spread(tuple(taken)), "ms", budget=budgets.HELP_MS, note=note)
    if figure.verdict == "MISS":
        profiles.of_imports(lab, figure.what, [dayfly, "--help"])


def _seconds(lab: Lab, command: list[str], says: bytes = b"") -> float:
    before = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, env=lab.environ)
    taken = time.perf_counter() - before
    if says not in done.stdout:
        raise ProgramFailed(f"{command[0]} did not print {says.decode()!r}: {done.stdout[:200].decode()!r}")
    return taken
