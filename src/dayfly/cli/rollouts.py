"""A rollout in words: where it stands, what its canary gets, how the last one ended."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dayfly.model.rollout import Canary, Outcome, RolloutStatus
    from dayfly.model.status import FunctionStatus


def rollout_text(rollout: "RolloutStatus") -> str:
    """Return what is going on."""
    text = f"revision {rollout.revision} is to take over from {rollout.serving}: {rollout.state}"
    return text if rollout.canary is None else f"{text}, {canary_text(rollout.canary, rollout.ends_unix_ms)}"


def canary_text(canary: "Canary", ends_unix_ms: int) -> str:
    """Return what the canary gets and until when; `ends_unix_ms` is 0 while its window has not begun."""
    part = f"{canary.weight}% of the calls"
    if not canary.promote:
        return f"{part} until `dayfly promote` or `dayfly rollback`"
    return f"{part} until {time_text(ends_unix_ms)}" if ends_unix_ms else f"{part} for {canary.window}"


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
