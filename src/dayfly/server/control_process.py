"""The control plane as a process: the one place where its ports meet their adapters.

    python -P -m dayfly.server.control_process RUN_DIR/settings-LIFE.json --ready-fd FD --generation NUMBER

It serves three apps on three unix sockets that only this account can open; the gateways are what faces the network. A
kill leaves replicas and gateways at work, and the next life adopts them; so does SIGTERM, but requests under way are
answered first. SIGUSR1 ends the platform: the replicas stop.
"""

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvicorn
import uvloop

from dayfly.api.credentials import Credentials
from dayfly.api.services import InstanceInfo
from dayfly.build.prepare import Prepare
from dayfly.control.clock import SystemClock
from dayfly.control.plane import ControlPlane
from dayfly.model.errors import DayflyError
from dayfly.model.sandbox import Sandbox
from dayfly.observe.logs import LogStore
from dayfly.observe.meter import Meter
from dayfly.providers.local.provider import LocalProvider
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.apps import Apps, build_apps
from dayfly.server.crew import END
from dayfly.server.reporting import Reporter, log_to_stderr
from dayfly.server.sandbox import required, why_stopped
from dayfly.server.wiring import STATE, Place, read_place
from dayfly.storage.blobs import FileBlobs
from dayfly.storage.sqlite import SqliteStore

_BACKLOG = 1024
_HTTP_GRACE_S = 2
_log = logging.getLogger("dayfly.server")


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to us: there are three of them in this process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


class ControlProcess:
    """Everything the control plane consists of, from start to stop."""

    def __init__(self, place: Place, generation: int) -> None:
        settings = place.settings
        token = place.run("token").read_text().strip()
        self._place = place
        self._logs = LogStore(place.data("records") / "logs.db")
        self._meter = Meter()
        self._blobs = FileBlobs(place.data("blobs"))
        self._prepare = Prepare(
            self._blobs,
            place.data("code"),
            place.data("layers"),
            sys.executable,
            allow_sdist=settings.allow_sdist,
        )
        self.credentials = Credentials(
            place.data("credentials") / "admin.json", token, password=os.environ.get("DAYFLY_ADMIN_PASSWORD")
        )
        tier = place.sandbox.tier
        self._provider = LocalProvider(
            place.run(f"zygote-{generation}.sock"),
            place.run("r"),
            barred=lambda: why_stopped(Path(settings.data_dir), tier),
        )
        self._plane = ControlPlane(
            store=SqliteStore(place.data(STATE)),
            provider=self._provider,
            blobs=self._blobs,
            preparer=self._prepare,
            meter=self._meter,
            logs=self._logs,
            link_socket=place.run("link.sock"),
            gateway_url=place.gateway_url,
            sandbox_tier=tier,
            clock=SystemClock(),
        )
        self._servers: list[uvicorn.Server] = []
        self._serving: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Adopt what runs and begin to serve. Raises Unavailable, StoreUnavailable, OSError."""
        await self._logs.open()
        await self._plane.start()
        apps = self._apps()
        for name, app in (("api", apps.public), ("console", apps.console), ("metrics", apps.metrics)):
            server = _Server(
                uvicorn.Config(
                    app,
                    lifespan="off",
                    ws="none",
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    date_header=False,
                    proxy_headers=False,
                    timeout_graceful_shutdown=_HTTP_GRACE_S,
                )
            )
            listener = _listen(self._place.run(f"{name}.sock"))
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
        await self._prepare.close()
        await self._logs.close()

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
        )
        return build_apps(
            self._plane,
            self._logs,
            self._meter,
            self._blobs,
            self.credentials,
            info,
            build_log=self._prepare.build_log,
        )


def _listen(path: Path) -> socket.socket:
    listener = bind_private(path)
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _take_turn(place: Place, reporter: Reporter) -> None:
    """Wait until no other control plane works here. It holds the turn for as long as it lives."""
    fd = os.open(place.run("control.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        reporter.standby()
        fcntl.flock(fd, fcntl.LOCK_EX)


async def _run(place: Place, generation: int, reporter: Reporter) -> None:
    told: asyncio.Future[signal.Signals] = asyncio.get_running_loop().create_future()
    for number in (signal.SIGTERM, signal.SIGINT, END):
        asyncio.get_running_loop().add_signal_handler(number, _settle, told, number)
    process = ControlProcess(place, generation)
    await process.start()
    reporter.ready(password=process.credentials.generated or "")
    _log.info("control plane serves")
    await (process.leave() if await told == signal.SIGTERM else process.stop())


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
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a replica's log takes one
    try:
        _take_turn(place, reporter)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(place, given.generation, reporter))
    except DayflyError as error:
        reporter.failed(error)
        _log.error("control plane cannot run: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
