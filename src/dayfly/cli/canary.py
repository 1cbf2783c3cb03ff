"""The options of a canary, for every command that can begin one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from dayfly.model.errors import InvalidRequest

if TYPE_CHECKING:
    from dayfly.model.rollout import Canary

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--canary", type=int, metavar="PERCENT", help="Give it this part of the calls first, 1 to 99."),
    click.option("--canary-window", metavar="SPAN", help="How long it is watched.  [default: 5m]"),
    click.option(
        "--canary-errors",
        type=float,
        metavar="POINTS",
        help="Return it when its calls fail this many percentage points more often.  [default: 1]",
    ),
    click.option(
        "--canary-p95",
        type=float,
        metavar="TIMES",
        help="Return it when its 95th percentile is more than this many times the other's; 0: never.  [default: 1.5]",
    ),
    click.option(
        "--canary-calls", type=int, metavar="N", help="Calls both must have had to be compared.  [default: 50]"
    ),
    click.option("--canary-no-promote", is_flag=True, help="Leave it on trial until `dayfly promote`."),
)


class CanaryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options' values."""

    canary: int | None
    canary_window: str | None
    canary_errors: float | None
    canary_p95: float | None
    canary_calls: int | None
    canary_no_promote: bool

    def policy(self) -> "Canary | None":
        """Return the trial, None without one. Raises InvalidRequest."""
        from dayfly.model.rollout import Canary

        # A zero that was given is not the same as nothing: it has to be judged.
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        if not self.canary_no_promote:
            del given["canary_no_promote"]
        weight = given.pop("canary", None)
        if weight is not None:
            promote = not given.pop("canary_no_promote", False)
            fields = {name.removeprefix("canary_"): value for name, value in given.items()}
            policy = Canary(weight=weight, promote=promote, **fields)
            policy.check()
            return policy
        if given:
            option = "--" + min(given).replace("_", "-")
            raise InvalidRequest(f"{option} is about a canary; give --canary PERCENT as well.")
        return None


def canary_options(command: F) -> F:
    """Add the options whose values `CanaryOptions` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
