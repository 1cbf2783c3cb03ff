"""What a request asks for beside a file: only if it has changed, only a part of it (RFC 9110, sections 13 and 14)."""

import datetime
import email.utils
import re
from collections.abc import Mapping

from dayfly.runtimes.static.tree import File

_RANGE = re.compile(r"bytes=\s*([0-9]{0,19})\s*-\s*([0-9]{0,19})\s*")


class Unsatisfiable(Exception):
    """No byte of the file is in the part that was asked for."""


def is_unchanged(headers: Mapping[str, str], file: File, tag: str) -> bool:
    """Whether the caller has the file already."""
    tags = headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or tag in (each.strip().removeprefix("W/") for each in tags.split(","))
    since = _seconds(headers.get("if-modified-since", ""))
    return since is not None and file.modified <= since


def part(headers: Mapping[str, str], file: File, tag: str) -> range | None:
    """Return which bytes are asked for; None for all of them, which is right for several parts too.

    Raises Unsatisfiable.
    """
    asked = _RANGE.fullmatch(headers.get("range", "").strip())
    if asked is None or not (asked[1] or asked[2]) or not _still_holds(headers.get("if-range", ""), file, tag):
        return None
    if not asked[1]:
        first, after = max(0, file.size_bytes - int(asked[2])), file.size_bytes
    else:
        first, after = int(asked[1]), min(int(asked[2] or file.size_bytes) + 1, file.size_bytes)
        if asked[2] and int(asked[2]) < first:
            return None
    if first >= after:
        raise Unsatisfiable
    return range(first, after)


def http_date(seconds: int) -> str:
    """Return a time as HTTP writes it."""
    return email.utils.format_datetime(datetime.datetime.fromtimestamp(seconds, datetime.UTC), usegmt=True)


def _still_holds(condition: str, file: File, tag: str) -> bool:
    if not condition or condition.startswith(('"', "W/")):
        return condition in ("", tag)
    return _seconds(condition) == file.modified


def _seconds(date: str) -> int | None:
    try:
        return int(email.utils.parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return None
