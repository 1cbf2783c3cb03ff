"""The queue as a process: it accepts calls for later, keeps them in nats-server, and makes them through a gateway.

    python -P -m dayfly.server.queue_process RUN_DIR/settings-LIFE.json --ready-fd FD

SIGTERM says that another takes its place: it accepts and begins nothing more, and goes when the calls that it has begun
are over, however long they take. SIGUSR1 says that the platform ends: they have the time for draining, and what is left
then is begun again in the platform's next life.
"""

import argparse
import asyncio
import contextlib
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from dayfly.model.errors import DayflyError, Unavailable
from dayfly.model.function import MAX_TIMEOUT_S
from dayfly.queue.aging import Aging
from dayfly.queue.asking import Socket, Sockets
from dayfly.queue.callback import Callbacks
from dayfly.queue.desk import Desk
from dayfly.queue.dispatcher import Dispatcher
from dayfly.queue.front import Front
from dayfly.queue.invocation import GatewayInvoker
from dayfly.queue.jetstream import JetStreamStore
from dayfly.queue.ledger import Ledger
from dayfly.queue.life import Life, is_alive
from dayfly.queue.server import ACCESS
from dayfly.queue.vouching import ControlJudge, Vouching
from dayfly.runtimes.log_format import log_to_stderr
from dayfly.runtimes.private_socket import bind_private
from dayfly.server.crew import END
from dayfly.server.reporting import Reporter
from dayfly.server.wiring import Place, inner_sockets, read_place

_BACKLOG = 1024
_TRIM_S = 15.0
_SHORT = 16_384
"""The most of an answer that is a yes or no."""
_log = logging.getLogger("dayfly.server")


class QueueProcess:
    """Everything the queue consists of, from start to stop."""

    def __init__(self, place: Place) -> None:
        limits, run_dir = place.settings.queue, Path(place.run_dir)
        self._place = place
        self._life = Life(run_dir)
        self._store = JetStreamStore(place.run(ACCESS))
        self._gateways = Sockets(lambda: inner_sockets(place), limits.answer_bytes)
        ledger = Ledger()
        self._dispatcher = Dispatcher(
            self._store,
            ledger,
            limits,
            owner=self._life.name,
            invoke=GatewayInvoker(self._gateways),
            deliver=Callbacks(limits.callback_allow),
            is_alive=lambda name: is_alive(run_dir, name),
        )
        connection = self._store.connection
        desk = Desk(self._store, ledger, self._dispatcher, limits, lambda: (connection.is_up, connection.reconnects))
        self._aging = Aging(ledger, self._dispatcher, limits.dead_days)
        judge = ControlJudge(Socket(str(place.run("api.sock")), _SHORT))
        vouching = Vouching(judge, anybody=limits.callback_anonymous)
        self._front = Front(desk, vouching, limits.body_bytes, self._dispatcher.clock)
        self._server: asyncio.Server | None = None
        self._keeping: list[asyncio.Task[None]] = []
        self._dispatching: asyncio.Task[None] | None = None

    async def start(self, on_failure: Callable[[], None]) -> None:
        """Listen, and begin to work once the store has answered; `on_failure` is called should that break off.

        Raises OSError.
        """
        loop = asyncio.get_running_loop()
        self._keeping = [loop.create_task(work) for work in (self._store.run(), self._trim(), self._aging.run())]
        self._dispatching = loop.create_task(self._work())
        self._dispatching.add_done_callback(lambda done: None if done.cancelled() else on_failure())
        self._server = await loop.create_server(self._front.connection, sock=self._listener(), backlog=_BACKLOG)

    async def stop(self, seconds: float) -> None:
        """Accept and begin nothing more, and return when what was begun is over, at the latest after `seconds`."""
        if self._server is not None:
            self._server.close()
        self._front.leave()
        if self._dispatching is not None:
            self._dispatching.cancel()
            await asyncio.wait([self._dispatching])
        await self._dispatcher.finish(seconds)
        await self._front.close()
        for task in self._keeping:
            task.cancel()
        await asyncio.wait(self._keeping)
        self._life.end()

    async def _work(self) -> None:
        while True:
            try:
                await self._dispatcher.load()
            except Unavailable as away:
                _log.warning("the queue waits for its store reason=%s", away)
            else:
                break
        self._front.loaded.set()
        _log.info("the queue works")
        await self._dispatcher.run()

    async def _trim(self) -> None:
        while True:
            await asyncio.sleep(_TRIM_S)
            self._gateways.trim()

    def _listener(self) -> socket.socket:
        """Return the socket, put in the place of the one before in one step, so that nobody ever finds none."""
        path = self._place.run("queue.sock")
        fresh = path.with_name(f"queue-{self._life.name}.sock")
        listener = bind_private(fresh)
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        fresh.replace(path)
        return listener


async def _run(place: Place, reporter: Reporter) -> None:
    loop = asyncio.get_running_loop()
    told, ends = asyncio.Event(), asyncio.Event()

    def leave() -> None:
        reporter.leaving()
        told.set()

    def end() -> None:
        ends.set()
        told.set()

    loop.add_signal_handler(signal.SIGTERM, leave)
    loop.add_signal_handler(signal.SIGINT, end)
    loop.add_signal_handler(END, end)
    process = QueueProcess(place)
    await process.start(end)
    reporter.ready()
    await told.wait()
    stopping = loop.create_task(process.stop(place.settings.drain_s if ends.is_set() else MAX_TIMEOUT_S))
    if not ends.is_set():
        ending = loop.create_task(ends.wait())
        await asyncio.wait([stopping, ending], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(place.settings.drain_s if ends.is_set() else None):
            await stopping


def main(argv: list[str]) -> int:
    """Run until told to go; return the exit code."""
    parser = argparse.ArgumentParser(prog="dayfly.server.queue_process")
    parser.add_argument("settings")
    parser.add_argument("--ready-fd", type=int, required=True)
    given = parser.parse_args(argv)
    place, reporter = read_place(given.settings), Reporter(given.ready_fd, overlaps=True)
    log_to_stderr("queue", place.settings.log_level, place.settings.log_format)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(place, reporter))
    except DayflyError as error:
        reporter.failed(error)
        _log.error("queue cannot run: %s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
