"""One replica's life as a container: made, ready, told to end, ended, and every trace of it removed.

The engine tells when a container ends; everything else is asked of it. Whatever goes wrong on the way, a life that was
begun ends with exactly one `ReplicaExited`, and what the engine could not be told to remove is found by label later.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from dayfly.model.errors import DayflyError, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.replica import ExitReason, ReplicaEvent, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.docker import calls, container, porters
from dayfly.providers.docker.endings import Circumstances, ended
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.providers.docker.folders import Folder
from dayfly.providers.docker.making import make
from dayfly.providers.docker.output import Output
from dayfly.runtimes.jail.egress.wire import Pass, pass_file
from dayfly.runtimes.python.limits import limits_of

_log = logging.getLogger("dayfly.providers.docker")

REMOVE_S = 10.0
"""How long whoever closes the provider waits for the engine to remove a container."""


class House(Protocol):
    """What lives share: the engine, and the ways out."""

    place: container.Place
    porter_image: str

    def engine(self) -> Engine:
        """Return the engine. Raises Unavailable while it is away."""
        ...

    def open_way(self, replica: str, fds: list[int]) -> None:
        """Have what the function connects to these sockets served; the pass comes first."""
        ...

    def close_way(self, replica: str) -> None:
        """Have them served no longer."""
        ...


class Life:
    """The replica of `order`; events and lines go to the callbacks, `on_gone` is called at the very end."""

    def __init__(
        self,
        order: StartOrder,
        house: House,
        folder: Folder,
        on_event: Callable[[ReplicaEvent], None],
        on_log: Callable[[LogLine], None],
        on_gone: Callable[["Life"], None],
    ) -> None:
        self.order = order
        self.ready = False
        self.container = ""
        """The id of its container, once there is one."""
        self.stopping = False
        self.over = False
        self._house = house
        self._folder = folder
        self._output = Output(order, folder, on_log)
        self._on_event = on_event
        self._on_gone = on_gone
        self._running = False
        self._killed = False
        self._stop_signal = "SIGTERM"
        self._note = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._start: asyncio.Task[None] | None = None
        self._stop: asyncio.Task[None] | None = None
        self._end: asyncio.Task[None] | None = None
        self._removal: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Where it is called."""
        return f"handed:{self._folder.entry}"

    # -- beginnings --------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Make its containers and wait until it serves."""
        self._start = self._spawn(self._begin(self._make))

    def adopt(self, identity: str) -> None:
        """Take over the life of a container that runs. Raises Unavailable."""
        self.container, self._running = identity, True
        self.ready = self._folder.was_ready
        self.stopping = self._folder.stop_at is not None
        self._start = self._spawn(self._begin(self._open_way))
        self.resume()

    def resume(self) -> None:
        """The engine was away and is back, and the container runs. Raises Unavailable."""
        self._output.follow(self._house.engine(), self.container)
        if self.stopping and (self._stop is None or self._stop.done()):
            left_s = (self._folder.stop_at or 0.0) - time.monotonic()
            self._stop = self._spawn(self._terminate(max(0.0, left_s)))

    async def _begin(self, first: Callable[[], Coroutine[Any, Any, None]]) -> None:
        began = time.monotonic()
        try:
            await first()
            if self.ready:
                return
            await porters.until_ready(self._folder.entry, self.order.health_path)
            self._folder.mark_ready()
        except (Refusal, DayflyError, OSError) as error:
            told = f"the engine refused: {error}" if isinstance(error, Refusal) else str(error)
            self.finish("lost" if self.ready else "start_failed", told)
            return
        if not self.stopping:
            self.ready = True
            self._on_event(ReplicaReady(self.order.replica, self.address, time.monotonic() - began))

    async def _make(self) -> None:
        engine = self._house.engine()
        made = await make(engine, self._house.place, self._house.porter_image, self.order, self._folder)
        self.container, self._stop_signal, self._note = made.container, made.stop_signal, made.note
        await self._open_way()
        self._running = True
        await calls.start(engine, self.container)
        self._output.follow(engine, self.container)

    async def _open_way(self) -> None:
        fds = await porters.listeners(self._folder.exit)
        if fds:
            granted = Pass(str(self.order.key), self.order.allow)
            self._house.open_way(self.order.replica, [pass_file(granted), *fds])

    # -- endings -----------------------------------------------------------------------------------------------------

    def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill it after `grace_s` seconds. Raises Unavailable."""
        if self.over:
            return
        self._house.engine()
        self.stopping = True
        self._folder.mark_stopping(time.monotonic() + grace_s)
        if not self._running:
            self.finish("stopped", "stopped before it had started")
            return
        if self._stop is not None:
            self._stop.cancel()
        # One that has not served has no call to finish.
        self._stop = self._spawn(self._terminate(grace_s if self.ready else 0.0))

    def died(self, *, away: bool = False) -> None:
        """Its container has ended, or the engine has it no more; `away` when that was while the engine was away."""
        if not self.over and self._end is None:
            self._end = self._spawn(self._find_out(away=away))

    def lost_porter(self) -> None:
        """Its porter has ended, so that nobody reaches it."""
        if not self.over and self._end is None:
            self._end = self._spawn(self._end_with_porter())

    def struck(self) -> None:
        """The kernel ended a process of it for its memory."""
        limit = limits_of(self.order).memory_bytes >> 20
        self._output.tell(f"limit: the kernel ended a process: the replica reached its memory limit of {limit} MiB")

    def finish(self, reason: ExitReason, detail: str) -> None:
        """Let this be its end, and leave nothing of it. Idempotent."""
        if self.over:
            return
        self.over = True
        for task in (self._start, self._stop):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._house.close_way(self.order.replica)
        self._folder.close_entry()
        self._on_event(ReplicaExited(self.order.replica, reason, detail))
        self._removal = self._spawn(self._remove())

    async def close(self) -> None:
        """Let go of it; it goes on. What is left of one that has ended is removed first, if that is quick."""
        if self._removal is not None:
            await asyncio.wait([self._removal], timeout=REMOVE_S)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._output.stop()
        self._folder.close()

    async def _terminate(self, grace_s: float) -> None:
        try:
            if grace_s > 0:
                await calls.send_signal(self._house.engine(), self.container, self._stop_signal)
                await asyncio.sleep(grace_s)
            self._killed = self.ready
            await calls.send_signal(self._house.engine(), self.container, "SIGKILL")
        except (Refusal, Unavailable) as error:
            # Whoever asked asks again; and so do we when the engine is back.
            _log.warning("%s: replica %s cannot be told to end: %s", self.order.key, self.order.replica, error)

    async def _find_out(self, *, away: bool) -> None:
        try:
            engine = self._house.engine()
            state = await calls.state_of(engine, self.container)
            if state is not None and not state.is_over:
                self._end = None
                return
            await self._output.finish(engine, self.container)
        except (Refusal, Unavailable) as error:
            # It is asked again when the engine is back.
            _log.info("%s: how replica %s ended is not known yet: %s", self.order.key, self.order.replica, error)
            self._end = None
            return
        about = Circumstances(
            stopping=self.stopping,
            killed=self._killed,
            away=away,
            ready=self.ready,
            memory_bytes=limits_of(self.order).memory_bytes,
            note="" if self.ready else self._note,
        )
        self.finish(*ended(state, about))

    async def _end_with_porter(self) -> None:
        _, name = container.names(self._house.place, self.order.replica)
        said = ""
        try:
            state = await calls.state_of(self._house.engine(), name)
            if state is not None and not state.is_over:
                self._end = None
                return
            if state is not None and not self.ready:
                said = await calls.last_words(self._house.engine(), name)
        except (Refusal, Unavailable) as error:
            _log.info("%s: why replica %s lost its porter is unknown: %s", self.order.key, self.order.replica, error)
        reason: ExitReason = "lost" if self.ready else "start_failed"
        self.finish(reason, f"the porter of its container ended, so that nothing reaches it\n{said}".strip())

    async def _remove(self) -> None:
        await self._output.stop()
        for name in container.names(self._house.place, self.order.replica):
            with contextlib.suppress(Refusal, Unavailable):  # found by its label when the engine is back
                await calls.remove(self._house.engine(), name)
        self._folder.remove()
        self._on_gone(self)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: replica %s: a step of its life broke", self.order.key, self.order.replica, exc_info=error)
            self.finish("start_failed" if not self.ready else "lost", f"{type(error).__name__}: {error}")
