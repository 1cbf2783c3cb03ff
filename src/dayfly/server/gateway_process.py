"""A gateway as a process: it takes over the listeners the supervisor bound and serves until it is told to go.

    python -P -m dayfly.server.gateway_process RUN_DIR/settings-LIFE.json --name gw0 --ready-fd FD --public-fd FD
                                               --memory-fd FD [--console-fd FD --metrics-fd FD]

SIGTERM says that another gateway takes its place: the supervisor is told at once, and the calls under way have all the
time that any function may take. SIGUSR1 says that the platform ends: they have the time for draining that was set.
"""

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from pathlib import Path

import msgspec
import uvloop

from dayfly.gateway.certificates import Certificates
from dayfly.gateway.memory import Memory
from dayfly.gateway.process import GatewaySettings, serve
from dayfly.model.errors import DayflyError
from dayfly.model.function import MAX_TIMEOUT_S
from dayfly.runtimes.log_format import log_to_stderr
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.crew import END
from dayfly.server.precedence import take_precedence
from dayfly.server.reporting import Reporter
from dayfly.server.settings import Settings
from dayfly.server.wiring import Place, read_place

_log = logging.getLogger("dayfly.server")


class _Departure:
    """When this gateway goes, and how long the calls under way may still take."""

    def __init__(self, reporter: Reporter, drain_s: float) -> None:
        self.told = asyncio.Event()
        self.seconds = drain_s
        self._reporter = reporter
        self._drain_s = drain_s
        self._serving = asyncio.current_task()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._leave)
        loop.add_signal_handler(signal.SIGINT, self._end)
        loop.add_signal_handler(END, self._end)

    def _leave(self) -> None:
        if not self.told.is_set():
            self.seconds = MAX_TIMEOUT_S
            self.told.set()
            self._reporter.leaving()

    def _end(self) -> None:
        if self.told.is_set() and self._serving is not None:
            asyncio.get_running_loop().call_later(self._drain_s, self._serving.cancel)
        self.told.set()


async def _run(place: Place, given: argparse.Namespace, reporter: Reporter) -> None:
    departure = _Departure(reporter, place.settings.drain_s)
    certificates = certificates_of(place.settings)
    tls = certificates.open() if certificates is not None else None
    watching = asyncio.create_task(certificates.watch()) if certificates is not None else None
    inner_path = place.run(f"calls-{given.name}.sock")
    with contextlib.suppress(asyncio.CancelledError):  # the time was over for calls that had all the time before
        await serve(
            gateway_settings(place, given.name),
            public=_inherited(given.public_fd),
            console=_inherited(given.console_fd) if given.console_fd is not None else None,
            metrics=_inherited(given.metrics_fd) if given.metrics_fd is not None else None,
            tls=tls,
            inner=_bound(inner_path),
            stop=departure.told,
            on_ready=reporter.ready,
            drain_s=lambda: departure.seconds,
            memory=Memory(given.memory_fd),
        )
    if watching is not None:
        watching.cancel()
    inner_path.unlink(missing_ok=True)


def gateway_settings(place: Place, name: str) -> GatewaySettings:
    """Return what the gateway of this name needs to know."""
    return GatewaySettings(
        name=name,
        api_socket=str(place.run("api.sock")),
        console_socket=str(place.run("console.sock")),
        metrics_socket=str(place.run("metrics.sock")),
        link_socket=str(place.run("link.sock")),
        limits=msgspec.structs.replace(place.settings.limits, body_bytes=place.settings.max_body_bytes),
        queue_socket=str(place.run("queue.sock")) if place.nats.path else "",
        queue_missing=place.nats.missing,
        queue_body_bytes=place.settings.queue.body_bytes,
        queue_accepts_unknown=place.settings.queue.accept_unknown,
        records_per_second=place.settings.records.per_second,
        payload_bytes=place.settings.records.payload_bytes,
        max_depth=place.settings.max_depth,
        drain_s=place.settings.drain_s,
    )


def allow_many_connections() -> None:
    """Use as many descriptors as this account may: the customary 1,024 would mean some 400 callers at a time."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _bound(path: Path) -> socket.socket:
    """Return where the queue finds this gateway."""
    sock = bind_private(path)
    sock.setblocking(False)
    return sock


def _inherited(fd: int) -> socket.socket:
    inherited = socket.socket(fileno=fd)
    inherited.set_inheritable(False)
    inherited.setblocking(False)
    return inherited


def certificates_of(settings: Settings) -> Certificates | None:
    """Return what the public listener shows; None for plain HTTP."""
    if not settings.tls_cert:
        return None
    return Certificates(settings.tls_cert, settings.tls_key, settings.tls_folder)


def main(argv: list[str]) -> int:
    """Serve until told to go and until the calls in flight are answered; return the exit code."""
    parser = argparse.ArgumentParser(prog="dayfly.server.gateway_process")
    parser.add_argument("settings")
    parser.add_argument("--name", required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    parser.add_argument("--public-fd", type=int, required=True)
    parser.add_argument("--memory-fd", type=int, required=True)
    parser.add_argument("--console-fd", type=int)
    parser.add_argument("--metrics-fd", type=int)
    given = parser.parse_args(argv)
    place, reporter = read_place(given.settings), Reporter(given.ready_fd, overlaps=True)
    log_to_stderr(given.name, place.settings.log_level, place.settings.log_format)
    allow_many_connections()
    take_precedence()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(place, given, reporter))
    except DayflyError as error:
        reporter.failed(error)
        _log.error("gateway cannot run: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
