"""How a process of the platform writes its log: lines for people, or JSON for programs, one event a line.

Events are said as `words name=value …`. In JSON the values are fields of their own, and the id of the call that an
event is about is `call_id`, whatever the event says it as, so that one search finds what every process said of a call.
"""

import datetime
import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Literal

LogFormat = Literal["text", "json"]
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CALL = re.compile(rf"\b(?:call_id|call|id)='?({_UUID})\b")
_FIELD = re.compile(r"(?:^|\s)([a-z_]{1,40})=('[^']*'|\"[^\"]*\"|[^\s'\"][^\s]*)")
_LAST = re.compile(r"\sreason=(.*)$", re.DOTALL)
_OWN = frozenset(("at", "level", "process", "logger", "message", "call_id", "traceback"))


class JsonLines(logging.Formatter):
    """Formats events as JSON objects; `process` is the name of the process that writes them."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as one line."""
        message = record.getMessage()
        told: dict[str, object] = {
            "at": json_time(record.created),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": message,
        }
        call = _CALL.search(message)
        if call is not None:
            told["call_id"] = call[1]
        told |= {name: value for name, value in fields_of(message).items() if name not in _OWN}
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)


def fields_of(message: str) -> dict[str, str]:
    """Return the values that an event names, as text; a reason is the last of them, and may have blanks."""
    reason = _LAST.search(message)
    head = message[: reason.start()] if reason is not None else message
    found = {match[1]: match[2].strip("'\"") for match in _FIELD.finditer(head)}
    return {**found, "reason": reason[1]} if reason is not None else found


def json_time(unix_s: float) -> str:
    """Return a moment as RFC 3339 has it, in UTC and milliseconds."""
    moment = datetime.datetime.fromtimestamp(unix_s, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log_settings(environ: Mapping[str, str]) -> tuple[str, LogFormat]:
    """Return level and form as a pod is told them; what is wrong is told by whoever reads all settings."""
    form: LogFormat = "json" if environ.get("DAYFLY_LOG_FORMAT", "").lower() == "json" else "text"
    return environ.get("DAYFLY_LOG_LEVEL") or "info", form


def log_to_stderr(process: str, level: str, form: LogFormat = "text") -> None:
    """Send this process's log to standard error, one event a line with the process's name in it."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonLines(process))
    else:
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {process} %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
