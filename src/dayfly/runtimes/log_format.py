"""How a process of the platform writes its log: lines for people, or JSON for programs, one event a line."""

import logging
import sys
from collections.abc import Mapping

from dayfly.runtimes.log_event import LogFormat, event, json_line


class JsonLines(logging.Formatter):
    """Formats events as JSON objects; `process` is the name of the process that writes them."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as one line."""
        at_unix_ms, level = int(record.created * 1000), record.levelname.lower()
        told = event(at_unix_ms, level, self._process, record.name, record.getMessage())
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return json_line(told)


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
