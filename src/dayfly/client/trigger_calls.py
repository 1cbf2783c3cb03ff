"""The API's calls about triggers and events, without their transport; see `calls`."""

import base64
from typing import Any

import msgspec

from dayfly.client.calls import JSON, Call, nothing, reads
from dayfly.model.event import Event
from dayfly.model.names import NamespaceName, parse_trigger_name
from dayfly.model.trigger import TriggerMode, TriggerSpec, TriggerStatus

_BATCH, _STRUCTURED = "application/cloudevents-batch+json", "application/cloudevents+json"


class Tried(msgspec.Struct, frozen=True):
    """What became of an event that was given to a trigger."""

    delivered: bool


class Published(msgspec.Struct, frozen=True):
    """What became of posted events: how many there were, and for how many of them somebody is called."""

    events: int
    delivered: int


def list_triggers(namespace: NamespaceName) -> Call[list[TriggerStatus]]:
    """A namespace's triggers, sorted by name."""
    read = reads(list[TriggerStatus])
    path = f"/v1/namespaces/{namespace}/triggers"
    return Call("GET", path, lambda reply: sorted(read(reply), key=lambda trigger: trigger.spec.name))


def get_trigger(name: str, namespace: NamespaceName) -> Call[TriggerStatus]:
    """One trigger."""
    return Call("GET", _path(name, namespace), reads(TriggerStatus))


def put_trigger(spec: TriggerSpec, mode: TriggerMode) -> Call[TriggerStatus]:
    """Create or replace a trigger."""
    spec.check()
    path = _path(spec.name, NamespaceName(spec.namespace))
    content = msgspec.json.encode(spec)
    return Call("PUT", path, reads(TriggerStatus), query=(("mode", mode),), content=content, content_type=JSON)


def pause_trigger(name: str, namespace: NamespaceName, *, paused: bool) -> Call[TriggerStatus]:
    """Let a trigger rest, or go on."""
    return Call("POST", _path(name, namespace) + ("/pause" if paused else "/resume"), reads(TriggerStatus))


def remove_trigger(name: str, namespace: NamespaceName) -> Call[None]:
    """Take a trigger away."""
    return Call("DELETE", _path(name, namespace), nothing, expected=(204,))


def test_trigger(name: str, namespace: NamespaceName, event: Event) -> Call[Tried]:
    """Give a trigger an event."""
    content = msgspec.json.encode(_structured(event))
    return Call("POST", _path(name, namespace) + "/test", reads(Tried), content=content, content_type=_STRUCTURED)


def publish_events(events: list[Event], namespace: NamespaceName) -> Call[Published]:
    """Post events for triggers that wait for them."""
    content = msgspec.json.encode([_structured(event) for event in events])
    path = f"/v1/namespaces/{namespace}/events"
    return Call("POST", path, reads(Published), content=content, content_type=_BATCH, expected=(202,))


def _structured(event: Event) -> dict[str, Any]:
    """Return the event as CloudEvents' JSON format has it."""
    told = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, **event.extensions}
    told |= {"subject": event.subject, "time": event.time, "datacontenttype": event.content_type}
    told["data_base64"] = base64.b64encode(event.data).decode() if event.data else ""
    return {name: value for name, value in told.items() if value}


def _path(name: str, namespace: NamespaceName) -> str:
    return f"/v1/namespaces/{namespace}/triggers/{parse_trigger_name(name)}"
