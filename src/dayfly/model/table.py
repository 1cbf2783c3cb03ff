"""What gateways and the control plane say to each other.

The control plane owns the routing table. A gateway that connects says `Hello`, gets a `Snapshot` and from then on
`Delta`s in order; it keeps serving from its last table while the connection is away. It answers with `Demand` the
moment a call waits for a replica, with a `Load` report at intervals and whenever `Report` asks for one.

Messages are MessagePack, each preceded by its length as four bytes, big endian. Counters in a report are totals since
the gateway process started (`boot` tells one life from the next), so that a lost or repeated report costs nothing.
"""

import msgspec

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram: Prometheus' default buckets, as OpenFaaS's gateway uses them."""

CANARY_BUCKETS_S = tuple(0.0001 * 1.2**step for step in range(76))
"""Upper bounds for comparing two revisions: from 0.1 ms to 87 s, each a fifth above the last."""


class Endpoint(msgspec.Struct, frozen=True, array_like=True):
    """A ready replica to send calls to."""

    replica: str
    address: str
    """`unix:PATH` or `HOST:PORT`."""
    revision: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a gateway knows of one function."""

    name: str
    namespace: str
    timeout_s: float = 60.0
    max_inflight: int = 0
    """Calls a replica works on at a time; 0 means no limit."""
    queue_limit: int = 1000
    """Calls a gateway lets wait for a free or a starting replica."""
    hold_s: float = 30.0
    """How long a call may wait for a replica."""
    endpoints: tuple[Endpoint, ...] = ()
    failing: str = ""
    """Why no replica can be started; waiting calls are answered with it instead of being held."""
    canary: int = 0
    """The revision among the endpoints that gets a part of the calls only; 0 when all endpoints are equal."""
    canary_percent: int = 0
    """That part. The other endpoints get the rest."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Gateway to control plane, first message."""

    gateway: str
    boot: str


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: the whole table."""

    version: int
    entries: tuple[Entry, ...]
    default_namespace: str


class Delta(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: the functions that changed and those that are gone (`name.namespace`)."""

    version: int
    changed: tuple[Entry, ...] = ()
    removed: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: send a `Load` with this `id` now."""

    id: int


class Demand(msgspec.Struct, frozen=True, tag=True):
    """Gateway to control plane: calls for this function (`name.namespace`) wait and no replica is ready."""

    function: str
    waiting: int


class RevisionLoad(msgspec.Struct, frozen=True, array_like=True):
    """One revision's calls in one gateway: totals since the canary under way began there."""

    revision: int
    calls: int
    failed: int
    """Those answered with 5xx."""
    buckets: tuple[int, ...]
    """Calls by latency: the counts by CANARY_BUCKETS_S plus one for the rest."""


class FunctionLoad(msgspec.Struct, frozen=True, array_like=True):
    """One function's figures in one gateway."""

    function: str
    """`name.namespace`."""
    inflight: int
    waiting: int
    started: int
    """Calls begun, a total."""
    codes: dict[int, tuple[int, float, tuple[int, ...]]]
    """By status: calls finished, their seconds in sum, and the counts by LATENCY_BUCKETS_S plus one for the rest."""
    cold: int = 0
    """Calls that waited for a replica to start, a total."""
    revisions: tuple[RevisionLoad, ...] = ()
    """By revision while a canary runs, else empty. Another canary begins at zero."""


class Load(msgspec.Struct, frozen=True, tag=True):
    """Gateway to control plane: functions whose figures changed since the last report; all of them when `id` is set."""

    functions: tuple[FunctionLoad, ...]
    id: int = 0


ToGateway = Snapshot | Delta | Report
ToControl = Hello | Demand | Load
