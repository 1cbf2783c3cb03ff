"""What the HTTP handlers stand on: the use cases of the control plane and the stores beside it, as one bundle.

The handlers know these protocols, not the classes behind them, so that a test drives the whole API against a stand-in
and the control plane never learns that HTTP exists.
"""

import dataclasses
import platform
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from typing import Literal, Protocol

import msgspec

from dayfly import __version__
from dayfly.api.alerting import Alerts
from dayfly.api.asking import NoQueries, NoSavedQueries, Queries, SavedQueries
from dayfly.api.audit_port import Audit, NoAudit
from dayfly.api.flowing import Flows, Runs
from dayfly.api.glances import Glances
from dayfly.api.past import History, NoHistory
from dayfly.api.queue import NoQueue, Queue
from dayfly.api.records import NoRecords, Records
from dayfly.api.reporting import Reports
from dayfly.api.routing import Routes
from dayfly.api.seats import Seats
from dayfly.api.sources import Builder, Bundles, Images
from dayfly.api.spending import Budgets, Spending
from dayfly.api.triggering import Intake, Triggers
from dayfly.model.access import Principal
from dayfly.model.apart import Apart
from dayfly.model.cost import Prices
from dayfly.model.direct import DirectAnswer, DirectCall
from dayfly.model.engine import EngineState
from dayfly.model.function import FunctionSpec, Revision
from dayfly.model.machine import Machine, MachineUsage, PartLine
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.namespace import Namespace, NamespaceChange, NamespaceStatus
from dayfly.model.rollout import Canary, Verdict
from dayfly.model.sandbox import Sandbox
from dayfly.model.secret import KeyRotation, SecretMode, SecretStatus
from dayfly.model.status import FunctionStatus, RevisionStatus
from dayfly.model.token import IssuedToken, TokenRequest, TokenStatus
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter

DeployMode = Literal["create", "update", "upsert"]
BuildLog = Callable[[FunctionSpec], Awaitable[str]]
"""Returns what installing a function's dependencies printed; empty when there was nothing to install."""


class Plane(Protocol):
    """The use cases of the control plane that HTTP exposes."""

    @property
    def rollouts(self) -> Mapping[tuple[FunctionKey, Verdict], int]:
        """How many rollouts of which function ended how, since the control plane started."""
        ...

    async def deploy(self, spec: FunctionSpec, *, mode: DeployMode, canary: Canary | None = None) -> FunctionStatus:
        """Deploy a revision, with a canary on trial first.

        Raises Conflict (create), NotFound (update, or no such namespace), InvalidSpec, QuotaExceeded, StoreUnavailable.
        """
        ...

    async def remove(self, key: FunctionKey) -> None:
        """Forget the function and stop its replicas. Raises NotFound."""
        ...

    async def scale(self, key: FunctionKey, replicas: int | None) -> FunctionStatus:
        """Set the number of replicas by hand; None gives it back to the scaler. Raises NotFound, InvalidRequest."""
        ...

    async def status(self, key: FunctionKey) -> FunctionStatus:
        """Return the function with exact counts. Raises NotFound."""
        ...

    async def statuses(self, namespace: NamespaceName, *, lively: bool = False) -> list[FunctionStatus]:
        """Return the namespace's functions ordered by name; none for an unknown namespace.

        With `lively` those are left out that were never called and have no replica.
        """
        ...

    def newest(self, key: FunctionKey) -> Revision:
        """Return what was deployed last and still stands: the candidate, else what serves. Raises NotFound."""
        ...

    async def revisions(self, key: FunctionKey) -> list[RevisionStatus]:
        """Return the function's revisions, the highest number first. Raises NotFound."""
        ...

    async def rollback(self, key: FunctionKey, to: int | None = None, canary: Canary | None = None) -> FunctionStatus:
        """Let an earlier revision serve again; None for the one before, or to end a rollout under way.

        Raises NotFound, InvalidRequest, Conflict.
        """
        ...

    async def promote(self, key: FunctionKey) -> FunctionStatus:
        """Let a canary under way take over now. Raises NotFound, Conflict when there is none."""
        ...

    def apart(self, key: FunctionKey, revision: int) -> AbstractAsyncContextManager[Apart]:
        """Have a replica of any revision that is kept, for calls of the platform.

        Raises NotFound, QuotaExceeded, BuildFailed, FunctionFailed, InvalidSpec, Unavailable.
        """
        ...

    async def refresh_load(self) -> None:
        """Take in what every gateway has counted and recorded up to now, waiting half a second at most."""
        ...

    def gateways(self) -> int:
        """Return how many gateway processes are connected now."""
        ...


class Secrets(Protocol):
    """The use cases of secrets that HTTP exposes."""

    def in_namespace(self, namespace: NamespaceName) -> list[SecretStatus]:
        """Return the namespace's secrets, ordered by name; none of an unknown namespace."""
        ...

    async def put(
        self, namespace: NamespaceName, name: str, content: bytes, *, mode: SecretMode = "upsert"
    ) -> tuple[SecretStatus, Literal["created", "updated"]]:
        """Keep the content, and have it reach the functions that use it.

        Raises InvalidRequest, Conflict (create), NotFound (update), LimitExceeded, SecretsLocked, StoreUnavailable.
        """
        ...

    async def remove(self, namespace: NamespaceName, name: str, *, force: bool) -> None:
        """Remove the secret. Raises NotFound, Conflict while a function uses it unless forced."""
        ...

    async def rotate_key(self) -> KeyRotation:
        """Encrypt all secrets anew under a new key. Raises SecretsLocked, NotSupported, StoreUnavailable."""
        ...


class Namespaces(Protocol):
    """The use cases of namespaces."""

    def names(self) -> list[NamespaceName]:
        """Return the names of all namespaces, ordered."""
        ...

    def get(self, name: NamespaceName) -> Namespace:
        """Return the namespace as it was asked for. Raises NotFound."""
        ...

    def status(self, name: NamespaceName) -> NamespaceStatus:
        """Return what was asked for and what is used. Raises NotFound."""
        ...

    async def create(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        """Make a namespace. Raises Conflict, InvalidSpec, StoreUnavailable."""
        ...

    async def update(self, name: NamespaceName, change: NamespaceChange) -> NamespaceStatus:
        """Let this be true of the namespace from now on. Raises NotFound, InvalidSpec, StoreUnavailable."""
        ...

    async def remove(self, name: NamespaceName, *, force: bool = False) -> None:
        """Remove the namespace; with `force` with all that is in it. Raises NotFound, Conflict, StoreUnavailable."""
        ...


class Tokens(Protocol):
    """The use cases of tokens; None as the namespace stands for the whole installation."""

    def listed(self, namespace: NamespaceName | None) -> list[TokenStatus]:
        """Return the namespace's tokens, or every token, the oldest first."""
        ...

    async def issue(self, namespace: NamespaceName | None, asked: TokenRequest) -> IssuedToken:
        """Make a token for the namespace, or for all of them. Raises InvalidSpec, StoreUnavailable."""
        ...

    async def revoke(self, namespace: NamespaceName | None, name: str) -> None:
        """Let the namespace's token, or any, be good for nothing. Raises NotFound, StoreUnavailable."""
        ...

    def watch(self, principal: Principal, cut_off: Callable[[], None]) -> Callable[[], None]:
        """Call `cut_off` should the principal's token be good no more; what is returned ends the watch."""
        ...


class DirectCalls(Protocol):
    """Calls of functions that are made for the console, and replays."""

    def seat(self, namespace: NamespaceName) -> AbstractContextManager[None]:
        """Hold one of the few places that a namespace has for such calls. Raises LimitExceeded when none is free."""
        ...

    async def call(
        self,
        key: FunctionKey,
        call: DirectCall,
        body: bytes,
        *,
        call_id: str,
        peer: str,
        trigger: str = "console",
        apart: Apart | None = None,
    ) -> tuple[DirectAnswer, bytes]:
        """Make the call and return its answer and that one's body. Raises Unavailable, NotSupported."""
        ...


class Machines(Protocol):
    """Who knows the machine or the cluster."""

    def usage(self) -> MachineUsage:
        """Return what it uses now. Raises OSError where the kernel tells nothing."""
        ...

    async def look(self) -> Machine:
        """Return what it has and uses, and what runs there. Raises OSError where the kernel tells nothing."""
        ...

    async def log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what a process, container or pod of the platform has said, and says while it is followed.

        `tail` is how many lines of before, all for a negative number. Raises NotFound, Unavailable.
        """
        ...


class InstanceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about this installation that do not change while it runs."""

    provider: str
    gateway_url: str
    console_url: str
    """Empty when there is no console listener."""
    metrics_url: str
    sandbox: Callable[[], Sandbox | None] = lambda: None
    """Tells how well functions are held in their box."""
    engine: Callable[[], EngineState] = lambda: EngineState(reason="this installation looks for none")
    """Tells whether there is a container engine, which image functions need."""
    version: str = __version__
    architecture: str = platform.machine()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a handler may use."""

    plane: Plane
    secrets: Secrets
    namespaces: Namespaces
    routes: Routes
    triggers: Triggers
    intake: Intake
    tokens: Tokens
    budgets: Budgets
    spending: Spending
    logs: LogStore
    meter: Meter
    bundles: Bundles
    images: Images
    builder: Builder
    flows: Flows
    runs: Runs
    alerts: Alerts
    reports: Reports
    info: InstanceInfo
    prices: Prices = Prices()  # noqa: RUF009 - it is frozen
    queue: Queue = dataclasses.field(default_factory=NoQueue)
    records: Records = dataclasses.field(default_factory=NoRecords)
    query: Queries = dataclasses.field(default_factory=NoQueries)
    saved_queries: SavedQueries = dataclasses.field(default_factory=NoSavedQueries)
    audit: Audit = dataclasses.field(default_factory=NoAudit)
    history: History = dataclasses.field(default_factory=NoHistory)
    machine: Machines | None = None
    build_log: BuildLog | None = None
    direct: DirectCalls | None = None
    glances: Glances = dataclasses.field(default_factory=Glances)
    seats: Seats = dataclasses.field(default_factory=partial(Seats, most=64, most_each=16))
    """Of lists that are kept open."""
