"""What a control plane stands on: the adapters behind its ports, which differ from one kind of place to another.

`local_ground` puts them together for one machine, `cluster.ground` for a cluster; `ControlProcess` is the same on both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dayfly.api.credentials import Credentials
from dayfly.build.prepare import Prepare
from dayfly.control.bundles import Blobs
from dayfly.control.tokens import Tokens
from dayfly.events.cursors import Cursors
from dayfly.model.budget import Budget
from dayfly.model.engine import EngineState
from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName
from dayfly.model.sandbox import Sandbox, Tier
from dayfly.providers.docker.dockerfiles import Dockerfiles
from dayfly.providers.port import Provider
from dayfly.server.background import Job
from dayfly.server.preparation import Preparation
from dayfly.storage.audit import AuditStore
from dayfly.storage.flow_runs import RunLog
from dayfly.storage.ledger import Ledger
from dayfly.storage.port import StateStore
from dayfly.storage.queries import QueryStore
from dayfly.storage.routes import RouteStore
from dayfly.storage.secrets.port import SecretStore
from dayfly.storage.tenancy import TenancyStore
from dayfly.storage.things import ThingStore
from dayfly.storage.triggers import TriggerStore
from dayfly.storage.watch import WatchStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The adapters of one place."""

    state: StateStore
    secrets: SecretStore
    tenancy: TenancyStore
    routes: RouteStore
    triggers: TriggerStore
    flows: ThingStore[Flow]
    runs: RunLog
    """Those of flows."""
    budgets: ThingStore[Budget]
    ledger: Ledger
    queries: QueryStore
    watch: WatchStore
    audit: AuditStore
    cursors: Cursors
    """What sources of events have seen."""
    home: NamespaceName
    """Where secrets of the installation's own lie: a namespace that no caller can name, or no tenant has."""
    provider: Provider
    blobs: Blobs
    bundles: Prepare
    prepare: Preparation
    tokens: Tokens
    credentials: Credentials
    engine: Callable[[], EngineState]
    dockerfiles: Dockerfiles
    sandbox: Callable[[], Sandbox | None]
    tier: Tier | Literal[""]
    """That of functions; empty where their pods find it, each by itself."""
    jobs: tuple[Job, ...] = ()
    """What goes on for as long as the control plane serves."""
