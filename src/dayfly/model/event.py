"""Events: that something happened, told in the terms of CloudEvents 1.0, wherever it came from."""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudEvent; `source` and `id` together name it for good (CloudEvents 1.0, section 3.1)."""

    id: str
    source: str
    """Where it happened, a URI reference: `mqtt://broker.example.org/sensors`."""
    type: str
    """What kind of thing happened: `com.example.order.created`."""
    subject: str = ""
    """What it happened to; for a message of a broker the topic, subject or key it came by."""
    time: str = ""
    """When, as RFC 3339 has it; empty when nobody said."""
    content_type: str = ""
    data: bytes = b""
    extensions: dict[str, str] = {}
    """Further attributes by name: lower-case letters and digits."""
