"""Log lines: what a function printed, and who printed it."""

import msgspec

from dayfly.model.names import FunctionKey, ReplicaId

MAX_LINE_BYTES = 16_384
"""Longer lines are cut into pieces of this size."""


class LogLine(msgspec.Struct, frozen=True):
    """One line of a function's output, or of the platform about the function (`stream` is then `platform`)."""

    unix_ns: int
    key: FunctionKey
    replica: ReplicaId
    stream: str
    """`stdout`, `stderr` or `platform`."""
    call_id: str
    """The call it belongs to, or empty."""
    text: str
