"""Replicas as pods: the provider port, on top of an API server that comes and goes.

Pods are followed by one watch of all that are ours by their label. While the API is away replicas go on, are reached
by their addresses, and their agents tell of their ends; nothing new is started. When it is back, the watch tells what
differs. Pods without our label are never looked at.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable

import msgspec

from dayfly.cluster.connection import Connection
from dayfly.cluster.kinds import CONFIG_MAP, DEPLOYMENT, NODE, POD, name_of
from dayfly.cluster.refusals import NotAllowed
from dayfly.cluster.watch import Event, follow
from dayfly.model.errors import DayflyError, NotFound, NotSupported, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine, Surroundings
from dayfly.model.names import ReplicaId
from dayfly.model.replica import RecoveredReplica, ReplicaEvent, ReplicaStats, StartOrder
from dayfly.model.runtime import Runtime
from dayfly.providers.kubernetes import choice, deployments, marks, usage
from dayfly.providers.kubernetes.claims import Claims
from dayfly.providers.kubernetes.code_life import CodeLife
from dayfly.providers.kubernetes.house import House, Site
from dayfly.providers.kubernetes.image_life import Crowd, ImageLife
from dayfly.providers.kubernetes.life import Life
from dayfly.providers.kubernetes.metrics import uses
from dayfly.providers.kubernetes.output import AgentOutput
from dayfly.providers.kubernetes.parts import own_pods, printed
from dayfly.providers.kubernetes.pods import Pod, standing, understand
from dayfly.providers.kubernetes.pool import CONTAINER, CONTROL_KEY
from dayfly.providers.kubernetes.survey import survey
from dayfly.providers.pod.seal import ControlKey
from dayfly.providers.port import Provider

_log = logging.getLogger("dayfly.providers.kubernetes")

OPEN_S = 15.0
"""How long the API may take to say what is there."""
SWEEP_S = 5.0
_CODE: tuple[Runtime, ...] = ("python", "node", "exec", "http", "static")


class KubernetesProvider(Provider):
    """Starts pods at `site`; `connect` makes a connection to its API, `secret` is what this installation was given.

    Of the secret the control plane's key pair is made; pods learn its public half from a ConfigMap.
    """

    name = "kubernetes"

    def __init__(self, connect: Callable[[], Connection], site: Site, secret: bytes) -> None:
        self.site = site
        self._connect = connect
        self._key = ControlKey(secret)
        self._lives: dict[str, Life] = {}
        self._crowds: dict[str, Crowd] = {}
        self._house: House | None = None
        self._claims: Claims | None = None
        self._synced = asyncio.Event()
        self._recovered = False
        self._tasks: list[asyncio.Task[None]] = []
        self._deaf: set[str] = set()
        """Nodes that did not say what their pods use; each is told of once."""

    # -- the port ----------------------------------------------------------------------------------------------------

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Say who we are to pods to come, and see what is there. Raises Unavailable."""
        house = self._house = House(self._connect(), self.site, self._key, on_event, on_log)
        self._claims = Claims(house)
        try:
            await self._publish_key(house)
            self._tasks = [asyncio.create_task(self._watch(house)), asyncio.create_task(self._sweep(house))]
            async with asyncio.timeout(OPEN_S):
                await self._synced.wait()
        except TimeoutError:
            await self.close()
            raise Unavailable(
                f"the cluster did not list the pods of {self.site.namespace} within {OPEN_S:g}s"
            ) from None
        except DayflyError as error:
            await self.close()
            raise Unavailable(f"the cluster cannot be used: {error}") from error

    async def close(self) -> None:
        """Disconnect; replicas keep running. Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(life.close() for life in list(self._lives.values())))
        for crowd in list(self._crowds.values()):
            await crowd.close()
        self._lives.clear()
        self._crowds.clear()
        self._tasks.clear()
        if self._claims is not None:
            await self._claims.close()
        if self._house is not None:
            await self._house.connection.close()
            self._house = None

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that have pods; what is nobody's replica is removed. Raises Unavailable."""
        house = self._at_home()
        labels = _selected(self.site)
        for name in map(name_of, (await house.connection.list(DEPLOYMENT, self.site.namespace, labels=labels)).items):
            if name != self.site.pool.name:
                self._crowd(house, name).found()
        self._recovered = True
        await asyncio.gather(*(self._adopt(house, pod) for pod in list(house.pods.values()) if pod.role == marks.OURS))
        for crowd in self._crowds.values():
            crowd.wake()
        return [
            RecoveredReplica(life.order, life.address if life.ready else "")
            for life in self._lives.values()
            if not (life.stopping or life.over)
        ]

    async def start(self, order: StartOrder) -> None:
        """Begin to have the replica's pod found or made. Raises Unavailable, NotSupported."""
        house = self._at_home()
        if order.runtime != "image" and order.runtime not in _CODE:
            raise NotSupported(f"runtime: this provider has no {order.runtime}; it has {', '.join((*_CODE, 'image'))}")
        if order.replica in self._lives:
            return
        life: Life
        if order.runtime == "image":
            deployments.check(order)
            life = ImageLife(order, house, self._crowd(house, deployments.name_of(order)), self._gone)
        else:
            _ = choice.node_selector(order.constraints), marks.order_text(order)
            assert self._claims is not None
            life = CodeLife(order, house, self._claims, self._gone)
        self._lives[order.replica] = life
        life.begin(order)

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Have the replica told to end."""
        if (life := self._lives.get(replica)) is not None:
            life.stop(grace_s)

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what agents, and for images the kubelets, say of each replica; those that say nothing are left out."""
        house = self._at_home()
        found: dict[ReplicaId, ReplicaStats] = {}
        code = [life for life in self._lives.values() if isinstance(life, CodeLife) and not life.over]
        for life, use in zip(code, await asyncio.gather(*(life.stats() for life in code)), strict=True):
            if use is not None:
                found[life.order.replica] = use
        images = [life for life in self._lives.values() if isinstance(life, ImageLife) and life.pod and not life.over]
        nodes = {life.pod.spec.node_name for life in images if life.pod is not None and life.pod.spec.node_name}
        uses: dict[str, ReplicaStats] = {}
        for told in await asyncio.gather(*(self._of_node(house, node) for node in sorted(nodes))):
            uses |= told
        for each in images:
            if each.pod is not None and (use := uses.get(each.pod.name)) is not None:
                found[each.order.replica] = use
        return found

    async def survey(self) -> Surroundings:
        """Return the pods, and the cluster's nodes, as far as they may be read. Raises Unavailable."""
        house, own = self._at_home(), self.site.own_namespace
        used = asyncio.create_task(uses(house.connection, self.site.namespace, own))
        try:
            try:
                nodes = (await house.connection.list(NODE)).items
            except NotAllowed:
                nodes = []
            return survey(house.pods.values(), nodes, await own_pods(house.connection, own), await used)
        finally:
            used.cancel()

    async def container_log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what a pod of a function, or of the platform, prints. Raises NotFound, Unavailable."""
        house, own = self._at_home(), self.site.own_namespace
        if name in house.pods:
            return printed(house.connection, self.site.namespace, name, tail=tail, follow=follow)
        if name not in {each.name for each in await own_pods(house.connection, own)}:
            raise NotFound(f"there is no pod {name[:80]}")
        return printed(house.connection, own, name, tail=tail, follow=follow)

    # -- within ------------------------------------------------------------------------------------------------------

    def _at_home(self) -> House:
        if self._house is None or not self._synced.is_set():
            raise Unavailable("the cluster is not connected")
        return self._house

    async def _publish_key(self, house: House) -> None:
        wanted = {CONTROL_KEY: self._key.public}
        name, namespace = self.site.pool.name, self.site.namespace
        labels = marks.selector(self.site.pool.installation)
        obj = CONFIG_MAP.object(name, namespace, metadata={"labels": labels}, data=wanted)
        await house.connection.patch(CONFIG_MAP, name, obj, namespace, how="apply", force=True)

    async def _watch(self, house: House) -> None:
        watch = follow(house.connection, POD, self.site.namespace, labels=_selected(self.site))
        async with contextlib.aclosing(watch) as events:
            async for event in events:
                self._seen(house, event)

    async def _sweep(self, house: House) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            await house.sweep()

    def _seen(self, house: House, event: Event) -> None:
        if event.type == "synced":
            self._synced.set()
            return
        try:
            pod = understand(event.object)
        except msgspec.ValidationError as error:
            _log.error("a pod cannot be understood: %s", error)
            return
        life = self._lives.get(pod.replica)
        assert self._claims is not None
        if event.type == "gone":
            house.pods.pop(pod.name, None)
            self._claims.left(pod)
            if life is not None and life.pod is not None and life.pod.metadata.uid == pod.metadata.uid:
                life.vanished(pod)
        else:
            house.pods[pod.name] = pod
            if pod.role == marks.POOL and pod.is_ready:
                self._claims.joined(pod)
            if life is not None:
                life.look(pod)
            elif self._recovered and pod.role == marks.OURS and pod.replica and not pod.is_leaving:
                _log.warning("removing the pod %s, which is no replica's", pod.name)
                self._tasks.append(asyncio.create_task(house.remove(POD, pod.name, grace_s=1, uid=pod.metadata.uid)))
        if (crowd := self._crowds.get(pod.metadata.labels.get(marks.DEPLOYMENT, ""))) is not None:
            crowd.wake()
        house.notify()

    async def _adopt(self, house: House, pod: Pod) -> None:
        """Take over the life in a pod of an earlier control plane."""
        if pod.replica in self._lives or pod.is_leaving:
            return
        ended = standing(pod).phase == "over"
        deployment = pod.metadata.labels.get(marks.DEPLOYMENT, "")
        order = marks.order_in(pod.metadata.annotations, pod.replica)
        if order is None or (not pod.replica and not deployment):
            _log.error("the pod %s bears an order that cannot be read, and is removed", pod.name)
            await house.remove(POD, pod.name, grace_s=1, uid=pod.metadata.uid)
            return
        if deployment:
            if pod.replica:
                crowd = self._crowd(house, deployment)
                image = self._lives[pod.replica] = ImageLife(order, house, crowd, self._gone)
                image.adopt(pod)
            return
        if ended:
            with contextlib.suppress(DayflyError):  # it has nothing to say any more
                await AgentOutput(house, order, lambda _: None).catch_up(pod.name)
            await house.remove(POD, pod.name, grace_s=1, uid=pod.metadata.uid)
            return
        assert self._claims is not None
        code = self._lives[pod.replica] = CodeLife(order, house, self._claims, self._gone)
        await code.adopt(pod)
        code.look(pod)

    def _crowd(self, house: House, name: str) -> Crowd:
        if name not in self._crowds:
            self._crowds[name] = Crowd(name, house, self._emptied)
        return self._crowds[name]

    def _emptied(self, crowd: Crowd) -> None:
        self._crowds.pop(crowd.name, None)

    def _gone(self, life: Life) -> None:
        if self._lives.get(life.order.replica) is life:
            del self._lives[life.order.replica]

    async def _of_node(self, house: House, node: str) -> dict[str, ReplicaStats]:
        try:
            path = f"/api/v1/nodes/{node}/proxy/metrics/resource"
            lines = [line.decode() async for line in house.connection.stream(path, {})]
        except DayflyError as error:
            if node not in self._deaf:
                self._deaf.add(node)
                _log.warning("what images' replicas on %s use is not known: %s", node, error)
            return {}
        return usage.by_pod(lines, self.site.namespace, CONTAINER)


def _selected(site: Site) -> str:
    """Return what selects all that is this installation's."""
    return ",".join(f"{name}={value}" for name, value in marks.selector(site.pool.installation).items())
