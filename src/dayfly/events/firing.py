"""What an event asks for: a firing, a call on its way into the queue, which keeps it until it is made; or a beginning,
a run of a flow, which is in its log before it takes a step.
"""

from typing import Any, Protocol

import msgspec

from dayfly.model.errors import InvalidRequest, NotSupported, PayloadTooLarge
from dayfly.model.event import Event
from dayfly.model.flow_data import JSON, MAX_DATA_BYTES, size_of, to_data
from dayfly.model.function import Function
from dayfly.model.names import FunctionKey, NamespaceName
from dayfly.model.retry import told_of
from dayfly.queue.remote import RemoteQueue
from dayfly.queue.submission import Terms


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """A call that an event asks for."""

    function: FunctionKey
    terms: Terms
    """What the function's author says of its queued calls."""
    headers: dict[str, str]
    key: str
    """The same for every firing of the same event, which calls the function once."""
    body: bytes = b""

    @classmethod
    def of(cls, function: Function, headers: dict[str, str], *, key: str, body: bytes = b"") -> "Firing":
        """Return a call of the function as it is deployed now."""
        retry, concurrency = told_of(function.revision.spec.annotations)
        return cls(function=function.key, terms=Terms(retry, concurrency), headers=headers, key=key, body=body)


class Fire(Protocol):
    """Sees to it that a function is called."""

    async def __call__(self, firing: Firing, /) -> None:
        """Return once the call is safe in the queue, now or since before. Raises DayflyError when it is not."""
        ...


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a flow that an event asks for."""

    namespace: NamespaceName
    flow: str
    input: Any
    key: str
    """The same for every beginning of the same event, which begins one run."""
    depth: int
    by: str


class Begin(Protocol):
    """Sees to it that a flow runs."""

    async def __call__(self, beginning: Beginning, /) -> None:
        """Return once the run is on the disk, now or since before. Raises NotFound for the flow, DayflyError."""
        ...


async def no_flows(_beginning: Beginning, /) -> None:
    """Begin nothing. Raises NotSupported."""
    raise NotSupported("Flows cannot run here")


def input_of(event: Event) -> dict[str, Any]:
    """Return the event as a flow gets it: its attributes by name, and what it holds as `data`, if anything.

    Raises PayloadTooLarge, and InvalidRequest for data that are said to be JSON and are not.
    """
    told = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type, "subject": event.subject}
    told |= {"time": event.time, "datacontenttype": event.content_type, **event.extensions}
    given: dict[str, Any] = {name: value for name, value in told.items() if value}
    data = _data_of(event)
    if data is not None:
        given["data"] = data
    if (size_bytes := size_of(given)) > MAX_DATA_BYTES:
        raise PayloadTooLarge(f"the event has {size_bytes} bytes, more than a flow takes, {MAX_DATA_BYTES}")
    return given


def _data_of(event: Event) -> Any:
    if event.content_type:
        return to_data(event.data, event.content_type)
    try:
        return to_data(event.data, JSON)  # CloudEvents 1.0, JSON format, section 3.1: so is what nobody says is not
    except PayloadTooLarge:
        raise
    except InvalidRequest:
        return to_data(event.data, "")


class QueueFire:
    """Hands firings to the queue."""

    def __init__(self, queue: RemoteQueue) -> None:
        self._queue = queue

    async def __call__(self, firing: Firing, /) -> None:
        """Have the queue accept the call."""
        await self._queue.submit(
            str(firing.function), firing.terms, key=firing.key, headers=firing.headers, body=firing.body
        )
