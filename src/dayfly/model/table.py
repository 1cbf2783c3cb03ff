"""What gateways and the control plane say to each other.

The control plane owns the routing table. A gateway that connects says `Hello`, gets a `Snapshot` and from then on
`Delta`s in order; it keeps serving from its last table while the connection is away. It answers with `Demand` the
moment a call waits for a replica, with a `Load` report at intervals and whenever `Report` asks for one.

Messages are MessagePack, each preceded by its length as four bytes, big endian. Counters in a report are totals since
the gateway process started (`boot` tells one life from the next), so that a lost or repeated report costs nothing.

While the platform is upgraded, a gateway and a control plane of different versions speak with each other. A field that
one does not know is skipped, but a message of an unknown kind would end the connection: what is new becomes a field
with a default.
"""

import msgspec

from dayfly.model.payload import PayloadPolicy
from dayfly.model.retry import RetryPolicy
from dayfly.model.route_entry import RouteEntry

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the latency histogram: Prometheus' default buckets, as OpenFaaS's gateway uses them."""

CANARY_BUCKETS_S = tuple(0.0001 * 1.2**step for step in range(76))
"""Upper bounds for comparing two revisions: from 0.1 ms to 87 s, each a fifth above the last."""


class Endpoint(msgspec.Struct, frozen=True, array_like=True):
    """A ready replica to send calls to."""

    replica: str
    address: str
    """`unix:PATH`, `HOST:PORT`, or `handed:PATH`: a unix socket where connected sockets are handed out."""
    revision: int


class Allowed(msgspec.Struct, frozen=True, array_like=True):
    """What budgets leave to a function."""

    is_open: bool
    """Whether calls are taken at all."""
    calls_left: int
    """How many may begin from now on; negative when nothing counts them."""
    turn: int
    """Another for other budgets or another period: then the count of what is left begins anew."""
    until_unix_s: int
    """When calls are taken again, if nobody raises what is used up."""
    detail: str
    """What is said to callers once nothing is left."""
    hint: str
    shared_left: int = -1
    """How many of `calls_left` the namespace's budget alone would leave; negative when it counts no calls."""
    shared_turn: int = 0
    """As `turn`, of the namespace's budget alone: what a function's owner writes must not begin its count anew."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a gateway knows of one function."""

    name: str
    namespace: str
    timeout_s: float = 60.0
    max_inflight: int = 0
    """Calls a replica works on at a time; 0 means no limit."""
    turns_away: bool = False
    """Whether calls beyond that, where there are replicas, are turned away instead of waiting for one."""
    body_bytes: int = 0
    """The largest request body; 0 for what the gateway itself takes."""
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
    retry: RetryPolicy = RetryPolicy()
    """How its queued calls are tried again."""
    allowed: Allowed | None = None
    """None without a budget."""
    max_depth: int = 0
    """How many calls of functions may lead to a call of it; 0 leaves it to the gateway."""
    queue_concurrency: int = 0
    """How many of them run at a time; 0 leaves it to the queue."""
    callback_hosts: tuple[str, ...] = ()
    """Where callbacks of its queued calls may go, whoever asks for them."""
    payloads: PayloadPolicy | None = None
    """Which of its calls' payloads are kept; None for none."""


class Hello(msgspec.Struct, frozen=True, tag=True):
    """Gateway to control plane, first message."""

    gateway: str
    boot: str


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: the whole table."""

    version: int
    entries: tuple[Entry, ...]
    default_namespace: str
    routes: tuple[RouteEntry, ...] = ()
    confirms: bool = False
    """Whether it tells which records are on file (`Confirmed`); one of before does not."""


class Ended(msgspec.Struct, frozen=True):
    """Why a replica ended that nobody had stopped, in words for the callers whose calls it took down."""

    replica: str
    code: str
    """The stable code of the answer, as `function_out_of_memory`."""
    detail: str
    """A clause without a full stop: `it used more than its memory limit of 64 MiB (limits.memory)`."""
    hint: str


class Delta(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: what changed."""

    version: int
    changed: tuple[Entry, ...] = ()
    removed: tuple[str, ...] = ()
    """Functions that are gone, as `name.namespace`."""
    ended: tuple[Ended, ...] = ()
    routes: tuple[RouteEntry, ...] = ()
    """Routes that are new or have changed."""
    unrouted: tuple[str, ...] = ()
    """Routes that are gone, as `name.namespace`."""


class Report(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: send a `Load` with this `id` now."""

    id: int


class Confirmed(msgspec.Struct, frozen=True, tag=True):
    """Control plane to gateway: records up to this `Load.batch` are on file, or given up for good."""

    batch: int


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
    run_s: float = 0.0
    """Seconds that replicas worked on calls, a total."""
    received: int = 0
    """Bytes of request bodies, a total."""
    sent: int = 0
    """Bytes of answers' bodies, a total."""
    refused: int = 0
    """Of the calls in `codes`, those that a guard let go no further, so that they never began."""


class Load(msgspec.Struct, frozen=True, tag=True):
    """Gateway to control plane: functions whose figures changed since the last report; all of them when `id` is set."""

    functions: tuple[FunctionLoad, ...]
    id: int = 0
    records: bytes = b""
    """Notes of calls that are over (`model.invocation`), as MessagePack of its own: whoever reads the link need not
    read them."""
    dropped: tuple[int, int] = (0, 0)
    """Calls that were not noted as there were too many, and notes that were lost on the way, totals; only where there
    is something new to tell."""
    batch: int = 0
    """The number of these records, from 1 on in each life of a gateway. They may come again, under the same number,
    until they are confirmed. 0: nobody waits for that."""
    again: bool = False
    """Whether it is the first of a connection that is not the gateway's first: all figures, of which another control
    plane may have told Prometheus before."""


ToGateway = Snapshot | Delta | Report | Confirmed
ToControl = Hello | Demand | Load
