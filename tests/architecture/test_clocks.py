"""Decisions are made on the monotonic clock; the wall clock is read where people are told a time, and nowhere else."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "dayfly"
MAY_READ = {
    "api/budgets.py": "which day and month it is, and what `since=36h` means",
    "api/glances.py": "which minutes a spark line shows",
    "api/logs.py": "what `since=10m` means is a time on the clock that stamped the lines",
    "api/schedules.py": "when a schedule is due next",
    "cli/loop/function.py": "how long ago a file was saved",
    "cli/metrics.py": "what `--since 1h` means",
    "cli/revisions.py": "how long ago a revision was deployed",
    "cli/top.py": "how old a replica is",
    "client/template_pull.py": "when a template was pulled",
    "cluster/stamp.py": "when a condition changed and a Lease was renewed, as objects tell it",
    "control/clock.py": "the control plane's clock, for times that are shown",
    "gateway/call.py": "X-Start-Time",
    "gateway/routed.py": "when tokens and signatures of others end",
    "http1/date.py": "the Date header",
    "queue/clock.py": "when a call is due that waits over the machine's next start",
    "gateway/submission.py": "X-Start-Time",
    "gateway/warm.py": "X-Start-Time",
    "oci/sweep.py": "how long ago a blob was used",
    "providers/docker/output.py": "stamps of log lines",
    "providers/docker/printed.py": "stamps of log lines",
    "catalog/functions/certinfo/handler.py": "the days that a certificate has left",
    "catalog/functions/uuid/handler.py": "identifiers ordered by time",
    "providers/kubernetes/output.py": "stamps of log lines",
    "providers/kubernetes/parts.py": "stamps of log lines",
    "providers/fake.py": "stamps of log lines",
    "providers/local/logs.py": "stamps of log lines",
    "runtimes/log_event.py": "stamps of log lines, as a text",
    "runtimes/scribe.py": "stamps of log lines",
    "runtimes/python/output.py": "stamps of log lines",
    "server/cluster/install/examining.py": "how long a certificate is still good",
    "storage/blobs.py": "how long ago a file was written",
    "storage/certificate.py": "from when to when a certificate is good",
}
READS = {
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.asctime",
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today",
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "email.utils.formatdate", "formatdate",
}  # fmt: skip
HIDDEN = {"time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "clock_gettime", "CLOCK_REALTIME"}


def reads(path: Path) -> list[int]:
    """Return the lines on which a module reads the wall clock, or imports it under a name we would not see."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and (
            ast.unparse(node) in READS or ast.unparse(node) in ("time.clock_gettime", "time.CLOCK_REALTIME")
        ):
            lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            lines += [node.lineno for alias in node.names if alias.name in HIDDEN]
        elif isinstance(node, ast.Name) and node.id in READS:
            lines.append(node.lineno)
    return lines


def test_only_modules_that_tell_a_time_read_the_wall_clock() -> None:
    found = {str(path.relative_to(SOURCE)): reads(path) for path in SOURCE.rglob("*.py")}
    assert {module: lines for module, lines in found.items() if lines and module not in MAY_READ} == {}


def test_no_module_may_read_the_wall_clock_without_doing_so() -> None:
    assert [module for module in MAY_READ if not reads(SOURCE / module)] == []


def test_a_reading_is_seen_in_whatever_way_it_is_written(tmp_path: Path) -> None:
    for text in ("import time\ntime.time()", "from time import time_ns", "import datetime\ndatetime.datetime.now()"):
        (tmp_path / "module.py").write_text(text)
        assert reads(tmp_path / "module.py")
    (tmp_path / "module.py").write_text("import time\ntime.monotonic()\nloop.time()")
    assert reads(tmp_path / "module.py") == []
