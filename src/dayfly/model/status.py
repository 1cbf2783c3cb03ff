"""What is true of a function now, as the API tells it."""

from typing import Literal

import msgspec

from dayfly.model.access import Principal
from dayfly.model.budget import BudgetStatus
from dayfly.model.engine import EngineState
from dayfly.model.function import FunctionSpec
from dayfly.model.rollout import Canary, Fault, Outcome, RolloutStatus
from dayfly.model.sandbox import Sandbox, Tier

FunctionState = Literal["building", "starting", "ready", "idle", "failing"]
"""building: dependencies are being installed. starting: no replica ready yet. ready: at least one is. idle: scaled to
zero, the next call starts a replica. failing: it cannot be built or started; `reason` says why."""


class ReplicaStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of a function."""

    id: str
    phase: str
    revision: int
    started_unix_ms: int
    cpu_s: float = 0.0
    memory_bytes: int = 0


class FunctionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A function: what was asked for and what is."""

    spec: FunctionSpec
    """The newest that was asked for and still stands, also while its rollout is under way."""
    revision: int
    """Its number."""
    state: FunctionState
    reason: str = ""
    fault: Fault = ""
    """The kind of failure that `reason` tells of."""
    desired_replicas: int
    ready_replicas: int
    invocations: int = 0
    """Calls finished since the function was first deployed."""
    created_unix_ms: int
    updated_unix_ms: int
    """When the current revision was deployed."""
    url: str
    """Where to call it, as far as the control plane knows its public address."""
    exits: dict[str, int] = {}
    """How often a replica ended that nobody had stopped, by reason, since the control plane started."""
    sandbox_tier: Tier | Literal[""] = ""
    """How well it is held in its box; empty where that is not ours to tell."""
    pinned_image: str = ""
    """What the image of an image function means for this revision, once that was found out."""
    cpu_s: float = 0.0
    """Processor time, in seconds, that its replicas used since the control plane started, also those that are gone."""
    memory_bytes: int = 0
    """Resident memory of its replicas; a page that several share counts in each."""
    replicas: tuple[ReplicaStatus, ...] = ()
    rollout: RolloutStatus | None = None
    """How the revision is taking over; None once it serves."""
    outcome: Outcome | None = None
    """How the last rollout ended."""
    budgets: tuple[BudgetStatus, ...] = ()
    """What it may use in a day or a month, and has."""


class PlatformInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The installation itself."""

    version: str
    provider: str
    architecture: str
    default_namespace: str
    """The one that is meant where none is named: the caller's own, if the credential is for one."""
    gateway_url: str
    console_url: str
    metrics_url: str
    functions: int
    """Those the caller may see."""
    gateways: int
    """Gateway processes connected now."""
    sandbox: Sandbox | None = None
    """How well functions are held in their box; null where that is not ours to tell."""
    engine: EngineState = EngineState()
    """Whether image functions can run."""
    caller: Principal | None = None
    """Who asked, and what the credential is good for."""


class ScaleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many replicas are wanted by hand; null gives the number back to the scaler."""

    replicas: int | None


class RevisionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One revision in a function's history."""

    number: int
    created_unix_ms: int
    spec: FunctionSpec
    role: Literal["serving", "candidate", "kept"]
    """kept: can be rolled back to."""


class RollbackRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which revision is to serve again; null for the one that served before, or ends a rollout under way."""

    revision: int | None = None
    canary: Canary | None = None


class BundleReceipt(msgspec.Struct, frozen=True):
    """An uploaded code bundle."""

    digest: str
    size_bytes: int


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error as RFC 9457 (application/problem+json) tells it, with our members beside the standard ones."""

    type: str
    title: str
    status: int
    detail: str
    instance: str = ""
    code: str
    retryable: bool = False
    hint: str = ""
    call_id: str = ""
