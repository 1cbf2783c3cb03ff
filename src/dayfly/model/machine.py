"""What a machine has and uses now, and what of the platform runs on it."""

import msgspec


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Processors."""

    cores: int
    seconds: dict[str, float]
    """Time of all of them since the machine started, by what it went into: user, system, idle, iowait, steal, other."""
    load: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Processes that run or want to, on average over one, five and fifteen minutes."""


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Memory, in bytes."""

    total: int
    used: int
    """What is not available to anybody who would want it now."""
    available: int
    swap_total: int = 0
    swap_used: int = 0


class DiskUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The file system of the data folder, in bytes."""

    path: str
    total: int
    used: int
    available: int


class NetworkUsage(msgspec.Struct, frozen=True, kw_only=True):
    """All interfaces but the loopback, in bytes since the machine started."""

    received: int
    sent: int


class MachineUsage(msgspec.Struct, frozen=True, kw_only=True):
    """A machine now."""

    at_unix_ms: int
    boot: str
    """Another for each time that the machine started: counters begin anew."""
    cpu: CpuUsage
    memory: MemoryUsage
    disk: DiskUsage | None
    """None where the folder's file system says nothing."""
    network: NetworkUsage


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A machine that replicas run on."""

    name: str
    ready: bool = True
    cores: float = 0.0
    memory_bytes: int = 0
    pods: int = 0
    """Those of this installation."""
    version: str = ""
    cores_used: float | None = None
    memory_used_bytes: int | None = None
    """What all that runs there uses now; null where the cluster does not say."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the platform or of a function."""

    pid: int
    parent: int
    role: str
    """supervisor, control, gateway, queue, nats, zygote, egress, template, function, or what else it is."""
    name: str
    """As the kernel knows it."""
    function: str = ""
    """`name.namespace`, of a replica's process."""
    revision: int = 0
    replica: str = ""
    cpu_s: float
    memory_bytes: int
    started_unix_ms: int
    log: str = ""
    """Under which name what it says is found, among the logs of the platform's parts; empty where it is not."""


class MachineReplica(msgspec.Struct, frozen=True, kw_only=True):
    """A replica, wherever it runs."""

    id: str
    function: str
    namespace: str
    revision: int
    phase: str
    runtime: str
    image: str = ""
    cpu_s: float
    memory_bytes: int
    started_unix_ms: int
    node: str = ""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container or pod of this installation."""

    id: str
    name: str
    image: str
    state: str
    replica: str = ""
    """Whose it is; empty for one that waits for work, or works beside a replica."""
    node: str = ""
    created_unix_ms: int = 0
    cores_used: float | None = None
    memory_bytes: int | None = None
    """What it uses now; null where nobody says."""


class PartLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a process, container or pod of the platform has written."""

    unix_ns: int
    part: str
    """Who wrote it; in a container's log the process within it, where it says so."""
    level: str = ""
    """debug, info, warning, error or critical; of a line that says nothing of it, its stream or nothing."""
    logger: str = ""
    text: str
    call_id: str = ""
    """The call that it is about."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider knows of where its replicas run."""

    nodes: tuple[Node, ...] = ()
    containers: tuple[Container, ...] = ()
    images: dict[str, int] = {}
    """Sizes in bytes by name, or by digest where there is no name."""
    image_names: dict[str, str] = {}
    """What people call those that are known by their digests too."""
    pids: dict[str, int] = {}
    """The first process of each replica, by the replica's id."""
    notes: tuple[str, ...] = ()
    """What could not be found out, and why."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """An image that functions use, or the engine has for us."""

    name: str
    functions: tuple[str, ...] = ()
    size_bytes: int | None = None


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine, or the cluster, and what runs there."""

    kind: str
    """machine or cluster."""
    usage: MachineUsage
    """Of the machine that the control plane runs on."""
    nodes: tuple[Node, ...]
    processes: tuple[Process, ...] = ()
    replicas: tuple[MachineReplica, ...] = ()
    containers: tuple[Container, ...] = ()
    images: tuple[Image, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be found out, and why."""
