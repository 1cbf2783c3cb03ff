"""What containers and pods print, as lines of the log of the platform's parts. Pure."""

from datetime import datetime

from dayfly.model.machine import PartLine
from dayfly.runtimes.log_event import recognised


def part_line(unix_ns: int, part: str, text: str, stream: str = "") -> PartLine:
    """Return a line that was printed then; what a function printed has no level but its stream."""
    said = recognised(text, part, unix_ns // 1_000_000)
    if said is None:
        return PartLine(unix_ns=unix_ns, part=part, level=stream, text=text)
    return of_event(said, unix_ns)


def of_event(said: dict[str, object], unix_ns: int = 0) -> PartLine:
    """Return an event of the platform's log as a line; with no other time, that which it says."""
    return PartLine(
        unix_ns=unix_ns or _unix_ns(str(said["at"])),
        part=str(said["process"]),
        level=str(said["level"]),
        logger=str(said["logger"]),
        text="\n".join(str(said[name]) for name in ("message", "traceback") if said.get(name)),
        call_id=str(said.get("call_id", "")),
    )


def _unix_ns(at: str) -> int:
    try:
        return round(datetime.fromisoformat(at).timestamp() * 1000) * 1_000_000
    except ValueError:
        return 0
