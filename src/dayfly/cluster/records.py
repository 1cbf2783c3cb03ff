"""What our kinds hold beside the specifications of the HTTP API.

A Function's `spec` is a person's wish, in the fields of `FunctionSpec`; what is true of the function is in its status
and in the Revisions that the status names. So one write of the status, and nothing else, makes a change true.
"""

from typing import Literal

import msgspec

from dayfly.model.allowance import Measure, Period
from dayfly.model.budget import State
from dayfly.model.rollout import Canary, Outcome

MAX_SOURCE_BYTES = 900_000
"""All files of an inline source: an object of etcd has at most 1.5 MB, and kubectl keeps a copy in an annotation."""


class Archive(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Code as a tar file, gzipped or not, or a zip file: from elsewhere, fetched once, or in the object itself."""

    url: str = ""
    """`https://…`; by `http://…` others may read it on the way, and the checksum tells if they changed it."""
    data: str = ""
    """The file itself, in base64."""
    sha256: str
    """What the file's content must be: 64 hex digits."""


class FunctionWish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a Function's spec has beside a deployment's fields."""

    source: dict[str, str] = {}
    """The code itself: texts by their paths in the bundle."""
    archive: Archive | None = None
    replicas: int | None = None
    """Replicas set by hand, as `kubectl scale` does; absent leaves the number to the scaler."""
    canary: Canary | None = None
    """How a change of the spec is tried out; absent to take over as soon as it is ready."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One thing that is true of an object, or is not, as all of Kubernetes' tools read it."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    """One word in CamelCase."""
    message: str = ""
    observed_generation: int = 0
    last_transition_time: str = ""
    """When `status` changed last, as RFC 3339 has it."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The candidate of a rollout."""

    revision: int
    canary: Canary | None = None


class FunctionStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What is true of a function (the first part), and what is known of it (the second)."""

    revision: int = 0
    """The one that serves; 0 while the spec was never deployed."""
    candidate: Trial | None = None
    outcome: Outcome | None = None
    wanted_replicas: int | None = None
    created_unix_ms: int = 0
    revisions: dict[str, str] = {}
    """The revisions kept: the Revision objects' names by their numbers."""
    served: tuple[int, ...] = ()
    observed_generation: int = 0
    """The generation of the spec that was last looked at."""
    observed_spec: str = ""
    """A digest of the spec that was last deployed, without its replicas."""

    replicas: int = 0
    ready_replicas: int = 0
    selector: str = ""
    """Finds the replicas' pods, for the scale subresource."""
    code: str = ""
    """The image, or what the author calls the language."""
    url: str = ""
    conditions: tuple[Condition, ...] = ()


class RevisionRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a Revision's spec has beside the deployment."""

    number: int
    created_unix_ms: int


class RevisionStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a revision."""

    image: str = ""
    """What its image was found to be: `NAME@sha256:…`."""


class Standing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The status of every kind that is nothing but a specification."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class AllowanceRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """How far one allowance of a Budget was used."""

    measure: Measure
    period: Period
    amount: float
    used: float
    left: float
    percent: int
    """Of it that is used, rounded down."""
    state: State
    renews: str
    """When the period ends and the count begins anew, as RFC 3339 has it."""


class BudgetRecord(Standing, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """The status of a Budget: each allowance, and the one that is, or will be, used up first, for one line."""

    allowances: tuple[AllowanceRecord, ...] = ()
    tightest: str = ""
    """As `calls=10000/day`."""
    used: str = ""
    left: str = ""
    percent: int | None = None
    state: str = ""
    renews: str = ""
    looked_at: str = ""
    """When this was true, as RFC 3339 has it."""
