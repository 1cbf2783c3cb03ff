"""The control plane as a process, on whatever ground it stands.

    python -P -m dayfly.server.control_process RUN_DIR/settings-LIFE.json --ready-fd FD --generation NUMBER

It serves three apps on three unix sockets that only this account can open; the gateways are what faces the network. A
kill leaves replicas and gateways at work, and the next life adopts them; so does SIGTERM, but requests under way are
answered first. SIGUSR1 ends the platform: the replicas stop.
"""

import argparse
import asyncio
import logging
import resource
import signal
import sys
from urllib.parse import urlsplit

import uvloop

from dayfly.api.glances import Glances
from dayfly.api.services import InstanceInfo, Services
from dayfly.control.clock import Clock, SystemClock
from dayfly.control.plane import ControlPlane
from dayfly.control.triggers import Triggers
from dayfly.events.flows.flows import Flows
from dayfly.model.errors import DayflyError
from dayfly.observe.alerts.past import PastHistory
from dayfly.observe.audit import AuditLog
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.observe.records import RecordStore
from dayfly.queue.direct import GatewayCalls
from dayfly.queue.occupant import QueuedCalls
from dayfly.queue.remote import RemoteQueue
from dayfly.runtimes.jail import calls
from dayfly.runtimes.log_format import log_to_stderr
from dayfly.server.alerts import AlertParts
from dayfly.server.app_server import AppServer, listen
from dayfly.server.apps import build_apps
from dayfly.server.background import Background
from dayfly.server.crew import END
from dayfly.server.events import Events
from dayfly.server.flows import FlowParts
from dayfly.server.ground import Ground
from dayfly.server.history import HistoryParts
from dayfly.server.images import make_builder, make_images
from dayfly.server.local_ground import local_ground
from dayfly.server.machine import MachineView
from dayfly.server.parts_reading import PartsReader
from dayfly.server.platform_acts import tell_of_platform
from dayfly.server.queries import QueryParts
from dayfly.server.reporting import Reporter
from dayfly.server.traced import Traced
from dayfly.server.turn import take_turn
from dayfly.server.wiring import Place, inner_sockets, read_place

_log = logging.getLogger("dayfly.server")


class ControlProcess:
    """Everything the control plane consists of, from start to stop."""

    def __init__(self, place: Place, ground: Ground, clock: Clock) -> None:
        settings = place.settings
        self._place = place
        self._ground = ground
        self._logs = LogStore(place.data("records") / "logs.db", retention=settings.logs, unix_ms=clock.unix_ms)
        self._glances = Glances()
        self._records = RecordStore(place.data("records") / "calls.db", settings.records, clock)
        self._audit = AuditLog(ground.audit, settings.audit, clock)
        self._queue = RemoteQueue(place.run("queue.sock"), place.nats.missing)
        self._traced = Traced(place, self._queue)
        self._meter = Meter(self._traced.beside(self._records.take))
        self._plane = ControlPlane(
            store=ground.state,
            secrets=ground.secrets,
            tenancy=ground.tenancy,
            routes=ground.routes,
            budgets=ground.budgets,
            ledger=ground.ledger,
            provider=ground.provider,
            blobs=ground.blobs,
            preparer=ground.prepare,
            meter=self._meter,
            logs=self._logs,
            link_socket=place.run("link.sock"),
            gateway_url=place.gateway_url,
            sandbox_tier=ground.tier,
            ceilings=settings.ceilings,
            max_body_bytes=settings.max_body_bytes,
            clock=clock,
        )
        self._records.confirm = self._plane.link.confirm
        self._builder = make_builder(place, self._plane, ground, clock)
        self._plane.namespaces.on_removed.append(ground.tokens.forget)
        self._flows = FlowParts(ground.flows, ground.runs, self._queue, self._plane, clock)
        self._events = Events(
            self._plane,
            ground.triggers,
            ground.secrets,
            self._queue,
            settings.reach,
            clock,
            ground.cursors,
            self._flows,
        )
        self._queries = QueryParts(place, ground.queries, self._plane, clock)
        self._traced.follow(self._flows)
        tell_of_platform(self._audit, self._plane, self._events.triggers)
        self._calls = GatewayCalls(lambda: inner_sockets(place), urlsplit(place.gateway_url).netloc)
        self._history = HistoryParts(place, self._meter, clock, lambda: self._services)
        past = PastHistory(self._history.past)
        self._alerts = AlertParts(place, ground, self._plane, self._records, self._queue, clock, past)
        jobs = (*self._events.jobs, self._flows.engine.tidy, *self._history.jobs, *self._alerts.jobs)
        self._background = Background(*ground.jobs, self._calls.run, *jobs)
        self._plane.namespaces.house(QueuedCalls(self._queue))
        self._plane.namespaces.house(self._records)
        if self._history.is_kept:
            self._plane.namespaces.house(self._history.store)
        self._services = self._make_services()
        self._servers: list[AppServer] = []
        self._serving: list[asyncio.Task[None]] = []

    @property
    def plane(self) -> ControlPlane:
        """The control plane itself."""
        return self._plane

    @property
    def audit(self) -> AuditLog:
        """Who changed what."""
        return self._audit

    @property
    def triggers(self) -> Triggers:
        """The triggers."""
        return self._events.triggers

    @property
    def flows(self) -> Flows:
        """The flows."""
        return self._flows.flows

    async def start(self) -> None:
        """Adopt what runs and begin to serve. Raises Unavailable, StoreUnavailable, OSError."""
        kept = (self._logs, self._records, self._audit, self._history)
        await asyncio.gather(*(each.open() for each in kept))
        self._traced.start()
        await self._plane.start()
        await self._flows.open()
        await self._queries.open()
        await self._events.start()
        await self._alerts.open()
        await self._ground.tokens.open()
        self._background.start()
        apps = build_apps(self._services, self._ground.credentials, metrics_open=self._place.settings.metrics_open)
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
        self._glances.end()
        for server in self._servers:
            server.should_exit = True

    async def _close(self) -> None:
        await self._background.stop()
        await self._traced.stop()
        await self._flows.engine.close()
        await self._queries.saved.drain()
        self._queue.close()
        await self._ground.prepare.close()
        await self._alerts.close()
        kept = (self._logs, self._records, self._audit, self._history)
        await asyncio.gather(*(each.close() for each in kept))

    def _make_services(self) -> Services:
        logs = PartsReader(self._place.data("log"))
        info = InstanceInfo(
            provider=self._ground.provider.name,
            gateway_url=self._place.gateway_url,
            console_url=self._place.console_url,
            metrics_url=self._place.metrics_url,
            sandbox=self._ground.sandbox,
            engine=self._ground.engine,
        )
        return Services(
            plane=self._plane,
            secrets=self._plane.secrets,
            namespaces=self._plane.namespaces,
            routes=self._plane.routes,
            triggers=self._events.triggers,
            intake=self._events.intake,
            tokens=self._ground.tokens,
            budgets=self._plane.budgets,
            spending=self._plane.spending,
            prices=self._place.settings.prices,
            logs=self._logs,
            meter=self._meter,
            bundles=self._plane.bundles,
            glances=self._glances,
            images=make_images(self._plane.bundles, self._ground.tenancy, info.engine),
            builder=self._builder,
            flows=self._flows.flows,
            runs=self._flows.runs,
            alerts=self._alerts.alerts,
            reports=self._alerts.reports,
            info=info,
            queue=self._queue,
            records=self._records,
            query=self._queries.runner,
            saved_queries=self._queries.saved,
            audit=self._audit,
            history=self._history.past,
            machine=MachineView(
                self._history.machine, self._ground.provider, self._plane, self._plane.namespaces, logs
            ),
            build_log=self._ground.prepare.build_log,
            direct=self._calls,
        )


async def _run(place: Place, generation: int, reporter: Reporter) -> None:
    told: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT, END):
        asyncio.get_running_loop().add_signal_handler(number, _settle, told, number)
    clock = SystemClock()
    ground = local_ground(place, generation, clock)
    process = ControlProcess(place, ground, clock)
    await process.start()
    reporter.ready(password=ground.credentials.generated or "")
    _log.info("control plane serves")
    await (process.leave() if await told == signal.SIGTERM else process.stop())


def keep_to_ourselves() -> None:
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
    log_to_stderr("control", place.settings.log_level, place.settings.log_format)
    for chatty in ("uvicorn", "httpx2"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    keep_to_ourselves()
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
