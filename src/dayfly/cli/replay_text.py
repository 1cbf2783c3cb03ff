"""How the answers of a call and of its replay differ, as text for people."""

import difflib
import hashlib
from typing import TYPE_CHECKING

from dayfly.cli.calls import took
from dayfly.cli.payload_text import body_lines, header_lines

if TYPE_CHECKING:
    from dayfly.model.replay import Replay, ReplaySide

_NOISE = frozenset(
    ("connection", "content-length", "date", "keep-alive", "transfer-encoding", "x-call-id", "x-duration-seconds",
     "x-start-time")
)  # fmt: skip
"""Headers that differ from call to call, or say nothing that the body does not."""


def differs(replay: "Replay") -> bool:
    """Whether the answers differ in status, headers or body; time is none of it."""
    old, new = replay.old, replay.new
    return old.status != new.status or _headers(old) != _headers(new) or _bodies(replay)[0] != _bodies(replay)[1]


def replay_text(replay: "Replay") -> str:
    """Return how they differ, as far as they do."""
    old, new = replay.old, replay.new
    lines = [
        f"{replay.method} {replay.target} of {replay.function}",
        f"Call:     {old.call_id}, now {new.call_id}",
        f"Revision: {_change(old.revision, new.revision)}",
        f"Status:   {_change(old.status, new.status)}",
        f"Time:     {took(old.milliseconds)} → {took(new.milliseconds)}",
        *_part("Headers", header_lines(_headers(old)), header_lines(_headers(new))),
    ]
    was, now = _bodies(replay)
    if was == now:
        lines.append(f"Body:     the same, {len(now)} bytes")
    else:
        shown, shown_now = _shown(was), _shown(now)
        if shown == shown_now:  # as two writings of the same JSON do
            shown, shown_now = [_digest(was)], [_digest(now)]
        lines += _part("Body", shown, shown_now)
    if old.cut or new.cut:
        lines.append("(only the beginnings of the bodies were compared)")
    return "\n".join(lines)


def _headers(side: "ReplaySide") -> list[tuple[str, str]]:
    return sorted(each for each in side.headers if each[0] not in _NOISE)


def _bodies(replay: "Replay") -> tuple[bytes, bytes]:
    """Return the bodies as far as both are there; that each tells its own call's id is no difference."""
    old, new = replay.old, replay.new
    was = old.body.replace(old.call_id.encode(), new.call_id.encode())
    most = min(len(side.body) for side in (old, new) if side.cut) if old.cut or new.cut else None
    return was[:most], new.body[:most]


def _shown(body: bytes) -> list[str]:
    return body_lines(body)


def _digest(body: bytes) -> str:
    return f"({len(body)} bytes, sha256 {hashlib.sha256(body).hexdigest()})"


def _part(title: str, old: list[str], new: list[str]) -> list[str]:
    if old == new:
        return [f"{title + ':':<9} the same"]
    diff = list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]
    return [f"{title}:", *(f"  {line}" for line in diff)]


def _change(old: int, new: int) -> str:
    return str(old) if old == new else f"{old} → {new}"
