"""The lines that a runtime pod prints, one JSON object each, for `kubectl logs` and for the control plane.

The first says who the agent is; the others are the function's output and the platform's word about it, numbered, so
that whoever reads again knows what it has read; the last one says how the replica ended.
"""

import os

import msgspec

from dayfly.model.log import LogLine
from dayfly.model.replica import ExitReason, ReplicaExited


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="kind"):
    """The agent waits for a claim; `key` is its public key for as long as it lives."""

    key: str
    tier: str
    """What of the sandbox this pod has; see docs/sandbox.md."""


class Printed(msgspec.Struct, frozen=True, tag="line", tag_field="kind"):
    """A line of the function's log."""

    number: int
    unix_ns: int
    stream: str
    text: str
    call_id: str = ""


class Ended(msgspec.Struct, frozen=True, tag="end", tag_field="kind"):
    """The replica has ended; nothing comes after it."""

    reason: ExitReason
    detail: str
    read: int = 0
    """Up to which line a control plane had read by then."""


Line = Hello | Printed | Ended

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
_KEEP = 3500
"""Bytes of a detail that go into a termination message, of which Kubernetes keeps 4096."""


def parse(text: bytes) -> Line | None:
    """Return what a line of a pod's log says; None for one that no agent wrote, such as an interpreter's last words."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError:
        return None


class Printer:
    """Writes lines to a descriptor, waiting while it is full: who prints is held up there by the rate of its log."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._count = 0

    def hello(self, key: str, tier: str) -> None:
        """Say who we are."""
        self._write(Hello(key, tier))

    def line(self, line: LogLine) -> None:
        """Print a line of the function's log."""
        self._count += 1
        self._write(Printed(self._count, line.unix_ns, line.stream, line.text, line.call_id))

    def end(self, event: ReplicaExited, read: int) -> None:
        """Say how the replica ended, and up to where its log was read."""
        self._write(Ended(event.reason, event.detail, read))

    def _write(self, line: Line) -> None:
        left = memoryview(_encode(line) + b"\n")
        while left:
            left = left[os.write(self._fd, left) :]


def last_word(event: ReplicaExited) -> bytes:
    """Return what a pod leaves as its termination message."""
    detail = event.detail.encode()
    while len(_encode(Ended(event.reason, detail.decode(errors="ignore")))) > _KEEP:
        detail = detail[: len(detail) * 3 // 4]
    return _encode(Ended(event.reason, detail.decode(errors="ignore")))


def read_last_word(text: str) -> Ended | None:
    """Return what a termination message says; None for one that no agent wrote."""
    found = parse(text.encode())
    return found if isinstance(found, Ended) else None
