"""The runner: has every trigger's source read, whatever becomes of the server it reads from.

Each trigger that is to run has a task: it builds the source, lets it deliver, and when the server is lost, or will not
have us, begins anew after a wait that grows, so that a thousand platforms do not come back at once. A trigger that is
changed, or whose secret is, begins anew as well. What keeps one from working is told in its standing, never in
another's.
"""

import asyncio
import functools
import logging
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping

from dayfly.control.clock import Clock
from dayfly.decide.queueing import backoff_s
from dayfly.decide.triggers import check_folder
from dayfly.events import sources
from dayfly.events.delivery import Delivery
from dayfly.events.firing import Begin, Fire, no_flows
from dayfly.events.pause import pause
from dayfly.events.port import Lost, Source
from dayfly.events.sources import Build
from dayfly.events.sources.cron import Cron
from dayfly.model.errors import DayflyError, InvalidSpec
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey, FunctionName, NamespaceName
from dayfly.model.reach import Reach
from dayfly.model.retry import RetryPolicy
from dayfly.model.secret import SecretContent
from dayfly.model.trigger import Trigger, TriggerStanding
from dayfly.model.trigger_secret import Credentials
from dayfly.model.trigger_source import CronSource, FilesSource

LOOK_S = 1.0
"""How often it is looked whether a trigger's function has come or gone."""
STEADY_S = 30.0
"""A source that ran for so long has recovered: its next wait is the first again."""
POLICY = RetryPolicy(min_wait_s=1.0, max_wait_s=60.0)
_log = logging.getLogger("dayfly.events")

Key = tuple[NamespaceName, str]
Contents = Callable[[NamespaceName, Iterable[str]], Awaitable[Mapping[str, SecretContent]]]


class Runner:
    """Runs the triggers that `triggers` gives; call `wake` when one has changed."""

    def __init__(
        self,
        triggers: Callable[[], Iterable[Trigger]],
        functions: Callable[[], Iterable[Function]],
        contents: Contents,
        fire: Fire,
        clock: Clock,
        *,
        reach: Reach = Reach(),  # noqa: B008 - it is frozen
        begin: Begin = no_flows,
        has_flow: Callable[[Key], bool] = lambda _key: False,
        forsake: Callable[[NamespaceName, str], None] = lambda _namespace, _name: None,
        load: Callable[[str], Build] = sources.load,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._triggers = triggers
        self._functions = functions
        self._contents = contents
        self._fire = fire
        self._clock = clock
        self._reach = reach
        self._begin = begin
        self._has_flow = has_flow
        self._forsake = forsake
        """Told of a trigger whose function has gone, with which it is to go."""
        self._load = load
        self._jitter = jitter
        self._filtering = asyncio.Lock()
        self._deliveries: dict[Key, Delivery] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._ending: dict[Key, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Run them until cancelled."""
        try:
            while True:
                self._wake.clear()
                self.look()
                await pause(self._clock, LOOK_S, self._wake)
        finally:
            for key in list(self._tasks):
                self._end(key)
            await asyncio.gather(*self._ending.values(), return_exceptions=True)

    def wake(self) -> None:
        """Look at once."""
        self._wake.set()

    def renew(self, namespace: NamespaceName, secret: str) -> None:
        """A secret was written or removed: begin anew with the triggers that need it."""
        for key, delivery in self._deliveries.items():
            if key[0] == namespace and secret in delivery.trigger.spec.secrets:
                self._end(key)
        self.wake()

    def standing(self, key: Key) -> TriggerStanding:
        """Return how a trigger does."""
        delivery = self._deliveries.get(key)
        return delivery.standing if delivery is not None else TriggerStanding()

    def delivery(self, key: Key) -> Delivery | None:
        """Return what delivers a trigger's events, if it is known here yet."""
        return self._deliveries.get(key)

    def running(self, kind: str) -> list[Delivery]:
        """Return the deliveries of all triggers of a kind that is nobody's server, and that run."""
        found = (each for each in self._deliveries.values() if each.trigger.spec.source.kind == kind)
        return [each for each in found if each.standing.state == "running"]

    def look(self) -> None:
        """Compare what runs with what is to run."""
        triggers = list(self._triggers())
        # Without a trigger nobody asks: of 10,000 functions the set takes 4 ms, every second.
        present = {function.key for function in self._functions()} if triggers else set()
        gone = set(self._deliveries)
        for trigger in triggers:
            gone.discard(trigger.key)
            delivery = self._delivery(trigger)
            spec = trigger.spec
            named = FunctionKey(trigger.key[0], FunctionName(spec.function))
            lacks = spec.function != "" and named not in present
            if lacks and spec.bound:
                self._forsake(*trigger.key)
            trouble = f"there is no function {spec.function}" if lacks else ""
            if spec.flow and not lacks and not self._has_flow((trigger.key[0], spec.flow)):
                trouble = f"there is no flow {spec.flow}"
            if spec.paused or trouble:
                self._end(trigger.key)
                delivery.tell(state="paused" if spec.paused else "failing", trouble=trouble)
            elif spec.source.kind not in sources.RUNNING:
                delivery.tell(state="running")
            elif trigger.key not in self._tasks:
                before = self._ending.get(trigger.key)
                self._tasks[trigger.key] = asyncio.create_task(self._keep_running(delivery, before))
        for key in gone:
            self._end(key)
            del self._deliveries[key]

    def _delivery(self, trigger: Trigger) -> Delivery:
        known = self._deliveries.get(trigger.key)
        if known is not None and known.trigger is trigger:
            return known
        self._end(trigger.key)
        delivery = Delivery(trigger, self._functions, self._fire, self._clock, self._filtering, self._begin)
        if known is not None and known.trigger.created_unix_ms == trigger.created_unix_ms:
            counted = known.standing
            delivery.tell(
                delivered=counted.delivered, filtered=counted.filtered, failed=counted.failed, missed=counted.missed
            )
        self._deliveries[trigger.key] = delivery
        return delivery

    def _end(self, key: Key) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
            self._ending[key] = task
            task.add_done_callback(functools.partial(self._ended, key))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._ending.get(key) is task:
            del self._ending[key]

    async def _keep_running(self, delivery: Delivery, before: asyncio.Task[None] | None) -> None:
        """Run the source for good, once what ran `before` has let go of the server."""
        if before is not None:
            await asyncio.wait([before])
        attempts = 0
        while True:
            delivery.tell(state="connecting")
            delivery.ready_at = None
            delivery.tell(**await self._attempt(delivery))
            steady = delivery.ready_at is not None and self._clock.now() - delivery.ready_at >= STEADY_S
            attempts = 1 if steady else attempts + 1
            await pause(self._clock, backoff_s(POLICY, attempts, self._jitter()))

    async def _attempt(self, delivery: Delivery) -> dict[str, str]:
        """Read from the source until that ends; return what is to be told of its end."""
        name = ".".join(reversed(delivery.trigger.key))
        try:
            source = await self._build(delivery.trigger)
            await source.run(delivery, functools.partial(self._ready, delivery))
            raise Lost("the source has ended by itself")
        except Lost as lost:
            _log.warning("source is lost trigger=%s reason=%s", name, lost)
            return {"state": "waiting", "trouble": str(lost)}
        except DayflyError as error:
            _log.warning("source cannot run trigger=%s reason=%s", name, error)
            return {"state": "failing", "trouble": str(error)}
        except Exception:
            # A bug in one adapter, or in its library, must not take the other triggers with it.
            _log.exception("bug in a source trigger=%s", name)
            return {"state": "failing", "trouble": "the source failed; the control plane's log says why"}

    def _ready(self, delivery: Delivery) -> None:
        delivery.ready_at = self._clock.now()
        delivery.tell(state="running", trouble="")

    async def _build(self, trigger: Trigger) -> Source:
        spec, credentials = trigger.spec, Credentials()
        if isinstance(spec.source, FilesSource):  # The operator may have named other folders since it was made.
            check_folder(spec.source, self._reach)
        if isinstance(spec.source, CronSource):
            return Cron(trigger, spec.source, self._clock)
        if spec.source.secret:
            found = await self._contents(trigger.key[0], spec.secrets)
            if spec.source.secret not in found:
                raise InvalidSpec(f"there is no secret {spec.source.secret} in the namespace {spec.namespace}")
            credentials = Credentials.parse(found[spec.source.secret].data)
        return self._load(spec.source.kind)(spec, credentials, self._clock)
