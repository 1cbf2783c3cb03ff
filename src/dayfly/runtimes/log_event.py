"""The shape of an event in the platform's log, as JSON: the same for every process, whoever writes it down.

Events are said as `words name=value …`. In JSON the values are fields of their own, and the id of the call that an
event is about is `call_id`, whatever the event says it as, so that one search finds what every process said of a call.

Lines of processes that cannot write JSON (nats-server, zygotes, an interpreter's last words) are read here, too. Only
the standard library's lighter half is imported: the supervisor uses this.
"""

import json
import re
import time
from typing import Literal

LogFormat = Literal["text", "json"]
NATS = "nats-server"
"""The name under which the queue's server appears in the log."""
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CALL = re.compile(rf"\b(?:call_id|call|id)='?({_UUID})\b")
_FIELD = re.compile(r"(?:^|\s)([a-z_]{1,40})=('[^']*'|\"[^\"]*\"|[^\s'\"][^\s]*)")
_LAST = re.compile(r"\sreason=(.*)$", re.DOTALL)
_SHAPE = frozenset(("at", "level", "process", "logger", "message"))
_OWN = _SHAPE | {"call_id", "traceback"}
_OURS = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL) (?:((?!dayfly\.)\S+) )?(\S+) (.*)"
)
_NATS = re.compile(r"\[\d+\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d+ \[(INF|WRN|ERR|FTL|DBG|TRC)\] ?(.*)")
_NATS_LEVELS = {"INF": "info", "WRN": "warning", "ERR": "error", "FTL": "critical", "DBG": "debug", "TRC": "debug"}

Event = dict[str, object]


def event(at_unix_ms: int, level: str, process: str, logger: str, message: str) -> Event:
    """Return an event in its shape."""
    told: Event = {
        "at": json_time(at_unix_ms), "level": level, "process": process, "logger": logger, "message": message,
    }  # fmt: skip
    call = _CALL.search(message)
    if call is not None:
        told["call_id"] = call[1]
    return told | {name: value for name, value in fields_of(message).items() if name not in _OWN}


def read_line(line: str, process: str, at_unix_ms: int) -> Event:
    """Return the event that a line of a process's standard error is, in whichever form the process writes."""
    # No process of the platform prints: what is in no form is a traceback, or what an interpreter says when it dies.
    return recognised(line, process, at_unix_ms) or event(at_unix_ms, "error", process, "stderr", line)


def recognised(line: str, process: str, at_unix_ms: int) -> Event | None:
    """Return the event that a line is, None when it is in no form of the platform's."""
    if line.startswith("{") and (found := of_json(line)) is not None:
        return found
    if ours := _OURS.fullmatch(line):  # a zygote's has no name of a process
        return event(at_unix_ms, ours[1].lower(), ours[2] or process, ours[3], ours[4])
    if theirs := _NATS.fullmatch(line):
        return event(at_unix_ms, _NATS_LEVELS[theirs[1]], process, process, theirs[2].strip())
    return None


def of_json(line: str | bytes) -> Event | None:
    """Return the event that a line of JSON is, None when it is none, or was cut off."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= _SHAPE else None


def text_of(said: Event) -> str:
    """Return an event as a line for people."""
    return f"{said['at']} {str(said['level']).upper()} {said['process']} {said['logger']} {said['message']}"


def json_line(said: Event) -> str:
    """Return an event as a line of JSON, without its end."""
    return json.dumps(said, ensure_ascii=False)


def fields_of(message: str) -> dict[str, str]:
    """Return the values that an event names, as text; a reason is the last of them, and may have blanks."""
    reason = _LAST.search(message)
    head = message[: reason.start()] if reason is not None else message
    found = {match[1]: match[2].strip("'\"") for match in _FIELD.finditer(head)}
    return {**found, "reason": reason[1]} if reason is not None else found


def json_time(unix_ms: int) -> str:
    """Return a moment as RFC 3339 has it, in UTC and milliseconds."""
    seconds, part = divmod(unix_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{part:03}Z"
