"""A canary in a query string: `?canary=10&canary_window=5m`, beside a deployment whose body is the function alone."""

import msgspec
from msgspec import UNSET, UnsetType

from dayfly.model.errors import InvalidRequest
from dayfly.model.rollout import Canary

_PREFIX = "canary_"


class CanaryQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trial of the revision that is deployed; what is left out is as `Canary` has it."""

    canary: int | UnsetType = UNSET
    """Percent of the calls that the new revision gets, 1 to 99; left out, it takes over as soon as it is ready."""
    canary_window: str | UnsetType = UNSET
    """How long it is watched before it is promoted, as a duration."""
    canary_errors: float | UnsetType = UNSET
    """It is returned when its calls fail this many percentage points more often than those of the other."""
    canary_p95: float | UnsetType = UNSET
    """It is returned when its 95th percentile of latency is more than this many times the other's; 0 for any."""
    canary_calls: int | UnsetType = UNSET
    """Calls each of both must have had before they are compared."""
    canary_promote: bool | UnsetType = UNSET
    """Whether it is promoted by itself at the end of the window."""

    def policy(self) -> Canary | None:
        """Return the trial, None without one. Raises InvalidRequest."""
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        weight = given.pop("canary", None)
        if weight is not None:
            canary = Canary(weight=weight, **{name.removeprefix(_PREFIX): value for name, value in given.items()})
            canary.check()
            return canary
        if given:
            raise InvalidRequest(f"{min(given)}: there is no canary without canary=PERCENT; give that as well")
        return None
