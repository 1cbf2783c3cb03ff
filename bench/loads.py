"""Load on a server: wrk where it speaks TCP, h2load where a replica's unix socket is to be called.

The design asks for the gateway against *the same replica* called directly. A replica listens on a unix socket, which
wrk cannot reach; h2load can, and is nearly as fast on HTTP/1.1. So that pair is measured with h2load on
both sides, everything else with wrk on both sides, and no ratio ever has two generators in it. Both are C programs with
one thread here, so that on two cores one is left for what is measured.
"""

import re
import subprocess
from pathlib import Path

import msgspec

from bench.tools import Tools

_MAX_FAILED_SHARE = 0.001
_WRK_UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is called: a URL, and the unix socket that serves it where it is not on TCP."""

    url: str
    unix: Path | None = None
    connections: int = 32
    upload: Path | None = None
    """A file that every call posts; None calls with GET."""


class Sample(msgspec.Struct, frozen=True):
    """One load's outcome. Latencies are NaN where the generator does not tell them."""

    rate_per_s: float
    p50_ms: float = float("nan")
    p99_ms: float = float("nan")


class LoadFailed(Exception):
    """The load could not be run, or too many of its calls were not answered with success."""


def with_wrk(tools: Tools, scratch: Path, target: Target, seconds: float) -> Sample:
    """Load `target` over TCP for `seconds`, a whole number of them and at least one. Raises LoadFailed, ToolMissing."""
    command = [tools.need("wrk"), "-t1", f"-c{target.connections}", f"-d{max(1, round(seconds))}s", "--latency"]
    if target.upload is not None:
        script = scratch / f"post-{target.upload.name}.lua"
        script.write_text(
            f'local file = io.open("{target.upload}", "rb")\n'
            'wrk.method = "POST"\nwrk.body = file:read("*a")\nfile:close()\n'
            'wrk.headers["Content-Type"] = "application/octet-stream"\n'
        )
        command += ["-s", str(script)]
    return parse_wrk(_output([*command, target.url], seconds))


def with_h2load(tools: Tools, target: Target, seconds: float) -> Sample:
    """Load `target` over TCP or its unix socket, as `with_wrk` does. Raises LoadFailed, ToolMissing."""
    command = [tools.need("h2load"), "--h1", "-t1", f"-c{target.connections}", f"-D{max(1, round(seconds))}"]
    if target.unix is not None:
        command += ["-B", f"unix:{target.unix}"]
    if target.upload is not None:
        command += ["-d", str(target.upload), "-H", "content-type: application/octet-stream"]
    return parse_h2load(_output([*command, target.url], seconds))


def parse_wrk(text: str) -> Sample:
    """Return what wrk printed. Raises LoadFailed when calls failed or nothing was measured."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    total = re.search(r"^\s*(\d+) requests in", text, re.MULTILINE)
    if rate is None or total is None or int(total[1]) == 0:
        raise LoadFailed(f"wrk measured nothing: {text.strip()[-300:]}")
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    failed = (sum(map(int, sockets.groups())) if sockets else 0) + (int(refused[1]) if refused else 0)
    _check_failures("wrk", failed, int(total[1]))
    return Sample(float(rate[1]), _wrk_percentile(text, "50%"), _wrk_percentile(text, "99%"))


def parse_h2load(text: str) -> Sample:
    """Return what h2load printed. Raises LoadFailed when calls failed or nothing was measured."""
    rate = re.search(r"^finished in [^,]+, ([\d.]+) req/s", text, re.MULTILINE)
    codes = re.search(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text, re.MULTILINE)
    requests = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    if rate is None or codes is None or requests is None or int(codes[1]) == 0:
        raise LoadFailed(f"h2load measured nothing: {text.strip()[-300:]}")
    good, *bad = map(int, codes.groups())
    failed = sum(bad) + int(requests[1]) + int(requests[3])
    _check_failures("h2load", failed, good + sum(bad))
    return Sample(float(rate[1]))


def _wrk_percentile(text: str, label: str) -> float:
    match = re.search(rf"^\s*{label}\s+([\d.]+)(us|ms|s|m)$", text, re.MULTILINE)
    return float(match[1]) * _WRK_UNITS_MS[match[2]] if match else float("nan")


def _check_failures(tool: str, failed: int, total: int) -> None:
    # A server that is quick to refuse would otherwise win. A handful of connections that a keep-alive limit closed
    # under the generator is how some rivals work, not a fault of the measurement.
    if failed > total * _MAX_FAILED_SHARE:
        raise LoadFailed(f"{tool}: {failed} of {total} calls were not answered with success")


def _output(command: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired as late:
        raise LoadFailed(f"{command[0]} did not end") from late
    if done.returncode:
        raise LoadFailed(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout
