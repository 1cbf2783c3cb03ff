"""Whether a namespace's quota has room for what somebody asks for, judged before it is done.

A function claims what is there whether anybody calls or not: its number of replicas when that is set by hand or never
goes to zero. A function that rests when nobody calls claims nothing, so that a namespace may hold many more of them
than could be awake at once; but one whose replicas could not be started even if it had the namespace for itself is
refused, since it would fail at its first call.
"""

from collections.abc import Mapping

import msgspec

from dayfly.decide.quotas import NAMES, Need, amounts, written
from dayfly.model.function import Function, FunctionSpec
from dayfly.model.names import FunctionKey
from dayfly.model.namespace import Quota


class Claim(msgspec.Struct, frozen=True):
    """What a function takes of a quota by being there."""

    always: int
    """Replicas that are there whether anybody calls or not."""
    awake: int
    """Replicas that are there at least while it is called."""
    need: Need
    """Of each of them."""

    @classmethod
    def of(cls, function: Function) -> "Claim":
        """The claim of a function; of two revisions in a rollout the greater one, part by part."""
        one, other = (_claim(revision.spec, function.replicas) for revision in (function.revision, function.newest))
        need = Need(
            max(one.need.memory_bytes, other.need.memory_bytes),
            max(one.need.cpu_millicores, other.need.cpu_millicores),
        )
        return cls(max(one.always, other.always), max(one.awake, other.awake), need)


class Shortage(msgspec.Struct, frozen=True):
    """Why a quota is too small for what was asked, and what would do."""

    text: str
    """What the namespace may and has, after its name."""
    remedy: str
    """The part of a quota that would be enough; empty when raising it is no remedy."""


def shortage(quota: Quota, claims: Mapping[FunctionKey, Claim], key: FunctionKey, asked: Claim) -> Shortage | None:
    """Return why the function may not claim what it asks for, beside the claims there are; None when it may.

    Where a quota is exceeded already, what takes no more than before is let pass: a correction must be possible.
    """
    before = claims.get(key)
    others = [claim for other, claim in claims.items() if other != key]
    if quota.functions is not None and before is None and len(others) >= quota.functions:
        text = f"has {len(others)} functions and may have {quota.functions}"
        return Shortage(text, f"functions={len(others) + 1}")
    if quota.cpu and not asked.need.cpu_millicores:
        return Shortage("has a quota of cpu, so that a function needs limits.cpu", "")
    for at, (name, most) in enumerate(zip(NAMES, amounts(quota), strict=True)):
        if most is None:
            continue
        taken = sum(claim.always * claim.need.parts[at] for claim in others)
        always, awake = (count * asked.need.parts[at] for count in (asked.always, asked.awake))
        had_always, had_awake = (
            (count * before.need.parts[at] for count in (before.always, before.awake)) if before else (0, 0)
        )
        if awake > most and awake > had_awake:
            text = f"may use {name}={written(name, most)}, and this function alone would take {written(name, awake)}"
            return Shortage(text, f"{name}={written(name, max(awake, taken + always))}")
        if taken + always > most and always > had_always:
            text = (
                f"may use {name}={written(name, most)}; others always take {written(name, taken)} of it,"
                f" and this function would take {written(name, always)}"
            )
            return Shortage(text, f"{name}={written(name, taken + always)}")
    return None


def caps_refusal(quota: Quota, spec: FunctionSpec) -> str:
    """Return which limit of the function is above what its namespace allows any; empty when none is."""
    if quota.body and spec.max_body_bytes > quota.body_bytes:
        return f"max_body: {spec.max_body} is more than the {quota.body} that the namespace's quota allows"
    if quota.log_rate and spec.max_log_rate and spec.max_log_rate_bytes > quota.log_rate_bytes:
        return f"max_log_rate: {spec.max_log_rate} is more than the {quota.log_rate} that the namespace's quota allows"
    return ""


def _claim(spec: FunctionSpec, by_hand: int | None) -> Claim:
    policy = spec.scaling
    awake = max(policy.minimum if by_hand is None else by_hand, 1)
    always = by_hand if by_hand is not None else 0 if policy.to_zero else awake
    return Claim(always, awake, Need.of(spec))
