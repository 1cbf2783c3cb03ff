"""Messages that are CloudEvents already, as CloudEvents' bindings of MQTT, Kafka and AMQP tell them.

In structured mode the body is the whole event as JSON, which the content type says; in binary mode the body is the
event's data, and its attributes are among the message's properties. What says it is an event and is none is a message
like any other: nobody is there to be told, and nobody would be helped by its being thrown away.
"""

import contextlib
from collections.abc import Mapping

from dayfly.events.cloudevents import STRUCTURED, event_of, is_name, read_events
from dayfly.model.errors import InvalidRequest
from dayfly.model.event import Event


def event_in(content_type: str, body: bytes, properties: Mapping[str, str]) -> Event | None:
    """Return the event that a message is, or None; `properties` are by attributes' names, and may hold others."""
    with contextlib.suppress(InvalidRequest):
        if content_type.partition(";")[0].strip().lower() == STRUCTURED:
            return read_events((("content-type", content_type),), body)[0]
        if "specversion" in properties:
            return event_of({name: value for name, value in properties.items() if is_name(name)}, content_type, body)
    return None
