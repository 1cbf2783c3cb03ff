"""Rollouts: how one revision takes over from another, and what became of it.

A deployment of a function that serves already is a *candidate*: its replicas start beside those of the revision that
serves, and it takes over once they are ready. With a `Canary` it first gets a part of the calls only, and is promoted
or returned by what becomes of them. A candidate that never gets ready never gets a call.
"""

from typing import Literal

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

MAX_WINDOW_S = 7 * 86_400.0

Verdict = Literal["promoted", "returned", "replaced"]
"""promoted: it serves. returned: the revision before it goes on. replaced: another deployment came first."""

Fault = Literal[
    "",
    "stopped",
    "crashed",
    "killed",
    "oom",
    "pids",
    "timeout",
    "stuck",
    "import_failed",
    "start_failed",
    "lost",
    "prepare_failed",
    "too_slow",
]
"""What kind of failure keeps a revision from running: how its last replica ended, that its code or dependencies could
not be prepared, or that it was not ready in time. Empty while there is none."""


class Canary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A trial with a part of the calls. Call `check()` on one that came from outside."""

    weight: int
    """Percent of the calls that the candidate gets, 1 to 99."""
    window: str = "5m"
    """How long it is watched before it is promoted, as a duration."""
    errors: float = 1.0
    """It is returned when its calls fail (5xx) this many percentage points more often than those of the other."""
    p95: float = 1.5
    """It is returned when its 95th percentile of latency is more than this many times the other's; 0 for any."""
    calls: int = 50
    """Calls each of both must have had before they are compared."""
    promote: bool = True
    """Whether it is promoted by itself at the end of the window; otherwise it stays until somebody decides."""

    @property
    def window_s(self) -> float:
        """How long it is watched, in seconds."""
        return parse_duration(self.window)

    def check(self) -> None:
        """Refuse what cannot work. Raises InvalidSpec with the field's name in the text."""
        if not 1 <= self.weight <= 99:
            raise InvalidSpec(f"canary: {self.weight} must be between 1 and 99 percent")
        if not 0 < self.window_s <= MAX_WINDOW_S:
            raise InvalidSpec(f"canary window: {self.window!r} must be more than 0s and at most 7d (168h)")
        if not 0 <= self.errors <= 100:
            raise InvalidSpec(f"canary errors: {self.errors:g} must be between 0 and 100 percentage points")
        if not (self.p95 == 0 or 1 <= self.p95 <= 1000):
            raise InvalidSpec(f"canary p95: {self.p95:g} must be 0 (off) or between 1 and 1000 times the other's")
        if not 1 <= self.calls <= 1_000_000:
            raise InvalidSpec(f"canary calls: {self.calls} must be between 1 and 1000000")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a function's last rollout ended."""

    revision: int
    """The candidate."""
    verdict: Verdict
    reason: str
    """One sentence with the figures that decided."""
    ended_unix_ms: int


class Side(msgspec.Struct, frozen=True):
    """What one revision's calls came to during a canary."""

    revision: int
    calls: int = 0
    failed: int = 0
    """Calls answered with 5xx."""
    p95_s: float | None = None
    """None while there was no call."""


class RolloutStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A rollout under way."""

    revision: int
    """The candidate."""
    serving: int
    """The revision that goes on meanwhile."""
    state: Literal["building", "starting", "shifting", "canary", "failing"]
    """shifting: replicas of both serve. canary: it gets its part of the calls. failing: `reason` says why."""
    reason: str = ""
    fault: Fault = ""
    """The kind of failure that `reason` tells of."""
    canary: Canary | None = None
    ends_unix_ms: int = 0
    """When a canary's window ends; 0 while it has not begun."""
    sides: tuple[Side, ...] = ()
    """The candidate's figures and those of the revision that serves, while a canary runs."""
