"""`--time-format`: a moment in a layout of Go's, as faas-cli takes them, or under the name of a well-known one.

A layout is the moment Mon Jan 2 15:04:05 MST 2006 as it is to look, its fraction as `.000` (always) or `.999` (without
zeros at the end). What is no part of that moment is printed as it is.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime

RFC3339 = "2006-01-02T15:04:05Z07:00"
_NAMED = {
    "ansic": "Mon Jan _2 15:04:05 2006",
    "unixdate": "Mon Jan _2 15:04:05 MST 2006",
    "rubydate": "Mon Jan 02 15:04:05 -0700 2006",
    "rfc822": "02 Jan 06 15:04 MST",
    "rfc822z": "02 Jan 06 15:04 -0700",
    "rfc850": "Monday, 02-Jan-06 15:04:05 MST",
    "rfc1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "rfc1123z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "rfc3339": RFC3339,
    "rfc3339nano": "2006-01-02T15:04:05.999999999Z07:00",
}
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Longer ones first, because the shorter may be a part of them.
_PARTS: dict[str, Callable[[datetime], str]] = {
    "January": lambda at: _MONTHS[at.month - 1],
    "Monday": lambda at: _DAYS[at.weekday()],
    "-07:00": lambda _: "+00:00",
    "Z07:00": lambda _: "Z",
    "-0700": lambda _: "+0000",
    "Z0700": lambda _: "Z",
    "2006": lambda at: f"{at.year:04d}",
    "Jan": lambda at: _MONTHS[at.month - 1][:3],
    "Mon": lambda at: _DAYS[at.weekday()][:3],
    "MST": lambda _: "UTC",
    "002": lambda at: f"{at.timetuple().tm_yday:03d}",
    "01": lambda at: f"{at.month:02d}",
    "02": lambda at: f"{at.day:02d}",
    "03": lambda at: f"{at.hour % 12 or 12:02d}",
    "04": lambda at: f"{at.minute:02d}",
    "05": lambda at: f"{at.second:02d}",
    "06": lambda at: f"{at.year % 100:02d}",
    "15": lambda at: f"{at.hour:02d}",
    "_2": lambda at: f"{at.day:2d}",
    "PM": lambda at: "AM" if at.hour < 12 else "PM",
    "pm": lambda at: "am" if at.hour < 12 else "pm",
    "1": lambda at: str(at.month),
    "2": lambda at: str(at.day),
    "3": lambda at: str(at.hour % 12 or 12),
    "4": lambda at: str(at.minute),
    "5": lambda at: str(at.second),
}
_TOKEN = re.compile(r"[.,](?:0+|9+)(?!\d)|" + "|".join(re.escape(part) for part in _PARTS))


def format_time(unix_ns: int, layout: str) -> str:
    """Return the moment in UTC in this layout, or the layout of this name."""
    seconds, fraction = divmod(unix_ns, 10**9)
    at = datetime.fromtimestamp(seconds, UTC)

    def put(found: re.Match[str]) -> str:
        token = found[0]
        if token[0] not in ".,":
            return _PARTS[token](at)
        digits = f"{fraction:09d}"[: len(token) - 1]
        if token[1] == "0":
            return token[0] + digits
        digits = digits.rstrip("0")
        return token[0] + digits if digits else ""

    return _TOKEN.sub(put, _NAMED.get(layout.lower(), layout))
