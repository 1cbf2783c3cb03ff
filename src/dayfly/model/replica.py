"""Replicas: one running copy of a revision, and what its provider is told and tells."""

import enum
from typing import Literal

import msgspec

from dayfly.model.debug import Debug
from dayfly.model.egress import PUBLIC, Network
from dayfly.model.function import DEFAULT_LOG_RATE_BYTES, Concurrency, Dialect
from dayfly.model.names import FunctionKey, ReplicaId
from dayfly.model.runtime import Runtime

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
    interpreter: str = ""
    """The program that runs the code, where the runtime needs one that is installed on the machine."""
    image: str = ""
    """What the function's image means for this revision, whatever becomes of its tag."""


class Ceilings(msgspec.Struct, frozen=True):
    """What each replica may have at most, whatever its function asks for: the operator's settings."""

    processes: int = 512
    """Processes and threads: eight times the threads that calls are run on, and few enough for a fork bomb to be over
    in a second."""
    open_files: int = 4096
    tmp_bytes: int = 256 * 1024 * 1024
    """The size of /tmp, which is in memory; half of the memory limit when that is less."""


class StartOrder(msgspec.Struct, frozen=True, kw_only=True):
    """All that a provider needs to start one replica. Paths are absolute and were made by us."""

    replica: ReplicaId
    key: FunctionKey
    revision: int
    lang: str
    runtime: Runtime = "python"
    dialect: Dialect
    handler: str
    process: str = ""
    """The program of the runtimes `exec` and `http`, split at single spaces."""
    image: str = ""
    """The image that the runtime `image` makes a container of, by a name that will not mean another one later."""
    as_root: bool = False
    """Whether the image may be root in its container."""
    health_path: str = ""
    """Where the image says whether it serves; empty for what watchdogs have."""
    code_dir: str
    layer_dirs: tuple[str, ...] = ()
    """Folders of installed dependencies, searched after the code."""
    interpreter: str = ""
    """The program that runs the code, where the runtime needs one that is installed on the machine."""
    env: dict[str, str] = {}
    secrets: dict[str, bytes] = {}
    """Names and contents of what the function finds as files. Nothing that prints an order shows the contents."""
    secret_versions: dict[str, int] = {}
    """Which contents these are; they tell orders apart where contents must not."""
    timeout_s: float
    max_inflight: int = 0
    concurrency: Concurrency = "auto"
    memory_bytes: int = 0
    cpu_millicores: int = 0
    memory_request_bytes: int = 0
    """What is set aside for it where replicas are placed on machines, as its processor share below; 0 for not said."""
    cpu_request_millicores: int = 0
    constraints: tuple[str, ...] = ()
    """What the machine that it runs on must be labelled with, where there are several."""
    read_only: bool = False
    """Whether an image's own files may not be changed."""
    log_rate_bytes: int = DEFAULT_LOG_RATE_BYTES
    """What it may log in a second."""
    network: Network = "proxy"
    allow: tuple[str, ...] = (PUBLIC,)
    """Where the egress proxy lets it connect to; see model/egress.py."""
    debug: Debug | None = None
    """How much it tells its author, while that is writing it."""
    ceilings: Ceilings = Ceilings()
    apart: bool = False
    """Whether it is for calls of the platform only, and none of those that serve the function; see model/apart.py."""

    def without_contents(self) -> "StartOrder":
        """Return the order as it may be kept and compared: without what is in its secrets."""
        return msgspec.structs.replace(self, secrets={}) if self.secrets else self

    def __repr__(self) -> str:
        """Say all but what is in the secrets."""
        shown = [f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "secrets"]
        return f"StartOrder({', '.join(shown)}, secrets={sorted(self.secrets)!r})"


class ReplicaReady(msgspec.Struct, frozen=True, tag=True):
    """The replica listens at `address` (`unix:PATH`, `HOST:PORT` or `handed:PATH`) and its handler was imported."""

    replica: ReplicaId
    address: str
    started_in_s: float


class ReplicaExited(msgspec.Struct, frozen=True, tag=True):
    """The replica is gone for good, for whatever reason, or never came to be.

    `reason` is a stable word, `detail` a sentence or a traceback for a person. Of a replica that served, whoever called
    it reads the detail too: it is one line then, of ours, and nothing that the function printed.
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
    """Whether it must be replaced, whatever its revision, since what runs it is, or what it was given has changed."""


class ReplicaStats(msgspec.Struct, frozen=True):
    """What a replica uses now."""

    cpu_s: float
    """Processor time since its start, in seconds."""
    memory_bytes: int
    """Resident memory."""
