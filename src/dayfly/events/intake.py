"""The intake: events that come to us instead of being fetched: posted, signed, or given by hand.

Whoever brings one waits for the answer, so nothing here waits for a queue that is full: it is said, and they come
again. What was queued before that is queued once.
"""

from collections.abc import Mapping, Sequence

from dayfly.control.clock import Clock
from dayfly.control.triggers import Key, Triggers
from dayfly.events.delivery import Delivery
from dayfly.events.port import Undeliverable
from dayfly.events.runner import Contents, Runner
from dayfly.events.s3_notification import notified_events
from dayfly.events.webhook import challenge_of, check_signature, event_of, keys_of
from dayfly.model.errors import DayflyError, NotFound, PayloadTooLarge
from dayfly.model.event import Event
from dayfly.model.names import NamespaceName
from dayfly.model.trigger import Trigger
from dayfly.model.trigger_source import EventSource, WebhookSource


class Intake:
    """Takes events in for the triggers that run."""

    def __init__(self, triggers: Triggers, runner: Runner, contents: Contents, clock: Clock) -> None:
        self._triggers = triggers
        self._runner = runner
        self._contents = contents
        self._clock = clock

    async def publish(self, namespace: NamespaceName, events: Sequence[Event]) -> int:
        """Deliver events to the namespace's triggers that take them; return how many events anybody wanted.

        Raises DayflyError as the queue does; events given again then are queued once.
        """
        wanted = 0
        inside = [each for each in self._runner.running("event") if each.trigger.key[0] == namespace]
        for event in events:
            wanted += any([await self._give(each, event) for each in inside if _takes(each.trigger, event)])
        return wanted

    async def give(self, namespace: NamespaceName, name: str, event: Event) -> bool:
        """Deliver an event to one trigger of any kind, as if its source had; return whether anybody wanted it.

        Raises NotFound, DayflyError as the queue does.
        """
        self._triggers.get(namespace, name)
        return await self._give(self._delivery((namespace, name)), event)

    def hook(self, namespace: NamespaceName, name: str) -> WebhookSource:
        """Return the webhook of a trigger that runs. Raises NotFound for any other, whatever it is."""
        source = self._hooked((namespace, name)).spec.source
        assert isinstance(source, WebhookSource)
        return source

    async def receive(
        self, namespace: NamespaceName, name: str, headers: Mapping[str, Sequence[str]], body: bytes
    ) -> str:
        """Deliver what a webhook was sent; return what its sender waits to read, which mostly is nothing.

        Raises NotFound, PayloadTooLarge, Unauthenticated, DayflyError as the queue does.
        """
        trigger = self._hooked((namespace, name))
        source = trigger.spec.source
        assert isinstance(source, WebhookSource)
        if len(body) > source.body_bytes:
            raise PayloadTooLarge(f"The body is larger than {source.max_body}, the trigger's max_body")
        found = await self._contents(namespace, trigger.spec.secrets)
        content = found[source.secret].data if source.secret in found else None
        now_s = self._clock.unix_ms() / 1000
        check_signature(source, keys_of(source, content), headers, body, now_s=now_s)
        challenge = challenge_of(source, body)
        if not challenge:
            delivery = self._delivery((namespace, name))
            for event in notified_events(body) or [event_of(trigger.spec, source, headers, body)]:
                await self._give(delivery, event)
        return challenge

    def _hooked(self, key: Key) -> Trigger:
        delivery = self._runner.delivery(key)
        hooked = delivery is not None and isinstance(delivery.trigger.spec.source, WebhookSource)
        if delivery is None or not hooked or delivery.standing.state != "running":
            raise NotFound("There is no webhook here")
        return delivery.trigger

    def _delivery(self, key: Key) -> Delivery:
        delivery = self._runner.delivery(key)
        if delivery is None:
            raise NotFound(f"there is no trigger {key[1]} in the namespace {key[0]}")
        return delivery

    async def _give(self, delivery: Delivery, event: Event) -> bool:
        try:
            return await delivery.at_once(event)
        except Undeliverable as why:
            # A filter that fails is told with its trigger; what the queue refuses, whoever brings it must hear.
            if isinstance(why.__cause__, DayflyError):
                raise why.__cause__ from None
            return False


def _takes(trigger: Trigger, event: Event) -> bool:
    source = trigger.spec.source
    return isinstance(source, EventSource) and source.takes(event.type, event.source)
