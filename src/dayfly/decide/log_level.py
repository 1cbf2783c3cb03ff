"""How grave a line of a log is, as far as the line says so: few programs agree on how.

Looked at is where a level stands by custom: a `level` in JSON or in `key=value`, else the first word of a level among
the first words. Nothing is made up: a line that names no level has none, whatever stream it came by.
"""

import re

from dayfly.model.log import Level

_HEAD = 160
"""Characters in which a level stands; words of a message further behind mean nothing."""
_WORDS: dict[str, Level] = {
    "trace": "debug", "debug": "debug", "info": "info", "information": "info", "notice": "info",
    "warn": "warning", "warning": "warning", "err": "error", "error": "error", "severe": "error",
    "fatal": "fatal", "critical": "fatal", "crit": "fatal", "panic": "fatal", "emerg": "fatal", "alert": "fatal",
}  # fmt: skip
_ANY = "|".join(_WORDS)
_FIELD = re.compile(rf"""["']?(?:level|lvl|severity|levelname|log_level)["']?\s*[=:]\s*["']?({_ANY})\b""", re.I)
_SHOUTED = "|".join(word.upper() for word in _WORDS)
_WORD = re.compile(rf"(?:^|[\[\s(<|])({_SHOUTED}|(?:{_ANY})(?=[:\]|]))(?=[\]\s:)>|,.]|$)")
_RAISED = re.compile(r"^(?:Traceback \(most recent call last\):|[A-Za-z_][\w.]*(?:Error|Exception)(?::|$))")


def level_of(text: str) -> Level | None:
    """Return the level that the line names; None where it names none."""
    head = text[:_HEAD]
    if found := _FIELD.search(text[: 4 * _HEAD]):
        return _WORDS[found[1].lower()]
    if found := _WORD.search(head):
        return _WORDS[found[1].lower()]
    return "error" if _RAISED.match(head) else None
