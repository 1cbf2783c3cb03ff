"""The sandbox of one installation: found at each start, compared with what was required before.

`DATA/sandbox.json` holds the tier of the first start. When a later start finds less (a kernel was exchanged, a
container was made with other rights), the platform comes up and its functions stay stopped until somebody has accepted
the lower tier with `dayfly doctor --accept-tier`. Without any layer the platform does not start unless it is told to.
"""

from pathlib import Path

import msgspec

from dayfly.model.errors import ConfigError
from dayfly.model.sandbox import TIERS, Sandbox, Tier, is_enough
from dayfly.runtimes.jail.layers import Layers
from dayfly.server.traces import write_private

_FILE = "sandbox.json"


class _Record(msgspec.Struct, frozen=True):
    require_tier: Tier


def settle(data_dir: Path, layers: Layers, *, allow_unsandboxed: bool) -> Sandbox:
    """Return what this start has and needs, and record it when it is the first. Raises ConfigError for tier C."""
    found = Sandbox(tier=layers.tier, required=required(data_dir) or layers.tier, missing=tuple(layers.missing()))
    if found.tier == "C" and not allow_unsandboxed:
        raise ConfigError(
            "this machine gives functions no sandbox (tier C): they could read what this account may read\n"
            + "\n".join(found.missing),
            hint="`dayfly doctor` tells what is missing; --allow-unsandboxed starts all the same",
        )
    if required(data_dir) is None:
        accept(data_dir, found.tier)
    return found


def required(data_dir: Path) -> Tier | None:
    """Return the tier that is required, None before the first start. Raises ConfigError when the file is damaged."""
    try:
        return msgspec.json.decode((data_dir / _FILE).read_bytes(), type=_Record).require_tier
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(
            f"{data_dir / _FILE} cannot be read: {error}", hint="`dayfly doctor --accept-tier TIER` writes it anew"
        ) from error


def accept(data_dir: Path, tier: Tier) -> None:
    """Require no more than `tier` from now on. Raises OSError."""
    write_private(data_dir / _FILE, msgspec.json.encode(_Record(tier)) + b"\n", lasting=True)


def why_stopped(data_dir: Path, found: Tier) -> str:
    """Return why functions must stay stopped now; nothing when they may run."""
    wanted = required(data_dir) or found
    if is_enough(found, wanted):
        return ""
    return (
        f"the sandbox of this machine is tier {found}, and was {wanted} before: {TIERS[found]}; see `dayfly doctor`,"
        f" and accept it with `dayfly doctor --accept-tier {found}`, or give the machine back what it lost"
    )
