"""Events from MQTT's topics, of version 5 and, where a broker knows only that, 3.1.1.

The broker keeps the session under a client id, so that what is published while nobody is connected comes later. A
message is acknowledged once it is delivered, and comes again otherwise. Quality of service 2 is subscribed to as 1: its
handshake would have us keep a message that the broker has let go of already. By quality 0 all comes at most once.

Nothing in MQTT names a message: a packet's number is given to the next as soon as it is free, and equal messages are
two. So each that comes gets an id of its own, and one that comes again calls once more, unless it is a CloudEvent and
has brought an id along.
"""

import asyncio
import uuid
from collections.abc import Callable
from urllib.parse import quote

from paho.mqtt.client import MQTTMessage, topic_matches_sub
from paho.mqtt.enums import MQTTProtocolVersion

from dayfly.control.clock import Clock
from dayfly.events.port import Deliver, Source
from dayfly.events.sources.binding import event_in
from dayfly.events.sources.handing import hand_on
from dayfly.events.sources.mqtt_session import Session
from dayfly.events.sources.tls import context_for
from dayfly.model.broker import MqttSource
from dayfly.model.event import Event
from dayfly.model.trigger import TriggerSpec
from dayfly.model.trigger_secret import Credentials

TYPE = "com.dayfly.mqtt.message"


def build(spec: TriggerSpec, credentials: Credentials, clock: Clock, /) -> Source:  # noqa: ARG001 # see Build
    """Return the trigger's source."""
    assert isinstance(spec.source, MqttSource)
    return Mqtt(spec.source, credentials, f"dayfly.{spec.namespace}.{spec.name}")


class Mqtt:
    """Topics of one broker; `name` is the client id where the specification gives none."""

    def __init__(self, spec: MqttSource, credentials: Credentials, name: str) -> None:
        self._spec = spec
        self._credentials = credentials
        self._client_id = spec.client_id or name
        self._address = f"{'mqtts' if spec.tls else 'mqtt'}://{spec.endpoints[0]}"

    async def run(self, deliver: Deliver, ready: Callable[[], None]) -> None:
        """See the port."""
        session = await self._connected()
        try:
            session.subscribe(self._spec.topics, min(self._spec.qos, 1), ready)
            while True:
                message = await session.next()
                if self._wanted(message):
                    await hand_on(deliver, self._event(message), session.lost)
                session.acknowledge(message)
        finally:
            session.close()

    async def _connected(self) -> Session:
        endpoint = self._spec.endpoints[0]
        context = await asyncio.to_thread(context_for, self._address, self._credentials) if self._spec.tls else None
        for version in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
            session = Session(self._address, self._client_id, self._credentials, version)
            spoken = False
            try:
                spoken = await session.connect(endpoint.host, endpoint.port, context)
            finally:
                if not spoken:
                    session.close()
            if spoken:
                return session
        raise session.refused()

    def _wanted(self, message: MQTTMessage) -> bool:
        """Whether it is of our topics: a session remembers those that the trigger had before it was changed."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return False
        return any(topic_matches_sub(_pattern(each), topic) for each in self._spec.topics)

    def _event(self, message: MQTTMessage) -> Event:
        properties = message.properties
        content_type, data = getattr(properties, "ContentType", ""), bytes(message.payload)
        known = event_in(content_type, data, dict(getattr(properties, "UserProperty", ())))
        return known or Event(
            id=uuid.uuid4().hex,
            source=f"{self._address}/{quote(message.topic)}",
            type=TYPE,
            subject=message.topic,
            content_type=content_type,
            data=data,
        )


def _pattern(subscription: str) -> str:
    """Return what a subscription's topics look like: that of a shared one comes after `$share/GROUP/`."""
    return subscription.split("/", 2)[2] if subscription.startswith("$share/") else subscription
