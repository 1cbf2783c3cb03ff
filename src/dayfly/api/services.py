"""What the HTTP handlers stand on: the use cases of the control plane and the stores beside it, as one bundle.

The handlers know these protocols, not the classes behind them, so that a test drives the whole API against a stand-in
and the control plane never learns that HTTP exists.
"""

import dataclasses
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Literal, Protocol

import msgspec

from dayfly import __version__
from dayfly.model.function import FunctionSpec, Revision
from dayfly.model.names import BundleDigest, FunctionKey, NamespaceName
from dayfly.model.rollout import Canary, Verdict
from dayfly.model.sandbox import Sandbox
from dayfly.model.status import FunctionStatus, RevisionStatus
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

        Raises Conflict (create), NotFound (update), InvalidSpec, StoreUnavailable.
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

    async def statuses(self, namespace: NamespaceName) -> list[FunctionStatus]:
        """Return the namespace's functions ordered by name; none for an unknown namespace."""
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

    async def namespaces(self) -> list[NamespaceName]:
        """Return the default namespace and those that hold a function."""
        ...

    def gateways(self) -> int:
        """Return how many gateway processes are connected now."""
        ...


class Bundles(Protocol):
    """Where uploaded code bundles are kept, by the digest of their bytes."""

    async def put(self, digest: BundleDigest, chunks: AsyncIterator[bytes], limit_bytes: int) -> int:
        """Keep the bytes and return their number. Raises InvalidRequest when they are not what the digest says,
        PayloadTooLarge beyond the limit.
        """
        ...

    def has(self, digest: BundleDigest) -> bool:
        """Whether the bundle is here."""
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
    version: str = __version__
    architecture: str = platform.machine()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a handler may use."""

    plane: Plane
    logs: LogStore
    meter: Meter
    bundles: Bundles
    info: InstanceInfo
    build_log: BuildLog | None = None
