"""A rollout in words: where it stands, what its canary came to, how the last one ended."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dayfly.model.rollout import Outcome, RolloutStatus, Side
    from dayfly.model.status import FunctionStatus


def rollout_text(rollout: "RolloutStatus") -> str:
    """Return what is going on, and below it each side's figures while a canary runs."""
    text = f"revision {rollout.revision} is to take over from {rollout.serving}: {rollout.state}"
    if rollout.canary is not None:
        text += f", {canary_text(rollout)}"
    lines = [text, *([rollout.reason] if rollout.reason else []), *map(_side, rollout.sides)]
    return "\n".join(lines)


def canary_text(rollout: "RolloutStatus") -> str:
    """Return what the canary gets and until when; nothing for a rollout without one."""
    canary = rollout.canary
    if canary is None:
        return ""
    part = f"{canary.weight}% of the calls"
    if not canary.promote:
        return f"{part} until `dayfly promote` or `dayfly rollback`"
    return f"{part} until {time_text(rollout.ends_unix_ms)}" if rollout.ends_unix_ms else f"{part} for {canary.window}"


def outcome_text(outcome: "Outcome") -> str:
    """Return how a rollout ended."""
    ended = f"revision {outcome.revision} was {outcome.verdict} {time_text(outcome.ended_unix_ms)}"
    return f"{ended}: {outcome.reason}" if outcome.reason else ended


def serving_text(status: "FunctionStatus") -> str:
    """Return which revision serves now, or how the newest is taking over."""
    if status.rollout is not None:
        return f"{status.spec.name}: {rollout_text(status.rollout)}."
    who = f"Revision {status.revision} of {status.spec.name}"
    return f"{who} serves." if status.state in ("ready", "idle") else f"{who} is {status.state}."


def shifted_text(status: "FunctionStatus") -> str:
    """Return how many replicas of the newest revision serve, of those wanted."""
    ready = sum(one.revision == status.revision and one.phase == "ready" for one in status.replicas)
    return f"{ready}/{max(ready, status.desired_replicas)} replicas"


def time_text(unix_ms: int) -> str:
    """Return a time as RFC 3339 writes it."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _side(side: "Side") -> str:
    text = f"revision {side.revision}: {side.calls} calls"
    if not side.calls:
        return text
    text += f", {side.failed} failed ({100 * side.failed / side.calls:.3g}%)"
    return text if side.p95_s is None else f"{text}, p95 {side.p95_s * 1000:.3g} ms"
