"""Triggers, functions and events as the tests of events make them."""

import asyncio
from collections.abc import Callable

import msgspec

from dayfly.events.firing import Beginning, Firing
from dayfly.model.errors import DayflyError
from dayfly.model.event import Event
from dayfly.model.function import Function, FunctionSpec, Revision
from dayfly.model.trigger import Trigger, TriggerSpec

MQTT = {"kind": "mqtt", "host": "mqtt.example.org", "topics": ["#"]}


def function(name: str = "shop", topic: str = "", namespace: str = "openfaas-fn") -> Function:
    annotations = {"topic": topic} if topic else {}
    told = {"name": name, "namespace": namespace, "bundle": "sha256:" + "a" * 64, "annotations": annotations}
    spec = msgspec.convert(told, FunctionSpec)
    return Function(key=spec.key, revision=Revision(number=1, spec=spec, created_unix_ms=1), created_unix_ms=1)


def trigger(name: str = "orders", *, created: int = 1, **fields: object) -> Trigger:
    told = {"name": name, "function": "shop", "source": MQTT, **fields}
    return Trigger(spec=msgspec.convert(told, TriggerSpec), created_unix_ms=created, updated_unix_ms=created)


def event(number: int = 1, **fields: object) -> Event:
    told = {"id": str(number), "source": "mqtt://mqtt.example.org", "type": "com.example.order", **fields}
    return msgspec.convert(told, Event)


class Queue:
    """Takes firings, once a key, as the queue does."""

    def __init__(self) -> None:
        self.taken: list[Firing] = []
        self.broken: list[DayflyError] = []
        """Raised one after the other."""
        self._keys: set[tuple[str, str]] = set()

    async def __call__(self, firing: Firing) -> None:
        if self.broken:
            raise self.broken.pop(0)
        key = (str(firing.function), firing.key)
        if key not in self._keys:
            self._keys.add(key)
            self.taken.append(firing)

    @property
    def called(self) -> list[str]:
        return [firing.function.name for firing in self.taken]


class Runs:
    """Takes beginnings, once a key, as flows do."""

    def __init__(self) -> None:
        self.begun: dict[str, Beginning] = {}
        self.broken: list[DayflyError] = []
        """Raised one after the other."""

    async def __call__(self, beginning: Beginning) -> None:
        if self.broken:
            raise self.broken.pop(0)
        self.begun.setdefault(beginning.key, beginning)


async def turn(until: Callable[[], bool], turns: int = 1000) -> None:
    """Let the loop turn until something holds."""
    for _ in range(turns):
        if until():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came")
