"""Quantities as people write them: `128Mi`, `250m`, `1m30s`.

Memory and CPU follow Kubernetes' quantities, spans of time follow Go's durations and a bare integer means seconds, as
in OpenFaaS. Inside, memory is bytes, CPU is thousandths of a core, time is seconds as a float.
"""

import re

from dayfly.model.errors import InvalidSpec

_MEMORY_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_MEMORY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)(k|M|G|T|Ki|Mi|Gi|Ti|)", re.ASCII)
_CPU = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(m?)", re.ASCII)
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ns|us|µs|ms|s|m|h)")


def parse_memory(text: str) -> int:
    """Return the bytes of `128Mi`, `1G`, `1.5Gi` or `1048576`. Raises InvalidSpec, also for zero."""
    match = _MEMORY.fullmatch(text)
    size_bytes = int(float(match[1]) * _MEMORY_UNITS[match[2]]) if match else 0
    if not 0 < size_bytes < 2**60:
        raise InvalidSpec(f"{text[:40]!r} is not an amount of memory; write for example 128Mi or 1G")
    return size_bytes


def parse_cpu(text: str) -> int:
    """Return the millicores of `250m`, `0.5` or `2`. Raises InvalidSpec, also for zero."""
    match = _CPU.fullmatch(text)
    millicores = int(float(match[1]) * (1 if match[2] else 1000)) if match else 0
    if not 0 < millicores <= 10**9:
        raise InvalidSpec(f"{text[:40]!r} is not an amount of CPU; write for example 250m or 0.5")
    return millicores


def format_cpu(millicores: int) -> str:
    """Return millicores as parse_cpu reads them back: `250m`, `2`."""
    return f"{millicores}m" if millicores % 1000 else str(millicores // 1000)


def parse_duration(text: str) -> float:
    """Return the seconds of `1m30s`, `500ms`, `2h` or `90` (bare numbers are seconds). Raises InvalidSpec."""
    if re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        return float(text)
    total_s, at = 0.0, 0
    while match := _SPAN.match(text, at):
        total_s += float(match[1]) * _SECONDS[match[2]]
        at = match.end()
    if not text or at != len(text):
        raise InvalidSpec(f"{text[:40]!r} is not a span of time; write for example 30s, 1m30s or 2h")
    return total_s


def format_duration(seconds: float) -> str:
    """Return `seconds` as a duration that parse_duration reads back: `1m30s`, `500ms`, `0s`."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms" if seconds > 0 else "0s"
    whole = round(seconds * 1000)
    hours, rest = divmod(whole, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if minutes else ""
    return text + (f"{rest / 1000:g}s" if rest else "")


def format_memory(size_bytes: int) -> str:
    """Return bytes for a person to read: `12.5Mi`."""
    size = float(size_bytes)
    for unit in ("", "Ki", "Mi", "Gi"):
        if size < 1024:
            return f"{size:.4g}{unit}"
        size /= 1024
    return f"{size:.4g}Ti"
