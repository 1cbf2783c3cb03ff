"""The audit log: who changed what, when, from where, and how that stood before and after.

Every entry carries the hash of the one before it, so that whoever alters, takes out or puts in one breaks the chain
from there on; `decide/audit_chain.py` says how the hash is made.
"""

from typing import Any

import msgspec

from dayfly.model.errors import InvalidSpec
from dayfly.model.quantities import parse_duration

PLATFORM = "platform"
"""Who acted where the platform did by itself what somebody had told it to, such as the end of a canary."""
KUBERNETES = "kubernetes"
"""Who acted where an object of the cluster was changed past Dayfly: the cluster knows whom it let do that."""
GENESIS = "0" * 64
"""The hash before the first entry."""
MAX_AUDIT_PAGE = 1000


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One member of what should be, before and after; null where there was none."""

    path: str
    """Where it is: names of members and numbers of items with dots between."""
    before: Any = None
    after: Any = None


class AuditDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a change, before the log has numbered it."""

    at: int = 0
    """When it was asked for, in milliseconds since 1970; the log says it."""
    who: str
    """The credential: `admin`, `local`, `token ID`, `platform`, `kubernetes`; for a refused one the name it gave."""
    role: str = ""
    """The credential's role; empty for the platform and for whoever was refused."""
    address: str = ""
    """From where; empty for the platform. Of what came by the cluster, which program wrote it, and when."""
    action: str
    """What was done, as `trigger.put`, `function.remove`, `sign-in.failed`."""
    namespace: str = ""
    """Empty for what is about the whole installation."""
    target: str = ""
    """What it was done to, within the namespace."""
    status: int = 0
    """How it was answered, as in HTTP; 0 where nobody knows, as the platform was cut off meanwhile."""
    changes: tuple[Change, ...] = ()
    """What of the desired state differs; values of secrets are never in it."""


class Begun(msgspec.Struct, frozen=True):
    """What was asked for and is not over; None as the number where it was not noted before."""

    number: int | None
    draft: AuditDraft


class AuditEntry(AuditDraft, frozen=True, kw_only=True):
    """An entry of the log."""

    sequence: int
    """Its number, from 1 on without a gap."""
    hash: str
    """SHA-256 in hex over the hash of the entry before and this one's canonical form."""


class AuditHead(msgspec.Struct, frozen=True):
    """An entry's place in the chain: noted elsewhere, it shows later that nothing up to it was altered or cut off."""

    sequence: int
    hash: str


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What checking the chain came to."""

    whole: bool
    entries: int
    """How many entries were checked."""
    anchor: AuditHead
    """Where the chain begins: after this entry, which went by its age, or with it all."""
    head: AuditHead
    """The last entry that holds."""
    broken: int = 0
    """The number of the first entry that does not hold, or that is missing; 0 for none."""
    reason: str = ""
    """What is wrong with it."""


class AuditQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are wanted, the newest first."""

    namespace: str | None = None
    """None for all of them and what is about the installation."""
    since: int = 0
    until: int = 2**63 - 1
    """In milliseconds since 1970, `until` exclusive."""
    who: str = ""
    action: str = ""
    """An action, or the noun of several: `trigger`."""
    before: int = 0
    """Only lower numbers: the last one's, for the next page. 0 for all."""
    after: int = 0
    """Only higher numbers: the newest one's, for what is new since."""
    limit: int = 100


class AuditLimits(msgspec.Struct, frozen=True):
    """How long and how many entries are kept."""

    keep_s: float = 365 * 86_400.0
    entries: int = 1_000_000


def audit_limits(text: str) -> AuditLimits:
    """Return limits written as `keep=8760h,entries=1000000`. Raises InvalidSpec."""
    found = AuditLimits()
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, value = part.partition("=")
        if name == "keep":
            found = AuditLimits(parse_duration(value), found.entries)
        elif name == "entries" and value.isascii() and value.isdigit() and 0 < int(value[:12]) <= 10**9:
            found = AuditLimits(found.keep_s, int(value))
        else:
            raise InvalidSpec(f"{part[:60]!r}: is neither keep=DURATION nor entries=NUMBER, up to 1000000000")
    if found.keep_s < 3600:
        raise InvalidSpec("keep: must be 1h or more")
    return found
