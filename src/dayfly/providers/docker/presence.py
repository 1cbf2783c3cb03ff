"""The engine, looked for all the time: followed while it is there, and missed while it is away."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from dayfly.model.engine import ContainerEngine, EngineState
from dayfly.model.errors import Unavailable
from dayfly.providers.docker import endpoint
from dayfly.providers.docker.engine import Engine, Refusal

_log = logging.getLogger("dayfly.providers.docker")

FIRST_LOOK_S = 10.0
"""How long `open` waits for an engine that is there to answer."""
RETRY_S = (0.1, 0.5, 1.0, 3.0)
ROUND_S = 10.0
"""How often it is looked whether an event was lost."""


class Actor(msgspec.Struct, frozen=True, rename="pascal"):
    """Whom an event is about."""

    attributes: dict[str, str] = {}
    """Its labels, among others."""


class Event(msgspec.Struct, frozen=True, rename="pascal"):
    """What the engine tells of a container."""

    action: str = ""
    actor: Actor = Actor()


class Presence:
    """Finds the engine at one of `sockets`.

    `on_up` is awaited each time that it was found, `on_event` called for each event of
    a container that bears `label`, `on_round` awaited every ROUND_S seconds; all three may raise Refusal, Unavailable.
    """

    def __init__(
        self,
        sockets: tuple[str, ...],
        label: str,
        *,
        on_up: Callable[[Engine, ContainerEngine], Awaitable[None]],
        on_event: Callable[[Event], None],
        on_round: Callable[[Engine], Awaitable[None]],
    ) -> None:
        self._sockets = sockets
        self._label = label
        self._on_up = on_up
        self._on_event = on_event
        self._on_round = on_round
        self._engine: Engine | None = None
        self._known: ContainerEngine | None = None
        self._why = endpoint.why_none(sockets)
        self._looked = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def state(self) -> EngineState:
        """Whether there is an engine, and whether it is away."""
        return EngineState(engine=self._known, reason=self._why if self._engine is None else "")

    def engine(self) -> Engine:
        """Return the engine. Raises Unavailable while it is away."""
        if self._engine is None:
            raise Unavailable(f"no container engine: {self._why}")
        return self._engine

    async def open(self) -> None:
        """Begin to look; returns when the first look is over, whatever was seen."""
        self._looked.clear()
        self._keeper = asyncio.create_task(self._keep())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                await self._looked.wait()

    async def close(self) -> None:
        """Look no more. Idempotent."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None

    async def _keep(self) -> None:
        attempt = 0
        while True:
            path = endpoint.first_present(self._sockets)
            if path is None:
                self._why = endpoint.why_none(self._sockets)
            else:
                try:
                    await self._serve(path)
                except (Unavailable, Refusal) as error:
                    attempt = 0 if self._engine is not None else attempt + 1
                    self._why = str(error)
                    _log.log(logging.WARNING if attempt <= 1 else logging.DEBUG, "%s", error)
                finally:
                    self._engine = None
            self._looked.set()
            await asyncio.sleep(RETRY_S[min(attempt, len(RETRY_S) - 1)])

    async def _serve(self, path: str) -> None:
        """Follow what the engine tells until it goes. Raises Unavailable, Refusal."""
        engine = Engine(path)
        try:
            known = await engine.open()
            query = {"filters": {"type": ["container"], "label": [self._label]}}
            # Followed first and compared after, so that nothing can happen in between.
            async with engine.stream("GET", "/events", query=query) as pieces:
                self._engine, self._known = engine, known
                await self._on_up(engine, known)
                _log.info("image functions run on %s %s at %s", known.name, known.version, path)
                self._looked.set()
                rounds = asyncio.create_task(self._go_round(engine))
                try:
                    async for line in _lines(pieces):
                        self._on_event(msgspec.json.decode(line, type=Event))
                finally:
                    rounds.cancel()
                    await asyncio.wait([rounds])
            raise Unavailable(f"the container engine at {path} went away")
        finally:
            await engine.close()

    async def _go_round(self, engine: Engine) -> None:
        while True:
            await asyncio.sleep(ROUND_S)
            try:
                await self._on_round(engine)
            except (Refusal, Unavailable) as error:
                _log.info("the engine's containers cannot be looked at now: %s", error)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
