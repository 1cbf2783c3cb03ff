"""Replicas of images: a Deployment a revision, whose count follows the replicas, and whose pods are given their ids.

The Deployment replaces what is lost while nobody of ours is there to see it. To take one replica away, its pod is made
the cheapest to delete, the count is lowered, and the pod is deleted with the grace that was asked for: whichever of us
and the controller comes first, it is this pod that goes.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable

from dayfly.cluster.kinds import DEPLOYMENT, POD, SECRET, Kind, Object
from dayfly.cluster.refusals import AlreadyThere, Changed
from dayfly.model.errors import DayflyError, NotFound, Unavailable
from dayfly.model.replica import StartOrder
from dayfly.providers.kubernetes import choice, deployments, marks, probe
from dayfly.providers.kubernetes.house import RETRY_S, House
from dayfly.providers.kubernetes.life import Life, whole_seconds
from dayfly.providers.kubernetes.output import PlainOutput
from dayfly.providers.kubernetes.pods import Pod, standing

_log = logging.getLogger("dayfly.providers.kubernetes")


class ImageLife(Life):
    """The replica of `order` in a pod of the revision's Deployment."""

    output: PlainOutput

    def __init__(self, order: StartOrder, house: House, crowd: "Crowd", on_gone: Callable[[Life], None]) -> None:
        super().__init__(order, house, on_gone)
        self.crowd = crowd
        self.output = PlainOutput(house, self.order)
        self._port = house.site.pool.function_port
        self._probing: asyncio.Task[None] | None = None
        self._late: asyncio.Task[None] | None = None

    def begin(self, order: StartOrder) -> None:
        """Join the others of its revision."""
        self._late = self.spawn(self._give_up())
        self.crowd.join(self, order)

    def adopt(self, pod: Pod) -> None:
        """Take over the life in a pod that was given its id before."""
        self.output.read_ns = int(pod.metadata.annotations.get(marks.LOG_READ, "0"))
        self.stopping = marks.STOPPING in pod.metadata.annotations
        if pod.is_ready and pod.status.pod_ip:
            self.ready, self.address = True, pod.at(self._port)
        self.crowd.adopt(self)
        self.look(pod)

    def look(self, pod: Pod) -> None:
        """Follow its output, and ask it whether it serves, as soon as it runs."""
        super().look(pod)
        if self.over or not pod.status.pod_ip or standing(pod).phase != "running":
            return
        self.output.follow(pod.name)
        if self._probing is None and not self.ready:
            self._probing = self.spawn(self._probe(pod))

    def stop(self, grace_s: float) -> None:
        """Take its pod away, and no other."""
        if self.over:
            return
        self.stopping = True
        if self.pod is None:
            self.finish("stopped", "stopped before it had started")
        else:
            self.spawn(self._stop(self.pod, grace_s if self.ready else 0.0))

    async def let_go(self) -> None:
        """Delete the pod, and lower the count."""
        self.crowd.leave(self)
        if self.pod is not None:
            await self.crowd.settle()
            await self.house.remove(POD, self.pod.name, grace_s=1, uid=self.pod.metadata.uid)

    async def is_there(self, pod: Pod) -> bool:
        """Whether the program takes connections."""
        return await probe.is_there(pod.status.pod_ip, self._port)

    async def close(self) -> None:
        """Keep with the pod how far its output was read."""
        if self.pod is not None and not self.over and self.output.read_ns:
            try:
                await self.house.patch(self.pod.name, {"annotations": {marks.LOG_READ: str(self.output.read_ns)}})
            except DayflyError as error:
                _log.info("%s: its last lines may be read twice: %s", self.order.key, error)
        await super().close()

    async def _probe(self, pod: Pod) -> None:
        await probe.until_ready(pod.status.pod_ip, self._port, self.order.health_path)
        self.is_ready(pod.at(self._port))

    async def _give_up(self) -> None:
        await asyncio.sleep(self.house.site.start_s)
        if not self.ready:
            found = standing(self.pod) if self.pod is not None else None
            why = self.crowd.trouble or (found.why if found is not None else "") or "no reason is known"
            self.finish("start_failed", f"its pod did not serve within {self.house.site.start_s:g}s: {why}")

    async def _stop(self, pod: Pod, grace_s: float) -> None:
        marked = {marks.DELETION_COST: "-1000", marks.STOPPING: "true"}
        try:
            await self.house.patch(pod.name, {"annotations": marked})
        except DayflyError as error:
            _log.info("%s: its pod cannot be marked: %s", self.order.key, error)
        await self.crowd.settle()
        await self.house.remove(POD, pod.name, grace_s=whole_seconds(grace_s), uid=pod.metadata.uid)


class Crowd:
    """The replicas of one revision of an image, and its Deployment. `on_empty` is called when nothing is left."""

    def __init__(self, name: str, house: House, on_empty: Callable[["Crowd"], None]) -> None:
        self.name = name
        self.trouble = ""
        """Why the Deployment cannot be made or its pods not be named, when that is so."""
        self._house = house
        self._on_empty = on_empty
        self._lives: dict[str, ImageLife] = {}
        self._order: StartOrder | None = None
        """With the secrets' contents; known from the first start on."""
        self._made = False
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._dirty = asyncio.Event()

    def join(self, life: ImageLife, order: StartOrder) -> None:
        """One more is wanted."""
        for kind in (DEPLOYMENT, SECRET):
            self._house.keep(kind, self.name)
        self._order = order
        self._lives[order.replica] = life
        self.wake()

    def found(self) -> None:
        """Its Deployment is there already: it is to count our replicas, and to go with the last of them."""
        self._made = True

    def adopt(self, life: ImageLife) -> None:
        """One more is there already."""
        self._made = True
        self._lives[life.order.replica] = life

    def leave(self, life: ImageLife) -> None:
        """One is no more."""
        self._lives.pop(life.order.replica, None)
        self.wake()

    def wake(self) -> None:
        """Have the cluster compared with what is wanted: something has changed."""
        self._dirty.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def settle(self) -> None:
        """Have the Deployment's count be what is wanted now, if the API is there."""
        try:
            await self._count()
        except DayflyError as error:
            _log.info("%s: %s", self.name, error)
            self.wake()

    async def close(self) -> None:
        """Do no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _work(self) -> None:
        attempt = 0
        while self._dirty.is_set():
            self._dirty.clear()
            try:
                await self._count()
                await self._name(self._pods())
                self.trouble, attempt = "", 0
            except Unavailable as error:
                self.trouble = str(error)
                self._dirty.set()
                await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])
                attempt += 1
            except DayflyError as error:  # it will not do, however often it is tried
                for life in list(self._lives.values()):
                    life.finish("lost" if life.ready else "start_failed", str(error))
            if not self._lives and not self._pods():
                await self._house.remove(DEPLOYMENT, self.name)
                await self._house.remove(SECRET, self.name)
                if not self._lives:  # else one has begun meanwhile, and has set the flag
                    self._on_empty(self)
                    return

    async def _count(self) -> None:
        """Make the Deployment, or set its count. Raises DayflyError."""
        async with self._lock:
            wanted = sum(not (life.stopping or life.over) for life in self._lives.values())
            # Where making it was not answered it may be there, and have a pod that would be nobody's.
            if self._made or not wanted:
                try:
                    await self._scale(wanted)
                    return
                except NotFound:
                    self._made = False
            if self._order is None or not wanted:
                return
            await self._make(self._order, wanted)
            self._made = True

    async def _scale(self, wanted: int) -> None:
        """Set the count, and nothing else: what the pods are is never changed. Raises DayflyError."""
        scale = {"spec": {"replicas": wanted}}
        await self._house.connection.patch(DEPLOYMENT, self.name, scale, self._house.site.namespace, sub="scale")

    async def _make(self, order: StartOrder, wanted: int) -> None:
        site, connection = self._house.site, self._house.connection
        if order.secrets:
            # First what only the other refers to; it gets its owner when that is there.
            await self._ensure(SECRET, deployments.secret(site.pool, order))
        made = await self._ensure(DEPLOYMENT, deployments.deployment(site.pool, order, wanted))
        if made["spec"].get("replicas") != wanted:
            await self._scale(wanted)
        if order.secrets:
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": self.name, "uid": made["metadata"]["uid"]}
            await connection.patch(SECRET, self.name, {"metadata": {"ownerReferences": [owner]}}, site.namespace)

    async def _ensure(self, kind: Kind, obj: Object) -> Object:
        obj["metadata"]["namespace"] = self._house.site.namespace
        try:
            return await self._house.connection.create(kind, obj)
        except AlreadyThere:
            return await self._house.connection.get(kind, self.name, self._house.site.namespace)

    async def _name(self, pods: Iterable[Pod]) -> None:
        """Give ids to pods that have none. Raises DayflyError."""
        pods = list(pods)
        waiting = [name for name, life in self._lives.items() if life.pod is None and not life.stopping]
        for pod_name, replica in choice.to_name(pods, waiting).items():
            pod = next(each for each in pods if each.name == pod_name)
            try:
                named = await self._house.patch(
                    pod_name, {"labels": {marks.REPLICA: replica}}, pod.metadata.resource_version
                )
            except (Changed, NotFound):  # the watch tells what it is now, and we are woken
                continue
            life = self._lives.get(replica)
            if life is not None:
                life.look(named)

    def _pods(self) -> list[Pod]:
        return [pod for pod in self._house.pods.values() if pod.metadata.labels.get(marks.DEPLOYMENT) == self.name]
