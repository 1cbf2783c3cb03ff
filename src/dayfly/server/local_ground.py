"""The ground of one machine: SQLite, files, processes of this machine and its container engine."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from dayfly.api import token_key
from dayfly.api.credentials import Credentials
from dayfly.build.leftovers import Leftovers
from dayfly.build.prepare import Prepare
from dayfly.control.clock import Clock
from dayfly.control.tokens import Tokens
from dayfly.model.budget import Budget
from dayfly.model.flow import Flow
from dayfly.model.names import NamespaceName
from dayfly.model.sandbox import Sandbox
from dayfly.providers.docker.dockerfiles import Dockerfiles
from dayfly.providers.docker.provider import DockerProvider
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.several import SeveralProviders
from dayfly.server.ground import Ground
from dayfly.server.installation import installation_of
from dayfly.server.preparation import Preparation
from dayfly.server.sandbox import required, why_stopped
from dayfly.server.settings import Settings, key_dir
from dayfly.server.wiring import STATE, Place
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.cursors import SqliteCursors
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets
from dayfly.storage.sqlite import SqliteStore
from dayfly.storage.sqlite_audit import SqliteAudit
from dayfly.storage.sqlite_flow_runs import SqliteRuns
from dayfly.storage.sqlite_ledger import SqliteLedger
from dayfly.storage.sqlite_queries import SqliteQueries
from dayfly.storage.sqlite_routes import SqliteRoutes
from dayfly.storage.sqlite_tenancy import SqliteTenancy
from dayfly.storage.sqlite_things import SqliteThings
from dayfly.storage.sqlite_triggers import SqliteTriggers
from dayfly.storage.sqlite_watch import SqliteWatch


def local_ground(place: Place, generation: int, clock: Clock) -> Ground:
    """Return it; replicas are forked from the zygotes of this generation. Raises ConfigError, OSError."""
    settings, kept, folder = place.settings, place.data("credentials"), Path(place.settings.data_dir)
    tier = place.sandbox.tier
    state, blobs = SqliteStore(place.data(STATE)), FileBlobs(place.data("blobs"))
    bundles = Prepare(blobs, place.data("code"), place.data("layers"), sys.executable, allow_sdist=settings.allow_sdist)
    tenancy = SqliteTenancy(state.database)
    tokens = Tokens(tenancy, token_key.load_or_make(kept / "token.key"), clock)
    local = LocalProvider(
        place.run(f"zygote-{generation}.sock"), place.run("r"), barred=lambda: why_stopped(folder, tier)
    )
    docker = DockerProvider(
        settings.engine_sockets, place.run("p"), installation_of(folder), egress=str(place.run("egress.sock"))
    )
    return Ground(
        state=state,
        secrets=SqliteSecrets(state.database, _key_place(settings)),
        tenancy=tenancy,
        routes=SqliteRoutes(state.database),
        triggers=SqliteTriggers(state.database),
        flows=SqliteThings(state.database, Flow),
        runs=SqliteRuns(place.data("flows") / "flows.db"),
        budgets=SqliteThings(state.database, Budget),
        ledger=SqliteLedger(place.data("records") / "spending.db"),
        queries=SqliteQueries(state.database),
        watch=SqliteWatch(state.database),
        audit=SqliteAudit(place.data("records") / "audit.db"),
        cursors=SqliteCursors(place.data("events") / "cursors.db"),
        home=NamespaceName(""),
        provider=SeveralProviders(local, {"image": docker}),
        blobs=blobs,
        bundles=bundles,
        prepare=Preparation(bundles, docker.pin, state),
        tokens=tokens,
        credentials=Credentials(
            kept / "admin.json",
            place.run("token").read_text().strip(),
            tokens=tokens,
            password=os.environ.get("DAYFLY_ADMIN_PASSWORD"),
        ),
        engine=lambda: docker.state,
        dockerfiles=Dockerfiles(docker.engine, lambda: docker.state),
        sandbox=_sandbox(place.sandbox, folder),
        tier=tier,
        jobs=(Leftovers(blobs, bundles.places, state.bundles, tenancy.built_bundles).run,),
    )


def _sandbox(found: Sandbox, folder: Path) -> Callable[[], Sandbox]:
    """Return what tells the sandbox now: what is required may be changed while we run."""
    return lambda: msgspec.structs.replace(found, required=required(folder) or found.tier)


def _key_place(settings: Settings) -> KeyPlace:
    given = settings.secrets_key_file
    return KeyPlace(Path(given) if given else key_dir(os.environ), is_folder=not given)
