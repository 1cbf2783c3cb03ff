"""The ground of a cluster: state in its resources, secrets in its Secrets, replicas in its pods.

Code, runs of flows, what functions used, the audit log and what sources have seen are with the queue's servers.
"""

import asyncio
import secrets
import sys
from typing import NamedTuple

from dayfly.api.credentials import Credentials
from dayfly.build.prepare import Prepare
from dayfly.cluster.connection import Connection, from_service_account
from dayfly.cluster.kinds import DEPLOYMENT, POD
from dayfly.control.clock import Clock
from dayfly.control.tokens import Tokens
from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import ConfigError, NotFound, Unavailable
from dayfly.model.names import NamespaceName
from dayfly.model.quantities import parse_memory
from dayfly.providers.docker.dockerfiles import Dockerfiles
from dayfly.providers.docker.engine import Engine
from dayfly.providers.kubernetes import pool
from dayfly.providers.kubernetes.choice import Room
from dayfly.providers.kubernetes.house import Site
from dayfly.providers.kubernetes.provider import KubernetesProvider
from dayfly.queue.journal import Journals
from dayfly.queue.objects import Objects
from dayfly.server.cluster import names
from dayfly.server.cluster.pinning import Pins
from dayfly.server.cluster.place import Pod
from dayfly.server.cluster.shared_blobs import SharedBlobs, SharedPreparation
from dayfly.server.cluster.watched import Stores
from dayfly.server.ground import Ground
from dayfly.server.wiring import Place
from dayfly.storage.audit_mirror import AuditMirror
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.journal_audit import JournalAudit
from dayfly.storage.journal_cursors import JournalCursors
from dayfly.storage.journal_flow_runs import JournalRuns
from dayfly.storage.journal_ledger import JournalLedger
from dayfly.storage.kubernetes.functions import KubernetesStore
from dayfly.storage.kubernetes.queries import KubernetesQueries
from dayfly.storage.kubernetes.secrets import KubernetesSecrets
from dayfly.storage.kubernetes.tenancy import KubernetesTenancy
from dayfly.storage.kubernetes.things import KubernetesRoutes, KubernetesTriggers, budgets_in, flows_in
from dayfly.storage.kubernetes.watch import KubernetesWatch

_KEY_BYTES = 32


class Kept(NamedTuple):
    """What the queue's servers keep for the control plane, whichever pod it is in."""

    objects: Objects
    journals: Journals

    async def run(self) -> None:
        """Keep connected until cancelled."""
        await asyncio.gather(self.objects.run(), self.journals.run())


async def cluster_ground(pod: Pod, place: Place, api: Connection, kept: Kept, clock: Clock, stores: Stores) -> Ground:
    """Return it. Raises ConfigError, StoreUnavailable, OSError."""
    blobs = SharedBlobs(FileBlobs(place.data("blobs")), kept.objects)
    await blobs.open()
    key = pod.secret(names.TOKEN_KEY)
    if len(key) != _KEY_BYTES:
        raise ConfigError(f"{names.TOKEN_KEY} in the Secret {names.INTERNAL_SECRET} has {len(key)} bytes, not 32")
    bundles = Prepare(
        blobs.files, place.data("code"), place.data("layers"), sys.executable, allow_sdist=place.settings.allow_sdist
    )
    state = KubernetesStore(api, pod.namespace)
    tokens = Tokens(stores.tenancy, key, clock)
    site = await _site(pod, api)
    pins = Pins(api, site.namespace, site.pool.pull_secrets)
    state_of_engine = EngineState(engine=ContainerEngine(name="Kubernetes", version="", socket=""))
    return Ground(
        state=state,
        secrets=KubernetesSecrets(api, pod.namespace),
        tenancy=stores.tenancy,
        routes=stores.routes,
        triggers=stores.triggers,
        flows=stores.flows,
        runs=JournalRuns(kept.journals.flows),
        budgets=stores.budgets,
        ledger=JournalLedger(kept.journals.spending),
        queries=KubernetesQueries(api, pod.namespace),
        watch=KubernetesWatch(api, pod.namespace),
        audit=JournalAudit(kept.journals.audit, AuditMirror(place.data("records") / "audit.db")),
        cursors=JournalCursors(kept.journals.cursors),
        home=NamespaceName(pod.namespace),
        provider=KubernetesProvider(lambda: Connection(from_service_account()), site, key),
        blobs=blobs,
        bundles=bundles,
        prepare=SharedPreparation(blobs, bundles, pins.pin, state),
        tokens=tokens,
        credentials=Credentials(
            place.data("credentials") / "admin.json",
            secrets.token_urlsafe(_KEY_BYTES),
            tokens=tokens,
            password=pod.text(f"admin-{names.ADMIN_PASSWORD}"),
        ),
        engine=lambda: state_of_engine,
        dockerfiles=Dockerfiles(_no_engine, lambda: EngineState(reason=_NO_DOCKERFILES)),
        sandbox=lambda: None,
        tier="",
    )


def stores_of(api: Connection, home: str) -> Stores:
    """Return the stores of what is followed; `home` is the installation's own namespace."""
    return Stores(
        tenancy=KubernetesTenancy(api, home), routes=KubernetesRoutes(api, home),
        triggers=KubernetesTriggers(api, home), flows=flows_in(api), budgets=budgets_in(api),
    )  # fmt: skip


_NO_DOCKERFILES = "a cluster carries out no Dockerfiles; build the image elsewhere and push it"


def _no_engine() -> Engine:
    raise Unavailable(_NO_DOCKERFILES)


async def _site(pod: Pod, api: Connection) -> Site:
    """Return where functions run, as the pool that was installed says. Raises ConfigError, StoreUnavailable."""
    namespace = pod.variable("DAYFLY_FUNCTIONS_NAMESPACE")
    try:
        made = await api.get(DEPLOYMENT, pool.NAME, namespace)
        ours = await api.get(POD, pod.name, pod.namespace)
        values = pool.installed(made, pod.namespace, ours["spec"]["containers"][0]["image"])
        memory = parse_memory(values.memory)
    except (NotFound, KeyError, IndexError, StopIteration) as error:
        raise ConfigError(
            f"the pool in the namespace {namespace} is not there, or not one of ours: {error}",
            hint="run dayfly install",
        ) from error
    room = Room(memory_bytes=memory - pool.OVERHEAD_BYTES)
    return Site(namespace=namespace, pool=values, own_namespace=pod.namespace, room=room)
