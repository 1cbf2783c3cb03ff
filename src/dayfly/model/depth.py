"""The depth of a call: how many calls of functions, one made by the other, led to it.

A function that calls itself, or another that calls it back, would go on for ever, and each turn costs. So a call says
in `X-Dayfly-Depth` how deep the call is that makes it: gateways tell the function one more, and cut what is too deep.
A call that says nothing was made from outside. Who says too much only has calls cut that are its own.
"""

from collections.abc import Mapping

from dayfly.model.errors import InvalidRequest, InvalidSpec

HEADER = "X-Dayfly-Depth"
ANNOTATION = "com.dayfly.max_depth"
"""A function's own limit; it counts where it is below the operator's."""
ATTRIBUTE = "dayflydepth"
"""The attribute of an event that says how deep the call of a function was that it came of."""
DEFAULT_MAX_DEPTH = 32
"""Deeper than what people build from functions, and over within a second when nobody meant it."""
HIGHEST = 1000


def max_depth_of(annotations: Mapping[str, str]) -> int:
    """Return the deepest call that the function takes; 0 when its author says nothing. Raises InvalidSpec."""
    text = annotations.get(ANNOTATION, "").strip()
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= HIGHEST:
        raise InvalidSpec(f"{ANNOTATION}: {text[:40]!r} must be a whole number from 1 to {HIGHEST}")
    return int(text)


def parse_depth(text: str) -> int:
    """Return what a request says of its depth; 0 when it says nothing. Raises InvalidRequest."""
    if text and not is_depth(text):
        raise InvalidRequest(
            f"The header {HEADER} is not one whole number of up to four digits",
            hint="Pass it on as the function got it, or leave it out where no function makes the call.",
        )
    return int(text or 0)


def is_depth(text: str) -> bool:
    """Whether it can be a depth."""
    return text.isascii() and text.isdigit() and len(text) <= 4


def told_depth(annotations: Mapping[str, str]) -> int:
    """Return the same of a function that is deployed: what cannot be read means that nothing was said."""
    try:
        return max_depth_of(annotations)
    except InvalidSpec:
        return 0
