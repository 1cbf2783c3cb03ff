"""Claiming pods of the pool: one at a time is ours the moment that the API server has taken the change of its labels.

The change is guarded by the pod's version, so that of two who want a pod one gets it, and the other takes the next. A
pod's key is read from the first line of its log when it joins the pool, before anybody waits for it.
"""

import asyncio
import contextlib
import logging

from dayfly.cluster.refusals import Changed
from dayfly.model.errors import NotFound, Unavailable
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import choice, marks
from dayfly.providers.kubernetes.house import House
from dayfly.providers.kubernetes.pods import Pod
from dayfly.providers.pod import lines

_log = logging.getLogger("dayfly.providers.kubernetes")

AGAIN_S = 1.0
"""After how long a pod is tried again whose key could not be had."""
_HEAD_BYTES = "8192"


class Claims:
    """Claims pods for orders, in the order in which they came."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._tried: dict[str, str] = {}
        """Pods that we have claimed or could not claim, and in which version; the watch tells of the next one."""
        self._keys: dict[str, str] = {}
        """Keys of agents by their containers' ids."""
        self._asking: dict[str, asyncio.Task[str]] = {}

    async def claim(self, order: StartOrder) -> Pod:
        """Return a pod that is this order's alone, waiting for one. Raises Unavailable when none comes."""
        labels = marks.labels(self._house.site.pool.installation, order)
        annotations = {marks.ORDER: marks.order_text(order)}
        try:
            async with asyncio.timeout(self._house.site.start_s):
                while True:
                    pod = choice.to_claim(order, self._house.pods.values(), self._tried, self._house.doubted)
                    if pod is None:
                        await self._house.changed()
                    elif (claimed := await self._take(pod, labels, annotations)) is not None:
                        return claimed
        except TimeoutError:
            why = choice.why_none(self._house.pods.values())
            raise Unavailable(
                f"no runtime pod was free within {self._house.site.start_s:g}s: {why}",
                hint="give the pool more pods (pool.size), or the cluster more room",
            ) from None

    def joined(self, pod: Pod) -> None:
        """A pod of the pool is there: its key is asked for ahead of need."""
        if pod.container.container_id not in self._keys and pod.container.container_id:
            self._ask(pod)

    def left(self, pod: Pod) -> None:
        """A pod is gone."""
        self._tried.pop(pod.name, None)
        self._keys.pop(pod.container.container_id, None)

    async def key_of(self, pod: Pod) -> str:
        """Return the public key of a pod's agent. Raises Unavailable."""
        known = self._keys.get(pod.container.container_id)
        return known if known is not None else await asyncio.shield(self._ask(pod))

    async def close(self) -> None:
        """Ask no more."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _take(self, pod: Pod, labels: dict[str, str], annotations: dict[str, str]) -> Pod | None:
        """Claim this pod; None when somebody else has, or it is none that can be used. Raises DayflyError."""
        self._tried[pod.name] = pod.metadata.resource_version
        try:
            key = await self.key_of(pod)
        except (Unavailable, NotFound) as error:
            _log.warning("the runtime pod %s cannot be used now: %s", pod.name, error)
            asyncio.get_running_loop().call_later(AGAIN_S, self._forgive, pod)
            return None
        claimed_in = {marks.AGENT: key, marks.CONTAINER: pod.container.container_id}
        change = {"labels": labels, "annotations": annotations | claimed_in}
        try:
            return await self._house.patch(pod.name, change, pod.metadata.resource_version)
        except (Changed, NotFound):
            return None

    def _forgive(self, pod: Pod) -> None:
        if self._tried.get(pod.name) == pod.metadata.resource_version:
            del self._tried[pod.name]
            self._house.notify()

    def _ask(self, pod: Pod) -> asyncio.Task[str]:
        identity = pod.container.container_id
        task = self._asking.get(identity)
        if task is None:
            task = self._asking[identity] = asyncio.get_running_loop().create_task(self._read_key(pod))
            task.add_done_callback(lambda done: self._asked(identity, done))
        return task

    def _asked(self, identity: str, done: asyncio.Task[str]) -> None:
        self._asking.pop(identity, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            _log.info("the key of a runtime pod could not be read: %s", error)

    async def _read_key(self, pod: Pod) -> str:
        found = self._house.log_of(pod.name, follow=False, limitBytes=_HEAD_BYTES)
        async with contextlib.aclosing(found) as head:
            async for line in head:
                hello = lines.parse(line)
                if isinstance(hello, lines.Hello):
                    self._keys[pod.container.container_id] = hello.key
                    return hello.key
        raise Unavailable(f"the pod {pod.name} did not say who it is; is its image of another version?")
