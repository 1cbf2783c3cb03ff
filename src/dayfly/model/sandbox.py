"""How well functions are held in their box on this machine: a tier, and what is missing from the best of them."""

from typing import Literal

import msgspec

Tier = Literal["A+", "A", "B", "B-", "C"]
TIERS: dict[Tier, str] = {
    "A+": "functions run as users of their own, in jails with hard limits",
    "A": "functions run in jails; what they hold is watched, or limited where cgroups were delegated",
    "B": "no jails: Landlock and seccomp keep functions from this machine's files and sockets",
    "B-": "functions run in jails, without Landlock or seccomp behind them",
    "C": "nothing keeps functions from what the platform's account may read",
}
_AT_LEAST: dict[Tier, tuple[Tier, ...]] = {
    "A+": ("A+",),
    "A": ("A+", "A"),
    "B": ("A+", "A", "B"),
    "B-": ("A+", "A", "B-"),
    "C": ("A+", "A", "B", "B-", "C"),
}


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """What was found at the platform's start, and what was found when it was first started or last accepted."""

    tier: Tier
    required: Tier
    missing: tuple[str, ...] = ()
    """What this machine does not give, what that means and how to get it."""

    @property
    def is_enough(self) -> bool:
        """Whether functions may run: nothing was lost of what was required."""
        return is_enough(self.tier, self.required)


def is_enough(found: Tier, required: Tier) -> bool:
    """Whether `found` has every layer that `required` has; B and B- lack different ones."""
    return found in _AT_LEAST[required]
