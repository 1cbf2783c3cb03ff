"""Replicas: one running copy of a revision, and what its provider is told and tells."""

import enum
from typing import Literal

import msgspec

from dayfly.model.egress import PUBLIC, Network
from dayfly.model.function import Concurrency, Dialect
from dayfly.model.names import FunctionKey, ReplicaId

ExitReason = Literal[
    "stopped", "crashed", "killed", "import_failed", "start_failed", "lost", "oom", "pids", "timeout", "stuck"
]


class ReplicaPhase(enum.StrEnum):
    """Where a replica is in its life; the only ways on are down the list."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    STOPPED = "stopped"


class Prepared(msgspec.Struct, frozen=True):
    """A revision's code and dependencies, ready on the disk. Paths are absolute."""

    code_dir: str
    layer_dirs: tuple[str, ...] = ()
    """Folders of installed dependencies, searched after the code."""


class StartOrder(msgspec.Struct, frozen=True, kw_only=True):
    """All that a provider needs to start one replica. Paths are absolute and were made by us."""

    replica: ReplicaId
    key: FunctionKey
    revision: int
    lang: str
    dialect: Dialect
    handler: str
    code_dir: str
    layer_dirs: tuple[str, ...] = ()
    """Folders of installed dependencies, searched after the code."""
    env: dict[str, str] = {}
    timeout_s: float
    max_inflight: int = 0
    concurrency: Concurrency = "auto"
    memory_bytes: int = 0
    cpu_millicores: int = 0
    network: Network = "proxy"
    allow: tuple[str, ...] = (PUBLIC,)
    """Where the egress proxy lets it connect to; see model/egress.py."""


class ReplicaReady(msgspec.Struct, frozen=True, tag=True):
    """The replica listens at `address` (`unix:PATH` or `HOST:PORT`) and its handler was imported."""

    replica: ReplicaId
    address: str
    started_in_s: float


class ReplicaExited(msgspec.Struct, frozen=True, tag=True):
    """The replica is gone for good, for whatever reason, or never came to be.

    `reason` is a stable word, `detail` a sentence or a traceback for a person.
    """

    replica: ReplicaId
    reason: ExitReason
    detail: str = ""


ReplicaEvent = ReplicaReady | ReplicaExited


class RecoveredReplica(msgspec.Struct, frozen=True):
    """A replica found still alive by a provider after the control plane was away."""

    order: StartOrder
    address: str
    """Empty while the replica is not ready yet."""
    stale: bool = False
    """Whether what runs it is being replaced, so that it must be replaced too, whatever its revision."""


class ReplicaStats(msgspec.Struct, frozen=True):
    """What a replica uses now."""

    cpu_s: float
    """Processor time since its start, in seconds."""
    memory_bytes: int
    """Resident memory."""
