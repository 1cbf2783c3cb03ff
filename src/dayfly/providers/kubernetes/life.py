"""One replica's life as a pod: begun, ready, told to end, ended. What both kinds of pods have in common.

Whatever goes wrong on the way, a life that was begun ends with exactly one `ReplicaExited`. A pod that could not be
removed, because the API was away, is removed when it is back: it is the house's watch that finds it.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine
from typing import Any

from dayfly.model.replica import ExitReason, ReplicaExited, ReplicaReady, StartOrder
from dayfly.providers.kubernetes.house import House
from dayfly.providers.kubernetes.output import Output
from dayfly.providers.kubernetes.pods import End, Pod, gone, standing
from dayfly.runtimes.python.limits import limits_of

UNHEARD_EVERY_S = 5.0
"""How often a replica is asked whether it is there while the cluster hears nothing of its node."""
REMOVE_S = 10.0
"""How long whoever closes the provider waits for the cluster to remove a pod."""

_log = logging.getLogger("dayfly.providers.kubernetes")


class Life:
    """The replica of `order`. `on_gone` is called at the very end, when nothing is left of it."""

    output: Output

    def __init__(self, order: StartOrder, house: House, on_gone: Callable[["Life"], None]) -> None:
        self.order = order.without_contents()
        self.pod: Pod | None = None
        """Its pod as it was last seen."""
        self.address = ""
        self.ready = False
        self.stopping = False
        self.over = False
        self.recovering = False
        """Whether whoever recovers it will be told how it is, so that no event need."""
        self.house = house
        self._on_gone = on_gone
        self._began = time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._finding: asyncio.Task[None] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._doubting: asyncio.Task[None] | None = None

    # -- what the kinds do -------------------------------------------------------------------------------------------

    def begin(self, order: StartOrder) -> None:
        """Have it made; `order` has the contents of its secrets."""
        raise NotImplementedError

    def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill it after `grace_s` seconds."""
        raise NotImplementedError

    async def let_go(self) -> None:
        """Leave nothing of it in the cluster."""
        raise NotImplementedError

    async def is_there(self, pod: Pod) -> bool:
        """Whether connections are taken in its pod."""
        raise NotImplementedError

    async def last_reason(self) -> None:
        """Wait a moment for a better account of its end than the pod's status gives, where there may be one."""

    # -- what happens ------------------------------------------------------------------------------------------------

    def look(self, pod: Pod) -> None:
        """Its pod has changed."""
        self.pod = pod
        if self.over:
            return
        found = standing(pod, memory_bytes=limits_of(self.order).memory_bytes)
        if found.end is not None:
            self.ends(found.end)
        elif pod.is_unheard and self._doubting is None:
            self._doubting = self.spawn(self._doubt())
        elif pod.is_leaving and self.ready and not self.stopping:
            self._taken_away(gone(pod))

    def vanished(self, pod: Pod) -> None:
        """Its pod is there no more."""
        self.pod = pod
        if self.over:
            self._depart()
        elif self.stopping:
            self.ends(End("stopped", "its pod was removed"))
        else:
            self.ends(gone(pod))

    def ends(self, end: End) -> None:
        """It has ended, as far as its pod tells."""
        if not self.over and self._finding is None:
            self._finding = self.spawn(self._find_out(end))

    def is_ready(self, address: str, took_s: float | None = None) -> None:
        """It answers at `address`."""
        if self.over or self.stopping or self.ready:
            return
        self.ready, self.address = True, address
        if self.recovering:
            return
        self.house.on_event(
            ReplicaReady(self.order.replica, address, time.monotonic() - self._began if took_s is None else took_s)
        )

    def finish(self, reason: ExitReason, detail: str) -> None:
        """Let this be its end. Idempotent."""
        if self.over:
            return
        self.over = True
        self.house.on_event(ReplicaExited(self.order.replica, reason, detail))
        self._depart()

    async def _doubt(self) -> None:
        """While the cluster does not hear its node, see whether that is lost, or is only cut off from the cluster."""
        while self.pod is not None and self.pod.is_unheard and not self.over:
            if not await self.is_there(self.pod):
                end = End("stopped" if self.stopping else "lost", "its node is not heard of any more, and nor is it")
                self.finish(end.reason, end.detail)
                return
            await asyncio.sleep(UNHEARD_EVERY_S)
        self._doubting = None

    def _taken_away(self, end: End) -> None:
        """Tell its end now, but let it end by itself: nobody asked us, and it finishes its calls; no more may come."""
        self.over = True
        self.house.on_event(ReplicaExited(self.order.replica, end.reason, end.detail))

    def _depart(self) -> None:
        """Leave nothing of it. Idempotent."""
        if self._leaving is None:
            for task in self._tasks - {asyncio.current_task()}:
                task.cancel()
            self._leaving = self.spawn(self._leave())

    async def close(self) -> None:
        """Let go of it on our side; it goes on. What one has left that ended is removed first, if that is quick."""
        if self._leaving is not None:
            await asyncio.wait([self._leaving], timeout=REMOVE_S)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.output.stop()

    async def _find_out(self, end: End) -> None:
        await self.last_reason()
        await self.output.finish()
        # What a pod's termination message says of a function that never served may come from the function.
        self.finish(end.reason, end.detail)

    async def _leave(self) -> None:
        await self.output.stop()
        await self.let_go()
        self._on_gone(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside; what breaks there is its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("%s: replica %s: a step of its life broke", self.order.key, self.order.replica, exc_info=error)
            self.finish("lost" if self.ready else "start_failed", f"{type(error).__name__}: {error}")


def whole_seconds(grace_s: float) -> int:
    """Return a grace as Kubernetes counts it; 0 would make it forget the pod without having ended it."""
    return max(1, math.ceil(grace_s))
