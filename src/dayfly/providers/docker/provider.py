"""Replicas as containers: the provider port, on top of an engine that comes and goes.

While the engine is away nothing can be started and nothing is known to have ended: containers may go on without it, and
are reached through their porters, which need no engine either. When it is back its containers are compared with what is
known: what ended meanwhile is told, and what is ours by its label and nobody's replica is removed. Containers without
our label are never looked at.
"""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path

import msgspec

from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import NotSupported, Unavailable
from dayfly.model.log import LogLine
from dayfly.model.machine import PartLine, Surroundings
from dayfly.model.names import ReplicaId
from dayfly.model.replica import RecoveredReplica, ReplicaEvent, ReplicaStats, StartOrder
from dayfly.providers.docker import calls, container, porter_image
from dayfly.providers.docker.engine import Engine, Refusal
from dayfly.providers.docker.folders import Folder, secrets_root
from dayfly.providers.docker.images import Pins
from dayfly.providers.docker.life import Life
from dayfly.providers.docker.output import Output
from dayfly.providers.docker.presence import Event, Presence
from dayfly.providers.docker.printed import printed
from dayfly.providers.docker.survey import survey
from dayfly.providers.docker.ways import Ways
from dayfly.providers.port import Provider

_log = logging.getLogger("dayfly.providers.docker")

_ASKED_AT_ONCE = 16


class DockerProvider(Provider):
    """Starts containers by the engine at the first of `sockets` where there is one.

    `folders` takes what lies on this machine for each container, `installation` tells ours from others', `egress` is
    where the egress proxy listens; `environ` says where secrets and logins are.
    """

    name = "docker"

    def __init__(
        self,
        sockets: tuple[str, ...],
        folders: Path,
        installation: str,
        *,
        egress: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.porter_image = ""
        self._installation = installation
        self.place = porter_image.place(installation)
        self._folders = folders
        self._secrets = secrets_root(environ) / f"dayfly-{os.geteuid()}-{installation}"
        self._pins = Pins(environ)
        self._ways = Ways(egress)
        self._lives: dict[str, Life] = {}
        self._recovered = False
        self._presence = Presence(
            sockets,
            f"{container.INSTALLATION}={installation}",
            on_up=self._came_up,
            on_event=self._heard,
            on_round=self._went_round,
        )
        self._on_event: Callable[[ReplicaEvent], None] = lambda _event: None
        self._on_log: Callable[[LogLine], None] = lambda _line: None

    # -- the port ----------------------------------------------------------------------------------------------------

    async def open(self, on_event: Callable[[ReplicaEvent], None], on_log: Callable[[LogLine], None]) -> None:
        """Look for an engine, and go on looking while there is none; that is no error. Raises Unavailable."""
        self._on_event, self._on_log = on_event, on_log
        try:
            self._folders.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"{self._folders} cannot be made: {error.strerror}") from error
        self._ways.begin()
        await self._presence.open()

    async def close(self) -> None:
        """Disconnect; replicas keep running. Idempotent."""
        await asyncio.gather(*(life.close() for life in list(self._lives.values())))
        self._lives.clear()
        await self._presence.close()
        self._ways.end()

    async def recover(self) -> list[RecoveredReplica]:
        """Return the replicas that run; what else there is of ours is removed. Raises Unavailable."""
        self._recovered = True
        engine = self.engine()
        listed = await calls.list_ours(engine, self.place.installation)
        for found in listed:
            if not found.is_porter and found.replica not in self._lives:
                await self._adopt(engine, found)
        await self._compare(engine, listed)
        self._sweep()
        return [
            RecoveredReplica(life.order, life.address if life.ready else "")
            for life in self._lives.values()
            if not (life.stopping or life.over)
        ]

    async def start(self, order: StartOrder) -> None:
        """Begin to make the replica's containers. Raises Unavailable without an engine, NotSupported."""
        if order.runtime != "image":
            raise NotSupported(f"runtime: this provider has no {order.runtime}; it has image")
        self.engine()
        if order.replica not in self._lives:
            self._enlist(order).begin()

    async def stop(self, replica: ReplicaId, *, grace_s: float) -> None:
        """Have the replica told to end. Raises Unavailable."""
        if (life := self._lives.get(replica)) is not None:
            life.stop(grace_s)

    async def stats(self) -> dict[ReplicaId, ReplicaStats]:
        """Return what the engine says each replica uses, but for those it does not know. Raises Unavailable."""
        lives = [life for life in self._lives.values() if life.container and not life.over]
        if not lives:
            return {}
        engine, turn = self.engine(), asyncio.Semaphore(_ASKED_AT_ONCE)

        async def use_of(life: Life) -> ReplicaStats | None:
            async with turn:
                return await calls.use_of(engine, life.container)

        uses = await asyncio.gather(*map(use_of, lives))
        return {life.order.replica: use for life, use in zip(lives, uses, strict=True) if use is not None}

    async def survey(self) -> Surroundings:
        """Return the installation's containers and the engine's images. Raises Unavailable."""
        try:
            return await survey(self.engine(), self._installation)
        except Refusal as error:
            raise Unavailable(f"the container engine does not tell what it has: {error}") from error

    async def container_log(self, name: str, *, tail: int, follow: bool) -> AsyncGenerator[PartLine, None]:
        """Return what a container of the installation prints. Raises NotFound, Unavailable."""
        ours = (await self.survey()).containers
        return printed(self.engine(), ours, name, tail=tail, follow=follow)

    # -- what others ask ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> EngineState:
        """Whether there is an engine, and whether it is away."""
        return self._presence.state

    async def pin(self, name: str, pinned: str) -> str:
        """Return what the image `name` means, pulled if need be. Raises BuildFailed, InvalidSpec, Unavailable."""
        return await self._pins.pin(self.engine(), name, pinned)

    # -- for lives ---------------------------------------------------------------------------------------------------

    def engine(self) -> Engine:
        """Return the engine. Raises Unavailable while it is away."""
        engine = self._presence.engine()
        if not self.porter_image:
            raise Unavailable("the container engine was found just now and is being made ready")
        return engine

    def open_way(self, replica: str, fds: list[int]) -> None:
        """Have what the function connects to these sockets served; the pass comes first."""
        self._ways.open(replica, fds)

    def close_way(self, replica: str) -> None:
        """Have them served no longer."""
        self._ways.close(replica)

    def _enlist(self, order: StartOrder) -> Life:
        life = Life(order, self, self._folder(order.replica), self._on_event, self._on_log, self._gone)
        self._lives[order.replica] = life
        return life

    def _gone(self, life: Life) -> None:
        self._lives.pop(life.order.replica, None)

    def _folder(self, replica: str) -> Folder:
        return Folder(self._folders / replica, self._secrets / replica)

    # -- what the engine tells ---------------------------------------------------------------------------------------

    async def _came_up(self, engine: Engine, known: ContainerEngine) -> None:
        self.place = porter_image.place(self.place.installation, known)
        self.porter_image = await porter_image.ensure(engine)
        await self._compare(engine, await calls.list_ours(engine, self.place.installation), away=True)

    def _heard(self, event: Event) -> None:
        labels = event.actor.attributes
        life = self._lives.get(labels.get(container.REPLICA, ""))
        if life is None:
            return
        is_porter = labels.get(container.ROLE) == "porter"
        if event.action in ("die", "died"):
            life.lost_porter() if is_porter else life.died()
        elif event.action == "oom" and not is_porter:
            life.struck()

    async def _went_round(self, engine: Engine) -> None:
        """Find what no event told: events can be lost, and a request that was given up may have been carried out."""
        self._ways.look()
        await self._compare(engine, await calls.list_ours(engine, self.place.installation))

    async def _compare(self, engine: Engine, listed: list[calls.Found], *, away: bool = False) -> None:
        """Tell lives what became of their containers, and remove those that are no life's."""
        present = {found.id for found in listed}
        guarded = {found.replica for found in listed if found.is_porter and found.is_running}
        for life in list(self._lives.values()):
            if life.container and life.container not in present:
                life.died(away=away)
            elif life.container and life.order.replica not in guarded:
                life.lost_porter()
        for found in listed:
            whose = self._lives.get(found.replica)
            if whose is not None:
                if found.id == whose.container:
                    if found.is_over:
                        whose.died(away=away)
                    elif away:
                        whose.resume()
            elif self._recovered:
                _log.warning("removing the container %s, which is no replica's", found.id[:12])
                await calls.remove(engine, found.id)

    async def _adopt(self, engine: Engine, found: calls.Found) -> None:
        """Take a container of an earlier control plane over, or hear its last words."""
        folder = self._folder(found.replica)
        try:
            order = container.order_in(found.labels, folder.read_secrets())
        except (msgspec.DecodeError, KeyError) as error:
            _log.error("the container %s bears an order that cannot be read: %s", found.id[:12], error)
            return
        if found.is_running:
            self._enlist(order).adopt(found.id)
        elif found.is_over:
            await Output(order, folder, self._on_log).finish(engine, found.id)
            folder.close()

    def _sweep(self) -> None:
        """Remove the folders of containers that are gone."""
        for parent in (self._folders, self._secrets):
            for path in list(parent.iterdir()) if parent.is_dir() else ():
                if path.name not in self._lives:
                    self._folder(path.name).remove()
