"""`python -m bench [GROUP …]`: measures, prints the table, writes it as JSON or Markdown where asked.

The table goes to standard output, what is being measured now to standard error. The exit code is 0 when everything
could be run, missed budgets or not: a benchmark tells, it does not gate. It is 1 when a group broke off.
"""

import argparse
import datetime
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.book import Lab, Report, this_machine
from bench.groups import GROUPS
from bench.loads import LoadFailed
from bench.plan import FULL, QUICK
from bench.probe import CallFailed
from bench.programs import ProgramFailed
from bench.table import markdown_report, text_report
from bench.tools import ToolMissing
from dayfly.model.errors import DayflyError

# What a group may break off with. Anything else is a bug of the benchmark and ends the run with its traceback.
_BROKEN = (ToolMissing, ProgramFailed, CallFailed, LoadFailed, DayflyError, OSError, subprocess.SubprocessError)


def main(arguments: list[str]) -> int:
    """Run the groups named, all by default; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.groups if name not in GROUPS]:
        parser.error(f"there is no group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    if options.render is not None:
        report = msgspec.json.decode(options.render.read_bytes(), type=Report)
        print(markdown_report(report) if options.markdown else text_report(report))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    names = options.groups or list(GROUPS)
    report = Report(
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").removesuffix("+00:00"),
        quick=options.quick,
        groups=names,
        machine=this_machine(),
    )
    broken = _run(names, report, quick=options.quick)
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    print(markdown_report(report) if options.markdown else text_report(report))
    return 1 if broken else 0


def _run(names: list[str], report: Report, *, quick: bool) -> bool:
    broken = False
    began = time.monotonic()
    # Short and in /tmp, whatever TMPDIR says: unix sockets are bound below it.
    with tempfile.TemporaryDirectory(prefix="dayfly-bench-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        lab = Lab(QUICK if quick else FULL, report, Path(folder))
        for name in names:
            lab.group = name
            try:
                GROUPS[name](lab)
            except _BROKEN as failed:
                broken = True
                lab.gap(f"the rest of {name}", f"{type(failed).__name__}: {failed}")
    report.seconds = round(time.monotonic() - began, 1)
    return broken


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure Dayfly against its budgets and rivals."
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"what to measure; all by default: {', '.join(GROUPS)}"
    )
    parser.add_argument("--quick", action="store_true", help="shorter and fewer rounds, for development")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON too")
    parser.add_argument(
        "--markdown", action="store_true", help="print Markdown for docs/benchmarks.md instead of a table"
    )
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="measure nothing; print the report of such a JSON file"
    )
    parser.epilog = (
        "OPENFAAS_GATEWAY and OPENFAAS_WATCHDOG, paths to those programs, add OpenFaaS's own chain to the group warm."
    )
    return parser


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("Interrupted: everything that was started has been stopped.", file=sys.stderr)
        sys.exit(130)
