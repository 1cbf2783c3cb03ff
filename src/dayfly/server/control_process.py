"""The control plane as a process: the one place where its ports meet their adapters.

    python -P -m dayfly.server.control_process RUN_DIR/settings-LIFE.json --ready-fd FD --generation NUMBER

It serves three apps on three unix sockets that only this account can open; the gateways are what faces the network. A
kill leaves replicas and gateways at work, and the next life adopts them; so does SIGTERM, but requests under way are
answered first. SIGUSR1 ends the platform: the replicas stop.
"""

import argparse
import asyncio
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import uvloop

from dayfly.api import token_key
from dayfly.api.credentials import Credentials
from dayfly.api.services import InstanceInfo, Services
from dayfly.build.leftovers import Leftovers
from dayfly.build.prepare import Prepare
from dayfly.control.clock import SystemClock
from dayfly.control.plane import ControlPlane
from dayfly.control.tokens import Tokens
from dayfly.model.errors import DayflyError
from dayfly.model.sandbox import Sandbox
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.observe.records import RecordStore
from dayfly.providers.docker.provider import DockerProvider
from dayfly.providers.local.provider import LocalProvider
from dayfly.providers.several import SeveralProviders
from dayfly.queue.direct import GatewayCalls
from dayfly.queue.occupant import QueuedCalls
from dayfly.queue.remote import RemoteQueue
from dayfly.runtimes.jail import calls
from dayfly.server.app_server import AppServer, listen
from dayfly.server.apps import Apps, build_apps
from dayfly.server.background import Background
from dayfly.server.crew import END
from dayfly.server.events import Events
from dayfly.server.flows import FlowParts
from dayfly.server.images import make_builder, make_images
from dayfly.server.installation import installation_of
from dayfly.server.preparation import Preparation
from dayfly.server.reporting import Reporter, log_to_stderr
from dayfly.server.sandbox import required, why_stopped
from dayfly.server.settings import Settings, key_dir
from dayfly.server.turn import take_turn
from dayfly.server.wiring import STATE, Place, inner_sockets, read_place
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.secrets.sqlite import KeyPlace, SqliteSecrets
from dayfly.storage.sqlite import SqliteStore
from dayfly.storage.sqlite_ledger import SqliteLedger
from dayfly.storage.sqlite_routes import SqliteRoutes
from dayfly.storage.sqlite_tenancy import SqliteTenancy
from dayfly.storage.sqlite_triggers import SqliteTriggers

_log = logging.getLogger("dayfly.server")


class ControlProcess:
    """Everything the control plane consists of, from start to stop."""

    def __init__(self, place: Place, generation: int) -> None:
        settings = place.settings
        token = place.run("token").read_text().strip()
        self._place = place
        self._logs = LogStore(place.data("records") / "logs.db")
        clock, state, kept = SystemClock(), SqliteStore(place.data(STATE)), place.data("credentials")
        self._records = RecordStore(place.data("records") / "calls.db", settings.records, clock)
        self._meter = Meter(self._records.take)
        self._blobs = FileBlobs(place.data("blobs"))
        bundles = Prepare(
            self._blobs,
            place.data("code"),
            place.data("layers"),
            sys.executable,
            allow_sdist=settings.allow_sdist,
        )
        tenancy = SqliteTenancy(state.database)
        self._tokens = Tokens(tenancy, token_key.load_or_make(kept / "token.key"), clock)
        self.credentials = Credentials(
            kept / "admin.json", token, tokens=self._tokens, password=os.environ.get("DAYFLY_ADMIN_PASSWORD")
        )
        tier = place.sandbox.tier
        local = LocalProvider(
            place.run(f"zygote-{generation}.sock"),
            place.run("r"),
            barred=lambda: why_stopped(Path(settings.data_dir), tier),
        )
        self._docker = DockerProvider(
            settings.engine_sockets,
            place.run("p"),
            installation_of(Path(settings.data_dir)),
            egress=str(place.run("egress.sock")),
        )
        self._provider = SeveralProviders(local, {"image": self._docker})
        self._prepare = Preparation(bundles, self._docker.pin, state)
        self._leftovers = Leftovers(self._blobs, bundles.places, state.bundles, tenancy.built_bundles)
        secrets = SqliteSecrets(state.database, _key_place(settings))
        self._plane = ControlPlane(
            store=state,
            secrets=secrets,
            tenancy=tenancy,
            routes=SqliteRoutes(state.database),
            ledger=SqliteLedger(place.data("records") / "spending.db"),
            provider=self._provider,
            blobs=self._blobs,
            preparer=self._prepare,
            meter=self._meter,
            logs=self._logs,
            link_socket=place.run("link.sock"),
            gateway_url=place.gateway_url,
            sandbox_tier=tier,
            ceilings=settings.ceilings,
            max_body_bytes=settings.max_body_bytes,
            clock=clock,
        )
        self._builder = make_builder(place, self._plane, tenancy, bundles, self._docker, clock)
        self._tenancy = tenancy
        self._plane.namespaces.on_removed.append(self._tokens.forget)
        self._queue = RemoteQueue(place.run("queue.sock"), place.nats.missing)
        self._flows = FlowParts(state.database, place.data("flows") / "flows.db", self._queue, self._plane, clock)
        store = SqliteTriggers(state.database)
        self._events = Events(
            self._plane,
            store,
            secrets,
            self._queue,
            settings.reach,
            clock,
            Path(settings.data_dir, "events", "cursors.db"),
            self._flows,
        )
        self._calls = GatewayCalls(lambda: inner_sockets(place), urlsplit(place.gateway_url).netloc)
        jobs = (*self._events.jobs, self._flows.engine.tidy)
        self._background = Background(self._leftovers.run, self._calls.run, *jobs)
        self._plane.namespaces.house(QueuedCalls(self._queue))
        self._plane.namespaces.house(self._records)
        self._servers: list[AppServer] = []
        self._serving: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Adopt what runs and begin to serve. Raises Unavailable, StoreUnavailable, OSError."""
        await asyncio.gather(self._logs.open(), self._records.open())
        await self._plane.start()
        await self._flows.open()
        await self._events.start()
        self._background.start()
        await self._tokens.open()
        apps = self._apps()
        for name, app in (("api", apps.public), ("console", apps.console), ("metrics", apps.metrics)):
            server = AppServer(app)
            listener = listen(self._place.run(f"{name}.sock"))
            self._servers.append(server)
            self._serving.append(asyncio.create_task(server.serve(sockets=[listener])))

    async def leave(self) -> None:
        """Answer what is being answered and close every file; replicas and gateways go on, for another to take over."""
        self._stop_serving()
        await asyncio.gather(*self._serving)
        await self._plane.stop()
        await self._close()

    async def stop(self) -> None:
        """Answer what is being answered, stop every replica, close every file."""
        self._stop_serving()
        await self._plane.shutdown(self._place.settings.drain_s)
        await asyncio.gather(*self._serving)
        await self._close()

    def _stop_serving(self) -> None:
        self._logs.end_followers()
        for server in self._servers:
            server.should_exit = True

    async def _close(self) -> None:
        await self._background.stop()
        await self._flows.engine.close()
        self._queue.close()
        await self._prepare.close()
        await asyncio.gather(self._logs.close(), self._records.close())

    def _sandbox(self) -> Callable[[], Sandbox]:
        """Return what tells the sandbox now: what is required may be changed while we run."""
        found, folder = self._place.sandbox, Path(self._place.settings.data_dir)
        return lambda: msgspec.structs.replace(found, required=required(folder) or found.tier)

    def _apps(self) -> Apps:
        info = InstanceInfo(
            provider=self._provider.name,
            gateway_url=self._place.gateway_url,
            console_url=self._place.console_url,
            metrics_url=self._place.metrics_url,
            sandbox=self._sandbox(),
            engine=lambda: self._docker.state,
        )
        services = Services(
            plane=self._plane,
            secrets=self._plane.secrets,
            namespaces=self._plane.namespaces,
            routes=self._plane.routes,
            triggers=self._events.triggers,
            intake=self._events.intake,
            tokens=self._tokens,
            spending=self._plane.spending,
            prices=self._place.settings.prices,
            logs=self._logs,
            meter=self._meter,
            bundles=self._plane.bundles,
            images=make_images(self._plane.bundles, self._tenancy, info.engine),
            builder=self._builder,
            flows=self._flows.flows,
            runs=self._flows.runs,
            info=info,
            queue=self._queue,
            records=self._records,
            build_log=self._prepare.build_log,
            direct=self._calls,
        )
        return build_apps(services, self.credentials, metrics_open=self._place.settings.metrics_open)


def _key_place(settings: Settings) -> KeyPlace:
    given = settings.secrets_key_file
    return KeyPlace(Path(given) if given else key_dir(os.environ), is_folder=not given)


async def _run(place: Place, generation: int, reporter: Reporter) -> None:
    told: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT, END):
        asyncio.get_running_loop().add_signal_handler(number, _settle, told, number)
    process = ControlProcess(place, generation)
    await process.start()
    reporter.ready(password=process.credentials.generated or "")
    _log.info("control plane serves")
    await (process.leave() if await told == signal.SIGTERM else process.stop())


def _keep_to_ourselves() -> None:
    """Have nothing of this process's memory, through which secrets pass, end in a file or in another's hands."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    calls.prctl(calls.PR_SET_DUMPABLE, 0)


def _settle(told: "asyncio.Future[signal.Signals]", number: signal.Signals) -> None:
    if not told.done():
        told.set_result(number)


def main(argv: list[str]) -> int:
    """Run until told to go; return the exit code."""
    parser = argparse.ArgumentParser(prog="dayfly.server.control_process")
    parser.add_argument("settings")
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--generation", type=int, required=True)
    given = parser.parse_args(argv)
    place, reporter = read_place(given.settings), Reporter(given.ready_fd)
    log_to_stderr("control", place.settings.log_level)
    for chatty in ("uvicorn", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    _keep_to_ourselves()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a replica's log takes one
    try:
        take_turn(place, reporter)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(place, given.generation, reporter))
    except DayflyError as error:
        reporter.failed(error)
        _log.error("control plane cannot run: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
